"""Bad input gets one clear line, the right exit code, and leaves nothing behind: bad_input.py PROGRAM."""

import json
import os
import shutil
import struct
import subprocess

from program import PROGRAM, expect, finish, image_set, npz, npz_bytes, read_tensors, refuse, run, scratch, write_tensors


def main(folder):
    here = lambda name: os.path.join(folder, name)
    good, rgb, three = here("good.npz"), here("rgb.npz"), here("three.npz")
    npz(good, image_set())
    npz(rgb, image_set(channels=3))
    npz(three, image_set(classes=3))
    out, model = here("out"), here("model")
    os.mkdir(here("folder.npz"))
    train = ["train", "--model", "small_cnn:width=4", "--epochs", 1, "--batch", 8, "--quiet"]
    done = run(*train, "--data", good, "--out", model)
    expect(done.returncode == 0, f"training on good data: {done.stderr}")

    # Files.
    refuse("missing file", 66, *train, "--data", here("none.npz"), "--out", out, output=out, mention=["none.npz"])
    refuse("folder instead of file", 66, *train, "--data", folder, "--out", out, output=out, mention=[folder])
    refuse("missing model", 66, "evaluate", "--model", here("none"), "--data", good, mention=["none"])
    whole = npz_bytes(image_set(count=4, size=16, splits=("train", "test")))
    cut = here("cut.npz")
    for length in [0, 1, 3, 4, 30, 64, 100, len(whole) // 2, len(whole) - 200, len(whole) - 22, len(whole) - 1]:
        with open(cut, "wb") as file:
            file.write(whole[:length])
        refuse(f"npz cut after {length} bytes", 65, *train, "--data", cut, "--out", out, output=out, mention=["cut.npz"])

    # Arrays.
    def bad_set(what, code, change, mention=()):
        arrays = image_set()
        change(arrays)
        path = here("bad.npz")
        npz(path, arrays)
        refuse(what, code, *train, "--data", path, "--out", out, output=out, mention=["bad.npz", *mention])

    def retype(name, dtype, width):
        def change(arrays):
            _, shape, data = arrays[name]
            arrays[name] = (dtype, shape, data * width)
        return change

    bad_set("float images", 65, retype("train_images", "<f4", 4), ["train_images"])
    bad_set("float labels", 65, retype("train_labels", "<f4", 4), ["train_labels"])
    bad_set("object labels", 65, lambda a: a.update(train_labels=("|O", (24, 1), b"\x80\x04N.")), ["train_labels"])
    bad_set("negative labels", 65, lambda a: a.update(train_labels=("|i1", (24, 1), b"\xff" * 24)), ["train_labels"])
    bad_set("fewer labels than images", 65, lambda a: a.update(train_labels=("|u1", (23, 1), bytes(23))))
    bad_set("claimed size", 65, lambda a: a.update(train_images=("|u1", (1 << 30, 28, 28), bytes(100))))
    bad_set("no training split", 65, lambda a: [a.pop("train_images"), a.pop("train_labels")], ["train"])
    bad_set("empty training split", 65,
            lambda a: a.update(train_images=("|u1", (0, 16, 16), b""), train_labels=("|u1", (0, 1), b"")), ["train"])
    bad_set("label beyond every integer of ours", 65,
            lambda a: a.update(train_labels=("<u8", (24, 1), struct.pack("<24Q", *[0, 1] * 11, 0, 2**63 + 5))),
            ["train_labels[23]", str(2**63 + 5)])
    marks = lambda numbers: lambda a: [a.update({s + "_labels": ("|u1", (24, 1), bytes(numbers * 12))}) for s in ("train", "val", "test")]
    bad_set("labels 0 and 255", 65, marks([0, 255]), ["train_labels", "class 1,", "255"])
    bad_set("one class", 65, marks([0, 0]), ["train_labels", "class 1,"])
    bad_set("one class that is not the first", 65, marks([1, 1]), ["train_labels", "class 0,"])
    bad_set("a class in the test split alone", 65, lambda a: a.update(test_labels=("|u1", (24, 1), bytes([0, 1, 2] * 8))), ["class 2,"])
    bad_set("multi-label", 65, lambda a: a.update(train_labels=("|u1", (24, 3), bytes(72))))

    # Data that does not fit the model.
    for command in (["evaluate"], ["predict", "--out", out + ".npz"], ["attack", "--attack", "fgsm", "--out", out + ".npz"]):
        refuse(f"{command[0]}: channels", 65, *command, "--model", model, "--data", rgb, output=out, mention=["3"])
        refuse(f"{command[0]}: classes", 65, *command, "--model", model, "--data", three, output=out, mention=["3"])

    # A model that is not one.
    broken = here("broken")
    shutil.copytree(model, broken)
    weights = os.path.join(broken, "model.safetensors")
    with open(weights, "r+b") as file:
        file.seek(-4, os.SEEK_END)
        file.write(b"\x00\x00\xc0\x7f")
    refuse("NaN in weights", 65, "evaluate", "--model", broken, "--data", good, mention=["model.safetensors", "nan"])
    with open(weights, "r+b") as file:
        file.truncate(os.path.getsize(weights) - 10)
    refuse("cut weights", 65, "evaluate", "--model", broken, "--data", good, mention=["model.safetensors"])
    os.remove(weights)
    refuse("no weights", 66, "evaluate", "--model", broken, "--data", good, mention=["model.safetensors"])
    with open(os.path.join(broken, "model.json"), "w") as file:
        file.write("{\"spec\": 3")
    shutil.copy(os.path.join(model, "model.safetensors"), weights)
    refuse("broken card", 65, "evaluate", "--model", broken, "--data", good, mention=["model.json"])

    normed = here("normed")  # with batch norm
    done = run("train", "--model", "resnet18:width=4", "--epochs", 1, "--batch", 8, "--quiet", "--data", good, "--out", normed)
    expect(done.returncode == 0, f"training with batch norm: {done.stderr}")
    tensors = read_tensors(os.path.join(normed, "model.safetensors"))
    name = next(n for n in tensors if n.endswith(".running_var"))
    dtype, shape, data = tensors[name]
    tensors[name] = (dtype, shape, struct.pack("<f", -0.25) + data[4:])
    write_tensors(os.path.join(normed, "model.safetensors"), tensors)
    for command in (["evaluate"], ["predict", "--out", out + ".npz"], ["attack", "--attack", "fgsm", "--out", out + ".npz"]):
        refuse(f"{command[0]}: negative variance", 65, *command, "--model", normed, "--data", good, output=out + ".npz",
               mention=["model.safetensors", name, "-0.25"])

    # A card that asks for what cannot be had, and what is no model at all.
    card = '{"model": "small_cnn:width=4", "classes": 2, "channels": 1, "height": 16, "width": 16}'
    for change, mention in {'"classes": 2': "classes", '"model"': "model", '"height": 16': "height", '"channels": 1': "channels"}.items():
        with open(os.path.join(broken, "model.json"), "w") as file:
            file.write(card.replace(change, '"seed"' + (": 2" if ":" in change else "")))
        refuse(f"card without {mention}", 65, "evaluate", "--model", broken, "--data", good, mention=["model.json", mention])
    for before, after, mention in [('"classes": 2', '"classes": 1', "classes"), ("small_cnn:width=4", "vgg", "vgg"),
                                   ("width=4", "depth=4", "depth"), ("width=4", "width=0", "width"),
                                   ('"classes": 2', '"classes": 2, "note": ""', "note")]:
        with open(os.path.join(broken, "model.json"), "w") as file:
            file.write(card.replace(before, after))
        refuse(f"card with {after}", 65, "evaluate", "--model", broken, "--data", good, mention=["model.json", mention])
    refuse("card as model", 65, "evaluate", "--model", os.path.join(model, "model.json"), "--data", good,
           mention=["model.json: expected a run folder or a .safetensors file"])

    # Settings.
    fresh = [*train, "--data", good, "--out", out]
    for what, flags in {
        "eps < 0": ["--method", "pgd", "--eps", "-1/255"],
        "eps 0 to train with": ["--method", "pgd", "--eps", "0"],
        "alpha = 0": ["--method", "pgd", "--alpha", "0"],
        "steps = 0": ["--method", "pgd", "--steps", "0"],
        "no number": ["--method", "pgd", "--eps", "four"],
        "unknown method": ["--method", "magic"],
        "unknown norm": ["--method", "pgd", "--norm", "l7"],
        "unknown model": ["--model", "alexnet"],
        "unknown model key": ["--model", "small_cnn:depth=3"],
        "width 0": ["--model", "small_cnn:width=0"],
        "epochs 0": ["--epochs", "0"],
        "batch above the split": ["--batch", "1000"],
        "rate 0": ["--lr", "0"],
        "unknown optimizer": ["--optimizer", "lion"],
        "unknown schedule": ["--schedule", "zigzag"],
        "milestones out of order": ["--schedule", "steps", "--milestones", "0.7", "0.5"],
        "std 0": ["--std", "0"],
        "unknown precision": ["--precision", "fp16"],
        "unknown device": ["--device", "tpu"],
        "negative threads": ["--threads", "-1"],
        "unknown flag": ["--frobnicate"],
        "resume and overwrite": ["--resume", "--overwrite"],
        "attack flags without an attack": ["--eps", "4/255", "--steps", "10"],
        "steps 0 without an attack": ["--steps", "0"],
        "no random start without an attack": ["--no-random-start"],
        "nonsense without an attack": ["--eps", "-1", "--steps", "0", "--norm", "foo", "--attack-bn", "bar"],
        "unknown batch norm": ["--method", "pgd", "--attack-bn", "bar"],
        "no truth value": ["--method", "pgd", "--random-start=maybe"],
        "bench's method": ["--method", "eval"],
        "augmentation without a method for it": ["--augmix", "augmix"],
        "views without a method for them": ["--method", "rtda", "--views", "together"],
        "an attack's flag without an attack": ["--method", "augmix", "--eps", "4/255"],
        "unknown key of augmix": ["--method", "augmix", "--augmix", "augmix:width=3"],
        "no augmix": ["--method", "augmix", "--augmix", "pgd:eps=1/255"],
        "severity out of range": ["--method", "augmix", "--augmix", "augmix:severity=11"],
        "negative weight of the divergence": ["--method", "augmix", "--jsd-weight", "-1"],
        "negative beta": ["--method", "trades", "--beta", "-1"],
        "beta nan": ["--method", "trades", "--beta", "nan"],
        "beta without its method": ["--method", "robustaugmix", "--beta", "6"],
        "TRADES without its start": ["--method", "trades", "--no-random-start"],
        "TRADES in training mode": ["--method", "trades", "--attack-bn", "train"],
        "radius of TRADES out of range": ["--method", "trades", "--eps", "8"],
        "no way to pass TRADES' views": ["--method", "trades", "--views", "twice"],
        "no way to pass views": ["--method", "augmix", "--views", "twice"],
        "seed -1": ["--seed", "-1"],
        "seed 2^63": ["--seed", "9223372036854775808"],
        "seed 2^64": ["--seed", "18446744073709551616"],
        "octal seed": ["--seed", "010"],
        "no number as seed": ["--seed", "true"],
        "enormous width": ["--model", "small_cnn:width=99999999999"],
        "enormous width of ResNet": ["--model", "resnet18:width=99999999999"],
        "shift beyond 32 bits": ["--shift", "2000000000"],
        "shift as large as the image": ["--shift", "16"],
        "negative shift": ["--shift", "-1"],
        "5000 threads": ["--threads", "5000"],
        "negative checkpoint interval": ["--checkpoint-every", "-5"],
        "no number as checkpoint interval": ["--checkpoint-every", "nan"],
        "infinite weight decay": ["--weight-decay", "inf"],
        "negative weight decay": ["--weight-decay", "-1"],
        "momentum 1": ["--optimizer", "sgd", "--momentum", "1"],
        "negative momentum": ["--optimizer", "sgd", "--momentum", "-0.1"],
        "negative rate": ["--lr", "-1"],
        "rate nan": ["--lr", "nan"],
        "rate beyond floats": ["--lr", "1e39"],
        "rate factor inf": ["--schedule", "steps", "--lr-factor", "inf"],
        "epochs beyond 64 bits": ["--epochs", "1000000000000000000"],
        "epochs beyond 32 bits": ["--epochs", "4294967295"],
    }.items():
        refuse(what, 64, *fresh, *flags, output=out)
    refuse("no CUDA here", 69, *fresh, "--device", "cuda:7", output=out, mention=["cuda:7"])
    refuse("no --data", 64, *train, "--out", out, output=out, mention=["--data"])
    refuse("no command", 64)
    refuse("unknown command", 64, "foo", mention=["'foo'", "train", "bench"])
    refuse("misspelt command", 64, "trian", mention=["'trian'", "'train'"])
    refuse("unknown command in a group", 64, "data", "inof", mention=["'inof'", "'info'"])
    refuse("attack flag without an attack", 64, *fresh, "--eps", "4/255", output=out, mention=["--eps", "--method pgd"])
    bench = ["bench", "--model", "small_cnn:width=4", "--json", out]
    for what, flags in {
        "unknown norm": ["--method", "eval", "--norm", "l7"],
        "negative eps": ["--method", "eval", "--eps", "-1"],
        "alpha 0": ["--method", "eval", "--alpha", "0"],
        "unknown precision": ["--method", "eval", "--precision", "fp16"],
        "negative steps": ["--method", "eval", "--steps", "-1"],
        "an attack of no steps": ["--method", "eval", "--steps", "0", "--eps", "1/255"],
        "attack flags without an attack": ["--method", "standard", "--steps", "3"],
        "unknown method": ["--method", "magic"],
        "enormous batch": ["--batch", "9223372036854775807"],
        "enormous input": ["--input", "1,99999999999,99999999999"],
        "enormous classes": ["--classes", "9223372036854775807"],
        "enormous repeat": ["--repeat", "9223372036854775807"],
    }.items():
        refuse(f"bench: {what}", 64, *bench, *flags, output=out)
    done = run(*fresh, "--lr", "1e38")
    expect(done.returncode == 70 and "no checkpoint" in done.stderr, f"divergence in epoch 1: {done.returncode} {done.stderr!r}")
    expect(not os.path.exists(out), "a training that diverged before its first checkpoint leaves a folder")
    for spec in ["pgd:eps=-1/255", "pgd:alpha=0", "pgd:steps=0", "pgd:eps=", "pgd:ebs=1", "pgd:eps=1,eps=2", "nope", "",
                 "pgd:restarts=0", "pgd:restarts=2,random_start=0", "pgd:target=9", "pgd:norm=l2,eps=nan"]:
        refuse(f"attack {spec!r}", 64, "evaluate", "--model", model, "--data", good, "--attack", spec, "--out", out, output=out)
    for spec in ["gaussian_noise", "gaussian_noise:level=-1", "impulse_noise:level=2", "shot_noise:level=0", "fog:level=1", "speckle_noise:eps=1"]:
        refuse(f"corruption {spec!r}", 64, "evaluate", "--model", model, "--data", good, "--corruption", spec, "--out", out, output=out)
    refuse("negative resamples", 64, "evaluate", "--model", model, "--data", good, "--bootstrap", "-1")
    refuse("a temperature fitted where it is judged", 64, "evaluate", "--model", model, "--data", good, "--split", "val",
           "--temperature-scaling", mention=["--split"])
    refuse("eps list for attack", 64, "attack", "--model", model, "--data", good, "--attack", "fgsm:eps=1/255;2/255",
           "--out", out + ".npz", output=out + ".npz")
    refuse("unknown split", 64, "evaluate", "--model", model, "--data", good, "--split", "dev")
    refuse("negative limit", 64, "evaluate", "--model", model, "--data", good, "--limit", "-1")
    refuse("unknown extension", 64, "predict", "--model", model, "--data", good, "--out", here("logits.txt"), output=here("logits.txt"))

    # Standard output that is lost.
    if os.path.exists("/dev/full"):
        for command in (["data", "info", good], ["evaluate", "--model", model, "--data", good, "--json", "--quiet"], ["--help"]):
            with open("/dev/full", "w") as full:
                done = subprocess.run([PROGRAM, *command], stdout=full, stderr=subprocess.PIPE, text=True)
            expect(done.returncode == 74 and len(done.stderr.splitlines()) == 1 and "standard output" in done.stderr,
                   f"{command[0]} to a full device: exit code {done.returncode}, {done.stderr!r}")
    else:
        print("skipped: lost standard output: there is no /dev/full here")

    # Reports.
    def bad_report(what, code, name, text, mention):
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(model, out)
        if text is None:
            os.mkdir(os.path.join(out, name))
        else:
            with open(os.path.join(out, name), "w") as file:
                file.write(text)
        refuse(f"report: {what}", code, "report", out, "--out", here("r.html"), output=here("r.html"), mention=[name, *mention])
        shutil.rmtree(out)

    row = {"kind": "clean", "accuracy": 0.5, "accuracy_ci95": [0.4, 0.6]}
    evaluation = lambda *rows: json.dumps({"n": 4, "split": "test", "rows": rows})
    without = lambda key: {k: v for k, v in row.items() if k != key}
    bad_report("empty object", 65, "evaluate.json", "{}", ["n is missing"])
    bad_report("empty file", 65, "evaluate.json", "", ["JSON"])
    bad_report("nothing but brackets", 65, "evaluate.json", "{\"n\": " + "[" * 10**6 + "]" * 10**6 + "}", ["64 levels"])
    bad_report("no split", 65, "evaluate.json", "{\"n\": 4, \"rows\": []}", ["split is missing", "text"])
    bad_report("rows of another kind", 65, "evaluate.json", "{\"n\": 4, \"split\": \"test\", \"rows\": 3}", ["rows is 3", "list"])
    bad_report("row that is none", 65, "evaluate.json", evaluation(row, 7), ["rows[1]"])
    for key in row:
        bad_report(f"row without {key}", 65, "evaluate.json", evaluation(row, without(key)), ["rows[1]", key + " is missing"])
    bad_report("half an interval", 65, "evaluate.json", evaluation({**row, "accuracy_ci95": [0.4]}), ["accuracy_ci95 is [0.4]"])
    bad_report("accuracy as text", 65, "evaluate.json", evaluation({**row, "accuracy": "good"}), ["accuracy is", "number in [0, 1]"])
    bad_report("AUC as text", 65, "evaluate.json", evaluation({**row, "auc": "good"}), ["auc is", "number"])
    bad_report("spec as number", 65, "evaluate.json", evaluation({**row, "spec": 3}), ["spec is 3", "text"])
    attack = {**row, "kind": "attack", "spec": "pgd:eps=0.1", "eps": 0.1, "norm": "linf", "steps": 3}
    bad_report("attack without eps", 65, "evaluate.json", evaluation({k: v for k, v in attack.items() if k != "eps"}), ["eps is missing"])
    bad_report("level as text", 65, "evaluate.json", evaluation({**row, "kind": "corruption", "corruption": "x", "level": "1"}), ["level is"])
    bad_report("corruption as number", 65, "evaluate.json", evaluation({**row, "corruption": 5}), ["corruption is 5", "text"])
    bad_report("kind as number", 65, "evaluate.json", evaluation({**row, "spec": "x", "kind": 5}), ["kind is 5", "text"])
    bad_report("more right than there are", 65, "evaluate.json",
               evaluation({**row, "reliability": [{"count": 1, "correct": 2, "confidence": 0.5}]}), ["reliability is"])
    bad_report("bins of another kind", 65, "evaluate.json", evaluation({**row, "reliability": [{"count": 1}]}), ["reliability is"])
    bad_report("matrix that is not square", 65, "evaluate.json", evaluation({**row, "confusion": [[1, 2]]}), ["confusion is", "square"])
    picture = "data:image/png;base64,iVBORw0KGgo="
    made = {"row": 0, "predicted": 1, "confidence": 0.5, "scale": 2, "image": picture, "change": picture}
    example = {"index": 0, "label": 1, "predicted": 1, "confidence": 0.5, "image": picture, "rows": [made]}
    with_examples = lambda **changed: json.dumps({"n": 4, "split": "test", "rows": [row], "examples": [{**example, **changed}]})
    bad_report("image elsewhere", 65, "evaluate.json", with_examples(image="javascript:alert(1)"), ["examples[0]", "image is"])
    bad_report("image with a script", 65, "evaluate.json", with_examples(image=picture + "\"><script>"), ["examples[0]", "image is"])
    bad_report("example of no row", 65, "evaluate.json", with_examples(rows=[{**made, "row": 7}]), ["row is 7"])
    bad_report("check without verdict", 65, "evaluate.json",
               json.dumps({"n": 4, "split": "test", "rows": [row], "checks": [{"attack": "a", "check": "b", "says": "c"}]}),
               ["checks[0]", "passed is missing"])
    table = {"title": "t", "n": 4, "split": "test", "seeds": [0], "tables": {}}
    bad_report("folder outside", 65, "results.json", json.dumps({**table, "methods": {"..": {"evaluate": {"rows": []}}}}), ["methods...", "letters"])
    bad_report("results of no study", 65, "results.json", "{}", ["title is missing"])
    bad_report("a folder", 66, "evaluate.json", None, ["folder"])
    line = json.dumps({"epoch": 0, "loss": 0.5})
    bad_report("list as metrics", 65, "metrics.jsonl", line + "\n[]\n", ["metrics.jsonl:2", "object"])
    bad_report("epoch as text", 65, "metrics.jsonl", "{\"epoch\":\"x\"}\n", ["metrics.jsonl:1", "epoch is \"x\""])
    bad_report("no epoch", 65, "metrics.jsonl", "{}\n", ["epoch is missing"])
    bad_report("loss as text", 65, "metrics.jsonl", "{\"epoch\":0,\"loss\":\"x\"}\n", ["loss is"])
    with open(os.path.join(shutil.copytree(model, here("killed")), "metrics.jsonl"), "a") as file:
        file.write(line[:9])
    done = run("report", here("killed"), "--out", here("killed.html"))
    expect(done.returncode == 0, f"a run that was killed while it wrote a line: {done.stderr}")
    bad_report("cut line before the last", 65, "metrics.jsonl", line[:9] + "\n" + line + "\n", ["metrics.jsonl:1"])

    # Configuration files.
    def bad_config(what, code, text, mention):
        path = here("run.toml")
        with open(path, "w") as file:
            file.write(text)
        refuse(what, code, "train", "--data", good, "--out", out, "--config", path, output=out, mention=["run.toml", *mention])

    bad_config("unknown key", 78, "epochs = 1\nepoches = 2\n", ["epoches", "2", "epochs"])
    bad_config("syntax", 78, "epochs = = 1\n", ["1"])
    bad_config("wrong kind", 78, "epochs = \"many\"\n", ["epochs"])
    bad_config("negative name", 78, "batch = 8\nno_flip = true\n", ["run.toml:2", "no_flip", "flip = true or false"])
    bad_config("negative name of two words", 78, "no_random_start = true\n", ["random-start = true or false"])
    bad_config("number for a flag", 78, "flip = 3\n", ["run.toml:1", "flip", "true or false"])
    bad_config("true for a number", 78, "epochs = true\n", ["run.toml:1", "epochs"])
    bad_config("empty list", 78, "batch = 8\n\nmilestones = []\n", ["run.toml:3", "milestones", "empty"])
    bad_config("negative seed", 78, "seed = -1\n", ["run.toml:1", "seed"])
    for line in ("method = \"foo\"", "optimizer = \"lion\"", "weight_decay = -1", "lr = -1", "lr = nan", "lr_factor = 0", "warmup = 2",
                 "shift = 100", "batch = 1000", "epochs = 0", "threads = 5000", "device = \"tpu\"", "model = \"small_cnn:width=0\"",
                 "eps = \"4/255\"", "precision = \"fp16\"", "checkpoint_every = -5", "milestones = [0.7, 0.5]", "std = 0", "mean = [0.5, 0.5]"):
        first = "quiet = true\n" if line.startswith("batch") else "batch = 8\n"
        bad_config(f"refused later: {line}", 78, first + line + "\n", ["run.toml:2", line.split(" ")[0] + ":"])
    with open(here("batch.toml"), "w") as file:
        file.write("batch = 8\nepochs = 1\n")
    refuse("a flag is to blame, not the file", 64, "train", "--data", good, "--out", out, "--batch", 1000, "--config", here("batch.toml"),
           output=out)
    refuse("folder as config", 66, "train", "--config", folder, mention=[folder])
    refuse("no such config", 66, "train", "--config", here("none.toml"), mention=["none.toml"])

    # Places that cannot be written.
    refuse("a run is there", 73, *train, "--data", good, "--out", model, mention=[model])
    refuse("file in the way", 73, *train, "--data", good, "--out", good, mention=["good.npz"])
    # Outputs are looked at before anything else: here even the model is missing.
    nowhere, report = here("no/such/r"), here("report")
    absent = ["--model", here("none"), "--data", here("none.npz")]
    bench = ["bench", "--model", "small_cnn", "--repeat", 100000, "--json"]
    for command in (["predict", *absent], ["attack", *absent, "--attack", "fgsm"]):
        refuse(f"{command[0]}: extension", 64, *command, "--out", here("a.txt"), output=here("a.txt"), mention=["a.txt", ".npz"])
        refuse(f"{command[0]}: folder", 73, *command, "--out", nowhere + ".npz", mention=["no/such/r.npz"])
        refuse(f"{command[0]}: folder in the way", 73, *command, "--out", here("folder.npz"), mention=["folder.npz"])
    refuse("evaluate: folder", 73, "evaluate", *absent, "--out", nowhere, mention=["no/such/r"])
    refuse("report: folder", 73, "report", here("none"), "--out", nowhere, mention=["no/such/r"])
    refuse("bench: folder", 73, *bench, nowhere, mention=["no/such/r"])
    refuse("convert: folder", 73, "data", "convert", here("none.npz"), nowhere + ".h5", mention=["no/such/r.h5"])
    refuse("convert: extension", 64, "data", "convert", here("none.npz"), here("a.txt"), mention=["a.txt"])
    refuse("synth: folder", 73, "data", "synth", nowhere + ".npz", "--n", 10**7, mention=["no/such/r.npz"])
    refuse("results of a refused evaluation", 66, "evaluate", *absent, "--out", report, output=report)
    refuse("no such folder for results", 73, "evaluate", "--model", model, "--data", good, "--out", here("no/such/r.json"))
    with open(here("redirected"), "w") as file:
        done = subprocess.run([PROGRAM, "evaluate", "--model", model, "--data", good, "--out", "/dev/stdout"], stdout=file,
                              stderr=subprocess.PIPE, text=True)
        expect(done.returncode == 73 and "/dev/stdout: stands for an open descriptor" in done.stderr, f"/dev/stdout: {done.stderr}")
        expect(os.fstat(file.fileno()).st_ino == os.stat(here("redirected")).st_ino, "/dev/stdout: the redirected file was replaced")
    os.symlink("far.json", here("near.json"))
    done = run("evaluate", "--model", model, "--data", good, "--out", here("near.json"), "--quiet")
    expect(done.returncode == 0 and os.path.islink(here("near.json")) and os.path.isfile(here("far.json")),
           f"a link to what is not there yet: {done.stderr}")
    if os.geteuid() == 0 and shutil.which("mount"):
        disk = here("disk")
        os.mkdir(disk)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True)
        if mounted.returncode == 0:
            try:
                refuse("disk full", 74, *train, "--data", good, "--out", os.path.join(disk, "run"),
                       output=os.path.join(disk, "run"))
                refuse("disk full for images", 74, "data", "synth", os.path.join(disk, "s.npz"), "--n", 2000,
                       output=os.path.join(disk, "s.npz"))
                left = [f for _, _, files in os.walk(disk) for f in files if ".tmp." in f]
                expect(not left, f"disk full: temporaries were left: {left}")
                subprocess.run(["mount", "-o", "remount,ro", disk], check=True, capture_output=True)
                refuse("read-only folder", 73, *train, "--data", good, "--out", os.path.join(disk, "other"))
            finally:
                subprocess.run(["umount", disk], check=True)
        else:
            print("skipped: disk full and read-only folder: a small tmpfs cannot be mounted here")
    else:
        print("skipped: disk full and read-only folder: mounting a small tmpfs needs root")


with scratch() as temporary:
    main(temporary)
finish()
