#!/usr/bin/env bash
# Runs every suite and writes its figures into docs/performance.md: bench/run_all.sh [BUILD [RESULTS]].
#
# BUILD is the folder of an optimised build, RESULTS where the suites' JSON goes. A quarter of an hour or more, which
# nothing else on the machine should share. What a peer's absence leaves out is said, and its table stays as it was.
set -euo pipefail

if [[ $# -gt 2 || ${1:-} == -* ]]; then
  echo "usage: bench/run_all.sh [BUILD [RESULTS]]" >&2
  exit 64
fi
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$(realpath -m "${1:-$here/../build/cpu}")
results=$(realpath -m "${2:-$build/bench_results}")
if [[ ! -x $build/bench_kernels || ! -x $build/inocula ]]; then
  echo "run_all.sh: $build holds no benchmarks; build them first: docs/building.md" >&2
  exit 66
fi
python=/usr/bin/python3
[[ -x $python ]] || python=python3
mkdir -p "$results"

suite() {  # NAME [flags]
  "$build/bench_$1" --benchmark_out="$results/$1.json" "${@:2}"
}
suite kernels --benchmark_min_time=0.2
suite layers --benchmark_min_time=0.1
suite steps --benchmark_min_time=0.1 --benchmark_repetitions=3
suite data --benchmark_min_time=0.5
"$python" "$here/scaling.py" "$build/inocula" --out "$results/scaling.json"

files=("$results"/{kernels,layers,steps,data,scaling}.json)
status=0
"$python" "$here/peers/torchattacks_pgd.py" "$build/inocula" --out "$results/torchattacks.json" || status=$?
case $status in
  0) files+=("$results/torchattacks.json") ;;
  77) ;;  # it has said why
  *) exit "$status" ;;
esac
"$python" "$here/tables.py" "$here/../docs/performance.md" "${files[@]}"
