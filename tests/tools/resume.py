"""The same bits whatever happens to a run: resume.py PROGRAM."""

import os
import random
import re
import shutil
import signal
import subprocess
import time

from program import PROGRAM, expect, finish, read_bytes, read_json, run, scratch


def files(folder):
    """What a run promises to reproduce: weights, and metrics without their timings."""
    rows = []
    with open(os.path.join(folder, "metrics.jsonl")) as file:
        for line in file:
            row = __import__("json").loads(line)
            for timing in ("seconds", "images_per_second"):
                row.pop(timing)
            rows.append(row)
    return read_bytes(folder, "model.safetensors"), rows


def newest_step(folder):
    """The step of the newest checkpoint file in a run folder; 0 where there is none."""
    checkpoints = os.path.join(folder, "checkpoint")
    names = os.listdir(checkpoints) if os.path.isdir(checkpoints) else []
    return max((int(number) for name in names for number in re.findall(r"\d+", name)), default=0)


def main(folder):
    here = lambda name: os.path.join(folder, name)
    run("data", "synth", here("data.npz"), "--n", 600)
    command = ["train", "--data", here("data.npz"), "--model", "resnet18:width=4", "--method", "pgd", "--steps", 2,
               "--epochs", 4, "--batch", 32, "--checkpoint-every", 0, "--flip", "--shift", 2, "--quiet"]
    done = run(*command, "--out", here("whole"))
    expect(done.returncode == 0, f"uninterrupted run: {done.stderr}")
    whole = files(here("whole"))
    run(*command, "--out", here("again"))
    expect(files(here("again")) == whole, "the same seed twice gives different results")
    run(*command, "--seed", 1, "--out", here("other"))
    expect(files(here("other"))[0] != whole[0], "another seed gives the same weights")

    # Killed with -9 somewhere inside a step, several times, then left to end.
    moments = random.Random(0)
    kills = 0
    out = here("killed")
    for _ in range(4):
        until = newest_step(out) + moments.randint(1, 5)
        # Politely, so that on a busy machine it does not run away from who watches it.
        process = subprocess.Popen(["nice", "-n", "19", PROGRAM, *map(str, command), "--out", out, "--resume"],
                                   stderr=subprocess.PIPE, text=True)
        while process.poll() is None and newest_step(out) < until:
            time.sleep(0.002)
        time.sleep(moments.uniform(0, 0.02))
        kills += process.poll() is None
        process.kill()
        process.communicate()
    done = run(*command, "--out", out, "--resume")
    expect(done.returncode == 0, f"resumed run: {done.stderr}")
    print(f"killed {kills} times")
    expect(kills >= 2, "the run was hardly killed: the test proves nothing")
    expect(files(out) == whole, "killed and resumed: the result differs from the uninterrupted run's")

    # Asked to stop: a checkpoint, exit code 75, and on it goes. SIGUSR1 and SIGTERM alike.
    for wanted in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT):
        out = here("stopped-" + wanted.name)
        process = subprocess.Popen([PROGRAM, *map(str, command), "--out", out], stderr=subprocess.PIPE, text=True)
        checkpoints = os.path.join(out, "checkpoint")
        until = time.time() + 60
        while time.time() < until and process.poll() is None and not (os.path.isdir(checkpoints) and os.listdir(checkpoints)):
            time.sleep(0.01)
        process.send_signal(wanted)
        _, err = process.communicate(timeout=60)
        expect(process.returncode == 75, f"{wanted.name}: exit code {process.returncode}, expected 75: {err}")
        expect(len(err.splitlines()) == 1, f"{wanted.name}: standard error is not one line: {err!r}")
        done = run(*command, "--out", out, "--resume")
        expect(done.returncode == 0, f"{wanted.name}, resumed: {done.stderr}")
        expect(files(out) == whole, f"{wanted.name}: the resumed result differs")

    # Other settings are refused, a damaged newest checkpoint is passed over and said so.
    done = run(*command, "--lr", 0.01, "--out", out, "--resume")
    expect(done.returncode == 78 and "lr" in done.stderr, f"resume with another rate: {done.returncode} {done.stderr}")
    other_threads = len(os.sched_getaffinity(0)) + 1  # the run took every core
    done = run(*command, "--threads", other_threads, "--out", out, "--resume")
    expect(done.returncode == 78 and "threads" in done.stderr, f"resume with other threads: {done.returncode} {done.stderr}")
    damaged = here("damaged")
    shutil.copytree(here("whole"), damaged)
    os.remove(os.path.join(damaged, "model.safetensors"))
    newest = max((os.path.join(damaged, "checkpoint", f) for f in os.listdir(os.path.join(damaged, "checkpoint"))
                  if f.endswith(".safetensors")), key=lambda path: int("".join(c for c in os.path.basename(path) if c.isdigit())))
    with open(newest, "r+b") as file:
        file.seek(1000)
        byte = file.read(1)
        file.seek(1000)
        file.write(bytes([byte[0] ^ 1]))
    done = run(*[a for a in command if a != "--quiet"], "--out", damaged, "--resume")
    expect(done.returncode == 0, f"damaged checkpoint: {done.stderr}")
    expect("warning" in done.stderr, "a damaged checkpoint was passed over in silence")
    expect(files(damaged) == whole, "damaged checkpoint: the resumed result differs")

    # Evaluation changes nothing and does not depend on its batch.
    results = []
    for batch in (1, 7, 64):
        target = here(f"images-{batch}.npz")
        run("attack", "--model", here("whole"), "--data", here("data.npz"), "--attack", "pgd:eps=8/255,steps=5,restarts=2",
            "--limit", 70, "--batch", batch, "--out", target)
        results.append(read_bytes(target))
    expect(results[0] == results[1] == results[2], "adversarial images depend on the batch size")
    expect(files(here("whole")) == whole, "attacking changed the run folder")
    for name in ("a.json", "b.json"):
        run("evaluate", "--model", here("whole"), "--data", here("data.npz"), "--attack", "fgsm", "--out", here(name), "--quiet")
    a, b = read_json(here("a.json")), read_json(here("b.json"))
    expect(a["rows"] == b["rows"], "two evaluations differ")


with scratch() as temporary:
    main(temporary)
finish()
