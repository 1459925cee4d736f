#!/usr/bin/python3
"""Checks the repository as a whole: repository.py links|words|scripts|sizes|packages ROOT."""
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

LARGEST = 512 * 1024  # bytes; data and weights are made or fetched, never committed

LINK = re.compile(r"\[[^\]]*\]\(<?([^)>\s]+)>?[^)]*\)|^\[[^\]]+\]:\s+<?(\S+?)>?$", re.M)
FENCE = re.compile(r"^(```|~~~).*?^\1", re.M | re.S)

# A path that exists on its author's machine alone.
MACHINE_PATH = re.compile(r"(?<![\w.$}~)-])/(work|root|home/\w+|Users/\w+)(?![\w-])")
URL = re.compile(r"\b(?:https?|ftp)://([\w.-]+)")
PACKAGE_INDEX = re.compile(r"\b(deb|security|archive|snapshot)\.debian\.\w+|\bpy(pi)\.\w+|\bpython(hosted)\.\w+"
                           r"|--(extra-)?index-url\b")
# Where a reader may be sent, and whence a user may fetch data. Mirrors and registries are each machine's own matter.
HOSTS = {
    "arxiv.org", "cmake.org", "doi.org", "docs.nvidia.com", "docs.python.org", "github.com", "localhost",
    "medmnist.com", "numpy.org", "openreview.net", "proceedings.mlr.press", "pytorch.org", "support.hdfgroup.org",
    "uxlfoundation.github.io", "www.apache.org", "www.w3.org", "zenodo.org",
}


def files(root):
    """Paths below root, relative, of everything that is or would be committed."""
    git = subprocess.run(["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                         capture_output=True, check=False) if shutil.which("git") else None
    if git and git.returncode == 0:
        names = git.stdout.decode().split("\0")
    else:  # a tree without git, such as an unpacked archive
        names = (path.relative_to(root).as_posix() for path in root.rglob("*"))
        names = (name for name in names if not re.match(r"(build|runs|\.git|\.deps)(/|$)", name))
    return sorted(name for name in names if name and (root / name).is_file())


def text_of(path):
    """The file's text, or None if it is not text."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def slugs(markdown):
    """The anchors of a page's headings, as GitHub forms them."""
    found = set()
    for heading in re.findall(r"^#+\s+(.+?)\s*#*$", FENCE.sub("", markdown), re.M):
        plain = re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower())
        slug, count = plain.replace(" ", "-"), 0
        while slug + (f"-{count}" if count else "") in found:
            count += 1
        found.add(slug + (f"-{count}" if count else ""))
    return found


def check_links(root, names):
    for name in (name for name in names if name.endswith(".md")):
        text = FENCE.sub(lambda block: "\n" * block[0].count("\n"), text_of(root / name) or "")
        for link in LINK.finditer(text):
            target = next(group for group in link.groups() if group)
            if re.match(r"[a-z]+:", target):
                continue
            line = text.count("\n", 0, link.start()) + 1
            path, _, anchor = unquote(target).partition("#")
            page = (root / name).parent / path if path else root / name
            if not page.exists():
                yield f"{name}:{line}: {target}: no such file"
            elif root.resolve() not in [page.resolve(), *page.resolve().parents]:
                yield f"{name}:{line}: {target}: leads out of the repository"
            elif anchor and page.suffix == ".md" and anchor not in slugs(text_of(page)):
                yield f"{name}:{line}: {target}: no such heading"


def check_words(root, names):
    for name in names:
        text = text_of(root / name)
        if text is None:
            continue
        for number, line in enumerate(text.split("\n"), 1):
            if MACHINE_PATH.search(line):
                yield f"{name}:{number}: a path of somebody's machine: {line.strip()[:80]}"
            if PACKAGE_INDEX.search(line):
                yield f"{name}:{number}: names a package registry; that is each machine's own matter"
            for host in set(URL.findall(line)) - HOSTS:
                yield f"{name}:{number}: {host} is not among the hosts that a file may name (HOSTS in repository.py)"


def is_script(root, name):
    if name.endswith(".sh"):
        return True
    with open(root / name, "rb") as file:
        return re.match(rb"#!.*\b(ba)?sh\b", file.readline()) is not None


def check_scripts(root, names):
    scripts = [name for name in names if is_script(root, name)]
    if not scripts:
        yield "no shell script found: this check would be empty"
    for name in scripts:
        if not (root / name).stat().st_mode & 0o100:
            yield f"{name}: is not executable"
        parsed = subprocess.run(["bash", "-n", root / name], capture_output=True, text=True, check=False)
        if parsed.returncode:
            yield f"{name}: {parsed.stderr.strip()}"
    if scripts and shutil.which("shellcheck"):
        read = subprocess.run(["shellcheck", "--format=gcc", *scripts], cwd=root, capture_output=True, text=True,
                              check=False)
        yield from read.stdout.splitlines()
    elif scripts:
        print("skipped: shellcheck is not installed; the scripts were only parsed")


def check_sizes(root, names):
    for name in names:
        size = (root / name).stat().st_size
        if size > LARGEST:
            yield f"{name}: {size} bytes, more than {LARGEST}"


def check_packages(root, _):
    """docs/building.md names the packages that the set-up script installs, in the same words."""
    text = text_of(root / "docs/building.md")
    for chosen in ("build", "test", "bench"):
        shown = subprocess.run([root / "tools/setup/install_packages.sh", "--print", chosen], capture_output=True,
                               text=True, check=True).stdout.strip()
        line = f"apt-get install --no-install-recommends {shown}"
        if not re.search(rf"{re.escape(line)}$", text, re.M):
            yield f"docs/building.md: lacks the line of the set '{chosen}': {line}"


CHECKS = {"links": check_links, "words": check_words, "scripts": check_scripts, "sizes": check_sizes,
          "packages": check_packages}


def check(which, root):
    names = files(root)
    return len(names), list(CHECKS[which](root, names))


def main():
    which, root = sys.argv[1], Path(sys.argv[2])
    seen, violations = check(which, root)
    for violation in violations:
        print(violation)
    print(f"repository {which}: {seen} files, {len(violations)} violations")
    return 1 if violations or seen == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
