#!/usr/bin/python3
"""Attacks the small network of golden/ and compares with what the published implementations found there.

golden.py path/to/inocula

golden/values.json was written by attacks.py --write-golden, with the versions of the libraries in it and how far each
row may be from theirs. Exits 1 where one is further.
"""
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "golden"
VALUES = FOLDER / "values.json"
SYNTHETIC = ("--kind", "cells", "--n", "2500", "--size", "28", "--seed", "5")


def evaluate(program, data, folder, spec, seed):
    """The row of one attack on 500 images."""
    out = folder / "evaluation.json"
    subprocess.run([program, "evaluate", "--model", str(FOLDER), "--data", str(data), "--attack", spec, "--seed",
                    str(seed), "--bootstrap", "0", "--no-trust-checks", "--examples", "0", "--out", str(out), "--quiet"],
                   check=True)
    return json.loads(out.read_text())["rows"][1]


def main(program):
    wrong = 0
    with tempfile.TemporaryDirectory() as name:
        data = Path(name) / "cells.npz"
        subprocess.run([program, "data", "synth", str(data), *SYNTHETIC, "--quiet"], check=True)
        for golden in json.loads(VALUES.read_text())["rows"]:
            rows = [evaluate(program, data, Path(name), golden["spec"], seed) for seed in range(golden["seeds"])]
            key = "accuracy" if golden["of"] == "robust accuracy" else "median_norm"
            ours = statistics.mean(row[key] for row in rows)
            agrees = abs(ours - golden["peer"]) <= golden["allowed"]
            wrong += not agrees
            print(f"{golden['row']:55s} {golden['of']} {ours:.4f} here, {golden['peer']:.4f} there: "
                  f"{'agrees' if agrees else 'DISAGREES'}", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
