#!/usr/bin/python3
"""Times PyTorch's training steps and the engine's, turn by turn in one run, and prints medians and ratios.

pytorch_step.py path/to/inocula [--threads N] [--rounds N] [--repeat N] [--only TEXT]

Turns alternate, so that whatever else the machine does meets both. A turn runs some steps after one that warms up
and gives their median; a table entry is the median over the rounds. The ratio says how many times faster the engine
is than the better of PyTorch's two memory formats. PyTorch computes with whatever it was built with, oneDNN included;
its attack runs in evaluation mode with the parameters' gradients switched off.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "torch"))
from networks import Normalize, ResNet18  # noqa: E402

WORK = [(width, batch, method) for width, batch in ((16, 64), (64, 32)) for method in ("standard", "pgd")]
FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
PGD_STEPS = 7
EPS, ALPHA = 8 / 255, 2 / 255


def attacked(network, clean, y):
    """PGD from a random start."""
    network.eval().requires_grad_(False)
    x = (clean + torch.empty_like(clean).uniform_(-EPS, EPS)).clamp(0, 1)
    for _ in range(PGD_STEPS):
        x.requires_grad_(True)
        (gradient,) = torch.autograd.grad(functional.cross_entropy(network(x), y, reduction="sum"), x)
        with torch.no_grad():
            x = (clean + (x + ALPHA * gradient.sign() - clean).clamp(-EPS, EPS)).clamp(0, 1)
    network.requires_grad_(True)
    return x


def training_step(width, batch, method, memory_format):
    """A function that does one step of SGD on 28x28x1 images of two classes."""
    torch.manual_seed(0)
    network = ResNet18(Normalize([0.5], [0.5]), 1, 2, width, "cifar").to(memory_format=memory_format)
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3, momentum=0.9)
    images = torch.rand(batch, 1, 28, 28).contiguous(memory_format=memory_format)
    labels = torch.arange(batch) % 2

    def step():
        x = attacked(network, images, labels) if method == "pgd" else images
        network.train()
        optimizer.zero_grad()
        functional.cross_entropy(network(x), labels).backward()
        optimizer.step()

    return step


def time_step(step, repeat):
    """Median milliseconds."""
    step()
    times = []
    for _ in range(repeat):
        begin = time.perf_counter()
        step()
        times.append(1e3 * (time.perf_counter() - begin))
    return statistics.median(times)


def time_engine(program, width, batch, method, repeat, threads):
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "bench.json"
        subprocess.run([program, "bench", "--model", f"resnet18:width={width}", "--input", "1,28,28", "--classes", "2",
                        "--batch", str(batch), "--method", method, "--steps", str(PGD_STEPS), "--repeat", str(repeat),
                        "--threads", str(threads), "--quiet", "--json", result], check=True)
        return json.loads(result.read_text())["rows"][0]["ms_median"]


def main(arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repeat", type=int, default=5, help="timed steps in one turn")
    parser.add_argument("--only", default="", help="rows whose name holds this text")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)

    print(f"ResNet-18, 28x28x1, 2 classes, fp32, {options.threads} threads, PyTorch {torch.__version__}; milliseconds a "
          f"step: median of {options.rounds} rounds of {options.repeat} steps")
    columns = (*FORMATS, "inocula")
    print(f"{'step':<28}" + "".join(f"{column:>15}" for column in columns) + f"{'ratio':>9}")
    for width, batch, method in WORK:
        name = f"width {width}, batch {batch}, " + (f"pgd-{PGD_STEPS}" if method == "pgd" else method)
        if options.only not in name:
            continue
        steps = {key: training_step(width, batch, method, memory) for key, memory in FORMATS.items()}
        times = {column: [] for column in columns}
        for _ in range(options.rounds):
            for key, step in steps.items():
                times[key].append(time_step(step, options.repeat))
            times["inocula"].append(time_engine(options.program, width, batch, method, options.repeat, options.threads))
        median = {column: statistics.median(times[column]) for column in columns}
        ratio = min(median[key] for key in FORMATS) / median["inocula"]
        print(f"{name:<28}" + "".join(f"{median[column]:>15.1f}" for column in columns) + f"{ratio:>8.2f}x", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
