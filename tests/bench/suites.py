#!/usr/bin/python3
"""Runs every suite as quickly as it can, and asks each for its exit codes: suites.py FOLDER_OF_PROGRAMS.

No time is read here: what is asked is that every benchmark runs, and that its results are those that tables.py reads.
"""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

# {suite: (flags that choose what is quick, what must be among its benchmarks)}
SUITES = {
    "bench_kernels": ("", ["kernel/pgd_step_linf", "kernel/copy_floats", "kernel/fma_chains"]),
    # Convolutions of small_cnn, and one batch size's layers.
    "bench_layers": (r"^conv/(1to16|16to32),.*,batch64|^layer/.*/64x",
                     ["conv/16to32,14px,3x3,stride1,batch64/backward_weights/direct",
                      "layer/batch_norm+add+relu/64x16x28x28/backward_params", "layer/linear/64x64x7x7/forward"]),
    "bench_steps": ("small_cnn", ["step/standard/small_cnn:width=16/batch64/fp32",
                                  "step/evaluation_pgd-20/small_cnn:width=16/batch64/fp32"]),
    "bench_data": ("", ["data/open_npz/grey_28px", "data/gather_augmented/colour_64px"]),
}


def run(*words):
    return subprocess.run(list(map(str, words)), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


def main(folder):
    programs, wrong = Path(folder), []

    def expect(what, truth):
        if not truth:
            wrong.append(what)

    def refuses(what, code, *words):
        done = run(*words)
        expect(f"{what}: exit status {done.returncode}, expected {code}", done.returncode == code)
        expect(f"{what}: one line, not '{done.stderr}'", done.stderr.count("\n") == 1)

    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        for suite, (chosen, expected) in SUITES.items():
            out = scratch / f"{suite}.json"
            done = run(programs / suite, "--quick", "--benchmark_min_time=0", f"--benchmark_filter={chosen}",
                       f"--benchmark_out={out}")
            expect(f"{suite}: exit status {done.returncode}: {done.stderr[-2000:]}", done.returncode == 0)
            if done.returncode:
                continue
            results = json.loads(out.read_text())
            names = [entry["run_name"].removesuffix("/real_time").removesuffix("/manual_time") for entry in results["benchmarks"]]
            print(f"{suite}: {len(names)} benchmarks")
            for benchmark in expected:
                expect(f"{suite}: {benchmark} ran", benchmark in names)
            for entry in results["benchmarks"]:
                expect(f"{entry['name']}: {entry.get('error_message')}", not entry.get("error_occurred"))
            expect(f"{suite}: names its machine", results["context"].get("machine"))
            refuses(f"{suite}: an unknown flag", 64, programs / suite, "--nonsense")
            refuses(f"{suite}: no such device", 64, programs / suite, "--device=abacus")
            refuses(f"{suite}: no threads", 64, programs / suite, "--threads=0")
            refuses(f"{suite}: a filter that nothing matches", 64, programs / suite, "--benchmark_filter=nonsense")

        model, data = scratch / "run", scratch / "data.npz"
        for words in (("data", "synth", data, "--n", 200),
                      ("train", "--data", data, "--model", "small_cnn:width=4", "--out", model, "--quiet")):
            done = run(programs / "inocula", *words)
            expect(f"inocula {words[0]}: {done.stderr}", done.returncode == 0)
        accuracy = programs / "bench_accuracy"
        done = run(accuracy, model, data, 8)
        expect(f"bench_accuracy: exit status {done.returncode}: {done.stderr}", done.returncode == 0)
        expect(f"bench_accuracy: direct and fast, not:\n{done.stdout}",
               [line.split()[0] for line in done.stdout.splitlines()[1:]] == ["direct", "fast"])
        refuses("bench_accuracy: no arguments", 64, accuracy)
        refuses("bench_accuracy: no number", 64, accuracy, model, data, "many")
        refuses("bench_accuracy: no model", 66, accuracy, scratch / "none", data)
        refuses("bench_accuracy: no data set", 65, accuracy, model, model / "model.json")

    for failure in wrong:
        print(f"not so: {failure}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
