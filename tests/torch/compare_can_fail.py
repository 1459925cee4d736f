#!/usr/bin/python3
"""Plants faults on PyTorch's side: each must be noticed, and each comparison must notice one.

compare_can_fail.py --program parity_dump --folder WORK
"""
import argparse
import sys
from dataclasses import replace
from pathlib import Path

from compare import Engine, train_in_pytorch  # first, since it exits 77 where there is no PyTorch
from cases import CASES
from comparison import Setting, compare
import tensor_file
import torch


def change(name, by):
    """A fault in one tensor of the state: its values become by(values)."""
    return lambda case, setting, state: (case, setting, {**state, name: by(state[name])})


def larger(values):
    return values * values.dtype.type(1.01)


def attack_with(scale):
    return lambda case, setting, state: (replace(case, levels=scale * case.levels), setting, state)


def train_with(**changed):
    return lambda case, setting, state: (case, replace(setting, **changed), state)


FAULTS = {
    "small_cnn": {
        "the last layer's weights have the other sign": change("classifier.weight", lambda w: -w),
        "the attack is half as strong again": attack_with(1.5),
        "the attack is too weak to fool anybody": attack_with(1e-3),
    },
    "resnet18_imagenet": {
        "a convolution's weights are 1 % larger": change("layer2.0.downsample.0.weight", larger),
        "the last layer's weights have the other sign": change("fc.weight", lambda w: -w),
        "a running mean is 1 % larger": change("layer3.1.bn2.running_mean", larger),
        "a counter has missed a batch": change("bn1.num_batches_tracked", lambda n: n - 1),
        "there is no weight decay": train_with(decay=0.0),
        "there is no momentum": train_with(momentum=0.0),
    },
}
ATTACKED = {"small_cnn": 100, "resnet18_imagenet": 0}  # images under PGD-20


def main(arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--folder", required=True, type=Path)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    torch.backends.mkldnn.enabled = False

    blind, seen, unseen = set(), set(), []
    for name, faults in FAULTS.items():
        case, setting = replace(CASES[name], images="chest"), Setting()  # the smaller images
        engine = Engine(options.program, options.folder / name)
        data, case = engine.data(case)
        made = engine.folder / "made_by_pytorch.safetensors"
        train_in_pytorch(case, data, made)
        outputs = engine.measure(case, setting, data, made, ATTACKED[name])
        for fault, plant in faults.items():
            faulty_case, faulty_setting, state = plant(case, setting, tensor_file.read(made))
            rows = list(compare(faulty_case, faulty_setting, data, state, outputs))
            noticed = {row.name for row in rows if not row.holds}
            print(f"{name}: {fault}: noticed by {len(noticed)} of {len(rows)} comparisons", flush=True)
            if not noticed:
                unseen.append(f"{name}: {fault}")
            seen |= noticed
            blind |= {row.name for row in rows}
    blind -= seen
    for fault in unseen:
        print(f"no comparison noticed: {fault}")
    for comparison in sorted(blind):
        print(f"noticed none of the faults: {comparison}")
    return 1 if blind or unseen else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
