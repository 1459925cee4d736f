"""What a training run leaves in its folder, and what it does not: run_folder.py PROGRAM."""

import json
import os
import resource
import shutil
import signal
import subprocess
import time

from program import PROGRAM, expect, finish, image_set, npz, refuse, run, scratch


def main(folder):
    here = lambda name: os.path.join(folder, name)
    arrays = image_set()
    npz(here("data.npz"), arrays)
    out = here("runs/a")
    settings = ["train", "--model", "small_cnn:width=4", "--batch", 8, "--threads", 1, "--quiet"]
    train = [*settings, "--data", here("data.npz")]

    # A network that diverged is neither kept nor called trained, even where its loss is a number.
    for method in (["--method", "standard"], ["--method", "pgd", "--steps", 1]):
        refuse(f"diverged: {method[1]}", 70, *train, *method, "--epochs", 2, "--optimizer", "sgd", "--schedule", "constant", "--lr", 1e25,
               "--out", out, output=here("runs"), mention=["diverged", "--lr"])

    # A start that fails leaves what was there before it, and nothing else.
    def small_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (8, 8))

    full = dict(preexec_fn=small_files, restore_signals=False)  # SIGXFSZ stays ignored: writing fails as on a full disk
    refuse("no room for the first lines", 74, *train, "--epochs", 1, "--out", out, output=here("runs"), mention=[out], **full)
    os.makedirs(out)
    with open(os.path.join(out, "notes.txt"), "w") as file:
        file.write("mine")
    refuse("no room for the first lines in a folder", 74, *train, "--epochs", 1, "--out", out, mention=[out], **full)
    expect(os.listdir(out) == ["notes.txt"], f"a failed start left {os.listdir(out)}")
    done = run(*train, "--epochs", 1, "--out", out)
    expect(done.returncode == 0, f"a start after failed ones: {done.stderr}")
    expect("lock" not in os.listdir(out), "the lock was left behind")

    # Which implementation computed each convolution is on record, and a change of it is told.
    record = os.path.join(out, "algorithms.json")
    with open(record) as file:
        convolutions = json.load(file)["convolutions"]
    expect(any(c["convolution"].startswith("backward-weights") for c in convolutions), "no record of the backward pass")
    expect(all(c["algorithm"] for c in convolutions), "a convolution without an algorithm")
    done = run(*train, "--epochs", 1, "--out", out, "--resume")
    expect(done.returncode == 0 and not done.stderr, f"resuming with the same algorithms: {done.stderr}")
    with open(record, "w") as file:
        file.write("{}")
    done = run(*train, "--epochs", 1, "--out", out, "--resume")
    expect(done.returncode == 0 and "may differ" in done.stderr, f"resuming with other algorithms: {done.stderr}")

    # The data is what it holds, not what it is called.
    moved, same = here("moved"), os.path.relpath(here("data.npz"))
    shutil.copytree(out, moved)
    done = run("data", "convert", here("data.npz"), here("same.h5"))
    expect(done.returncode == 0 and not done.stderr, f"convert: {done.stderr}")
    for path in (same, here("same.h5")):
        done = run(*settings, "--epochs", 1, "--data", path, "--out", out, "--resume")
        expect(done.returncode == 0, f"resuming with the same data as {path}: {done.stderr}")
    for what in ("train_images", "val_images", "train_labels"):
        other = image_set()
        dtype, shape, data = other[what]
        other[what] = (dtype, shape, data[1:] + data[:1])
        npz(here("data.npz"), other)
        refuse(f"resuming with other {what}", 78, *train, "--epochs", 1, "--out", out, "--resume", mention=["data"])
    other = image_set()
    other["patients"] = ("|u1", (24,), bytes(24))
    npz(here("data.npz"), other)
    done = run(*train, "--epochs", 1, "--out", out, "--resume")
    expect(done.returncode == 0, f"resuming with an array more that training does not see: {done.stderr}")

    # What a conversion leaves behind, it says.
    done = run("data", "convert", here("data.npz"), here("fewer.h5"), "--quiet")
    expect(done.returncode == 0 and len(done.stderr.splitlines()) == 1 and "patients" in done.stderr, f"convert: {done.stderr}")

    # Passing over damaged checkpoints is said even where nothing else is.
    damaged = here("damaged")
    run(*train, "--epochs", 3, "--out", damaged)
    for name in os.listdir(os.path.join(damaged, "checkpoint")):
        if name.endswith(".safetensors"):
            with open(os.path.join(damaged, "checkpoint", name), "ab") as file:
                file.write(b"x")
    done = run(*train, "--epochs", 3, "--out", damaged, "--resume")
    lines = done.stderr.splitlines()
    expect(done.returncode == 0 and len(lines) == 2 and all(line.startswith("warning: ") for line in lines),
           f"two damaged checkpoints: {done.returncode} {done.stderr!r}")

    # One process at a time.
    busy = here("busy")
    process = subprocess.Popen([PROGRAM, *map(str, train), "--epochs", "100000", "--out", busy], stderr=subprocess.PIPE, text=True)
    until = time.time() + 60
    while time.time() < until and process.poll() is None and not os.path.exists(os.path.join(busy, "metrics.jsonl")):
        time.sleep(0.01)
    for mode in ([], ["--resume"], ["--overwrite"]):
        refuse(f"a folder in use {mode}", 73, *train, "--epochs", 100000, *mode, "--out", busy, mention=[busy, "another process"])
    expect(process.poll() is None, "the first process was disturbed by the second")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    process = subprocess.Popen([PROGRAM, *map(str, train), "--epochs", "100000", "--out", busy, "--resume"], stderr=subprocess.PIPE, text=True)
    time.sleep(1)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    expect(process.returncode == 75, f"after kill -9 the folder is free again: {process.returncode} {err}")


with scratch() as temporary:
    main(temporary)
finish()
