"""Evaluations and attacks that are killed go on where they stopped: evaluate_resume.py PROGRAM."""

import json
import os
import random
import signal
import subprocess
import time

from program import PROGRAM, expect, finish, image_set, npz, read_bytes, read_json, refuse, run, scratch

with scratch() as folder:
    def here(name):
        return os.path.join(folder, name)

    npz(here("data.npz"), image_set(count=60, size=16, channels=3, classes=3))
    trained = run("train", "--data", here("data.npz"), "--model", "small_cnn:width=8", "--epochs", "1", "--batch", "16", "--out", here("net"), "--quiet")
    expect(trained.returncode == 0, f"train: {trained.stderr}")
    subject = ["--model", here("net"), "--data", here("data.npz"), "--batch", "4", "--quiet"]
    EVALUATE = ["evaluate", *subject, "--attack", "pgd:eps=2/255;8/255,steps=60", "--attack", "aa-k:eps=4/255,steps=30,queries=200",
                "--corruption", "gaussian_noise:level=0.1", "--bootstrap", "20"]
    ATTACK = ["attack", *subject, "--attack", "apgd-ce:eps=4/255,steps=100,restarts=3"]

    def untimed(value):
        """A document without what a clock says."""
        if isinstance(value, dict):
            return {key: untimed(v) for key, v in value.items() if key != "seconds"}
        return [untimed(v) for v in value] if isinstance(value, list) else value

    def contents(path):
        if path.endswith(".json"):
            return untimed(read_json(path))
        return read_bytes(path)

    def start(command, out):
        return subprocess.Popen([PROGRAM, *command, "--out", out, "--resume"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def state_bytes(out):
        try:
            return os.path.getsize(out + ".state")
        except FileNotFoundError:
            return 0

    moments = random.Random(0)
    for command, suffix in ((EVALUATE, ".json"), (ATTACK, ".npz")):
        what = command[0]
        whole, killed = here(what + suffix), here(what + "-killed" + suffix)
        done = run(*command, "--out", whole)
        expect(done.returncode == 0, f"{what}: {done.stderr}")
        expect(not os.path.exists(whole + ".state"), f"{what}: what it had found so far is still there")
        kills, grown = 0, 0
        for _ in range(6):
            before = state_bytes(killed)
            process = start(command, killed)
            while process.poll() is None and state_bytes(killed) <= before:
                time.sleep(0.001)
            time.sleep(moments.uniform(0, 0.1))
            kills += process.poll() is None
            process.kill()
            process.communicate()
            grown += state_bytes(killed) > before
            if os.path.exists(killed):
                break
            expect(kills == 0 or os.path.exists(killed + ".state"), f"{what}: nothing is left of a killed run")
        print(f"{what}: killed {kills} times")
        expect(kills >= 2 and grown >= 2, f"{what}: hardly killed: the test proves nothing")
        done = run(*command, "--out", killed, "--resume")
        expect(done.returncode == 0, f"{what}, resumed: {done.stderr}")
        expect(contents(killed) == contents(whole), f"{what}: killed and resumed it differs")
        expect(not os.path.exists(killed + ".state"), f"{what}: what it had found is still there after the end")

    # Asked to stop: 75, and what was found is there.
    out = here("asked.json")
    for wanted in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        process = start(EVALUATE, out)
        before = state_bytes(out)
        while process.poll() is None and state_bytes(out) <= before:
            time.sleep(0.001)
        process.send_signal(wanted)
        said = process.communicate()[1]
        expect(process.returncode == 75 and "--resume" in said and len(said.splitlines()) == 1, f"{wanted.name}: {process.returncode} {said!r}")
    expect(not os.path.exists(out), "a stopped evaluation has written its result")
    left = contents(out + ".state")
    # Other work in its place: another network is refused with --resume, and without it begins anew.
    run("train", "--data", here("data.npz"), "--model", "small_cnn:width=8", "--epochs", "1", "--batch", "16", "--seed", "1", "--out", here("other"), "--quiet")
    other = [here("other") if a == here("net") else a for a in EVALUATE]
    refuse("another network's answers", 78, *other, "--out", out, "--resume", output=out, mention=["asked.json.state", "another computation"])
    expect(contents(out + ".state") == left, "a refused command has changed what was found")
    done = run(*EVALUATE, "--out", out, "--resume")
    expect(done.returncode == 0 and contents(out) == contents(here("evaluate.json")), f"asked to stop and resumed: {done.stderr}")
    with open(out + ".state", "w") as file:
        file.write("somebody's notes")
    refuse("a foreign file", 65, *EVALUATE, "--out", out, mention=["asked.json.state", "holds something else"])
    with open(out + ".state") as file:
        expect(file.read() == "somebody's notes", "a foreign file was written over")
    refuse("nothing to go on from", 64, *EVALUATE, "--resume", mention=["--out"])

finish()
