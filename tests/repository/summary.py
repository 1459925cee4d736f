#!/usr/bin/python3
"""Adds up what ctest's JUnit files say: passed, failed, skipped, and why each skipped test was skipped.

summary.py SUITE=junit.xml... [--left-out SUITE=listing] [--not-run REASON]
    --left-out  a listing of ctest -N: tests kept out of the suite for being slow, counted as skipped
    --not-run   a stage that this run did not have, counted as one skip

A test that ends well counts as skipped all the same if it says "skipped: why" in a line of its output. A doctest
program that was asked for a test case and found none ends well too, having checked nothing: that is a failure.
The last line is "N passed, N failed, N skipped"; the exit status is 0 only if nothing failed and something passed.
"""
import argparse
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

SKIPPED = re.compile(r"\bskipped: (.+)")
FOUND_NO_CASE = re.compile(r"^\[doctest\] test cases: +0 \|", re.M)
LISTED = re.compile(r"^ *Test +#\d+: (.+)$", re.M)


def judge(case):
    """("passed" | "failed" | "skipped", reasons) of one <testcase>."""
    output = case.findtext("system-out", "")
    reasons = [reason.strip() for reason in SKIPPED.findall(output)]
    status = case.get("status")
    if status == "run":
        if FOUND_NO_CASE.search(output):
            return "failed", ["the program found no test case of this name"]
        return ("skipped", reasons) if reasons else ("passed", [])
    skip = case.find("skipped")
    if status == "disabled" or (skip is not None and skip.get("message", "").startswith("SKIP_")):
        return "skipped", reasons or ["gave no reason"]
    message = skip.get("message") if skip is not None else None
    return "failed", [message] if message else []


def read_suite(path):
    """[(test, verdict, reasons)] and seconds of one JUnit file."""
    suite = ElementTree.parse(path).getroot()
    return [(case.get("name"), *judge(case)) for case in suite.iter("testcase")], float(suite.get("time", 0))


def pair(text):
    name, _, path = text.partition("=")
    return name, Path(path)


def main(arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument("suites", nargs="+", type=pair)
    parser.add_argument("--left-out", action="append", default=[], type=pair)
    parser.add_argument("--not-run", action="append", default=[])
    options = parser.parse_args(arguments)

    total = {"passed": 0, "failed": 0, "skipped": 0}
    failed, skipped, rows = [], [], []
    for name, path in options.suites:
        try:
            tests, seconds = read_suite(path)
        except (OSError, ElementTree.ParseError) as error:
            tests, seconds = [(f"no result to read: {error}", "failed", [])], 0
        tests = tests or [("held no test at all", "failed", [])]
        for suite, listing in options.left_out:
            if suite == name:
                slow = LISTED.findall(listing.read_text())
                tests += [(test, "skipped", ["too slow for this suite"]) for test in slow]
        count = {verdict: sum(test[1] == verdict for test in tests) for verdict in total}
        rows.append((name, *count.values(), round(seconds)))
        for verdict in total:
            total[verdict] += count[verdict]
        failed += [": ".join([name, test, *reasons]) for test, verdict, reasons in tests if verdict == "failed"]
        skipped += [f"{name}: {test}: {'; '.join(reasons)}" for test, verdict, reasons in tests if verdict == "skipped"]
    total["skipped"] += len(options.not_run)
    skipped += options.not_run

    print(f"{'suite':<12}{'passed':>9}{'failed':>9}{'skipped':>9}{'seconds':>9}")
    for name, *numbers in rows:
        print(f"{name:<12}" + "".join(f"{number:>9}" for number in numbers))
    for title, lines in (("Skipped", skipped), ("Failed", failed)):
        if lines:
            print(f"\n{title}:", *lines, sep="\n  ")
    print(f"\n{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped")
    return 1 if total["failed"] or not total["passed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
