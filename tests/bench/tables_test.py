#!/usr/bin/python3
"""What tables.py makes of stored results, that it does so again and again, and what it refuses: tables_test.py."""
import copy
import json
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
SCRIPT = HERE.parents[1] / "bench/tables.py"
RESULTS = json.loads((HERE / "results.json").read_text(encoding="utf-8"))

PAGE = """# A page

Text before.

<!-- table: kernels -->
What was here.
<!-- end -->
Between, a <!-- comment -->.
<!-- table: convolutions -->
<!-- end -->
<!-- table: steps -->
No results of steps: this stays.
<!-- end -->
Text after.
"""

FILLED = """# A page

Text before.

<!-- table: kernels -->
A processor, 2 threads, cpu_avx512, 2024-05-02, by `bench_kernels`:

| kernel | ms | GB/s | of copying |
| --- | --: | --: | --: |
| copy_floats | 12.5 | 21.0 | 100 % |
| affine/norm_relu/fp32 | 0.125 | 1234 | 87 % |
| next_restart | 0.001 | – | – |
<!-- end -->
Between, a <!-- comment -->.
<!-- table: convolutions -->
A processor, 2 threads, cpu_avx512, 2024-05-02, by `bench_kernels`:

| convolution | forward: direct | forward: ours | forward: bf16 | to data: direct | to data: ours | to data: bf16 | \
to weights: direct | to weights: ours | to weights: bf16 | forward, ours: real | nominal of peak |
| --- | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: |
| 64to64,28px,3x3,stride1,batch32 | 300 | 600 | – | – | – | – | – | – | – | 120 | 200 % |
<!-- end -->
<!-- table: steps -->
No results of steps: this stays.
<!-- end -->
Text after.
"""


def run(page, *results):
    """(exit status, the page afterwards, standard error)."""
    with tempfile.TemporaryDirectory() as folder:
        page_path = Path(folder) / "page.md"
        page_path.write_text(page, encoding="utf-8")
        paths = []
        for number, result in enumerate(results):
            paths.append(Path(folder) / f"{number}.json")
            paths[-1].write_text(result if isinstance(result, str) else json.dumps(result), encoding="utf-8")
        done = subprocess.run([sys.executable, "-B", SCRIPT, page_path, *paths], capture_output=True, text=True,
                              check=False)
        return done.returncode, page_path.read_text(encoding="utf-8"), done.stderr


def changed(change):
    """The stored results after change(results)."""
    results = copy.deepcopy(RESULTS)
    change(results)
    return results


def benchmark(results, name):
    return next(entry for entry in results["benchmarks"] if entry["run_name"].startswith(name))


def main():
    wrong = []

    def expect(what, truth):
        if not truth:
            wrong.append(what)

    def refuses(what, page, *results, mention):
        status, after, error = run(page, *results)
        expect(f"{what}: exit status {status}", status == 65)
        expect(f"{what}: the page is left alone", after == page)
        expect(f"{what}: one line that says '{mention}', not: {error}", mention in error and error.count("\n") == 1)

    status, filled, error = run(PAGE, RESULTS)
    expect(f"the tables are filled: {error}", status == 0)
    expect(f"the tables are these, not:\n{filled}", filled == FILLED)
    expect("a second time changes nothing", run(filled, RESULTS)[1] == filled)
    status, again, _ = run(FILLED, changed(lambda r: benchmark(r, "kernel/affine").update(real_time=0.25)))
    expect("another time is another table", status == 0 and again == FILLED.replace("| 0.125 |", "| 0.250 |"))

    two_files = [changed(lambda r, half=half: r.update(benchmarks=r["benchmarks"][half]))
                 for half in (slice(4), slice(4, None))]
    expect("two files are as good as one", run(PAGE, *two_files)[1] == FILLED)
    other = changed(lambda r: r["context"].update(machine="Another processor"))
    refuses("two machines in one table", PAGE, RESULTS, other, mention="several machines")
    refuses("an unknown table", PAGE.replace("table: steps", "table: stairs"), RESULTS, mention="stairs")
    refuses("a mark without end", PAGE.replace("<!-- end -->\nText", "Text"), RESULTS, mention="table: steps")
    refuses("an end without mark", "<!-- end -->\n" + PAGE, RESULTS, mention="end")
    refuses("a mark within a line", PAGE.replace("kernels -->", "kernels --> here"), RESULTS, mention="shares its line")
    refuses("no table for any result", "Text.\n", RESULTS, mention="no table")
    refuses("no JSON", PAGE, "{", mention="0.json")
    refuses("JSON of something else", PAGE, [1], mention="0.json")
    refuses("results without a machine", PAGE, changed(lambda r: r["context"].pop("machine")), mention="machine")
    failed = changed(lambda r: benchmark(r, "kernel/affine").update(error_occurred=True,
                                                                    error_message="no such layout"))
    refuses("a benchmark that failed", PAGE, failed, mention="no such layout")
    expect("no arguments are a usage error", subprocess.run(
        [sys.executable, "-B", SCRIPT], capture_output=True, check=False).returncode == 64)
    expect("a missing file is one", subprocess.run(
        [sys.executable, "-B", SCRIPT, HERE / "none.md", HERE / "results.json"], capture_output=True,
        check=False).returncode == 66)

    for failure in wrong:
        print(f"not so: {failure}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
