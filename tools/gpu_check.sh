#!/usr/bin/env bash
# Builds for this machine's GPU, tests it, measures it, and writes one report that ends with a table of what was promised.
#
# gpu_check.sh [--libraries FOLDER] [--data FILE] [--out FILE]
#
# Needs no network. FOLDER, as tools/setup/collect_libraries.sh fills it on another machine, holds the libraries and
# headers that this one lacks; FILE is an image set such as pneumoniamnist.npz, on which GPU and CPU are to learn the
# same. What cannot be done here is left out and named in the report; the exit status is 1 where something was done and
# failed. A speed that is missed is no failure, and stands in the table.
set -euo pipefail

usage() {
  echo "usage: gpu_check.sh [--libraries FOLDER] [--data FILE] [--out FILE]" >&2
  exit 64
}
# refuse STATUS WHY
refuse() {
  echo "gpu_check.sh: $2" >&2
  exit "$1"
}
libraries=""
data=""
out=$(realpath -m gpu_check.md)
while [[ $# -gt 0 ]]; do
  [[ $# -ge 2 ]] || usage
  case $1 in
    --libraries)
      [[ -d $2 ]] || refuse 66 "--libraries: $2: no such folder; expected what tools/setup/collect_libraries.sh filled"
      libraries=$(realpath "$2")
      ;;
    --data)
      [[ -f $2 ]] || refuse 66 "--data: $2: no such file; expected an image set in MedMNIST's layout (.npz or .h5)"
      data=$(realpath "$2")
      ;;
    --out) out=$(realpath -m "$2") ;;
    *) usage ;;
  esac
  shift 2
done

cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=build/gpu-check
failed=false
parts=()
{ : > "$out"; } 2> /dev/null || refuse 73 "--out: $out: cannot be written; expected a file in a folder that is there"
say() { echo "$*" | tee -a "$out"; }
# part TITLE COMMAND…: runs it, keeps its last lines in the report and how it ended for the table.
part() {
  local title=$1 status=0
  shift
  say "" && say "## $title" && say "" && say '```'
  "$@" > "$build.log" 2>&1 || status=$?
  tail -n 60 "$build.log" | tee -a "$out"
  say '```'
  if [[ $status == 0 ]]; then
    parts+=(--part "$title=passed")
  elif [[ $status == 124 ]]; then
    say "Not finished: stopped after $sanitizer_seconds seconds."
    parts+=(--part "$title=not finished")
  else
    say "FAILED: exit status $status"
    parts+=(--part "$title=FAILED")
    failed=true
  fi
}
# left_out TITLE WHY
left_out() {
  say "" && say "Left out: $1, $2."
  parts+=(--part "$1=left out, $2")
}

# Long enough for any of them, on a machine of which nothing is known. What takes longer is stopped, and no failure.
sanitizer_seconds=1800
mkdir -p build
say "# GPU check"
part "Hardware" nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv

configure=(-S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DINOCULA_WERROR=OFF "-DCMAKE_CUDA_ARCHITECTURES=${CUDAARCHS:-native}")
if command -v ninja > /dev/null; then configure+=(-G Ninja); fi
if [[ -n $libraries ]]; then
  # Found by our programs alone, and by what they load: the compilers and Python keep their own libraries.
  configure+=("-DCMAKE_PREFIX_PATH=$libraries" "-DCMAKE_BUILD_RPATH=$libraries/lib"
    "-DCMAKE_EXE_LINKER_FLAGS=-Wl,--disable-new-dtags")
  export CUDNN_FRONTEND_PATH=${CUDNN_FRONTEND_PATH:-$libraries/cudnn-frontend}
fi
# cuDNN as a Python package, where the system has none.
known_libraries=$(PATH=$PATH:/usr/sbin:/sbin ldconfig -p || true)
if [[ -z ${CUDNN_PATH:-} && $known_libraries != *libcudnn.so.9* ]]; then
  CUDNN_PATH=$(python3 -c 'import nvidia.cudnn as m; print(list(m.__path__)[0])' 2> /dev/null || true)
  export CUDNN_PATH
fi
has_header() { [[ -e /usr/include/$1 || -e $libraries/include/$1 ]]; }
if has_header doctest/doctest.h; then tests=ON; else tests=OFF; fi
if has_header benchmark/benchmark.h; then benchmarks=ON; else benchmarks=OFF; fi
configure+=("-DBUILD_TESTING=$tests" "-DINOCULA_BENCH=$benchmarks")

part "Configuration" cmake "${configure[@]}"
if ! grep -q '^INOCULA_CUDA_BACKEND:INTERNAL=ON' "$build/CMakeCache.txt"; then
  say "FAILED: this build opens no GPU; the configuration above says what it misses"
  exit 1
fi
targets=(inocula)
if [[ $tests == ON ]]; then targets+=(gpu_kernels gpu_engine); fi
if [[ $benchmarks == ON ]]; then targets+=(bench_kernels); fi
part "Build" cmake --build "$build" --parallel "$(nproc)" --target "${targets[@]}"

part "Devices" "$build/inocula" devices
for numbers in "--precision fp32" "--precision fp32 --tf32" "--precision bf16"; do
  read -ra flags <<< "$numbers"
  part "Self-test, $numbers" "$build/inocula" selftest --device cuda:0 "${flags[@]}"
done
if [[ $tests == ON ]]; then
  part "Kernels on the GPU against the CPU" "$build/gpu_kernels"
  part "Networks on the GPU" "$build/gpu_engine"
  # Beside the compiler where it is not on PATH.
  PATH=$PATH:$(dirname "$(sed -n 's/^CMAKE_CUDA_COMPILER:[A-Z]*=//p' "$build/CMakeCache.txt")")
  if command -v compute-sanitizer > /dev/null; then
    # Every call's status is checked, and a test asks for memory that is not there: a call that fails is no finding.
    sanitize() { timeout "$sanitizer_seconds" compute-sanitizer --tool "$1" --error-exitcode 9 "${@:2}"; }
    memcheck=(memcheck --report-api-errors no)
    # Fails where a kernel of ours reads what nobody wrote: what the vendor's do is not ours to judge, but what they
    # write has to be seen, so that they cannot be left out.
    initcheck_ours() {
      local log="$build.initcheck" status=0
      timeout "$sanitizer_seconds" compute-sanitizer --tool initcheck --print-limit 1000000 "$@" > "$log" 2>&1 || status=$?
      tail -n 20 "$log"
      if grep -A 1 Uninitialized "$log" | grep -m 20 for_each; then return 9; fi
      return "$status"
    }
    part "compute-sanitizer memcheck" sanitize "${memcheck[@]}" "$build/gpu_kernels" --device-copies
    part "compute-sanitizer racecheck" sanitize racecheck "$build/gpu_kernels"
    part "compute-sanitizer synccheck" sanitize synccheck "$build/gpu_kernels"
    networks=("$build/gpu_engine" "--test-case-exclude=*learns what*")
    part "compute-sanitizer memcheck on networks" sanitize "${memcheck[@]}" "${networks[@]}"
    # Copies are written whole; arenas nobody clears: what is read before it was written is seen in networks alone.
    part "compute-sanitizer initcheck on networks" initcheck_ours "${networks[@]}"
  else
    left_out "compute-sanitizer" "it is neither on PATH nor beside the CUDA compiler"
  fi
else
  left_out "the tests" "for want of doctest"
fi
if [[ -n $data ]]; then
  part "Learning as on the CPU" python3 bench/same_learning.py "$build/inocula" "$data"
else
  left_out "Learning as on the CPU" "no --data was given"
fi
for numbers in "--precision fp32" "--precision fp32 --tf32" "--precision bf16"; do
  read -ra flags <<< "$numbers"
  part "A step where launches weigh most, $numbers" "$build/inocula" bench --device cuda:0 "${flags[@]}" \
    --model resnet18 --input 1,28,28 --batch 128 --method pgd --steps 7
  part "A step where arithmetic weighs most, $numbers" "$build/inocula" bench --device cuda:0 "${flags[@]}" \
    --model resnet18 --input 3,32,32 --batch 512 --method pgd --steps 7
done
rm -f "$build/kernels.json" "$build/pytorch.json"
if [[ $benchmarks == ON ]]; then
  part "Memory-bound kernels" "$build/bench_kernels" --device=cuda:0 --benchmark_out="$build/kernels.json" --benchmark_out_format=json
else
  left_out "Memory-bound kernels" "for want of Google Benchmark"
fi
part "Against PyTorch" python3 bench/peers/pytorch_gpu_step.py "$build/inocula" --json "$build/pytorch.json"

say "" && say "## What was promised" && say ""
python3 bench/gpu_targets.py --kernels "$build/kernels.json" --pytorch "$build/pytorch.json" "${parts[@]}" | tee -a "$out"

if $failed; then exit 1; fi
