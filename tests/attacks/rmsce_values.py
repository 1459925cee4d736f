"""Writes rmsce_values.h beside itself: predictions and the calibration errors that a second writing finds in them.

    rmsce_values.py

The second writing is of the formulas of Kumar, Liang, Ma, "Verified uncertainty calibration", NeurIPS 2019, with the
conventions of the authors' package uncertainty-calibration 0.1.4: p = 2, bins of equal mass, and its handling of
ties, of few values and of few samples. It shares no line with the program's own.
"""

import pathlib

import numpy as np

BINS = 15


def midpoints(below, above):
    return [(a + b) / 2 for a, b in zip(below, above)]


def edges_by_mass(values):
    """Upper edges of runs of equal length, midway between neighbours; never more runs than values, no edge twice."""
    runs = np.array_split(np.sort(values), min(BINS, len(values)))
    return np.unique(midpoints([run[-1] for run in runs[:-1]], [run[0] for run in runs[1:]]) + [1.0])


def edges_by_value(values):
    """Upper edges midway between distinct values. Next to 1 two edges may be equal: nothing lies between them."""
    levels = np.unique(values)
    return np.array(midpoints(levels[:-1], levels[1:]) + [1.0])


def squared_error(p, came_true, edges, debiased):
    bin_of = (edges[None, :] < p[:, None]).sum(axis=1)  # a value on an edge belongs below it
    total = 0.0
    for b in range(len(edges)):
        inside = bin_of == b
        count = inside.sum()
        if count < (2 if debiased else 1):
            continue
        rate = came_true[inside].mean()
        error = (p[inside].mean() - rate) ** 2
        if debiased:
            error -= rate * (1 - rate) / (count - 1)
        total += count / len(p) * error
    return max(total, 0.0)


def errors(p, label):
    """RMSCE marginal, marginal plug-in, top label, top label plug-in."""
    n, classes = p.shape
    by_value = all(len(np.unique(column)) < n / 4 for column in p.T)
    edges = edges_by_value if by_value else edges_by_mass
    found = []
    for debiased in (True, False):
        of_classes = [squared_error(p[:, k], label == k, edges(p[:, k]), debiased) for k in range(classes)]
        found.append(np.sqrt(np.mean(of_classes)))
    top, right = p.max(axis=1), p.argmax(axis=1) == label
    return found + [np.sqrt(squared_error(top, right, edges(top), debiased)) for debiased in (True, False)]


def drawn(random, n, classes, spread, steps):
    """Probabilities that are multiples of 1 / steps, and labels that follow them half of the time."""
    logits = random.normal(0, spread, (n, classes))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    label = np.where(random.random(n) < 0.5, p.argmax(axis=1), random.integers(0, classes, n))
    return np.round(p * steps) / steps, label


def saturated(random, n, classes):
    """Nearly all exactly 0 or 1."""
    p = np.zeros((n, classes))
    p[np.arange(n), random.integers(0, classes, n)] = 1
    for row in range(0, n, 4):
        p[row] = drawn(random, 1, classes, 1, 10**6)[0][0]
    return p, np.where(random.random(n) < 0.7, p.argmax(axis=1), random.integers(0, classes, n))


def beside_one(random, n):
    """Numbers that lie one step of double precision apart: no edge fits between the largest two."""
    largest = 1 - 2.0**-53
    levels = np.array([[0, 1], [1 - largest, largest], [1, 0], [largest, 1 - largest], [0.25, 0.75]])
    return levels[random.integers(0, len(levels), n)], random.integers(0, 2, n)


def cases():
    random = np.random.default_rng(2019)
    for classes in (2, 3, 9):
        yield f"many values, K = {classes}", *drawn(random, 61, classes, 2, 10**6)
        yield f"ties in bins of equal mass, K = {classes}", *drawn(random, 48, classes, 1, 80 if classes == 9 else 20)
        yield f"few values, each a bin, K = {classes}", *drawn(random, 53, classes, 2, 10)
        yield f"fewer samples than bins, K = {classes}", *drawn(random, 11, classes, 1, 10**6)
        yield f"fewer samples than bins, ties among them, K = {classes}", *drawn(random, 13, classes, 1, 8)
        yield f"saturated, K = {classes}", *saturated(random, 50, classes)
        all_or_nothing = np.round(saturated(random, 40, classes)[0])
        yield f"exact 0 and 1 alone, K = {classes}", all_or_nothing, random.integers(0, classes, 40)
    yield "as many samples as bins", *drawn(random, 15, 3, 1, 10**6)
    yield "one sample", np.array([[0.25, 0.75]]), np.array([1])
    yield "neighbours of 1 in double precision", *beside_one(random, 40)


def wrapped(numbers):
    """C++ initializers in lines of at most 100 characters."""
    lines = [""]
    for number in numbers:
        piece = f"{number!r}, "
        if len(lines[-1]) + len(piece) > 100:
            lines.append("")
        lines[-1] += piece
    return "\n".join("      " + line.rstrip() for line in lines)


def main():
    lines = [
        "// Predictions and the calibration errors that a second writing finds in them, written by rmsce_values.py.",
        "#pragma once",
        "",
        "#include <cstdint>",
        "#include <vector>",
        "",
        "namespace inocula::test {",
        "",
        "struct RmsceValues {",
        "  const char* name;",
        "  std::int64_t classes;",
        "  std::vector<std::int32_t> label;",
        "  std::vector<double> probability;  ///< (n, classes)",
        "  double marginal, marginal_plug_in, top_label, top_label_plug_in;",
        "};",
        "",
        "// clang-format off",
        "inline const RmsceValues kRmsceValues[] = {",
    ]
    for name, p, label in cases():
        lines += [f'    {{"{name}", {p.shape[1]},', "     {", wrapped(label.tolist()), "     },", "     {",
                  wrapped(p.ravel().tolist()), "     },", "     " + ", ".join(repr(float(e)) for e in errors(p, label)) + "},"]
    lines += ["};", "// clang-format on", "", "}  // namespace inocula::test", ""]
    pathlib.Path(__file__).with_name("rmsce_values.h").write_text("\n".join(lines), encoding="ascii")


if __name__ == "__main__":
    main()
