#!/usr/bin/python3
"""Plants one fault of each kind in a sound little repository and demands that its check names it."""
import sys
import tempfile
from pathlib import Path

import repository

PACKAGES = "#!/bin/bash\n# Prints the packages of a set.\necho \"only $2\"\n"
SOUND = {
    "README.md": (
        "# Inocula\n\nSee [building](docs/building.md#from-source-on-debian), [top](#inocula),\n![plot](docs/plot.png), "
        "[paper](https://arxiv.org/abs/1706.06083) and [ref].\n\n[ref]: docs/building.md\n\n"
        "```\n[not a link](absent.md)\n```\n"),
    "docs/building.md": "# Building\n\n## From source (on *Debian*)\n\n" + "".join(
        f"    apt-get install --no-install-recommends only {name}\n" for name in ("build", "test", "bench")),
    "docs/plot.png": b"\x89PNG\xff\x00",
    "tools/setup/install_packages.sh": PACKAGES,
    "engine/a.cc": "// A path is not always one: ./work/, /usr/local, $HOME/work, a/home/b, /workers.\n",
}

# (check, file, content, mode, what the complaint says); paths and hosts are put together here, not written out.
PLANTED = [
    ("links", "bad.md", "[x](absent.md)\n", 0o644, "bad.md:1: absent.md: no such file"),
    ("links", "bad.md", "\n![x](absent.png)\n", 0o644, "bad.md:2: absent.png: no such file"),
    ("links", "bad.md", "[ref]: absent.md\n", 0o644, "absent.md: no such file"),
    ("links", "docs/bad.md", "[x](README.md)\n", 0o644, "README.md: no such file"),
    ("links", "bad.md", "[x](README.md#absent)\n", 0o644, "no such heading"),
    ("links", "bad.md", "[x](#absent)\n", 0o644, "no such heading"),
    ("links", "bad.md", "[x](../../../../../../../../../../etc/passwd)\n", 0o644, "leads out of the repository"),
    ("words", "bad.cc", "// See " + "/wo" + "rk/main.\n", 0o644, "bad.cc:1: a path of somebody's machine"),
    ("words", "bad.md", "\n`" + "/ho" + "me/ada/inocula`\n", 0o644, "bad.md:2: a path of somebody's machine"),
    ("words", "bad.sh", "cd " + "/ro" + "ot\n", 0o755, "a path of somebody's machine"),
    ("words", "bad.md", "https:" + "//mirror.example.net/simple\n", 0o644, "mirror.example.net is not among the hosts"),
    ("words", "bad.md", "the host " + "deb." + "debian.org\n", 0o644, "names a package registry"),
    ("words", "bad.sh", "pip install --index" + "-url x\n", 0o755, "names a package registry"),
    ("scripts", "bad.sh", "#!/bin/bash\nif true; then\n", 0o755, "bad.sh: "),
    ("scripts", "bad", "#!/usr/bin/env bash\nif true; then\n", 0o755, "bad: "),
    ("scripts", "bad.sh", "#!/bin/bash\ntrue\n", 0o644, "bad.sh: is not executable"),
    ("sizes", "bad.npz", b"\0" * (512 * 1024 + 1), 0o644, "bad.npz: 524289 bytes"),
    ("packages", "docs/building.md", "apt-get install --no-install-recommends only build and more\n", 0o644,
     "lacks the line of the set 'build'"),
]


def plant(root, path, content, mode=None):
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    file.chmod(mode or (0o755 if path.endswith(".sh") else 0o644))


def violations(check, *fault):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for path, content in SOUND.items():
            plant(root, path, content)
        if fault:
            plant(root, *fault)
        return repository.check(check, root)[1]


def main():
    wrong = [f"the sound tree: {check}: {found}" for check in repository.CHECKS for found in violations(check)]
    for check, path, content, mode, complaint in PLANTED:
        found = violations(check, path, content, mode)
        if not any(complaint in violation for violation in found):
            wrong.append(f"{check}, {path}: expected '{complaint}', got {found}")
    for surprise in wrong:
        print(surprise)
    print(f"repository_can_fail: {len(PLANTED)} faults planted, {len(wrong)} surprises")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
