#!/usr/bin/python3
"""Writes what the benchmark suites measured into the tables of a Markdown page.

tables.py PAGE.md RESULTS.json...

A table stands between `<!-- table: NAME -->` and `<!-- end -->`, NAME being one of TABLES; all that is between them
is written anew where the results hold a row for it, and left alone where they do not. Results are what a suite writes
with --benchmark_out=FILE, all of one machine; a benchmark that ran several times counts by its medians. The same
results give the same page.
"""
import json
import re
import statistics
import sys
from pathlib import Path
from typing import Callable, NamedTuple

USAGE, BAD_DATA, NO_INPUT = 64, 65, 66
MILLISECONDS = {"ns": 1e-6, "us": 1e-3, "ms": 1, "s": 1e3}
MARKED = re.compile(r"<!-- table: (\S+) -->\n(.*?)<!-- end -->", re.S)
MARK = re.compile(r"<!-- (table: \S+|end) -->")


class Refusal(Exception):
    """One line for the user, and the exit code."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


class Column(NamedTuple):
    title: str
    value: Callable  # from {way: {key: number}} to a number or a text; a KeyError means that there is none


class Table(NamedTuple):
    rows: re.Pattern  # of benchmarks' names; its groups are the first columns, but for `way`, whose values share a row
    columns: list


def of(key, way=""):
    return lambda ways: ways[way][key]


def percent(key, way=""):
    return lambda ways: f"{100 * ways[way][key]:.0f} %"


TABLES = {
    "kernels": Table(
        re.compile(r"kernel/(?P<kernel>.+)"),
        [Column("ms", of("ms")), Column("GB/s", of("GB/s")), Column("of copying", percent("share_of_copy"))]),
    "convolutions": Table(
        re.compile(r"conv/(?P<convolution>[^/]+)/(?P<way>(?:forward|backward_data|backward_weights)/\w+)"),
        [Column(f"{title}{kind}", of("GFLOP/s", f"{each}/{way}"))
         for each, title in (("forward", "forward: "), ("backward_data", "to data: "),
                             ("backward_weights", "to weights: "))
         for kind, way in (("direct", "direct"), ("ours", "fast"), ("bf16 direct", "bf16_direct"), ("bf16", "bf16"))]
        + [Column("forward, ours: real", of("real_GFLOP/s", "forward/fast")),
           Column("nominal of peak", percent("share_of_peak", "forward/fast"))]),
    "layers": Table(
        re.compile(r"layer/(?P<layer>[^/]+)/(?P<input>[^/]+)/(?P<way>[^/]+)"),
        [column for each, title in (("forward", "forward"), ("backward_data", "to data"),
                                    ("backward_params", "to parameters"))
         for column in (Column(f"{title}, ms", of("ms", each)), Column("of copying", percent("share_of_copy", each)))]
        + [Column("forward, GFLOP/s", of("GFLOP/s", "forward")),
           Column("of peak", percent("share_of_peak", "forward"))]),
    "steps": Table(
        re.compile(r"step/(?P<step>[^/]+)/(?P<network>[^/]+)/batch(?P<batch>\d+)/(?P<precision>[^/]+)"),
        [Column("ms", of("ms")), Column("images/s", of("images/s")),
         Column("gradient images/s", of("gradient_images/s")), Column("GFLOP/s", of("GFLOP/s")),
         Column("of peak", percent("share_of_peak")), Column("over its convolutions", of("over_convolutions")),
         Column("arena, MiB", of("arena_MiB"))]),
    "data": Table(
        re.compile(r"data/(?P<work>[^/]+)/(?P<images>[^/]+)"),
        [Column("ms", of("ms")), Column("images/s", of("images/s"))]),
    "scaling": Table(
        re.compile(r"scaling/(?P<against>.+)"),
        [Column("ms a unit", of("slope_ms")), Column("ms beside", of("intercept_ms")),
         Column("largest residual", percent("residual"))]),
    "ratios": Table(
        re.compile(r"ratio/(?P<ratio>.+)"), [Column("measured", of("ratio"))]),
    "torchattacks": Table(
        re.compile(r"torchattacks/(?P<network>.+)"),
        [Column("torchattacks, ms", of("torchattacks_ms")), Column("Inocula, ms", of("inocula_ms")),
         Column("ratio", of("ratio")), Column("robust accuracy there", percent("torchattacks_accuracy")),
         Column("here", percent("inocula_accuracy"))]),
}


def read_text(path):
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise Refusal(NO_INPUT, f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Refusal(BAD_DATA, f"{path}: {error}") from error


class Results:
    """What one or more suites measured."""

    def __init__(self, paths):
        self.runs = {}      # {name: {key: [number of each repetition]}}
        self.contexts = {}  # {name: [context of each run that it is of]}
        for path in paths:
            self.read(path)

    def read(self, path):
        try:
            whole = json.loads(read_text(path))
            context, benchmarks = whole["context"], whole["benchmarks"]
            context["machine"], context["threads"], context["isa"], context["date"][:10]  # each is in a caption
        except (ValueError, TypeError, KeyError) as error:
            raise Refusal(BAD_DATA, f"{path}: not what a suite writes with --benchmark_out ({error})") from error
        for entry in benchmarks:
            if entry.get("error_occurred"):
                raise Refusal(BAD_DATA, f"{path}: {entry['name']}: {entry['error_message']}")
            if entry.get("run_type") != "iteration":
                continue  # a mean or median over repetitions, which are there too
            name = entry["run_name"].removesuffix("/real_time").removesuffix("/manual_time")
            numbers = {key: value for key, value in entry.items() if isinstance(value, (int, float))}
            numbers["ms"] = entry["real_time"] * MILLISECONDS[entry["time_unit"]]
            for key, value in numbers.items():
                self.runs.setdefault(name, {}).setdefault(key, []).append(value)
            self.contexts.setdefault(name, []).append(context)

    def medians(self, name):
        return {key: statistics.median(values) for key, values in self.runs[name].items()}


def text_of(number):
    """Three digits that count, and no exponent."""
    if isinstance(number, str):
        return number
    for limit, digits in ((100, 0), (10, 1), (1, 2)):
        if abs(number) >= limit:
            return f"{number:.{digits}f}"
    return f"{number:.3f}"


def caption(contexts):
    facts = {f"{c['machine']}, {c['threads']} threads, {c['isa']}" for c in contexts}
    if len(facts) > 1:
        raise Refusal(BAD_DATA, "results of several machines in one table: " + "; ".join(sorted(facts)))
    programs = sorted({Path(c["executable"]).name for c in contexts})
    return f"{facts.pop()}, {max(c['date'] for c in contexts)[:10]}, by `{'`, `'.join(programs)}`:"


def render(table, results):
    """The table in Markdown, or None where there is no row for it."""
    rows, contexts = {}, []
    for name in results.runs:
        match = table.rows.fullmatch(name)
        if not match:
            continue
        groups = match.groupdict()
        way = groups.pop("way", "")
        rows.setdefault(tuple(groups.values()), {})[way] = results.medians(name)
        contexts += results.contexts[name]
    if not rows:
        return None

    def cell(column, ways):
        try:
            return text_of(column.value(ways))
        except KeyError:
            return "–"

    heads = [name for name in table.rows.groupindex if name != "way"]
    lines = [[*heads, *(column.title for column in table.columns)]]
    lines.append(["---"] * len(heads) + ["--:"] * len(table.columns))
    lines += [[*key, *(cell(column, ways) for column in table.columns)] for key, ways in rows.items()]
    return "\n".join([caption(contexts), "", *("| " + " | ".join(line) + " |" for line in lines)]) + "\n"


def fill(page, results):
    """The page with its tables written anew, and the names of those that were."""
    marks = [mark[1] for mark in MARK.finditer(page)]
    for mark, before in zip(marks + [""], ["end", *marks]):
        # A table's mark and its end take turns.
        if (mark == "end") == (before == "end"):
            raise Refusal(BAD_DATA, f"'<!-- {mark or before} -->' has no counterpart")
    if len(MARKED.findall(page)) != len(marks) // 2:
        raise Refusal(BAD_DATA, "a table's mark shares its line with other text")
    written = []

    def replace(match):
        name = match[1]
        if name not in TABLES:
            raise Refusal(BAD_DATA, f"table '{name}' is unknown, expected one of: {', '.join(TABLES)}")
        table = render(TABLES[name], results)
        if table is None:
            return match[0]
        written.append(name)
        return f"<!-- table: {name} -->\n{table}<!-- end -->"

    return MARKED.sub(replace, page), written


def main(arguments):
    if len(arguments) < 2:
        print("usage: tables.py PAGE.md RESULTS.json...", file=sys.stderr)
        return USAGE
    page_path, *paths = map(Path, arguments)
    try:
        page = read_text(page_path)
        filled, written = fill(page, Results(paths))
        if not written:
            raise Refusal(BAD_DATA, f"{page_path}: has no table for any of these results")
    except Refusal as refusal:
        print(f"tables.py: {refusal}", file=sys.stderr)
        return refusal.code
    if filled != page:
        page_path.write_text(filled, encoding="utf-8")
    print(f"{page_path}: {', '.join(written)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
