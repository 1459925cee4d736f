"""Results of scripts in the form that Google Benchmark's suites write, for tables.py."""
import datetime
import json
import os
import sys
from pathlib import Path


def processor():
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown processor"


def cores():
    return len(os.sched_getaffinity(0))


def write(path, isa, threads, rows):
    """`rows`: {name: {key: number}}; `isa` as `inocula bench` tells it."""
    context = {"date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"), "executable": sys.argv[0],
               "machine": processor(), "threads": str(threads), "isa": isa, "load_avg": list(os.getloadavg())}
    benchmarks = [{"name": name, "run_name": name, "run_type": "iteration", "iterations": 1, "real_time": 0,
                   "time_unit": "ms", **numbers} for name, numbers in rows.items()]
    Path(path).write_text(json.dumps({"context": context, "benchmarks": benchmarks}, indent=1) + "\n", encoding="utf-8")
