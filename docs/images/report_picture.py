#!/usr/bin/python3
"""Takes the picture of a report that the README shows: report_picture.py REPORT.html PICTURE.png [HEIGHT]."""
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tests/tools"))
import chromium  # noqa: E402

WIDTH = 1280


def main(report, picture, height=1900):
    with chromium.Chromium() as browser:
        browser.open(report, WIDTH)
        while not browser.evaluate("document.body.dataset.drawn"):
            time.sleep(0.1)
        browser.picture(picture, WIDTH, int(height))


if len(sys.argv) not in (3, 4):
    sys.exit(__doc__)
main(*sys.argv[1:])
