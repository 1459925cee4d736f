"""A study from one file: its parts, its tables, and the same bytes however often it is killed: study.py PROGRAM."""

import os
import random
import re
import shutil
import subprocess
import time

from program import PROGRAM, expect, finish, image_set, npz, read_bytes, read_json, refuse, run, scratch

STUDY = """title = "Two methods"
seeds = [0, 1]

[train]
model = "small_cnn:width=4"
epochs = 2
batch = 16

[methods.standard]
method = "standard"

[methods.robust]
method = "pgd"
steps = 2
epochs = 3

[evaluate]
attack = ["pgd:eps=1/255;8/255,steps=2", "fgsm:eps=4/255"]
corruption = ["gaussian_noise:level=0.01;0.1"]
bootstrap = 20
examples = 2

[published]
source = "somebody, somewhere"
[published.robust]
accuracy = {clean = 0.75, pgd = 0.5}
"""


def write(path, text):
    with open(path, "w") as file:
        file.write(text)
    return path


def seconds(words):
    """"0.42 s", "12 min", "1 h 12 min" """
    units = {"s": 1, "min": 60, "h": 3600, "d": 86400}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"([\d.e+-]+) (\w+)", words))


def estimate(plan):
    """({method: (seconds of training, of judging, GiB)}, seconds left, GiB), the latter None where nothing is left."""
    methods = {name: (seconds(training), seconds(judging), float(memory)) for name, training, judging, memory in
               re.findall(r"^  (\w+)  +([\d.e+-]+ .+?)  +([\d.e+-]+ .+?)  +([\d.]+) GiB$", plan, re.M)}
    found = re.search(r"^still to do: about (.+) on cpu \(\d+ threads\), about ([\d.]+) GiB$", plan, re.M)
    return methods, *((seconds(found[1]), float(found[2])) if found else (None, None))


def everything_in(folder):
    return {path: (os.stat(path).st_mtime_ns, read_bytes(path)) for at, _, names in os.walk(folder)
            for path in [at, *(os.path.join(at, name) for name in names)] if os.path.isfile(path)} | {
                at: (os.stat(at).st_mtime_ns, None) for at, _, _ in os.walk(folder)}


def main(folder):
    here = lambda name: os.path.join(folder, name)
    data, file = here("data.npz"), write(here("study.toml"), STUDY)
    npz(data, image_set(count=96))
    command = ["study", file, "--data", data]

    planned = run(*command, "--out", here("whole"), "--dry-run")
    expect(planned.returncode == 0 and planned.stdout.count("to be trained, to be evaluated") == 4, f"plan: {planned.stdout}")
    expect(not os.path.exists(here("whole")), "a dry run writes")
    near = lambda a, b: abs(a - b) <= 0.11 * b  # each number is printed with two digits
    methods, left, memory = estimate(planned.stdout)
    expect(list(methods) == ["standard", "robust"] and min(min(numbers[:2]) for numbers in methods.values()) > 0 and memory is not None,
           f"estimate: {planned.stdout}")
    expect(near(left, 2 * sum(sum(numbers[:2]) for numbers in methods.values())), f"two seeds of each method are left: {planned.stdout}")
    done = run(*command, "--out", here("whole"))
    expect(done.returncode == 0, f"study: {done.stderr}")
    results = read_json(here("whole/results.json"))
    expect(list(results["methods"]) == ["standard", "robust"], f"methods: {list(results['methods'])}")
    rows = results["methods"]["robust"]["evaluate"]["rows"]
    expect([r["kind"] for r in rows] == ["clean"] + ["attack"] * 3 + ["corruption"] * 2, f"rows: {rows}")
    table = results["tables"]["accuracy"]
    expect([c["label"] for c in table["columns"]] == ["clean", "pgd linf, mean of 2 eps", "fgsm linf", "gaussian_noise, mean of 2 levels"],
           f"columns: {table['columns']}")
    # Every number by hand from the parts' own files.
    for m, method in enumerate(results["methods"]):
        of_seeds = [read_json(here(f"whole/{method}/seed-{s}/evaluate.json"))["rows"] for s in (0, 1)]
        for i, row in enumerate(results["methods"][method]["evaluate"]["rows"]):
            a, b = (rows[i]["nll"] for rows in of_seeds)
            expect(abs(row["nll"] - (a + b) / 2) < 1e-12 and abs(row["nll_std"] - abs(a - b) / 2**0.5) < 1e-12, f"{method}, row {i}")
        for column, chosen in enumerate(([0], [1, 2], [3], [4, 5])):
            mean = sum(rows[i]["accuracy"] for rows in of_seeds for i in chosen) / (2 * len(chosen))
            expect(abs(table["rows"][m]["cells"][column]["mean"] - mean) < 1e-12, f"{method}, column {column}")
        rows = results["methods"][method]["evaluate"]["rows"]
        for i, row in enumerate(rows):
            a, b = (seed[i] for seed in of_seeds)
            expect(row["confusion"] == [[x + y for x, y in zip(p, q)] for p, q in zip(a["confusion"], b["confusion"])], f"{method}, matrix {i}")
            expect([bin["count"] for bin in row["reliability"]] == [p["count"] + q["count"] for p, q in zip(a["reliability"], b["reliability"])],
                   f"{method}, bins {i}")
    published = [[cell.get("published") for cell in row["cells"]] for row in table["rows"]]
    expect(published == [[None] * 4, [0.75, 0.5, None, None]], f"published: {published}")
    settings = read_bytes(here("whole/robust/seed-1/config.toml")).decode()
    expect("epochs = 3" in settings and "seed = 1" in settings and "batch = 16" in settings, f"a part's settings: {settings}")
    expect("pgd linf, mean of 2 eps" in read_bytes(here("whole/report.html")).decode(), "the report lacks the table")

    page = read_bytes(here("whole/report.html"))
    expect(run("report", here("whole"), "--out", here("whole/again.html")).returncode == 0 and read_bytes(here("whole/again.html")) == page,
           "a report made again has other bytes")
    expect(read_bytes(here("whole/again.charts.csv")) == read_bytes(here("whole/report.charts.csv")), "its numbers as well")
    expect(b"somebody, somewhere" in page and b"published: 75.0" in page, "the report lacks what was published")

    # The estimate counts what is left, and leaves the folder as it is.
    def planned_now():
        before = everything_in(here("planned"))
        plan = run(*command, "--out", here("planned"), "--dry-run")
        expect(plan.returncode == 0 and everything_in(here("planned")) == before, f"a dry run changes the folder: {plan.stderr}")
        return (*estimate(plan.stdout), plan.stdout)

    shutil.copytree(here("whole"), here("planned"))
    methods, left, _, text = planned_now()
    expect(not methods and left is None and "still to do: nothing" in text, f"plan of what is done: {text}")
    os.remove(here("planned/robust/seed-1/evaluate.json"))
    methods, left, _, text = planned_now()
    expect(list(methods) == ["robust"] and near(left, methods["robust"][1]), f"plan of one network to judge: {text}")
    os.remove(here("planned/robust/seed-1/model.json"))
    methods, left, _, text = planned_now()
    expect(list(methods) == ["robust"] and left < 0.98 * sum(methods["robust"][:2]), f"plan of a training with a checkpoint: {text}")
    shutil.rmtree(here("planned/robust/seed-1"))
    methods, left, _, text = planned_now()
    expect(list(methods) == ["robust"] and near(left, sum(methods["robust"][:2])), f"plan of one network to train: {text}")

    # A finished part is never run again.
    stamps = lambda: [os.stat(here(f"whole/{m}/seed-{s}/evaluate.json")).st_mtime_ns for m in ("standard", "robust") for s in (0, 1)]
    before, whole = stamps(), read_bytes(here("whole/results.json"))
    expect(run(*command, "--out", here("whole")).returncode == 0 and stamps() == before, "a finished study is evaluated again")
    expect(read_bytes(here("whole/results.json")) == whole, "a finished study gives other bytes")
    more = write(here("more.toml"), STUDY.replace("fgsm:eps=4/255", "fgsm:eps=2/255"))
    expect(run("study", more, "--data", data, "--out", here("whole")).returncode == 0 and all(a != b for a, b in zip(stamps(), before)),
           "another attack is not evaluated")

    # Killed with -9 at random moments, resumed to the same bytes.
    moments, kills, out = random.Random(1), 0, here("killed")
    begin = time.time()
    run(*command, "--out", here("timed"), "--quiet")
    length = time.time() - begin
    for _ in range(20):
        process = subprocess.Popen([PROGRAM, *command, "--out", out, "--quiet"], stderr=subprocess.PIPE, text=True)
        time.sleep(moments.uniform(0, length / 4))
        kills += process.poll() is None
        process.kill()
        process.communicate()
    # What a kill in the midst of writing leaves, which chance may not have brought about.
    os.makedirs(here("killed/robust/seed-0"), exist_ok=True)
    for name in ("results.json", "report.html", "robust/seed-0/evaluate.json", "robust/seed-0/metrics.jsonl"):
        write(here(f"killed/{name}.tmp.4711.0"), "half of")
    write(here("killed/results.json.tmp.mine"), "somebody's")
    done = run(*command, "--out", out)
    expect(done.returncode == 0, f"resumed study: {done.stderr}")
    left = [name for _, _, names in os.walk(out) for name in names if ".tmp" in name]
    expect(left == ["results.json.tmp.mine"], f"temporaries of killed studies: {left}")
    print(f"killed {kills} times")
    expect(kills >= 5, "the study was hardly killed: the test proves nothing")
    expect(read_bytes(here("killed/results.json")) == whole, "killed and resumed: other bytes")

    # Asked to stop in the midst of an evaluation it goes on from there, and takes nothing that is of other work.
    judged = here("killed/robust/seed-1/evaluate.json")
    state = judged + ".state"
    for _ in range(20):
        os.remove(judged)
        process = subprocess.Popen([PROGRAM, *command, "--out", out, "--quiet"], stderr=subprocess.PIPE, text=True)
        while process.poll() is None and not (os.path.exists(state) and os.path.getsize(state) > 100):
            time.sleep(0.001)
        process.terminate()
        said = process.communicate()[1]
        if not os.path.exists(judged):
            break  # else the evaluation was over before this process had its turn
    expect(process.returncode == 75 and "evaluation of part 'robust, seed 1'" in said and len(said.splitlines()) == 1, f"stopped: {process.returncode} {said!r}")
    expect(os.path.getsize(state) > 100, "what a stopped evaluation had found is gone")
    done = run(*command, "--out", out, "--quiet")
    expect(done.returncode == 0 and read_bytes(here("killed/results.json")) == whole, f"stopped in an evaluation: {done.stderr}")
    grey = write(here("grey.toml"), STUDY.replace("bootstrap = 20", "bootstrap = 20\nbits = 8"))
    shutil.copyfile(here("whole/results.json"), state)
    refuse("a foreign file", 65, "study", grey, "--data", data, "--out", out, "--quiet", mention=["evaluate.json.state", "holds something else"])
    os.remove(state)
    expect(run("study", grey, "--data", data, "--out", out, "--quiet").returncode == 0, "a study with other constraints")
    expect(read_json(here("killed/robust/seed-1/evaluate.json"))["bits"] == 8, "an evaluation with other constraints is taken for the one that is asked")
    expect(not os.path.exists(state), "the state of an evaluation that is done")

    # The studies that come with the program, and one of them with what its paper reports; small, for the files are meant.
    npz(here("tiny.npz"), image_set(count=64, size=8))
    presets = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools/presets")
    texts = {}
    for preset in sorted(os.listdir(presets)):
        with open(os.path.join(presets, preset)) as text:
            texts[preset] = text.read().replace("width=64", "width=4").replace("width=16", "width=4")
    paper = texts["robust_training_paper.toml"]
    texts["published"] = paper + paper[paper.index("# [published]"):].replace("# ", "")
    expect(len(texts) == 4, f"presets: {list(texts)}")
    for preset, text in texts.items():
        planned = run("study", write(here("preset.toml"), text), "--data", here("tiny.npz"), "--out", here("preset"), "--dry-run")
        expect(planned.returncode == 0 and "still to do: about" in planned.stdout, f"{preset}: {planned.stderr}")

    # A mean of nine ones is one: the report takes shares up to that alone.
    many = write(here("many.toml"), """seeds = [0, 1, 2, 3, 4, 5, 6, 7, 8]
[train]
model = "small_cnn:width=4"
epochs = 10
optimizer = "adam"
lr = 0.01
batch = 16
[methods.standard]
[evaluate]
bootstrap = 0
examples = 0
""")
    done = run("study", many, "--data", data, "--out", here("many"))
    expect(done.returncode == 0, f"nine seeds: {done.stderr}")
    expect(read_json(here("many/results.json"))["methods"]["standard"]["evaluate"]["rows"][0]["accuracy"] == 1, "the test proves nothing")

    # Mistakes in the file name the key, the line, and the nearest key.
    def mistake(what, old, new, *mention):
        refuse(what, 78, "study", write(here("bad.toml"), STUDY.replace(old, new)), "--data", data, "--out", here("bad"),
               output=here("bad"), mention=["bad.toml", *mention])

    mistake("typo of a flag", "batch = 16", "bacth = 16", ":7: bacth", "'batch'")
    mistake("typo of a table", "[evaluate]", "[evalute]", ":17: evalute", "'evaluate'")
    mistake("typo in a method", "steps = 2", "stepps = 2", ":14: stepps", "'steps'")
    mistake("published of no method", "[published.robust]", "[published.robus]", "robus", "such as robust")
    mistake("published without source", "source = ", "# ", "lacks source")
    mistake("published as text", "clean = 0.75", "clean = 'good'", "clean", "a number")
    mistake("published of no score", "accuracy = {clean", "acuracy = {clean", "acuracy", "accuracy")
    mistake("published of no attack", "pgd = 0.5", "pdg = 0.5", "pdg", "gaussian_noise")
    mistake("published of two attacks", '"fgsm:eps=4/255"]', '"pgd:eps=4/255,steps=3"]', "pgd", "one of the 2 specs of that name")
    refuse("an attack on a class that is not there", 64, "study", write(here("bad.toml"), STUDY.replace('"fgsm:eps=4/255"]', '"fgsm:target=9"]')),
           "--data", data, "--out", here("bad"), output=here("bad"), mention=["target is class 9"])
    mistake("what the study decides", "epochs = 3", "seed = 3", ":15: seed")
    mistake("a value that is none", "steps = 2\n", "steps = -2\n", ":14: steps")
    mistake("an unknown method", 'method = "pgd"', 'method = "pdg"', ":13: method")
    mistake("a flag of another method", 'method = "standard"', 'method = "standard"\neps = "4/255"', ":11: eps")
    mistake("an unknown attack", "fgsm:eps", "fgms:eps", ":18: attack", "fgms")
    mistake("seeds that are none", "[0, 1]", "[0, 0]", ":2: seeds")
    mistake("a name that is no folder's", "[methods.robust]", '[methods."../robust"]', ":12:")
    refuse("no methods", 78, "study", write(here("bad.toml"), "title = 'x'\n"), "--data", data, "--out", here("bad"), output=here("bad"))
    refuse("no data", 64, "study", file, "--out", here("bad"), output=here("bad"), mention=["--data"])
    refuse("missing file", 66, "study", here("none.toml"), "--data", data, "--out", here("bad"), output=here("bad"), mention=["none.toml"])
    refuse("other settings", 78, "study", write(here("other.toml"), STUDY.replace("epochs = 3", "epochs = 4")), "--data", data,
           "--out", here("whole"), "--quiet", mention=["epochs"])


with scratch() as temporary:
    main(temporary)
finish()
