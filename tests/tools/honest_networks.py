"""Networks that hide nothing raise no flag, trained against attacks or not: honest_networks.py PROGRAM."""

import os

from program import expect, finish, read_json, run, scratch

NETWORKS = [
    ("standard", "chest", "small_cnn:width=8", ["--method", "standard", "--epochs", "3"]),
    ("deep", "cells", "resnet18:width=4", ["--method", "standard", "--epochs", "8", "--lr", "0.005"]),
    ("pgd", "chest", "resnet18:width=4", ["--method", "pgd", "--eps", "2/255", "--steps", "2", "--epochs", "5", "--lr", "0.005"]),
]

with scratch() as folder:
    for name, kind, model, training in NETWORKS:
        data, net, out = (os.path.join(folder, name + end) for end in (".npz", "", ".json"))
        run("data", "synth", data, "--kind", kind, "--n", "1000", "--size", "28", "--quiet")
        done = run("train", "--data", data, "--model", model, *training, "--out", net, "--quiet")
        expect(done.returncode == 0, f"{name}: {done.stderr}")
        done = run("evaluate", "--model", net, "--data", data, "--attack", "pgd:eps=1/255;4/255,steps=20", "--attack", "pgd:norm=l2,eps=0.5,steps=20",
                   "--attack", "aa-k:eps=2/255,steps=50,queries=300", "--fail-on-flag", "--bootstrap", "0", "--examples", "0", "--out", out)
        result = read_json(out)
        flags = [(c["attack"], c["check"], c["says"]) for c in result["checks"] if not c["passed"]]
        expect(done.returncode == 0 and result["trust"] == "pass" and not flags, f"{name}: {done.returncode} {flags}")
        expect(result["rows"][0]["accuracy"] > 0.8, f"{name}: has not learnt its images")
        print(f"{name}: {[round(row['accuracy'], 3) for row in result['rows']]}, {len(result['checks'])} checks")

finish()
