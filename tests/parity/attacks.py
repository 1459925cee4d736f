#!/usr/bin/python3
"""Attacks the same networks on the same images here and by torchattacks, AutoAttack (pyautoattack) and foolbox.

attacks.py path/to/inocula FOLDER [--runs DIR] [--limit N] [--only TEXT] [--seeds N] [--quick] [--out RESULTS.json]
attacks.py path/to/inocula --write-golden

FOLDER holds pneumoniamnist.npz and bccd_cells_64.npz. The engine trains a ResNet-18 of width 16 on each against PGD (or
finds it in --runs, where it also leaves it) and writes it with PyTorch's names. --write-golden attacks the small network
of golden/ on the built-in synthetic cells and stores what the peers find there in golden/values.json, which golden.py
compares with where there are no peers. Robust accuracies are to agree within 0.3 points, those of attacks with random
starts in the mean over the seeds, or within three standard errors of that; smallest norms within 2 % in the median over
the images that both break. An attack that looks for the nearest image may find those that lie within 2 % of the radius or
not, and those that theirs finds or not as the image trembles by 1e-6. A row may say why ours is stronger: a known fault of
theirs.

Exits 77, saying why, where this Python cannot import the peers; 1 where a row disagrees.
"""
import argparse
import copy
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "torch"), str(ROOT / "tests" / "parity")]
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the engine's threads wait; before PyTorch reads it

try:
    import numpy
    import torch
    import foolbox
    import pyautoattack
    import torchattacks
    import golden
    import tensor_file
    from networks import Normalize, ResNet18, SmallCnn
except ImportError as missing:
    if missing.name in ("golden", "tensor_file", "networks"):
        raise
    print(f"skipped: {sys.executable} cannot import {missing.name}, which parity with other libraries needs")
    sys.exit(77)

ACCURACY, MEDIAN_NORM = 0.003, 0.02  # how far apart rows may be
MISSED = 0.03  # of the images: those that lie on a boundary fall to either side, as sums round
TREMBLES = 5  # times that an image which one side alone breaks is asked of the peer again
BATCH = 128


class Stopwatch:
    """Seconds, and those of processors: on a busy machine the latter say more."""

    def __init__(self):
        self.begin, self.busy = time.perf_counter(), sum(os.times()[:4])

    def read(self):
        return time.perf_counter() - self.begin, sum(os.times()[:4]) - self.busy


class Subject:
    """A network in both worlds, and images."""

    def __init__(self, program, folder, data, split, name, classes, training, limit):
        self.program, self.data, self.split, self.name, self.classes = program, data, split, name, classes
        self.run = folder / name
        if not (self.run / "model.safetensors").exists():
            self.command("train", "--data", data, "--model", "resnet18:width=16", "--out", self.run, *training)
        arrays = numpy.load(data)
        images = torch.from_numpy(arrays[f"{split}_images"][:limit].astype(numpy.float32) / 255)
        self.images = (images.unsqueeze(1) if images.ndim == 3 else images.permute(0, 3, 1, 2)).contiguous()
        self.labels = torch.from_numpy(arrays[f"{split}_labels"].ravel()[:limit].astype(numpy.int64))
        card = json.loads((self.run / "model.json").read_text())
        channels, size = self.images.shape[1:3]
        normalize, (architecture, _, width) = Normalize(card["mean"], card["std"]), card["model"].partition(":width=")
        self.network = (ResNet18(normalize, channels, classes, int(width.split(",")[0]), "cifar")
                        if architecture == "resnet18" else SmallCnn(normalize, channels, classes, int(width), size))
        state = tensor_file.read(self.run / "model.safetensors")
        self.network.load_state_dict({key: torch.from_numpy(value.copy()) for key, value in state.items()})
        self.network.eval().requires_grad_(False)
        self.right = self.predict(self.images) == self.labels

    def command(self, *words):
        subprocess.run([self.program, *map(str, words), "--quiet"], check=True)

    def predict(self, images):
        with torch.no_grad():
            return torch.cat([self.network(x).argmax(1) for x in images.split(BATCH)])

    def ours(self, spec, seed):
        """(adversarial images, what a Stopwatch says) of the engine's attack."""
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "adversarial.npz"
            watch = Stopwatch()
            self.command("attack", "--model", self.run, "--data", self.data, "--split", self.split, "--limit",
                         len(self.labels), "--batch", BATCH, "--seed", seed, "--attack", spec, "--out", out)
            used = watch.read()
            return torch.from_numpy(numpy.load(out)["adversarial"]), used

    def batches(self, attack):
        """(adversarial images, what a Stopwatch says) of attack(network, images, labels), batch by batch."""
        watch = Stopwatch()
        parts = [attack(self.network, x, y) for x, y in zip(self.images.split(BATCH), self.labels.split(BATCH))]
        return torch.cat(parts), watch.read()

    def of(self, images, rows):
        """The network in PyTorch beside these images, which stand for its images `rows`."""
        some = copy.copy(self)
        some.images, some.labels, some.right = images, self.labels[rows], self.right[rows]
        return some

    def robust(self, adversarial):
        return (self.right & (self.predict(adversarial) == self.labels)).double().mean().item()

    def norms(self, adversarial, norm):
        """Of each image's change; NaN where it was wrong before, or is right still."""
        change = (adversarial - self.images).flatten(1).double()
        norms = change.abs().amax(1) if norm == "linf" else change.norm(dim=1)
        return torch.where(self.right & (self.predict(adversarial) != self.labels), norms, float("nan"))


def with_torchattacks(make):
    def attack(network, x, y):
        return make(network)(x, y)
    return lambda subject, seed: (torch.manual_seed(seed), subject.batches(attack))[1]


def with_autoattack(attacks, norm, eps, steps, targets=1, queries=5000):
    """Croce and Hein's own code: each attack on the images that those before it left right."""
    def run(subject, seed):
        adversary = pyautoattack.AutoAttack(subject.network, norm=norm, eps=eps, version="custom", attacks=attacks,
                                            seed=seed)
        adversary.verbose = False
        adversary.apgd.n_restarts = adversary.fab.n_restarts = adversary.apgd_targeted.n_restarts = 1
        adversary.fab.n_target_classes = adversary.apgd_targeted.n_target_classes = targets
        adversary.square.n_queries = queries
        adversary.fab.n_iter = 100
        # Its checkpoints are laid out when it is made.
        adversary.apgd.n_iter = steps
        for name, share in (("n_iter_2", 0.22), ("n_iter_min", 0.06), ("size_decr", 0.03)):
            setattr(adversary.apgd, name, max(int(share * steps), 1))
        watch = Stopwatch()
        adversarial, _ = adversary.run_standard_evaluation(subject.images, subject.labels, batch_size=BATCH)
        return adversarial, watch.read()
    return run


def with_foolbox(make):
    def attack(network, x, y):
        model = foolbox.PyTorchModel(network, bounds=(0, 1), device="cpu")
        return make()(model, x, y, epsilons=None)[1]
    return lambda subject, seed: (torch.manual_seed(seed), subject.batches(attack))[1]


class Row:
    def __init__(self, name, spec, theirs, norm=None, random=False, stronger=None, subjects=None, slow=False,
                 nearest=None):
        """`norm`: compare the smallest norms rather than accuracies. `stronger`: why ours may leave less. `nearest`: norm
        and radius of an attack that looks for the nearest image and is kept to a radius."""
        self.name, self.spec, self.theirs, self.norm, self.random = name, spec, theirs, norm, random
        self.stronger, self.subjects, self.slow, self.nearest = stronger, subjects, slow, nearest


def rows_for(subject, eps, eps_l2, steps, queries):
    e, l2, others = f"{eps:.9g}", f"{eps_l2:.9g}", subject.classes - 1
    a = eps / 4
    rows = [
        Row("fgsm, torchattacks", f"fgsm:eps={e}", with_torchattacks(lambda n: torchattacks.FGSM(n, eps=eps))),
        Row("bim, torchattacks", f"bim:eps={e},alpha={a:.9g},steps=10",
            with_torchattacks(lambda n: torchattacks.BIM(n, eps=eps, alpha=a, steps=10))),
        Row("mifgsm, torchattacks", f"mifgsm:eps={e},alpha={a:.9g},steps=10",
            with_torchattacks(lambda n: torchattacks.MIFGSM(n, eps=eps, alpha=a, steps=10, decay=1.0))),
        Row("fgsm-rs, torchattacks (FFGSM)", f"fgsm-rs:eps={e},alpha={1.25 * eps:.9g}",
            with_torchattacks(lambda n: torchattacks.FFGSM(n, eps=eps, alpha=1.25 * eps)), random=True),
        Row("pgd linf, torchattacks", f"pgd:eps={e},alpha={a:.9g},steps=20",
            with_torchattacks(lambda n: torchattacks.PGD(n, eps=eps, alpha=a, steps=20)), random=True),
        Row("pgd l2, torchattacks", f"pgd:norm=l2,eps={l2},alpha={eps_l2 / 5:.9g},steps=20",
            with_torchattacks(lambda n: torchattacks.PGDL2(n, eps=eps_l2, alpha=eps_l2 / 5, steps=20)), random=True),
        Row("apgd-ce linf, AutoAttack", f"apgd-ce:eps={e},steps={steps}",
            with_autoattack(["apgd-ce"], "Linf", eps, steps), random=True),
        Row("apgd-ce l2, AutoAttack", f"apgd-ce:norm=l2,eps={l2},steps={steps}",
            with_autoattack(["apgd-ce"], "L2", eps_l2, steps), random=True),
        Row("fab-t linf, AutoAttack", f"fab-t:eps={e}",
            with_autoattack(["fab-t"], "Linf", eps, steps, others), slow=True, nearest=("linf", eps)),
        Row("fab-t l2, AutoAttack", f"fab-t:norm=l2,eps={l2}",
            with_autoattack(["fab-t"], "L2", eps_l2, steps, others), slow=True, nearest=("l2", eps_l2)),
        Row("square linf, AutoAttack", f"square:eps={e},queries={queries}",
            with_autoattack(["square"], "Linf", eps, steps, queries=queries), random=True, slow=True,
            stronger="there one window serves the whole batch, and none reaches the last row or column"),
        Row("square l2, AutoAttack", f"square:norm=l2,eps={l2},queries={queries}",
            with_autoattack(["square"], "L2", eps_l2, steps, queries=queries), random=True, slow=True),
        Row("deepfool l2, foolbox", "deepfool:norm=l2,steps=50",
            with_foolbox(lambda: foolbox.attacks.L2DeepFoolAttack(steps=50)), norm="l2"),
        Row("deepfool linf, foolbox", "deepfool:norm=linf,steps=50",
            with_foolbox(lambda: foolbox.attacks.LinfDeepFoolAttack(steps=50)), norm="linf"),
        Row("cw, foolbox", "cw:steps=60,search=4",
            with_foolbox(lambda: foolbox.attacks.L2CarliniWagnerAttack(binary_search_steps=4, steps=60)), norm="l2",
            slow=True),
    ]
    if others > 1:
        rows.append(Row("apgd-dlr linf, AutoAttack", f"apgd-dlr:eps={e},steps={steps}",
                        with_autoattack(["apgd-dlr"], "Linf", eps, steps), random=True))
    ensemble = ["apgd-ce", "apgd-dlr", "fab-t", "square"] if others > 1 else ["apgd-ce", "fab-t", "square"]
    rows.append(Row("aa-k linf, AutoAttack (" + ", ".join(ensemble) + ")",
                    f"aa-k:eps={e},steps={steps},queries={5 * queries}",
                    with_autoattack(ensemble, "Linf", eps, steps, others, 5 * queries), slow=True,
                    stronger="there no step aims at the other classes one by one: its targeted loss compares four logits"))
    return rows


def rounded_away(subject, row, ours, theirs):
    """How many images one side alone breaks because of rounding: found within 2 % of the radius, or such that theirs does not
    always answer alike when the image is changed by a millionth."""
    norm, eps = row.nearest
    found = [subject.norms(adversarial, norm) for adversarial in (ours, theirs)]
    alone = (found[0].isnan() != found[1].isnan()).nonzero().flatten()
    if len(alone) == 0:
        return 0
    answers = [~found[1][alone].isnan()]
    for seed in range(TREMBLES):
        noise = torch.randn(subject.images[alone].shape, generator=torch.Generator().manual_seed(seed))
        trembled = subject.of((subject.images[alone] + 1e-6 * noise).clamp(0, 1), alone)
        answers.append(~trembled.norms(row.theirs(trembled, 0)[0], norm).isnan())
    close = torch.fmin(*found)[alone] > (1 - MEDIAN_NORM) * eps
    return (close | ~(torch.stack(answers).all(0) | ~torch.stack(answers).any(0))).sum().item()


def compare(subject, row, seeds):
    """(ours, theirs, seconds here, seconds there, processors' seconds here and there, how far apart they may be, whether they
    agree)."""
    used = range(seeds if row.random else 1)
    here, there = ([attack(seed) for seed in used] for attack in
                   (lambda seed: subject.ours(row.spec, seed), lambda seed: row.theirs(subject, seed)))
    times = [statistics.median(used[clock] for _, used in side) for clock in (0, 1) for side in (here, there)]
    if row.norm:
        norms = [subject.norms(side[0][0], row.norm) for side in (here, there)]
        both = ~(norms[0].isnan() | norms[1].isnan())
        ours, theirs = (n[both].median().item() for n in norms)
        missed = [(subject.right & n.isnan()).sum().item() for n in norms]
        agrees = abs(ours - theirs) <= MEDIAN_NORM * theirs or (ours < theirs and row.stronger is not None)
        return ours, theirs, *times, MEDIAN_NORM * theirs, agrees and missed[0] <= missed[1] + MISSED * len(subject.labels)
    found = [[subject.robust(adversarial) for adversarial, _ in side] for side in (here, there)]
    ours, theirs = map(statistics.mean, found)
    # Means over a few seeds differ by chance: three standard errors of the difference are let pass.
    chance = sum(statistics.variance(side) / len(side) for side in found if len(side) > 1) ** 0.5
    allowed = max(ACCURACY, 3 * chance)
    if row.nearest:
        allowed = max(allowed, rounded_away(subject, row, here[0][0], there[0][0]) / len(subject.labels))
    agrees = abs(ours - theirs) <= allowed + 1e-9 or (ours < theirs and row.stronger is not None)
    return ours, theirs, *times, allowed, agrees


def subjects(options, folder):
    """(subject, radius in L-infinity, in L2, steps of Auto-PGD and FAB, queries of Square), one after the other."""
    if options.write_golden:
        data = folder / "cells.npz"
        subprocess.run([options.program, "data", "synth", str(data), *golden.SYNTHETIC, "--quiet"], check=True)
        yield Subject(options.program, golden.FOLDER.parent, data, "test", "golden", 3, (), 500), 8 / 255, 0.5, 20, 100
        return
    for name, file, split, classes, training, eps, eps_l2 in (
            ("pneumonia", "pneumoniamnist.npz", "test", 2,
             ("--method", "pgd", "--eps", "4/255", "--steps", 5, "--epochs", 4, "--batch", 64), 4 / 255, 0.5),
            ("cells", "bccd_cells_64.npz", "train", 3,
             ("--method", "pgd", "--eps", "4/255", "--steps", 3, "--epochs", 3, "--batch", 32), 8 / 255, 1.0)):
        if options.subject in (None, name):
            yield Subject(options.program, options.runs or folder, options.folder / file, split, name, classes, training,
                          options.limit), eps, eps_l2, 100, 1000


def main(arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--write-golden", action="store_true")
    parser.add_argument("--runs", type=Path, help="where the networks are, or are left")
    parser.add_argument("--limit", type=int, default=500)
    parser.add_argument("--only", default="", help="rows whose name contains it")
    parser.add_argument("--subject", choices=("pneumonia", "cells"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="leave out the slow rows")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--out", help="JSON file to write")
    options = parser.parse_args(arguments)
    if options.folder is None and not options.write_golden:
        parser.error("expected FOLDER or --write-golden")
    torch.set_num_threads(options.threads)
    results, wrong = [], 0
    with tempfile.TemporaryDirectory() as name:
        for subject, *how in subjects(options, Path(name)):
            print(f"{subject.name}: {len(subject.labels)} images, {100 * subject.right.float().mean():.1f} % right")
            for row in rows_for(subject, *how):
                if options.only not in row.name or (options.quick and row.slow):
                    continue
                ours, theirs, here, there, busy_here, busy_there, allowed, agrees = compare(subject, row, options.seeds)
                wrong += not agrees
                unit = "norm" if row.norm else "robust accuracy"
                print(f"{row.name:55s} {unit} {ours:.4f} here, {theirs:.4f} there; {here:.1f} s and {there:.1f} s (processors {busy_here:.1f} and {busy_there:.1f}): "
                      f"{'agrees' if agrees else 'DISAGREES'}" + (f" ({row.stronger})" if row.stronger else ""), flush=True)
                results.append({"subject": subject.name, "row": row.name, "spec": row.spec, "of": row.norm or unit,
                                "seeds": options.seeds if row.random else 1, "inocula": ours, "peer": theirs, "allowed": allowed,
                                "inocula_seconds": here, "peer_seconds": there, "inocula_processor_seconds": busy_here,
                                "peer_processor_seconds": busy_there, "agrees": bool(agrees)})
    versions = {p.__name__: getattr(p, "__version__", "") for p in (torch, torchattacks, foolbox, pyautoattack)}
    document = {"versions": versions, "rows": results}
    if options.out:
        Path(options.out).write_text(json.dumps(document, indent=1))
    if options.write_golden:
        for row in results:
            for key in ("subject", "inocula", "inocula_seconds", "peer_seconds", "inocula_processor_seconds",
                        "peer_processor_seconds", "agrees"):
                del row[key]
        golden.VALUES.write_text(json.dumps(document, indent=1) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
