#!/usr/bin/python3
"""Times PyTorch's steps and the engine's, turn by turn in one run, and prints medians and ratios.

pytorch_step.py path/to/inocula [--threads N] [--rounds N] [--repeat N] [--only TEXT]

A step trains on a batch (standard, or against PGD-7), or evaluates it: clean, attacked by PGD-20, and what came of it.

Turns alternate, so that whatever else the machine does meets both. A turn is a process of its own: it does some steps
after one that warms up, and its result is their median; the table holds the median over the rounds. PyTorch takes turns
with contiguous and with channels_last tensors, and each with OpenMP's threads waiting awake (its default) and asleep
(better where cores are shared, and what the engine does); the table holds the better of the two ways of waiting, the
ratio says how many times faster the engine is than the best of all four. PyTorch computes with whatever it was built
with, oneDNN included; its attack runs in evaluation mode with the parameters' gradients switched off, its bf16 under
autocast.
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
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
GREY, COLOUR = (1, 28, 28), (3, 64, 64)
FORMATS = ("contiguous", "channels_last")
WAITING = {"awake": {}, "asleep": {"OMP_WAIT_POLICY": "PASSIVE"}}
PGD_STEPS, EVALUATION_STEPS = 7, 20
EPS, ALPHA = 8 / 255, 2 / 255


class Work(NamedTuple):
    width: int
    batch: int
    method: str  # standard, pgd or eval
    precision: str = "fp32"
    image: tuple = GREY

    def name(self):
        method = {"standard": "standard", "pgd": f"pgd-{PGD_STEPS}", "eval": f"eval, pgd-{EVALUATION_STEPS}"}[self.method]
        size = "" if self.image == GREY else ", " + "x".join(map(str, self.image))
        return f"{method}, width {self.width}, batch {self.batch}, {self.precision}{size}"


WORK = [Work(64, 32, "pgd"), Work(16, 64, "pgd"), Work(64, 32, "pgd", "bf16"), Work(16, 64, "pgd", "bf16"),
        Work(64, 128, "standard"), Work(64, 64, "eval"), Work(16, 32, "pgd", image=COLOUR)]


def pytorch_step(width, batch, method, layout, image=(1, 28, 28), device="cpu", bf16=False, compiled=False):
    """A function that does one step of SGD on images of two classes; on the device it is only enqueued."""
    import torch
    from torch.nn import functional
    sys.path.insert(0, str(ROOT / "tests" / "torch"))
    from networks import Normalize, ResNet18

    torch.manual_seed(0)
    memory_format = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}[layout]
    normalize = Normalize([0.5] * image[0], [0.5] * image[0])
    network = ResNet18(normalize, image[0], 2, width, "cifar").to(device, memory_format=memory_format)
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3, momentum=0.9)
    images = torch.rand(batch, *image).to(device).contiguous(memory_format=memory_format)
    labels = torch.arange(batch, device=device) % 2
    forward = torch.compile(network, mode="reduce-overhead") if compiled else network

    def loss(x, reduction):
        with torch.autocast(device, torch.bfloat16, enabled=bf16):
            logits = forward(x)
        return functional.cross_entropy(logits.float(), labels, reduction=reduction)

    def attacked(clean, steps):
        network.eval().requires_grad_(False)
        x = (clean + torch.empty_like(clean).uniform_(-EPS, EPS)).clamp(0, 1)
        for _ in range(steps):
            x.requires_grad_(True)
            (gradient,) = torch.autograd.grad(loss(x, "sum"), x)
            with torch.no_grad():
                x = (clean + (x + ALPHA * gradient.sign() - clean).clamp(-EPS, EPS)).clamp(0, 1)
        network.requires_grad_(True)
        return x

    def evaluate():
        network.eval()
        with torch.no_grad():
            loss(images, "sum")
        adversarial = attacked(images, EVALUATION_STEPS)
        with torch.no_grad():
            loss(adversarial, "sum")

    def step():
        x = attacked(images, PGD_STEPS) if method == "pgd" else images
        network.train()
        optimizer.zero_grad()
        loss(x, "mean").backward()
        optimizer.step()

    return evaluate if method == "eval" else step


def pytorch_turn(work, layout, repeat):
    """Median milliseconds of a step, to standard output: what a process that plays PyTorch's turn does."""
    step = pytorch_step(work.width, work.batch, work.method, layout, work.image, bf16=work.precision == "bf16")
    step()
    times = []
    for _ in range(repeat):
        begin = time.perf_counter()
        step()
        times.append(1e3 * (time.perf_counter() - begin))
    print(statistics.median(times))


def time_pytorch(work, layout, waiting, options):
    words = [sys.executable, __file__, options.program, "--repeat", str(options.repeat), "--turn", str(WORK.index(work)), layout]
    environment = {**os.environ, "OMP_NUM_THREADS": str(options.threads), **WAITING[waiting]}
    return float(subprocess.run(words, env=environment, check=True, capture_output=True, text=True).stdout)


def time_engine(work, options):
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "bench.json"
        steps = {"standard": [], "pgd": ["--steps", str(PGD_STEPS)], "eval": ["--steps", str(EVALUATION_STEPS)]}
        subprocess.run([options.program, "bench", "--model", f"resnet18:width={work.width}", "--input",
                        ",".join(map(str, work.image)), "--classes", "2", "--batch", str(work.batch), "--method",
                        work.method, *steps[work.method], "--precision", work.precision, "--repeat",
                        str(options.repeat), "--threads", str(options.threads), "--quiet", "--json", result], check=True)
        return json.loads(result.read_text())["rows"][0]["ms_median"]


def compare(work, options):
    """{column: milliseconds}."""
    pytorch = {(layout, waiting): [] for layout in FORMATS for waiting in WAITING}
    engine = []
    for _ in range(options.rounds):
        for turn, times in pytorch.items():
            times.append(time_pytorch(work, *turn, options))
        engine.append(time_engine(work, options))
    row = {layout: min(statistics.median(pytorch[layout, waiting]) for waiting in WAITING) for layout in FORMATS}
    return {**row, "inocula": statistics.median(engine)}


def main(arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repeat", type=int, default=5, help="timed steps in one turn")
    parser.add_argument("--only", default="", help="rows whose name holds this text")
    parser.add_argument("--turn", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.turn:
        pytorch_turn(WORK[int(options.turn[0])], options.turn[1], options.repeat)
        return 0

    print(f"ResNet-18, 2 classes, {options.threads} threads; milliseconds a step, median of "
          f"{options.rounds} rounds of {options.repeat} steps; load of the machine at the start {os.getloadavg()[0]:.1f}")
    print(f"{'step':<44}" + "".join(f"{column:>15}" for column in (*FORMATS, "inocula")) + f"{'ratio':>9}")
    for work in WORK:
        if options.only not in work.name():
            continue
        row = compare(work, options)
        ratio = min(row[layout] for layout in FORMATS) / row["inocula"]
        print(f"{work.name():<44}" + "".join(f"{ms:>15.1f}" for ms in row.values()) + f"{ratio:>8.2f}x", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
