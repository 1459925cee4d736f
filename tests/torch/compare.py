#!/usr/bin/python3
"""Trains a network with the engine, hands it to PyTorch, and the other way round: both must say the same of it.

compare.py --program parity_dump --folder WORK --case NAME

WORK is emptied first. Real radiographs are used where INOCULA_TEST_DATA names a folder with pneumoniamnist.npz.
Exits 77, saying why, where this Python has no PyTorch.
"""
import argparse
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

try:
    import numpy
    import torch
    from torch import nn
    from torch.nn import functional
    import tensor_file
    from cases import CASES, Data
    from comparison import Setting, compare
except ImportError as missing:
    if missing.name not in ("torch", "numpy"):
        raise
    print(f"skipped: {sys.executable} has no {missing.name} (Debian: python3-{missing.name})")
    sys.exit(77)


def doubt(path):
    """Turns every fifth training label over: a network that is certain has gradients of nothing but rounding."""
    with numpy.load(path) as file:
        arrays = dict(file)
    labels = arrays["train_labels"]
    labels[::5] = 1 - labels[::5]
    numpy.savez(path, **arrays)


SHORTCUT_LEVELS = 12  # 8 turn the shortcut around where training has not seen to it


class Engine:
    """parity_dump, in a folder of its own."""

    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)

    def run(self, *words):
        subprocess.run([self.program, *words], check=True)

    def data(self, case):
        """Real radiographs where they are to be had, else synthetic images of the same kind; and the case for them."""
        images = case.images
        real = Path(os.environ.get("INOCULA_TEST_DATA", "")) / "pneumoniamnist.npz"
        if images == "chest" and real.is_file():
            return Data(real), case
        path = self.folder / f"{images}.npz"
        # Chests with a shortcut: what learns it can be attacked, and an attack that fools nobody compares nothing.
        kind, size = {"chest": ("shortcut", 28), "cells": ("cells", 64)}[images]
        self.run("synth", f"kind={kind}", f"size={size}", "count=3000", f"out={path}")
        if images == "chest":
            doubt(path)
            case = replace(case, levels=SHORTCUT_LEVELS)
        return Data(path), case

    def train(self, case, data):
        """The file of a network that the engine has trained."""
        path = self.folder / "trained.safetensors"
        images, epochs, rate = case.train
        self.run("train", *case.model_words(data), f"method={case.method}", f"images={images}", f"epochs={epochs}",
                 f"rate={rate}", f"out={path}")
        return path

    def measure(self, case, setting, data, weights, attacked):
        """What the engine makes of the weights in a file: {file: {name: array}}."""
        out = self.folder / weights.stem
        out.mkdir()
        words = [*case.model_words(data), case.attack_word(), f"weights={weights}"]
        self.run("measure", *words, *setting.words(), f"out={out}")
        if attacked:
            self.run("attack", *words, f"images={attacked}", f"out={out / 'attack.safetensors'}")
        return {file.stem: tensor_file.read(file) for file in out.iterdir()}


def train_in_pytorch(case, data, path):
    """Writes the state of a network that PyTorch has initialised and trained for a few steps."""
    torch.manual_seed(1)
    network = case.network(data)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
    images, labels = map(torch.from_numpy, data.first("train", 640))
    for x, y in list(zip(images.split(64), labels.split(64))) * 3:
        optimizer.zero_grad()
        functional.cross_entropy(network(x), y).backward()
        optimizer.step()
    tensor_file.write(path, {name: tensor.numpy() for name, tensor in network.state_dict().items()})


def main(arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--folder", required=True, type=Path)
    parser.add_argument("--case", required=True, choices=CASES)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    case, setting = CASES[options.case], Setting()
    engine = Engine(options.program, options.folder)
    data, case = engine.data(case)
    print(f"{case.model}, {data.path.name}, {case.method}")

    trained = engine.train(case, data)
    made = engine.folder / "made_by_pytorch.safetensors"
    train_in_pytorch(case, data, made)
    # What is compared shares no convolution with the engine, whose own come from oneDNN.
    torch.backends.mkldnn.enabled = False
    failed = 0
    directions = (("from here to PyTorch", trained), ("from PyTorch to here", made))
    for (direction, weights), attacked in zip(directions, case.attacked):
        print(f"{direction}:")
        outputs = engine.measure(case, setting, data, weights, attacked)
        for row in compare(case, setting, data, tensor_file.read(weights), outputs):
            print(row, flush=True)
            failed += not row.holds
    print(f"{failed} comparisons failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
