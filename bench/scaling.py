#!/usr/bin/python3
"""How time grows with batch, attack steps, images and threads, and what an epoch costs beside its steps.

scaling.py path/to/inocula [--rounds N] [--only batch|steps|epoch|images|threads] [--out RESULTS.json]

Measurements are taken in turns, `rounds` times. What others do on the machine only ever adds to a time, so that lines
and the ratio of threads are taken from the best of each; an epoch, which lasts as long as many steps, is held against
the median step. Lines are fitted by least squares; the residual is the largest distance of a time from its line, in
units of that time.
"""
import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import results

MODEL = "resnet18:width=16"
BATCHES, STEPS, IMAGES = (16, 32, 64, 128), (1, 2, 4, 8), (128, 256, 512, 1024)
TRAIN_IMAGES, TRAIN_BATCH = 4736, 64  # 74 steps an epoch: about PneumoniaMNIST
EPOCHS = (1, 4)


class Program:
    def __init__(self, path, folder):
        self.path, self.folder = path, Path(folder)

    def run(self, *words):
        subprocess.run([self.path, *map(str, words), "--quiet"], check=True, stdout=subprocess.DEVNULL)

    def bench(self, *words):
        """inocula bench's JSON."""
        out = self.folder / "bench.json"
        self.run("bench", "--model", MODEL, "--repeat", 5, "--json", out, *words)
        return json.loads(out.read_text())

    def step(self, *words, by="ms_min"):
        """Milliseconds of a step."""
        return self.bench(*words)["rows"][0][by]

    def evaluation(self, data, images):
        """Milliseconds of an evaluation under attack, the program's start apart."""
        out = self.folder / "evaluation.json"
        self.run("evaluate", "--model", self.folder / "run", "--data", data, "--split", "train", "--limit", images,
                 "--attack", "pgd:eps=4/255,steps=4", "--out", out)
        return 1e3 * json.loads(out.read_text())["seconds"]

    def training(self, data, epochs):
        """Milliseconds of a whole run of the program."""
        begin = time.perf_counter()
        self.run("train", "--data", data, "--model", MODEL, "--method", "standard", "--batch", TRAIN_BATCH, "--epochs",
                 epochs, "--out", self.folder / "run", "--overwrite")
        return 1e3 * (time.perf_counter() - begin)


def in_turns(rounds, measurements, summary=min):
    """{key: summary of `rounds` calls}, of {key: function}."""
    times = {key: [] for key in measurements}
    for _ in range(rounds):
        for key, measure in measurements.items():
            times[key].append(measure())
    return {key: summary(values) for key, values in times.items()}


def line(times):
    """Slope, intercept and largest relative residual of {x: time}."""
    slope, intercept = statistics.linear_regression(list(times), list(times.values()))
    residual = max(abs(slope * x + intercept - t) / t for x, t in times.items())
    return {"slope_ms": slope, "intercept_ms": intercept, "residual": residual}


def training_split(program, folder):
    """A set without the others: an epoch's validation is no overhead."""
    whole, alone = folder / "whole.npz", folder / "train.npz"
    program.run("data", "synth", whole, "--n", round(TRAIN_IMAGES / 0.7) + 1)
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(alone, "w", zipfile.ZIP_DEFLATED) as target:
        for name in ("train_images.npy", "train_labels.npy"):
            target.writestr(name, source.read(name))
    return alone


def measure_batch(program, rounds):
    times = in_turns(rounds, {batch: lambda batch=batch: program.step("--method", "standard", "--batch", batch)
                              for batch in BATCHES})
    return "scaling/batch of a standard step", line(times)


def measure_steps(program, rounds):
    times = in_turns(rounds, {steps: lambda steps=steps: program.step("--method", "pgd", "--batch", 32, "--steps", steps)
                              for steps in STEPS})
    return "scaling/steps of PGD, batch 32", line(times)


def measure_epoch(program, rounds):
    data = training_split(program, program.folder)
    times = in_turns(rounds, {
        "step": lambda: program.step("--method", "standard", "--batch", TRAIN_BATCH, by="ms_median"),
        **{epochs: lambda epochs=epochs: program.training(data, epochs) for epochs in EPOCHS}}, statistics.median)
    first, last = EPOCHS
    epoch = (times[last] - times[first]) / (last - first)
    return ("ratio/an epoch of `train` over its steps, wanted 1.05 at most",
            {"ratio": epoch / (times["step"] * (TRAIN_IMAGES // TRAIN_BATCH))})


def measure_images(program, rounds):
    data = training_split(program, program.folder)
    program.training(data, 1)
    times = in_turns(rounds, {images: lambda images=images: program.evaluation(data, images) for images in IMAGES})
    return "scaling/images evaluated under PGD-4", line(times)


def measure_threads(program, rounds):
    times = in_turns(rounds, {
        threads: lambda threads=threads: program.step("--method", "pgd", "--batch", 64, "--threads", threads)
        for threads in (1, 2)})
    return "ratio/one thread's time over that of two, PGD-7, wanted 1.8 at least", {"ratio": times[1] / times[2]}


PARTS = {"batch": measure_batch, "steps": measure_steps, "epoch": measure_epoch, "images": measure_images,
         "threads": measure_threads}


def main(arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--out", help="JSON file to write")
    options = parser.parse_args(arguments)
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        program = Program(options.program, folder)
        isa = program.bench("--batch", 2)["isa"]
        for part in [options.only] if options.only else PARTS:
            if part == "threads" and results.cores() < 2:
                print("threads: left out, there is one core")
                continue
            name, row = PARTS[part](program, options.rounds)
            rows[name] = row
            print(f"{name}: {', '.join(f'{key} {value:.4g}' for key, value in row.items())}", flush=True)
    if options.out:
        results.write(options.out, isa, results.cores(), rows)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
