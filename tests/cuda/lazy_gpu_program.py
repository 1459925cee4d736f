"""The whole program with GPUs of host memory, where --device is the only difference a user sees: lazy_gpu_program.py PROGRAM."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "tools"))
from program import expect, finish, image_set, npz, read_bytes, read_json, refuse, run, scratch  # noqa: E402

TRAIN = ("train", "--method", "pgd", "--steps", 2, "--lr", 0.02, "--quiet")
SMALL = ("--model", "small_cnn:width=4", "--batch", 8)


def main(folder):
    here = lambda name: os.path.join(folder, name)
    npz(here("set.npz"), image_set(count=24))
    devices = json.loads(run("devices", "--json").stdout)
    expect([d["name"] for d in devices if d["usable"]] == ["cpu", "cuda:0", "cuda:1"], f"devices: {devices}")

    # A run on the second GPU, a run in two halves on the first, and what the CPU says of the result.
    train = lambda out, *more, **how: run(*TRAIN, *SMALL, "--data", here("set.npz"), "--out", here(out), *more, **how)
    model = lambda out: read_bytes(here(out), "model.safetensors")
    expect(train("whole", "--epochs", 2, "--device", "cuda:1").returncode == 0, "training on cuda:1")
    expect(train("again", "--epochs", 2, "--device", "cuda").returncode == 0, "training on cuda")
    expect(model("whole") == model("again"), "two GPUs of one kind give different bits")
    expect(train("steps", "--epochs", 2, "--device", "cuda:1", env={**os.environ, "CUDA_LAUNCH_BLOCKING": "1"}).returncode == 0,
           "training launch by launch")
    expect(model("whole") == model("steps"), "graphs and single launches give different bits")
    chosen = read_json(os.path.join(here("whole"), "algorithms.json"))["convolutions"]
    expect(any(c["algorithm"] == "cudnn plain loops" for c in chosen), f"algorithms.json: {chosen}")

    results = {}
    for device in ("cpu", "cuda:0"):
        done = run("evaluate", "--model", here("whole"), "--data", here("set.npz"), "--attack", "pgd:eps=8/255,steps=3",
                   "--attack", "apgd-ce:eps=8/255,steps=5", "--device", device, "--out", here(f"{device}.json"), "--quiet")
        expect(done.returncode == 0, f"evaluate on {device}: {done.stderr}")
        results[device] = {row.get("spec", "clean"): row["accuracy"] for row in read_json(here(f"{device}.json"))["rows"]}
    expect(results["cpu"] == results["cuda:0"], f"evaluate: {results}")

    # Devices that are not there, and memory that is not.
    refuse("a third GPU", 69, *TRAIN, *SMALL, "--data", here("set.npz"), "--out", here("none"), "--device", "cuda:2", output=here("none"),
           mention=["there are 2 GPUs"])
    refuse("a batch too large", 69, *TRAIN, "--model", "small_cnn:width=32", "--batch", 24, "--data", here("set.npz"), "--out", here("none"),
           "--device", "cuda:0", output=here("none"), env={**os.environ, "LAZY_GPU_MIB": "4"},
           mention=["out of memory on cuda:0", " instead of 24 would fit"])


with scratch() as folder:
    main(folder)
finish()
