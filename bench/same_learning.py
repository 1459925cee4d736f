#!/usr/bin/python3
"""Trains the same network on the CPU and on a GPU, and checks that each one's accuracy lies in the other's interval.

same_learning.py PROGRAM DATA [--device cuda:0] [--epochs N]

DATA: an image set such as pneumoniamnist.npz. Adversarial training of a narrow ResNet-18, judged clean and under PGD. The
exit status is 1 where the two have learnt something different.
"""
import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

MODEL, ATTACK = "resnet18:width=8", "pgd:eps=4/255,steps=10"


def judged(program, data, device, epochs, folder):
    """The rows of an evaluation of what was learnt on this device, by name."""
    run, scores = folder / device.replace(":", "-"), folder / f"{device.replace(':', '-')}.json"
    common = ["--data", data, "--device", device, "--quiet"]
    subprocess.run([program, "train", *common, "--model", MODEL, "--method", "pgd", "--eps", "4/255", "--steps", "4", "--epochs",
                    str(epochs), "--out", run], check=True)
    subprocess.run([program, "evaluate", *common, "--model", run, "--attack", ATTACK, "--out", scores], check=True)
    return {row.get("spec", "clean"): row for row in json.loads(scores.read_text())["rows"]}


def agree(a, b):
    return all(low <= other["accuracy"] <= high for (low, high), other in ((a["accuracy_ci95"], b), (b["accuracy_ci95"], a)))


def main(arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("data")
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--epochs", type=int, default=4)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        cpu, gpu = (judged(options.program, options.data, device, options.epochs, Path(folder)) for device in ("cpu", options.device))
    print(f"| {Path(options.data).name} | cpu | {options.device} | |\n|---|---|---|---|")
    for name, row in cpu.items():
        print(f"| {name} | {100 * row['accuracy']:.2f} % | {100 * gpu[name]['accuracy']:.2f} % | "
              f"{'agree' if agree(row, gpu[name]) else 'DIFFER'} |")
    return 0 if all(agree(row, gpu[name]) for name, row in cpu.items()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
