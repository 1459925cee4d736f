#!/usr/bin/env bash
# Builds for this machine's GPU, tests it, measures it, and writes one report: gpu_check.sh [--libraries FOLDER] [--out FILE].
#
# Needs no network. FOLDER, as tools/setup/collect_libraries.sh fills it on another machine, holds the libraries and
# headers that this one lacks. What cannot be done here is left out and named in the report; the exit status is 1
# where something was done and failed.
set -euo pipefail

usage() {
  echo "usage: gpu_check.sh [--libraries FOLDER] [--out FILE]" >&2
  exit 64
}
libraries=""
out=$(realpath -m gpu_check.md)
while [[ $# -gt 0 ]]; do
  [[ $# -ge 2 ]] || usage
  case $1 in
    --libraries) libraries=$(cd "$2" && pwd) ;;
    --out) out=$(realpath -m "$2") ;;
    *) usage ;;
  esac
  shift 2
done

cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=build/gpu-check
failed=false
: > "$out"
say() { echo "$*" | tee -a "$out"; }
# part TITLE COMMAND…: runs it, keeps its last lines in the report.
part() {
  local title=$1 status=0
  shift
  say "" && say "## $title" && say "" && say '```'
  "$@" > "$build.log" 2>&1 || status=$?
  tail -n 60 "$build.log" | tee -a "$out"
  say '```'
  if [[ $status != 0 ]]; then
    say "FAILED: exit status $status"
    failed=true
  fi
}

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
if [[ -z ${CUDNN_PATH:-} ]] && ! ldconfig -p | grep -q libcudnn.so.9; then
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
part "Self-test" "$build/inocula" selftest --device cuda:0
if [[ $tests == ON ]]; then
  part "Kernels on the GPU against the CPU" "$build/gpu_kernels"
  part "Networks on the GPU" "$build/gpu_engine"
  if command -v compute-sanitizer > /dev/null; then
    for tool in memcheck racecheck initcheck synccheck; do
      part "compute-sanitizer $tool" timeout 600 compute-sanitizer --tool "$tool" --error-exitcode 9 "$build/gpu_kernels"
    done
    # Whose memory is allocated array by array, so that a step beside one is seen.
    part "compute-sanitizer memcheck on networks" timeout 600 compute-sanitizer --tool memcheck --error-exitcode 9 \
      "$build/gpu_engine"
  else
    say "" && say "Left out: compute-sanitizer is not on PATH."
  fi
else
  say "" && say "Left out: the tests, for want of doctest."
fi
for precision in fp32 bf16; do
  part "A step where launches weigh most, $precision" "$build/inocula" bench --device cuda:0 --precision "$precision" \
    --model resnet18 --input 1,28,28 --batch 128 --method pgd --steps 7
  part "A step where arithmetic weighs most, $precision" "$build/inocula" bench --device cuda:0 --precision "$precision" \
    --model resnet18 --input 3,32,32 --batch 512 --method pgd --steps 7
done
if [[ $benchmarks == ON ]]; then
  part "Memory-bound kernels" "$build/bench_kernels" --device=cuda:0
else
  say "" && say "Left out: the benchmarks of kernels, for want of Google Benchmark."
fi
part "Against PyTorch" python3 bench/peers/pytorch_gpu_step.py "$build/inocula"

if $failed; then exit 1; fi
