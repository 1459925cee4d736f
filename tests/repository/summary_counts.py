#!/usr/bin/python3
"""Lets ctest run passing, failing, missing, skipped and empty tests and demands that summary.py counts each."""
import contextlib
import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import summary

PROJECT = """
cmake_minimum_required(VERSION 3.25)
project(counted NONE)
enable_testing()
add_test(NAME passes COMMAND sh -c "echo fine")
add_test(NAME fails COMMAND sh -c "echo skipped: not really; exit 3")
add_test(NAME absent COMMAND /no/such/program)
add_test(NAME crashes COMMAND sh -c "kill -SEGV $$")
add_test(NAME hangs COMMAND sleep 60)
set_tests_properties(hangs PROPERTIES TIMEOUT 1)
add_test(NAME says_so COMMAND sh -c "echo 'a.cc:1: MESSAGE: skipped: no GPU <here>'")
add_test(NAME returns_so COMMAND sh -c "echo 'skipped: no data'; exit 77")
set_tests_properties(returns_so PROPERTIES SKIP_RETURN_CODE 77)
add_test(NAME empty COMMAND sh -c "echo '[doctest] test cases: 0 | 0 passed | 0 failed | 12 skipped'")
add_test(NAME lengthy COMMAND false)
set_tests_properties(lengthy PROPERTIES LABELS slow)
"""
EXPECTED = [
    "2 passed, 5 failed, 4 skipped",
    "fine: says_so: no GPU <here>",
    "fine: returns_so: no data",
    "fine: lengthy: too slow for this suite",
    "the other half was not built",
    "fine: fails\n",
    "fine: absent: Unable to find executable",
    "fine: crashes\n",
    "fine: hangs\n",
    "fine: empty: the program found no test case of this name",
]


def summarise(*arguments):
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        status = summary.main(list(arguments))
    return status, printed.getvalue()


def main():
    cmake = shutil.which("cmake", path="/usr/bin") or "cmake"
    ctest = shutil.which("ctest", path="/usr/bin") or "ctest"
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "CMakeLists.txt").write_text(PROJECT)
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run([cmake, "-G", "Ninja", "-S", root, "-B", root], check=True, **quiet)
        subprocess.run([ctest, "--test-dir", root, "--output-junit", "fine.xml", "-LE", "slow"], check=False, **quiet)
        subprocess.run([ctest, "--test-dir", root, "--output-junit", "pass.xml", "-R", "passes"], check=True, **quiet)
        listing = subprocess.run([ctest, "--test-dir", root, "-N", "-L", "slow"], check=True, capture_output=True)
        (root / "slow").write_bytes(listing.stdout)

        status, text = summarise(f"fine={root}/fine.xml", f"pass={root}/pass.xml", "--left-out", f"fine={root}/slow",
                                 "--not-run", "the other half was not built")
        wrong += [f"lacks '{line.strip()}'" for line in EXPECTED if line not in text]
        if status != 1:
            wrong.append("failures end in status 1")
        if summarise(f"pass={root}/pass.xml")[0] != 0:
            wrong.append("a suite that passes ends in status 0")
        if summarise(f"pass={root}/pass.xml", f"lost={root}/lost.xml")[0] != 1:
            wrong.append("a suite without a result is a failure")
        (root / "none.xml").write_text("<testsuite/>")
        if summarise(f"pass={root}/pass.xml", f"none={root}/none.xml")[0] != 1:
            wrong.append("a suite without a test is a failure")
    for failure in wrong:
        print(f"not so: {failure}")
    if wrong:
        print(text)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
