"""The report in a browser without a network: every chart drawn, every image there, nothing complained of: report_page.py PROGRAM."""

import os
import sys
import time

import chromium
from program import expect, finish, image_set, npz, run, scratch

STUDY = """title = "Two <b>methods</b> & 'one' study"
seeds = [0, 1]
[train]
model = "small_cnn:width=4"
epochs = 2
batch = 16
[methods.standard]
[methods.robust]
method = "pgd"
steps = 2
[evaluate]
attack = ["pgd:eps=1/255;8/255,steps=2", "pgd:norm=l2,eps=0.5;1,steps=2"]
corruption = ["gaussian_noise:level=0.01;0.1", "impulse_noise:level=0.1"]
bootstrap = 20
"""

# Of each chart: its box, the marks inside, and whether any text of it lies outside of the window.
CHARTS = """[...document.querySelectorAll("figure.chart")].map((figure) => {
  const svg = figure.querySelector("svg");
  const box = svg ? svg.getBoundingClientRect() : {width: 0, height: 0, right: 0};
  return {id: figure.id, width: box.width, height: box.height, right: box.right,
          marks: svg ? svg.querySelectorAll(".mark-line path, .mark-rect path").length : 0};
})"""
IMAGES = "[...document.images].map((i) => i.complete && i.naturalWidth > 0 && i.getBoundingClientRect().width > 20)"


def wait_for_charts(browser):
    for _ in range(300):
        drawn, all = browser.evaluate('[document.body.dataset.drawn, document.querySelectorAll("figure.chart").length]')
        if drawn == str(all):
            return
        time.sleep(0.1)


def look(browser, page, width, dark):
    what = f"{os.path.basename(page)}, {width} pixels{', dark' if dark else ''}"
    browser.open(page, width, dark=dark)
    wait_for_charts(browser)
    charts = browser.evaluate(CHARTS)
    expect(len(charts) >= 10, f"{what}: {len(charts)} charts")
    for chart in charts:
        expect(chart["marks"] > 0 and chart["height"] > 80 and 150 < chart["width"] <= width and chart["right"] <= width + 1,
               f"{what}: chart {chart}")
    images = browser.evaluate(IMAGES)
    expect(len(images) > 0 and all(images), f"{what}: {images.count(False)} of {len(images)} images do not show")
    expect(browser.evaluate("document.documentElement.scrollWidth") <= width, f"{what}: wider than the window")
    expect(browser.complaints() == [], f"{what}: {browser.complaints()[:3]}")
    paper, ink = browser.evaluate("[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]")
    brightness = lambda colour: sum(int(c) for c in colour[colour.index("(") + 1:-1].split(",")[:3])
    expect((brightness(paper) < brightness(ink)) == dark, f"{what}: {ink} on {paper}")


def main(folder):
    here = lambda name: os.path.join(folder, name)
    npz(here("data.npz"), image_set(count=96))
    with open(here("study.toml"), "w") as file:
        file.write(STUDY)
    done = run("study", here("study.toml"), "--data", here("data.npz"), "--out", here("study"))
    expect(done.returncode == 0, f"study: {done.stderr}")
    done = run("report", here("study/standard/seed-0"), here("study/robust/seed-1"), "--out", here("runs.html"))
    expect(done.returncode == 0, f"report of runs: {done.stderr}")
    with open(here("runs.html")) as page:
        facts = page.read()
    expect("of split test, seed 1, cpu" in facts and "<noscript>" in facts, "the page of runs lacks seed and device, or a word to who runs no scripts")
    done = run("report", here("study"), here("study/robust/seed-1"), "--out", here("both.html"))
    expect(done.returncode == 0, f"report of a study and a run: {done.stderr}")
    with chromium.Chromium() as browser:
        for width in (1280, 390):
            for dark in (False, True):
                look(browser, here("study/report.html"), width, dark)
        look(browser, here("runs.html"), 1280, False)
        look(browser, here("both.html"), 390, False)
        # What a user wrote is text and never a tag.
        browser.open(here("study/report.html"), 1280)
        expect(browser.evaluate("document.querySelector('h1').textContent") == "Two <b>methods</b> & 'one' study", "the title")
        wait_for_charts(browser)
        pdf = browser.ask("Page.printToPDF", printBackground=False)["data"]
        expect(len(pdf) > 20000, "nothing is printed")


if chromium.find() is None:
    print("skipped: no Chromium here")
    sys.exit(77)
with scratch() as temporary:
    main(temporary)
finish()
