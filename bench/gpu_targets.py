#!/usr/bin/python3
"""Holds what a GPU check measured against what the project promises, and prints a Markdown table.

gpu_targets.py [--kernels FILE] [--pytorch FILE] [--part NAME=STATUS]...

FILE: bench_kernels' --benchmark_out and pytorch_gpu_step.py's --json. STATUS: passed, failed, or why it was left out.
What was not measured is said to be so; a target that is missed is no failure of the check, and the exit status is 0.
"""
import argparse
import json
import sys
from pathlib import Path

ARITHMETIC, LAUNCHES = "3x32x32, batch 512", "1x28x28, batch 128"
# (row of pytorch_gpu_step.py, turn, key, at least)
STEPS = [(ARITHMETIC, "AMP eager channels_last", "ratio", 2.0), (ARITHMETIC, "AMP compiled", "ratio", 1.3),
         (ARITHMETIC, "AMP eager channels_last", "share_of_matrix_rate", 0.4), (LAUNCHES, "AMP eager channels_last", "ratio", 4.0)]
WORDS = {"ratio": "times as fast as PyTorch, {turn}", "share_of_matrix_rate": "of the rate of a bf16 matrix product"}
KERNELS = ("pgd_step_linf", "pgd_step_l2", "project_l1", "project_l2", "gaussian_noise", "speckle_noise", "impulse_noise",
           "shot_noise", "bin_confidence")
COPY = 0.9


def row(what, wanted, measured):
    """A line of the table; `measured` is a number or None."""
    if measured is None or measured != measured:
        return f"| {what} | {wanted:g} | | not measured |"
    return f"| {what} | {wanted:g} | {measured:.2f} | {'met' if measured >= wanted else 'NOT MET'} |"


def step_rows(pytorch):
    found = {(r["step"], r["turn"]): r for r in pytorch["rows"]} if pytorch else {}
    for step, turn, key, wanted in STEPS:
        what = f"PGD-7 training of ResNet-18, {step}, bf16: {WORDS[key].format(turn=turn)}"
        yield row(what, wanted, found.get((step, turn), {}).get(key))


def kernel_rows(kernels):
    shares = {}
    for result in kernels["benchmarks"] if kernels else []:
        name = result["name"].split("/")[1]
        if "share_of_copy" in result:
            shares.setdefault(name, []).append(result["share_of_copy"])
    for name in KERNELS:
        yield row(f"{name}: share of the copy's bandwidth", COPY, min(shares[name]) if name in shares else None)


def part_rows(parts):
    for part in parts:
        name, _, status = part.partition("=")
        yield f"| {name} | passed | | {status} |"


def read(path):
    return json.loads(Path(path).read_text()) if path and Path(path).exists() else None


def main(arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument("--kernels")
    parser.add_argument("--pytorch")
    parser.add_argument("--part", action="append", default=[])
    options = parser.parse_args(arguments)
    print("| what | at least | measured | |\n|---|---|---|---|")
    for line in (*part_rows(options.part), *step_rows(read(options.pytorch)), *kernel_rows(read(options.kernels))):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
