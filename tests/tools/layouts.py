"""All eighteen layouts of MedMNIST: training, and evaluation under the ensemble, on small stand-ins: layouts.py PROGRAM."""

import json
import os
import random

from program import expect, finish, npz, read_json, refuse, run, scratch

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
               "--no-trust-checks", "--bootstrap", 10, "--json", "--quiet", "--out", os.path.join(model, "evaluate.json"))
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


def check_report(folder):
    """All layouts side by side in a page."""
    page = os.path.join(folder, "report.html")
    done = run("report", *(os.path.join(folder, name) for name in LAYOUTS), "--out", page)
    expect(done.returncode == 0, f"report: {done.stderr}")
    with open(page, encoding="utf-8") as file:
        html = file.read()
    for text in ("Labels by themselves", "weighted kappa", "all labels right", "chestmnist", "synapsemnist3d"):
        expect(text in html, f"report: does not say {text!r}")


STUDY = """seeds = [0, 1]
[train]
model = "small_cnn:width=4"
epochs = 1
batch = 8
[methods.standard]
[methods.pgd]
method = "pgd"
steps = 1
[evaluate]
attack = ["pgd:eps=2/255;4/255,steps=2"]
corruption = ["gaussian_noise:level=0.1"]
bootstrap = 10
temperature_scaling = true
"""


def check_study(folder, data):
    """Several labels an image through a study, with the checks of its attacks."""
    here = lambda file: os.path.join(folder, file)
    with open(here("study.toml"), "w") as file:
        file.write(STUDY)
    for more in (["--dry-run"], []):
        done = run("study", here("study.toml"), "--data", data, "--out", here("study"), *more)
        expect(done.returncode == 0, f"study {more}: {done.stderr}")
    labels = read_json(here("study/results.json"))["methods"]["pgd"]["evaluate"]["rows"][0]["per_label"]
    expect(len(labels) == 14 and 0 <= labels[3]["accuracy"] <= 1, f"study: {labels}")


def check_one_sided(folder, model):
    """A label that no image of the split has: its AUC and the mean are null, and a warning says so."""
    arrays = stand_in("multi-label", 14, 1)
    kind, shape, labels = arrays["test_labels"]
    arrays["test_labels"] = (kind, shape, bytes(0 if i % 14 == 5 else value for i, value in enumerate(labels)))
    data = os.path.join(folder, "one-sided.npz")
    npz(data, arrays)
    done = run("evaluate", "--model", model, "--data", data, "--bootstrap", 10, "--json")
    expect(done.returncode == 0 and "have label 5" in done.stderr, f"one-sided: {done.stderr}")
    row = json.loads(done.stdout, parse_constant=no_constant)["rows"][0]
    expect(row["auc"] is None and row["per_label"][5]["auc"] is None, f"one-sided: {row['auc']}, {row['per_label'][5]}")
    expect(row["per_label"][4]["auc"] is not None, "one-sided: the other labels have an AUC")


def check_refusals(folder):
    here = lambda file: os.path.join(folder, file)
    chest, retina = here("chestmnist.npz"), here("retinamnist.npz")
    out = here("refused")
    train = lambda *arguments: ("train", "--model", "small_cnn", "--out", out, "--batch", 8, *arguments)
    refuse("grades of several labels", 64, *train("--data", chest, "--task", "ordinal"), output=out, mention=["--task", "14 labels"])
    refuse("labels of classes", 64, *train("--data", retina, "--task", "multi-label"), output=out, mention=["1 label an image"])
    refuse("an unknown task", 64, *train("--data", retina, "--task", "grades"), output=out, mention=["auto, multi-class"])
    for method in ("augmix", "trades"):
        refuse(f"{method} of several labels", 64, *train("--data", chest, "--method", method), output=out,
               mention=[method, "14 labels an image", "standard, pgd"])
    classes = stand_in("multi-class", 14, 1)
    npz(here("classes.npz"), classes)
    refuse("classes for a network of labels", 65, "evaluate", "--model", here("chestmnist"), "--data", here("classes.npz"),
           mention=["multi-label"])
    attack = ("attack", "--attack", "fgsm", "--out", here("refused.npz"))
    refuse("no label to attack", 64, *attack, "--model", here("chestmnist"), "--data", chest, output=here("refused.npz"),
           mention=["--label"])
    refuse("a label of classes", 64, *attack, "--model", here("retinamnist"), "--data", retina, "--label", 0,
           output=here("refused.npz"), mention=["--label"])
    done = run(*attack, "--model", here("chestmnist"), "--data", chest, "--label", 3, "--quiet")
    expect(done.returncode == 0 and os.path.exists(here("refused.npz")), f"attack on a label: {done.stderr}")
    two = classes["test_labels"][2]
    broken = dict(stand_in("multi-label", 14, 1))
    broken["test_labels"] = ("|u1", (COUNT, 2), two + two)
    refuse("labels other than 0 and 1", 65, "data", "info", make(here("two.npz"), broken), mention=["expected 0 or 1"])


def make(path, arrays):
    npz(path, arrays)
    return path


with scratch() as scratch_folder:
    for layout, (kind, count, depth) in LAYOUTS.items():
        check(scratch_folder, layout, kind, count, depth)
    check_report(scratch_folder)
    check_one_sided(scratch_folder, os.path.join(scratch_folder, "chestmnist"))
    check_refusals(scratch_folder)
    check_study(scratch_folder, os.path.join(scratch_folder, "chestmnist.npz"))
finish()
