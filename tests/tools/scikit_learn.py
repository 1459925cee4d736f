"""Scores of `inocula evaluate` are those that scikit-learn finds in the logits of `inocula predict`: scikit_learn.py PROGRAM."""

import os
import random
import sys

from program import expect, finish, npz, read_json, run, scratch

try:
    import numpy as np
    import sklearn.metrics as metrics
    from sklearn.calibration import calibration_curve
except ImportError as error:
    print(f"skipped: {error.name} is not installed (Debian: python3-sklearn)")
    sys.exit(77)

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../attacks"))
import rmsce_values  # scikit-learn has no such error: a second writing of it

BINS = 15


def noisy_set(classes, count, seed):
    """Images (N, 12, 12) whose brighter stripe tells the class, but for one in six, so that no network is always right."""
    draw, arrays = random.Random(seed), {}
    for split in ("train", "val", "test"):
        pixels, labels = bytearray(), bytearray()
        for i in range(count):
            stripe = i % classes
            labels.append(draw.randrange(classes) if i % 6 == 5 else stripe)
            for _ in range(12):
                pixels += bytes(draw.randrange(100) + (80 if x * classes // 12 == stripe else 0) for x in range(12))
        arrays[split + "_images"] = ("|u1", (count, 12, 12), bytes(pixels))
        arrays[split + "_labels"] = ("|u1", (count, 1), bytes(labels))
    return arrays


def bins_of_uniform_width(confidence, right):
    """Counts, mean confidence and accuracy of the bins ((b - 1) / 15, b / 15] that are not empty."""
    chosen = np.ceil(confidence * BINS).astype(int)
    of = [chosen == b for b in range(1, BINS + 1) if (chosen == b).any()]
    return tuple(np.array([function(members) for members in of])
                 for function in (np.sum, lambda m: confidence[m].mean(), lambda m: right[m].mean()))


def expected_scores(logits, label):
    """What the document says that evaluate reports."""
    classes = logits.shape[1]
    logits = logits.astype(np.float64)
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = shifted / shifted.sum(axis=1, keepdims=True)
    predicted, every = p.argmax(axis=1), list(range(classes))
    confidence, right = p.max(axis=1), predicted == label

    counts, mean_confidence, accuracy = bins_of_uniform_width(confidence, right)
    # scikit-learn's bins hold their lower edges, ours the upper ones: the same where no confidence is an edge.
    true_rate, mean_p = calibration_curve(right, confidence, n_bins=BINS, strategy="uniform")
    expect(np.abs(np.sort(true_rate) - np.sort(accuracy)).max() < 1e-12 and np.abs(mean_p - mean_confidence).max() < 1e-12,
           "calibration_curve has other bins: a confidence lies on an edge")

    if classes == 2:
        auc = metrics.roc_auc_score(label, p[:, 1])
        brier = 2 * metrics.brier_score_loss(label, p[:, 1])  # over one class of two
    else:
        auc = metrics.roc_auc_score(label, p, multi_class="ovr", average="macro", labels=every)
        brier = sum(metrics.brier_score_loss(label == k, p[:, k]) for k in every)
    names = ("rmsce", "rmsce_plug_in", "rmsce_top_label", "rmsce_top_label_plug_in")
    return dict(zip(names, map(float, rmsce_values.errors(p, label)))) | {
        "accuracy": metrics.accuracy_score(label, predicted),
        "balanced_accuracy": metrics.balanced_accuracy_score(label, predicted),
        "auc": auc,
        "brier": brier,
        "nll": metrics.log_loss(label, p, labels=every),
        "ece": float(np.sum(counts * np.abs(accuracy - mean_confidence)) / len(label)),
        "mce": float(np.abs(accuracy - mean_confidence).max()),
    }, metrics.confusion_matrix(label, predicted, labels=every).tolist()


def compare(folder, classes):
    here = lambda name: os.path.join(folder, f"{classes}-{name}")
    npz(here("data.npz"), noisy_set(classes, 150, seed=classes))
    for command in (["train", "--model", "small_cnn:width=8", "--epochs", 8, "--batch", 15, "--data", here("data.npz"), "--out", here("run")],
                    ["predict", "--model", here("run"), "--data", here("data.npz"), "--out", here("logits.npz")],
                    ["evaluate", "--bootstrap", 0, "--model", here("run"), "--data", here("data.npz"), "--out", here("scores.json")]):
        done = run(*command, "--quiet")
        expect(done.returncode == 0, f"K = {classes}: {command[0]}: {done.stderr}")
    arrays = np.load(here("logits.npz"))
    expected, confusion = expected_scores(arrays["logits"], arrays["labels"].reshape(-1).astype(int))
    found = read_json(here("scores.json"))["rows"][0]
    for key, value in expected.items():
        expect(abs(found[key] - value) < 1e-6, f"K = {classes}: {key} is {found[key]}, expected {value}")
    expect(found["confusion"] == confusion, f"K = {classes}: confusion {found['confusion']}, expected {confusion}")
    # A network that is always right, or never, would prove little.
    expect(1 / classes < expected["accuracy"] < 1 and 0.5 < expected["auc"] < 1, f"K = {classes}: {expected} compares nothing")
    print(f"K = {classes}:", ", ".join(f"{key} {value:.4f}" for key, value in expected.items()))


def labelled_set(labels, count, seed):
    """Images (N, 12, 12) with a brighter stripe for each label that is there, one label in eight turned round."""
    draw, arrays = random.Random(seed), {}
    for split in ("train", "val", "test"):
        pixels, marks = bytearray(), bytearray()
        for _ in range(count):
            there = [draw.random() < 0.4 for _ in range(labels)]
            marks += bytes(int(mark != (draw.randrange(8) == 0)) for mark in there)
            for _ in range(12):
                pixels += bytes(draw.randrange(100) + 80 * there[x * labels // 12] for x in range(12))
        arrays[split + "_images"] = ("|u1", (count, 12, 12), bytes(pixels))
        arrays[split + "_labels"] = ("|u1", (count, labels), bytes(marks))
    return arrays


def evaluated(folder, name, arrays, *flags):
    """The logits and labels of predict, and the clean row of evaluate."""
    here = lambda file: os.path.join(folder, f"{name}-{file}")
    npz(here("data.npz"), arrays)
    for command in (["train", "--model", "small_cnn:width=8", "--epochs", 8, "--batch", 15, "--data", here("data.npz"), "--out", here("run"),
                     *flags],
                    ["predict", "--model", here("run"), "--data", here("data.npz"), "--out", here("logits.npz")],
                    ["evaluate", "--bootstrap", 0, "--model", here("run"), "--data", here("data.npz"), "--out", here("scores.json")]):
        done = run(*command, "--quiet")
        expect(done.returncode == 0, f"{name}: {command[0]}: {done.stderr}")
    arrays = np.load(here("logits.npz"))
    return arrays["logits"].astype(np.float64), arrays["labels"].astype(int), read_json(here("scores.json"))["rows"][0]


def compare_labels(folder):
    """Several labels an image: scores of each by itself, and their means."""
    logits, label, row = evaluated(folder, "labels", labelled_set(4, 150, seed=9))
    p, answer = 1 / (1 + np.exp(-logits)), (logits > 0).astype(int)
    each = range(label.shape[1])
    expected = {
        "accuracy": 1 - metrics.hamming_loss(label, answer),
        "subset_accuracy": metrics.accuracy_score(label, answer),
        "balanced_accuracy": np.mean([metrics.balanced_accuracy_score(label[:, l], answer[:, l]) for l in each]),
        "auc": metrics.roc_auc_score(label, p, average="macro"),
        "nll": metrics.log_loss(label.reshape(-1), p.reshape(-1)),
        "brier": 2 * metrics.brier_score_loss(label.reshape(-1), p.reshape(-1)),
    }
    for key, value in expected.items():
        expect(abs(row[key] - value) < 1e-6, f"labels: {key} is {row[key]}, expected {value}")
    for l in each:
        expect(abs(row["per_label"][l]["auc"] - metrics.roc_auc_score(label[:, l], p[:, l])) < 1e-9, f"labels: auc of {l}")
        expect(row["per_label"][l]["images_with_label"] == label[:, l].sum(), f"labels: images with {l}")
    expect(0.5 < expected["accuracy"] < 1 and 0.5 < expected["auc"] < 1, f"labels: {expected} compares nothing")
    print("labels:", ", ".join(f"{key} {value:.4f}" for key, value in expected.items()))


def compare_grades(folder):
    logits, label, row = evaluated(folder, "grades", noisy_set(5, 150, seed=8), "--task", "ordinal")
    answer = logits.argmax(axis=1)
    expected = {
        "quadratic_weighted_kappa": metrics.cohen_kappa_score(label.reshape(-1), answer, weights="quadratic"),
        "mean_absolute_error": metrics.mean_absolute_error(label.reshape(-1), answer),
    }
    for key, value in expected.items():
        expect(abs(row[key] - value) < 1e-9, f"grades: {key} is {row[key]}, expected {value}")
    expect(0 < expected["quadratic_weighted_kappa"] < 1, f"grades: {expected} compares nothing")
    print("grades:", ", ".join(f"{key} {value:.4f}" for key, value in expected.items()))


with scratch() as temporary:
    for number_of_classes in (2, 3, 5):
        compare(temporary, number_of_classes)
    compare_labels(temporary)
    compare_grades(temporary)
finish()
