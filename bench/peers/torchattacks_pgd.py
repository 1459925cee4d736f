#!/usr/bin/python3
"""Times an evaluation under PGD-20 by torchattacks and by the engine, turn by turn, of the same network and images.

torchattacks_pgd.py path/to/inocula [--rounds N] [--images N] [--threads N] [--out RESULTS.json]

The engine trains a ResNet-18 against PGD and writes it with PyTorch's names; torchattacks' PGD attacks it in PyTorch,
in evaluation mode with the parameters' gradients switched off. Both sides predict the clean images, attack them and
predict what came of it, in batches of the same size, by the same number of threads; the median of the rounds counts.
Starts are random on both sides and not the same, so that robust accuracies agree about, and not to the image.

Exits 77, saying why, where this Python cannot import PyTorch or torchattacks.
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

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "tests" / "torch")]
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the engine's threads wait; before PyTorch reads it

try:
    import numpy
    import torch
    import torchattacks
    import results
    import tensor_file
    from networks import Normalize, ResNet18
except ImportError as missing:
    if missing.name in ("results", "tensor_file", "networks"):
        raise
    print(f"skipped: {sys.executable} cannot import {missing.name}, which a comparison with torchattacks needs")
    sys.exit(77)

WIDTHS, BATCH = (16, 64), 64
EPS, ALPHA, STEPS = 8 / 255, 2 / 255, 20


class Engine:
    def __init__(self, program, folder, threads):
        self.program, self.folder, self.threads = program, folder, threads

    def run(self, *words):
        subprocess.run([self.program, *map(str, words)], check=True, stdout=subprocess.DEVNULL)

    def train(self, width, data):
        """The run folder of a network that is trained against PGD, so that an attack does not fool it always."""
        run = self.folder / f"width{width}"
        self.run("train", "--data", data, "--model", f"resnet18:width={width}", "--out", run, "--method", "pgd", "--eps",
                 "8/255", "--steps", 3, "--epochs", 3 if width < 64 else 1, "--batch", BATCH, "--quiet")
        return run

    def evaluate(self, run, data, images):
        """(milliseconds, robust accuracy); reading the files is part of the time, the program's start is not."""
        out = self.folder / "evaluation.json"
        attack = f"pgd:norm=linf,eps=8/255,alpha=2/255,steps={STEPS},random_start=1"
        self.run("evaluate", "--model", run, "--data", data, "--batch", BATCH, "--limit", images, "--attack", attack,
                 "--no-trust-checks", "--threads", self.threads, "--out", out, "--quiet")
        result = json.loads(out.read_text())
        return 1e3 * result["seconds"], result["rows"][1]["accuracy"]

    def isa(self):
        out = self.folder / "bench.json"
        self.run("bench", "--model", "small_cnn", "--batch", 2, "--repeat", 1, "--json", out, "--quiet")
        return json.loads(out.read_text())["isa"]


def read_split(path, split, count):
    arrays = numpy.load(path)
    images = torch.from_numpy(arrays[f"{split}_images"][:count].astype(numpy.float32) / 255)
    return images.unsqueeze(1), torch.from_numpy(arrays[f"{split}_labels"].ravel()[:count].astype(numpy.int64))


def load(run, width):
    network = ResNet18(Normalize([0.5], [0.5]), 1, 2, width, "cifar")
    state = tensor_file.read(run / "model.safetensors")
    network.load_state_dict({name: torch.from_numpy(values.copy()) for name, values in state.items()})
    return network.eval().requires_grad_(False)


def evaluate_in_pytorch(network, images, labels):
    """(milliseconds, robust accuracy)."""
    attack = torchattacks.PGD(network, eps=EPS, alpha=ALPHA, steps=STEPS, random_start=True)
    robust, begin = 0, time.perf_counter()
    for x, y in zip(images.split(BATCH), labels.split(BATCH)):
        with torch.no_grad():
            network(x)
        adversarial = attack(x, y)
        with torch.no_grad():
            robust += (network(adversarial).argmax(1) == y).sum().item()
    return 1e3 * (time.perf_counter() - begin), robust / len(labels)


def compare(engine, width, data, options):
    run = engine.train(width, data)
    images, labels = read_split(data, "test", options.images)
    network = load(run, width)
    evaluate_in_pytorch(network, images[:BATCH], labels[:BATCH])  # warms up
    theirs, ours = [], []
    for _ in range(options.rounds):
        theirs.append(evaluate_in_pytorch(network, images, labels))
        ours.append(engine.evaluate(run, data, options.images))
    there, here = (statistics.median(ms for ms, _ in side) for side in (theirs, ours))
    return {"torchattacks_ms": there, "inocula_ms": here, "ratio": there / here,
            "torchattacks_accuracy": statistics.median(a for _, a in theirs), "inocula_accuracy": ours[0][1]}


def main(arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=256, help="of the test split of a synthetic set")
    parser.add_argument("--threads", type=int, default=results.cores())
    parser.add_argument("--out", help="JSON file to write")
    parser.add_argument("--width", type=int, action="append", choices=WIDTHS, help="all of them unless given")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    print(f"PyTorch {torch.__version__}, torchattacks {torchattacks.__version__}, {options.threads} threads, "
          f"{options.images} images in batches of {BATCH}, PGD-{STEPS}, median of {options.rounds} rounds")
    with tempfile.TemporaryDirectory() as name:
        engine = Engine(options.program, Path(name), options.threads)
        data = engine.folder / "data.npz"
        engine.run("data", "synth", data, "--kind", "shortcut", "--n", max(2000, 5 * options.images))
        rows = {}
        for width in options.width or WIDTHS:
            row = rows[f"torchattacks/resnet18, width {width}"] = compare(engine, width, data, options)
            print(f"width {width}: torchattacks {row['torchattacks_ms']:.0f} ms, Inocula {row['inocula_ms']:.0f} ms: "
                  f"{row['ratio']:.2f}x; robust accuracy {100 * row['torchattacks_accuracy']:.1f} % there, "
                  f"{100 * row['inocula_accuracy']:.1f} % here", flush=True)
        if options.out:
            results.write(options.out, engine.isa(), options.threads, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
