"""All eighteen layouts of MedMNIST: training, and evaluation under the ensemble, on small stand-ins: layouts.py PROGRAM."""

import json
import os
import random

from program import expect, finish, npz, read_json, run, scratch

SIZE, COUNT = 28, 24

# name: (task, classes or labels, channels, or slices of a volume)
LAYOUTS = {
    "pathmnist": ("multi-class", 9, 3),
    "chestmnist": ("multi-label", 14, 1),
    "dermamnist": ("multi-class", 7, 3),
    "octmnist": ("multi-class", 4, 1),
    "pneumoniamnist": ("multi-class", 2, 1),
    "retinamnist": ("ordinal", 5, 3),
    "breastmnist": ("multi-class", 2, 1),
    "bloodmnist": ("multi-class", 8, 3),
    "tissuemnist": ("multi-class", 8, 1),
    "organamnist": ("multi-class", 11, 1),
    "organcmnist": ("multi-class", 11, 1),
    "organsmnist": ("multi-class", 11, 1),
    "organmnist3d": ("multi-class", 11, SIZE),
    "nodulemnist3d": ("multi-class", 2, SIZE),
    "adrenalmnist3d": ("multi-class", 2, SIZE),
    "fracturemnist3d": ("multi-class", 3, SIZE),
    "vesselmnist3d": ("multi-class", 2, SIZE),
    "synapsemnist3d": ("multi-class", 2, SIZE),
}

SCORES = ("accuracy", "balanced_accuracy", "auc", "ece", "mce", "rmsce", "brier", "nll", "entropy")
ORDINAL = ("quadratic_weighted_kappa", "mean_absolute_error")


def stand_in(task, classes, channels):
    """Images whose bright columns tell the class, or the labels that are there."""
    draw, arrays = random.Random(classes * 100 + channels), {}
    for split in ("train", "val", "test"):
        pixels, labels = bytearray(), bytearray()
        for i in range(COUNT):
            if task == "multi-label":
                there = [1 if i % classes == k or draw.random() < 0.3 else 0 for k in range(classes)]
                labels += bytes(there)
            else:
                there = [1 if i % classes == k else 0 for k in range(classes)]
                labels.append(i % classes)
            line = [60 + 140 * there[x * classes // SIZE] + draw.randrange(40) for x in range(SIZE)]
            if channels == 3:
                line = [value for value in line for _ in range(3)]
            pixels += bytes(line) * (SIZE * (channels if channels > 3 else 1))
        shape = {1: (COUNT, SIZE, SIZE), 3: (COUNT, SIZE, SIZE, 3)}.get(channels, (COUNT, channels, SIZE, SIZE))
        arrays[split + "_images"] = ("|u1", shape, bytes(pixels))
        arrays[split + "_labels"] = ("|u1", (COUNT, classes if task == "multi-label" else 1), bytes(labels))
    return arrays


def no_constant(word):
    raise ValueError(f"{word} is no JSON")


def check_row(name, row, task, classes):
    numbers = SCORES + (ORDINAL if task == "ordinal" else ())
    for key in numbers:
        expect(isinstance(row.get(key), (int, float)), f"{name}: {row['kind']}: {key} is {row.get(key)!r}")
    for key in ORDINAL:
        expect((key in row) == (task == "ordinal"), f"{name}: {row['kind']}: {key} belongs to grades alone")
    expect(row["n"] == COUNT, f"{name}: n is {row['n']}")
    labels = row.get("per_label", [])
    expect(len(labels) == (classes if task == "multi-label" else 0), f"{name}: {len(labels)} labels by themselves")
    if task != "multi-label":
        return
    expect(row["decisions"] == COUNT * classes, f"{name}: {row['decisions']} decisions")
    mean = lambda key: sum(label[key] for label in labels) / classes
    for key in ("accuracy", "auc", "balanced_accuracy"):
        expect(abs(mean(key) - row[key]) < 1e-9, f"{name}: {row['kind']}: {key} is not the mean over the labels")
    expect(row["subset_accuracy"] <= min(label["accuracy"] for label in labels) + 1e-9, f"{name}: subset accuracy")


def check(folder, name, task, classes, channels):
    here = lambda file: os.path.join(folder, file)
    data, model = here(name + ".npz"), here(name)
    npz(data, stand_in(task, classes, channels))
    info = json.loads(run("data", "info", data, "--json").stdout)
    expect((info["classes"], info["channels"], info["labels_per_image"]) ==
           (classes, channels, classes if task == "multi-label" else 1), f"{name}: data info says {info}")
    trained = run("train", "--data", data, "--model", "small_cnn", "--epochs", 1, "--batch", 8, "--out", model, "--quiet",
                  *(("--task", "ordinal") if task == "ordinal" else ()))
    expect(trained.returncode == 0, f"{name}: train: {trained.stderr}")
    card = read_json(os.path.join(model, "model.json"))
    expect((card["task"], card["classes"], card["channels"]) == (task, classes, channels), f"{name}: {card}")
    done = run("evaluate", "--model", model, "--data", data, "--attack", "aa-k:eps=4/255,steps=4,queries=10",
               "--no-trust-checks", "--bootstrap", 10, "--json", "--quiet")
    expect(done.returncode == 0, f"{name}: evaluate: {done.stderr}")
    result = json.loads(done.stdout, parse_constant=no_constant)
    expect((result["task"], result["classes"]) == (task, classes), f"{name}: {result['task']}, {result['classes']}")
    expect([row["kind"] for row in result["rows"]] == ["clean", "attack"], f"{name}: rows")
    clean, attacked = result["rows"]
    for row in (clean, attacked):
        check_row(name, row, task, classes)
    expect(attacked["accuracy"] <= clean["accuracy"], f"{name}: an attack raises accuracy")
    expect(attacked["max_norm"] <= 4 / 255 + 1e-5, f"{name}: largest norm {attacked['max_norm']}")
    stages = [stage["spec"].split(":")[0] for stage in attacked["stages"]]
    expect(stages[0] == "apgd-ce" and stages[-1] == "square", f"{name}: stages {stages}")


with scratch() as scratch_folder:
    for layout, (kind, count, depth) in LAYOUTS.items():
        check(scratch_folder, layout, kind, count, depth)
finish()
