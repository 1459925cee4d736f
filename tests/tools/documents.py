"""Every command that the documentation shows runs as shown: documents.py PROGRAM REPOSITORY."""

import os
import re
import shlex
import shutil
import subprocess
import sys

from program import PROGRAM, expect, finish, read_bytes, run, scratch

REPOSITORY = sys.argv[2]


def shown_commands(path):
    """The lines of the sh blocks of a page."""
    with open(path) as file:
        text = file.read()
    for block in re.findall(r"```sh\n(.*?)```", text, re.S):
        for line in block.splitlines():
            if line.startswith("inocula "):
                yield line.split(" #")[0].strip()


def main(folder):
    where = os.path.join(folder, "bin")
    os.mkdir(where)
    os.symlink(PROGRAM, os.path.join(where, "inocula"))
    env = dict(os.environ, PATH=where + os.pathsep + os.environ["PATH"])
    counted = 0
    for page in ("README.md", "docs/tutorial.md"):
        work = os.path.join(folder, page.replace("/", "-"))
        os.mkdir(work)
        if page == "README.md":  # it speaks of a chest.npz that the reader has, in a clone
            os.symlink(os.path.join(REPOSITORY, "tools"), os.path.join(work, "tools"))
            run("data", "synth", os.path.join(work, "chest.npz"), "--n", 200)
        with open(os.path.join(REPOSITORY, page)) as file:
            for name, text in re.findall(r"```toml\n# (\S+\.toml)\n(.*?)```", file.read(), re.S):  # files that it shows
                with open(os.path.join(work, name), "w") as shown:
                    shown.write(text)
        for line in shown_commands(os.path.join(REPOSITORY, page)):
            words = shlex.split(line)
            if words[1] == "train" and "--epochs" not in words:
                words += ["--epochs", "1"]  # what is shown, kept short
            if words[1] == "bench":
                words += ["--repeat", "1"]
            done = subprocess.run(words, cwd=work, env=env, text=True, capture_output=True)
            counted += 1
            expect(done.returncode == 0, f"{page}: {line}: exit code {done.returncode}: {done.stderr}")
    # The card that the tutorial shows for weights from elsewhere, beside such weights.
    work = os.path.join(folder, "docs-tutorial.md")
    with open(os.path.join(REPOSITORY, "docs/tutorial.md")) as file:
        card = re.search(r"```json\n(.*?)```", file.read(), re.S).group(1)
    os.mkdir(os.path.join(work, "imported"))
    with open(os.path.join(work, "imported", "model.json"), "w") as file:
        file.write(card)
    shutil.copy(os.path.join(work, "runs/standard/model.safetensors"), os.path.join(work, "imported"))
    logits = []
    for model in ("imported", "runs/standard"):
        done = run("predict", "--model", model, "--data", "chest.npz", "--out", "compared.npz", cwd=work)
        expect(done.returncode == 0, f"predict with {model}: {done.stderr}")
        logits.append(read_bytes(work, "compared.npz"))
    expect(logits[0] == logits[1], "weights with the tutorial's card answer otherwise than in their run folder")
    expect(counted >= 10, f"only {counted} commands were found in the documentation")
    print(f"{counted} commands ran")
    for command in ("", "data info", "data convert", "data synth", "train", "evaluate", "predict", "attack", "bench",
                    "report", "devices", "selftest", "study"):
        done = run(*command.split(), "--help")
        expect(done.returncode == 0 and "Usage" in done.stdout, f"inocula {command} --help: {done.returncode}")
    shutil.rmtree(where)


with scratch() as temporary:
    main(temporary)
finish()
