"""The program's own files mean the same to it on the way back: round_trip.py PROGRAM."""

import json
import os

from program import expect, finish, image_set, npz, read_bytes, read_json, run, scratch

KEYS = {"kind", "accuracy", "accuracy_ci95", "balanced_accuracy", "auc", "ece", "rmsce", "rmsce_top_label", "brier", "nll", "entropy",
        "mce", "adaptive_ece", "rmsce_plug_in", "rmsce_top_label_plug_in", "entropy_bits", "entropy_normalised", "entropy_over_samples",
        "auc_ci95", "ece_ci95", "entropy_ci95", "confusion", "reliability"}
ATTACK_KEYS = KEYS | {"spec", "eps", "norm", "steps", "attack_success_rate", "max_norm", "zero_gradient_fraction"}


def main(folder):
    here = lambda name: os.path.join(folder, name)
    npz(here("rgb.npz"), image_set(count=30, channels=3, classes=3))

    # Conversion both ways leaves the same set.
    for source, target in (("rgb.npz", "rgb.h5"), ("rgb.h5", "back.npz")):
        done = run("data", "convert", here(source), here(target))
        expect(done.returncode == 0, f"convert {source}: {done.stderr}")
    with open(here("rgb.h5"), "rb") as file, open(here("matlab.mat"), "wb") as target:
        target.write(b"MATLAB 7.3 MAT-file".ljust(512) + file.read())
    infos = []
    for name in ("rgb.npz", "rgb.h5", "back.npz", "matlab.mat"):
        info = json.loads(run("data", "info", here(name), "--json").stdout)
        info.pop("path")
        infos.append(info)
    expect(all(info == infos[0] for info in infos), f"conversion changed the set: {infos}")
    expect(infos[0]["classes"] == 3 and infos[0]["channels"] == 3, f"data info is wrong: {infos[0]}")

    # config.toml reproduces its run; the same from HDF5.
    command = ["train", "--data", here("rgb.npz"), "--model", "small_cnn:width=4", "--epochs", 3, "--batch", 10, "--optimizer", "sgd",
               "--lr", 0.02, "--nesterov", "--weight-decay", 1e-4, "--schedule", "steps", "--milestones", 0.4, 0.8, "--quiet"]
    expect(run(*command, "--out", here("first")).returncode == 0, "training failed")
    done = run("train", "--config", os.path.join(here("first"), "config.toml"), "--out", here("second"), "--quiet")
    expect(done.returncode == 0, f"training from config.toml: {done.stderr}")
    read = lambda name: read_bytes(here(name), "model.safetensors")
    expect(read("first") == read("second"), "config.toml does not reproduce its run")
    card = read_json(os.path.join(here("first"), "model.json"))
    expect(card["classes"] == 3, f"model.json: {card}")

    # Positive keys mean what they say, flags win over the file, an empty file says nothing.
    def settings(text, *flags):
        with open(here("flags.toml"), "w") as file:
            file.write(text)
        done = run("train", "--data", here("rgb.npz"), "--model", "small_cnn:width=4", "--epochs", 1, "--batch", 10, "--quiet",
                   "--overwrite", "--out", here("third"), "--config", here("flags.toml"), *flags)
        expect(done.returncode == 0, f"config {text!r}: {done.stderr}")
        with open(os.path.join(here("third"), "config.toml")) as file:
            return file.read()

    expect("flip = false" in settings(""), "an empty configuration file changes the defaults")
    expect("flip = true" in settings("flip = true\n"), "flip = true in a file")
    expect("flip = false" in settings("flip = true\n", "--no-flip"), "--no-flip does not win over the file")
    text = settings("method = \"pgd\"\nsteps = 1\nrandom_start = false\n")
    expect("random_start = false" in text and "steps = 1" in text, f"attack settings in a file: {text}")
    text = settings("milestones = [0.25, 0.5]\nschedule = \"steps\"\nseed = 9223372036854775807\n")
    expect("seed = 9223372036854775807" in text and "[0.25, 0.5]" in text, f"lists and seeds in a file: {text}")

    # The documented keys.
    done = run("evaluate", "--bootstrap", "20", "--model", here("first"), "--data", here("rgb.h5"), "--attack", "pgd:eps=1/255;8/255,steps=3",
               "--attack", "fgsm:norm=l2,eps=0.5", "--attack", "pgd:target=least_likely,steps=2,keep=best", "--out", here("r.json"))
    expect(done.returncode == 0, f"evaluate: {done.stderr}")
    result = read_json(here("r.json"))
    expect({"model", "data", "split", "n", "classes", "rows", "seconds", "device", "seed"} <= set(result), f"keys: {set(result)}")
    rows = result["rows"]
    expect([r["kind"] for r in rows] == ["clean"] + ["attack"] * 4, f"rows: {[r['kind'] for r in rows]}")
    expect(KEYS <= set(rows[0]), f"clean row lacks {KEYS - set(rows[0])}")
    for row in rows[1:]:
        expect(ATTACK_KEYS <= set(row), f"attack row lacks {ATTACK_KEYS - set(row)}")
        expect(row["max_norm"] <= row["eps"] * (1 + 2**-20), f"norm {row['max_norm']} above {row['eps']}")
        expect(row["accuracy"] <= rows[0]["accuracy"], "robust accuracy above clean accuracy")
    expect(rows[1]["eps"] < rows[2]["eps"], "an eps list makes one row of each value, in order")
    done = run("evaluate", "--bootstrap", "20", "--model", here("first"), "--data", here("rgb.h5"), "--corruption", "gaussian_noise:level=0;0.2",
               "--corruption", "shot_noise:level=60,seed=3", "--out", here("c.json"))
    expect(done.returncode == 0, f"evaluate --corruption: {done.stderr}")
    noisy = read_json(here("c.json"))["rows"]
    expect([r.get("spec") for r in noisy] == [None, "gaussian_noise:level=0", "gaussian_noise:level=0.2", "shot_noise:level=60,seed=3"],
           f"corruption rows: {noisy}")
    expect(all(KEYS <= set(r) and {"corruption", "level"} <= set(r) for r in noisy[1:]), "keys of corruption rows")
    expect(noisy[0] == rows[0] and noisy[1]["nll"] == rows[0]["nll"] and noisy[2]["nll"] != rows[0]["nll"], "levels 0 and 0.2")
    expect(sum(b["count"] for b in rows[0]["reliability"]) == sum(map(sum, rows[0]["confusion"])) == rows[0]["n"], "counts of images")
    done = run("evaluate", "--bootstrap", "0", "--model", here("first"), "--data", here("rgb.h5"), "--temperature-scaling", "--json")
    scaled = json.loads(done.stdout)
    expect(scaled["temperature"] > 0 and scaled["rows"][0]["accuracy"] == rows[0]["accuracy"], f"temperature: {scaled}")
    expect(not any(k.endswith("_ci95") and k != "accuracy_ci95" for k in scaled["rows"][0]), "intervals of no resamples")
    expect("shot_noise" in run("evaluate", "--list").stdout, "the list of corruptions")
    again = run("evaluate", "--bootstrap", "20", "--model", here("first") + "/model.safetensors", "--data", here("rgb.npz"), "--json")
    expect(json.loads(again.stdout)["rows"][0] == rows[0], "npz and HDF5, folder and file give different scores")

    # Pictures and checks; of a network that has learnt next to nothing PGD is not asked to succeed without bounds.
    done = run("evaluate", "--bootstrap", "0", "--model", here("first"), "--data", here("rgb.npz"), "--attack", "pgd:eps=1/255;8/255,steps=3",
               "--trust-checks", "--examples", "3", "--json")
    shown = json.loads(done.stdout)
    checks = ["iterative_at_least_as_strong", "search_finds_no_more", "more_steps_find_little_more", "gradients_not_zero", "norms_within_eps",
              "answers_repeat", "answers_are_logits", "gradients_foretell_loss"]
    expect([c["check"] for c in shown["checks"]] == checks, f"checks: {shown['checks']}")
    expect([r["nll"] for r in shown["rows"]] == [r["nll"] for r in rows[:3]], "pictures and checks change scores")
    expect(len(shown["examples"]) == 3 and {e["label"] for e in shown["examples"]} >= {0, 1}, f"examples: {shown['examples']}")
    # A list of eps: what a smaller one broke is not attacked again, or is, and then accuracy need not fall.
    anew = json.loads(run("evaluate", "--bootstrap", "0", "--model", here("first"), "--data", here("rgb.npz"), "--attack", "pgd:eps=1/255;8/255,steps=3",
                          "--each-eps-anew", "--examples", "3", "--json").stdout)
    expect("falls_with_eps" in [c["check"] for c in anew["checks"]], "the check of a sweep whose images are all attacked")
    expect(anew["rows"][1] == shown["rows"][1], "the smallest eps attacks all images either way")
    expect(shown["rows"][2]["broken_at_smaller_eps"] == shown["rows"][1]["fooled"] <= shown["rows"][2]["fooled"], "what is broken stays broken")
    expect(shown["rows"][2]["image_backward_passes"] < anew["rows"][2]["image_backward_passes"], "a sweep attacks what is left")
    turned = json.loads(run("evaluate", "--bootstrap", "0", "--model", here("first"), "--data", here("rgb.npz"), "--attack", "pgd:eps=8/255;1/255,steps=3",
                            "--no-trust-checks", "--examples", "0", "--json").stdout)
    expect([r["nll"] for r in turned["rows"]] == [shown["rows"][i]["nll"] for i in (0, 2, 1)], "the order of a list changes figures")
    # Statistics of the batch: survivors among themselves would have others, and are not asked.
    batch = run("evaluate", "--bootstrap", "0", "--model", here("first"), "--data", here("rgb.npz"), "--attack", "pgd:eps=1/255;8/255,steps=3",
                "--attack-bn", "train_no_update", "--limit", "6", "--examples", "0", "--json")
    expect(batch.returncode == 0, f"attacks under the batch's statistics: {batch.stderr}")
    kinds = {c["check"] for c in json.loads(batch.stdout)["checks"]}
    expect("iterative_at_least_as_strong" in kinds and not kinds & {"search_finds_no_more", "more_steps_find_little_more"}, f"checks: {kinds}")
    # What the classes do not allow is refused before anything runs, and leaves nothing.
    for command in ("evaluate", "attack"):
        refused = run(command, "--model", here("first"), "--data", here("rgb.npz"), "--attack", "pgd:target=7", "--out", here("refused.npz"))
        expect(refused.returncode == 64 and "target is class 7" in refused.stderr, f"{command}: {refused.returncode} {refused.stderr}")
    refused = run("evaluate", "--model", here("first"), "--data", here("rgb.npz"), "--attack", "fgsm", "--attack", "apgd-ce", "--attack-bn", "train_no_update",
                  "--out", here("refused.npz"))
    expect(refused.returncode == 64 and "apgd-ce" in refused.stderr and "--attack-bn eval" in refused.stderr, f"statistics: {refused.stderr}")
    expect(not any(name.startswith("refused") for name in os.listdir(folder)), f"left: {os.listdir(folder)}")
    for example in shown["examples"]:
        expect([made["row"] for made in example["rows"]] == [2] and example["image"].startswith("data:image/png;base64,"), "an example's rows")
    done = run("evaluate", "--bootstrap", "0", "--model", here("first"), "--data", here("rgb.npz"), "--examples", "0", "--json")
    expect(json.loads(done.stdout)["examples"] == [], "no examples")

    # Arrays out.
    for name in ("logits.npz", "logits.h5"):
        expect(run("predict", "--model", here("first"), "--data", here("rgb.npz"), "--out", here(name)).returncode == 0, name)
    for name in ("adv.npz", "adv.h5"):
        done = run("attack", "--model", here("first"), "--data", here("rgb.npz"), "--attack", "fgsm", "--out", here(name))
        expect(done.returncode == 0 and os.path.exists(here(name)), f"{name}: {done.stderr}")
    done = run("report", here("first"), here("second"), "--out", here("report.html"))
    expect(done.returncode == 0 and "<h1>Runs compared</h1>" in open(here("report.html")).read(), f"report: {done.stderr}")
    expect(open(here("report.charts.csv")).readline() == "chart,series,line,x,y,y_low,y_high,images\n", "the numbers of the charts")
    done = run("devices", "--json")
    expect(done.returncode == 0 and json.loads(done.stdout), f"devices: {done.stderr}")
    for flags, steps, parts in ((["--steps", 0], 0, set()), (["--norm", "l2", "--steps", 3, "--eps", 0.5], 3, {"attack.step"})):
        run("bench", "--model", "small_cnn", "--batch", 4, "--method", "eval", *flags, "--repeat", 1, "--json", here("bench.json"))
        row = read_json(here("bench.json"))["rows"][0]
        expect(row["steps"] == steps and parts <= {p["name"] for p in row["parts"]}, f"bench --method eval {flags}: {row}")
    done = run("bench", "--model", "small_cnn", "--batch", 4, "--method", "pgd", "--steps", 2, "--repeat", 2, "--json", here("bench.json"))
    bench = read_json(here("bench.json"))
    expect(bench["rows"][0]["replays"] == 1 and "replay" not in done.stdout, f"bench --method pgd: {done.stdout}")
    expect({"device", "threads", "isa", "roof", "rows"} <= set(bench), f"bench keys: {set(bench)}")
    expect({"fp32_gflops", "bf16_gflops", "copy_gbps"} <= set(bench["roof"]), f"roof keys: {set(bench['roof'])}")
    expect(any(p["name"] == "conv.backward_data" and p["count"] > 0 for p in bench["rows"][0]["parts"]), "bench parts")
    done = run("bench", "--model", "small_cnn", "--batch", 4, "--method", "free", "--replays", 3, "--repeat", 1, "--json", here("bench.json"))
    row = read_json(here("bench.json"))["rows"][0]
    expect(row["replays"] == 3 and row["steps"] == 0 and "free, one replay of 3" in done.stdout, f"bench --method free: {row} {done.stdout}")


with scratch() as temporary:
    main(temporary)
finish()
