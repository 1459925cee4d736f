#!/usr/bin/python3
"""Runs the set-up script against stand-ins for dpkg, apt and sudo: what it installs, prints and answers."""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "tools/setup/install_packages.sh"

STAND_INS = {
    # Knows the packages named in $PRESENT.
    "dpkg-query": 'for p in $PRESENT; do echo "installed $p"; done; exit 1',
    "apt-get": 'echo "apt-get $*" >> "$LOG"; case "$*" in *"$APT_FAILS"*) exit 100 ;; esac',
    "id": 'echo "$USER_ID"',
    "sudo": 'echo "sudo $*" >> "$LOG"; $SUDO_WORKS || exit 1; [[ $1 == -n ]] && shift; exec "$@"',
}


def run(arguments, present=(), user=0, sudo=True, apt_fails="nothing at all"):
    """(exit status, standard output, standard error, what apt-get and sudo were asked)."""
    with tempfile.TemporaryDirectory() as folder:
        for name, body in STAND_INS.items():
            (Path(folder) / name).write_text(f"#!/bin/bash\n{body}\n")
            (Path(folder) / name).chmod(0o755)
        log = Path(folder) / "log"
        log.touch()
        environment = {"PATH": f"{folder}:{os.defpath}", "LOG": str(log), "PRESENT": " ".join(present),
                       "USER_ID": str(user), "SUDO_WORKS": str(sudo).lower(), "APT_FAILS": apt_fails}
        done = subprocess.run([SCRIPT, *arguments], env=environment, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, check=False)
        return done.returncode, done.stdout, done.stderr, log.read_text().splitlines()


def expect(wrong, what, truth):
    if not truth:
        wrong.append(what)


def main():
    wrong = []
    packages = {name: run(["--print", name])[1].split() for name in ("build", "test", "bench")}
    expect(wrong, "the test set holds the build set", set(packages["build"]) < set(packages["test"]))
    expect(wrong, "cmake is needed to build", "cmake" in packages["build"])

    status, out, err, log = run(["test"], present=packages["test"])
    expect(wrong, "does nothing and says nothing when all is there", (status, out, err, log) == (0, "", "", []))

    all_but_two = [name for name in packages["build"] if name not in ("cmake", "libzip-dev")]
    status, _, _, log = run(["build"], present=all_but_two)
    expect(wrong, "root installs", status == 0 and len(log) == 2)
    expect(wrong, "the lists are fetched first", log[0].endswith(" update"))
    expect(wrong, "exactly what is missing is installed, without recommendations",
           log[-1].endswith("install --yes --no-install-recommends cmake libzip-dev"))

    status, _, _, log = run(["build"], present=all_but_two, user=1000)
    expect(wrong, "a user with sudo installs",
           status == 0 and any("sudo env DEBIAN_FRONTEND=noninteractive apt-get" in line for line in log))

    status, out, err, log = run(["build"], present=all_but_two, user=1000, sudo=False)
    expect(wrong, "without the right to install the answer is 69", status == 69)
    expect(wrong, "one line to run is printed", out == "" and err.count("\n") == 1
           and "sudo apt-get install --no-install-recommends cmake libzip-dev" in err)
    expect(wrong, "nothing was tried", not any(line.startswith("apt-get") for line in log))

    status, _, err, _ = run(["build"], present=all_but_two, apt_fails="install")
    expect(wrong, "a failed installation is 69", status == 69 and "could not install cmake libzip-dev" in err)
    status, _, _, _ = run(["build"], present=all_but_two, apt_fails="update")
    expect(wrong, "a failed update alone is not the end", status == 0)

    for arguments in ([], ["nonsense"], ["build", "test"]):
        expect(wrong, f"{arguments} is a usage error", run(arguments)[0] == 64)

    for failure in wrong:
        print(f"not so: {failure}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
