"""Fast and free training as their users meet them, and the monitor of catastrophic overfitting: overfitting.py PROGRAM."""

import json
import os
import re
import signal
import subprocess
import time

from program import PROGRAM, expect, finish, image_set, npz, read_bytes, refuse, run, scratch

WARNING = "warning: catastrophic overfitting: "


def metrics(folder):
    with open(os.path.join(folder, "metrics.jsonl")) as file:
        return [json.loads(line) for line in file]


def without_timings(rows):
    return [{key: value for key, value in row.items() if key not in ("seconds", "images_per_second")} for row in rows]


def main(folder):
    here = lambda name: os.path.join(folder, name)
    npz(here("data.npz"), image_set(count=48))
    settings = ["train", "--model", "small_cnn:width=4", "--batch", 8, "--threads", 1]
    train = [*settings, "--data", here("data.npz")]

    # The recipe of each method, as it is written down, and its log.
    for name, flags, written, shown, epochs in (
            ("fast", ["--eps", "8/255"], ['method = "fast"', "alpha = \"10/255\"", 'attack_bn = "train"', 'schedule = "triangular"',
                                           "monitor_overfitting = true", "stop_on_overfitting = false"], ["fast (pgd:norm=linf", "steps=1,"], 3),
            ("free", [], ['method = "free"', "replays = 4", 'schedule = "cosine"', "monitor_overfitting = true"], ["free (norm=linf", "replays=4"], 1),
            ("free", ["--replays", 2, "--no-monitor-overfitting"], ["replays = 2", "monitor_overfitting = false"], ["replays=2"], 2)):
        out = here("recipe")
        done = run(*train, "--method", name, *flags, "--epochs", 3, "--overwrite", "--out", out)
        expect(done.returncode == 0, f"{name} {flags}: {done.stderr}")
        config, log = read_bytes(out, "config.toml").decode(), read_bytes(out, "log.txt").decode()
        for text in written:
            expect(text in config, f"{name} {flags}: config.toml lacks {text}: {config}")
        for key in ("steps", "random_start") + (("alpha", "attack_bn") if name == "free" else ("replays",)):
            expect(not re.search(rf"^{key} =", config, re.M), f"{name}: config.toml has {key}, which the method has not")
        for text in shown:
            expect(text in log, f"{name} {flags}: the log lacks {text}: {log}")
        rows = metrics(out)
        expect([row["epoch"] for row in rows] == list(range(epochs)), f"{name} {flags}: {len(rows)} passes, expected {epochs}")
        watched = "--no-monitor-overfitting" not in flags
        for row in rows:
            expect(("monitor_pgd_accuracy" in row) == watched == ("catastrophic_overfitting" in row), f"{name} {flags}: {row}")
            expect(not watched or (0 <= row["monitor_pgd_accuracy"] <= 1 and row["catastrophic_overfitting"] is False), f"{name}: {row}")
        expect(("PGD-5 accuracy" in log) == watched, f"{name} {flags}: the monitor's number on the screen: {log}")
        again = here("again")
        done = run("train", "--config", os.path.join(out, "config.toml"), "--overwrite", "--out", again, "--quiet")
        expect(done.returncode == 0, f"{name} from its config.toml: {done.stderr}")
        expect(read_bytes(again, "model.safetensors") == read_bytes(out, "model.safetensors"), f"{name}: config.toml does not reproduce its run")

    # Fast training is PGD of one step.
    fast = run(*train, "--method", "fast", "--epochs", 3, "--out", here("fast"), "--quiet")
    pgd = run(*train, "--method", "pgd", "--steps", 1, "--alpha", "10/255", "--attack-bn", "train", "--schedule", "triangular",
              "--epochs", 3, "--out", here("one step"), "--quiet")
    expect(fast.returncode == pgd.returncode == 0, f"fast, pgd of one step: {fast.stderr}{pgd.stderr}")
    expect(read_bytes(here("fast"), "model.safetensors") == read_bytes(here("one step"), "model.safetensors"), "PGD of one step has other weights than fast")

    # What a method does not have, it refuses.
    out = here("refused")
    for what, flags, mention in (
            ("steps of fast", ["--method", "fast", "--steps", 1], ["--steps", "--method pgd"]),
            ("start of fast", ["--method", "fast", "--no-random-start"], ["--random-start", "--method pgd"]),
            ("fast in another ball", ["--method", "fast", "--norm", "l2"], ["--norm", "linf"]),
            ("free in another ball", ["--method", "free", "--norm", "l2"], ["--norm", "linf"]),
            ("replays of fast", ["--method", "fast", "--replays", 4], ["--replays", "--method free"]),
            ("replays of pgd", ["--method", "pgd", "--replays", 4], ["--replays", "--method free"]),
            ("alpha of free", ["--method", "free", "--alpha", "2/255"], ["--alpha", "--method pgd, fast"]),
            ("batch norm of free", ["--method", "free", "--attack-bn", "eval"], ["--attack-bn"]),
            ("steps of free", ["--method", "free", "--steps", 7], ["--steps", "--method pgd"]),
            ("replays 0", ["--method", "free", "--replays", 0], ["replays is 0"]),
            ("enormous replays", ["--method", "free", "--replays", 10**18], ["replays is"]),
            ("eps 0", ["--method", "free", "--eps", 0], ["--eps is 0"]),
            ("eps above 1", ["--method", "free", "--eps", 8], ["eps is 8"]),
            ("epochs 0", ["--method", "free", "--epochs", 0], ["epochs is 0"]),
            ("epochs below 0", ["--method", "free", "--epochs", -1], ["--epochs is -1"]),
            ("nothing to monitor", ["--monitor-overfitting"], ["--monitor-overfitting", "fast, free"]),
            ("nothing to stop on", ["--stop-on-overfitting"], ["--stop-on-overfitting", "fast, free"]),
            ("no truth value", ["--method", "fast", "--stop-on-overfitting=maybe"], ["--stop-on-overfitting is 'maybe'"]),
            ("stop without a monitor", ["--method", "fast", "--stop-on-overfitting", "--no-monitor-overfitting"], ["--monitor-overfitting"])):
        refuse(what, 64, *train, *flags, "--out", out, output=out, mention=mention)

    # A planted collapse: a rate that is multiplied instead of divided. It is told, and on request it is the end.
    # Wrong labels leave it gradients to run away on.
    npz(here("noisy.npz"), image_set(count=48, labels=[0, 1, 0, 1, 0, 1, 0, 1, 0, 0]))
    plant = [*settings, "--data", here("noisy.npz"), "--method", "pgd", "--eps", "1/255", "--steps", 1, "--epochs", 8, "--lr", 0.003, "--schedule", "steps",
             "--milestones", 0.625, "--lr-factor", 100]
    done = run(*plant, "--monitor-overfitting", "--out", here("told"), "--quiet")
    rows = metrics(here("told"))
    fallen = [row["epoch"] for row in rows if row["catastrophic_overfitting"]]
    accuracy = [row["monitor_pgd_accuracy"] for row in rows]
    expect(done.returncode == 0 and len(rows) == 8, f"a collapse that is told only: {done.returncode} {done.stderr}")
    expect(fallen == [e for e in range(1, 8) if accuracy[e - 1] - accuracy[e] > 0.2 + 1e-9] and fallen[:1] == [5], f"fallen in {fallen}: {accuracy}")
    expect(done.stderr.count(WARNING) == len(fallen) == len(done.stderr.splitlines()), f"one warning a collapse: {done.stderr!r}")
    expect(read_bytes(here("told"), "log.txt").decode().count(WARNING) == len(fallen), "the log lacks the warning")

    stop = [*plant, "--stop-on-overfitting"]
    done = run(*stop, "--out", here("ended"), "--quiet")
    expect(done.returncode == 0 and done.stderr.count(WARNING) == 1, f"a collapse that ends the run: {done.returncode} {done.stderr}")
    rows = metrics(here("ended"))
    expect(len(rows) == 6 and rows[5]["catastrophic_overfitting"], f"ended after epoch {len(rows)}, expected 6")
    done = run("evaluate", "--model", here("ended"), "--data", here("noisy.npz"), "--split", "val", "--json")
    kept = json.loads(done.stdout)["rows"][0]["accuracy"]
    expect(kept == rows[4]["val_accuracy"] != rows[5]["val_accuracy"], f"the model is not the epoch before's: {kept} {rows[4:]}")

    # That end is an end: resumed, nothing more is trained, and interrupted on the way it is the same.
    model = read_bytes(here("ended"), "model.safetensors")
    os.remove(os.path.join(here("ended"), "model.safetensors"))
    done = run(*stop, "--out", here("ended"), "--resume", "--quiet")
    expect(done.returncode == 0 and not done.stderr, f"resumed after its end: {done.returncode} {done.stderr}")
    expect(read_bytes(here("ended"), "model.safetensors") == model and metrics(here("ended")) == rows, "resuming changed an ended run")
    interrupted([*stop, "--checkpoint-every", 0], here("interrupted"), lambda step: step // 6 in (4, 5))
    expect(read_bytes(here("interrupted"), "model.safetensors") == model, "interrupted before the collapse, it ends otherwise")
    expect(without_timings(metrics(here("interrupted"))) == without_timings(rows), "interrupted: other metrics")

    # Watching changes no bit: a run goes on watched or not, and from a config.toml of before there was a monitor.
    pgd = [*train, "--method", "pgd", "--steps", 2, "--epochs", 12, "--checkpoint-every", 0, "--quiet"]
    done = run(*pgd, "--out", here("unwatched"))
    expect(done.returncode == 0, f"pgd: {done.stderr}")
    model = read_bytes(here("unwatched"), "model.safetensors")
    interrupted(pgd, here("watched later"), lambda step: 12 <= step < 66, ["--monitor-overfitting"])
    expect(read_bytes(here("watched later"), "model.safetensors") == model, "watched from some epoch on: other weights")
    watched = ["monitor_pgd_accuracy" in row for row in metrics(here("watched later"))]
    expect(watched[-1] and not watched[0] and watched == sorted(watched), f"epochs that were watched: {watched}")
    with open(here("old.toml"), "wb") as file:
        file.write(re.sub(rb"(monitor|stop_on)_overfitting = \w+\n", b"", read_bytes(here("unwatched"), "config.toml")))
    expect(b"overfitting" not in read_bytes(here("old.toml")), "old.toml has keys of the monitor")
    old = ["train", "--config", here("old.toml"), "--checkpoint-every", 0, "--quiet"]
    interrupted([*pgd, "--monitor-overfitting"], here("old"), lambda step: 12 <= step < 66, end=old)
    expect(read_bytes(here("old"), "model.safetensors") == model, "resumed by an old config.toml: other weights")
    watched = ["monitor_pgd_accuracy" in row for row in metrics(here("old"))]
    expect(watched[0] and not watched[-1], f"an old config.toml watches PGD training: {watched}")
    done = run(*pgd, "--stop-on-overfitting", "--out", here("old"), "--resume")
    expect(done.returncode == 78 and "stop_on_overfitting" in done.stderr, f"resumed with an end: {done.returncode} {done.stderr}")

    # Free training goes on from the middle of a batch's replays.
    free = [*train, "--method", "free", "--replays", 5, "--epochs", 15, "--flip", "--shift", 2, "--checkpoint-every", 0]
    done = run(*free, "--out", here("whole"), "--quiet")
    expect(done.returncode == 0, f"free: {done.stderr}")
    interrupted(free, here("pieces"), lambda step: step % 5 != 0)
    expect(read_bytes(here("pieces"), "model.safetensors") == read_bytes(here("whole"), "model.safetensors"), "free, interrupted: other weights")
    expect(without_timings(metrics(here("pieces"))) == without_timings(metrics(here("whole"))), "free, interrupted: other metrics")


def interrupted(command, out, wanted, more=(), end=None):
    """Stops the run soon after each start until one stop came at a step that is `wanted`, then lets it end: by `end`, or by the same
    command, with `more` flags."""
    stops = []
    for _ in range(60):
        process = subprocess.Popen(["nice", "-n", "19", PROGRAM, *map(str, command), "--out", out, "--resume"], stderr=subprocess.PIPE, text=True)
        while process.poll() is None and newest_step(out) <= max(stops, default=0):
            time.sleep(0.001)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=120)
        if process.returncode != 75:
            break
        stops.append(int(re.search(r"stopped after step (\d+)", err).group(1)))
        if wanted(stops[-1]):
            break
    expect(any(map(wanted, stops)), f"stopped after steps {stops} alone: the test proves nothing")
    print("stopped after steps", stops)
    done = run(*(end or command), *more, "--out", out, "--resume")
    expect(done.returncode == 0, f"resumed: {done.stderr}")


def newest_step(folder):
    """The step of the newest whole checkpoint in a run folder; 0 where there is none."""
    checkpoints = os.path.join(folder, "checkpoint")
    names = os.listdir(checkpoints) if os.path.isdir(checkpoints) else []
    return max((int(number) for name in names for number in re.findall(r"\d+", name)), default=0)


with scratch() as temporary:
    main(temporary)
finish()
