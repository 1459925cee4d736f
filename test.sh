#!/usr/bin/env bash
# Sets up, builds and runs every test that this machine can run, and counts them: ./test.sh [--fast].
#
# --fast leaves out the second build and run, under AddressSanitizer and UndefinedBehaviorSanitizer.
# A test that needs what is not here is counted and printed as skipped, with the reason. Tests on real data read
# the folder that INOCULA_TEST_DATA names, or ../shared/data where that exists.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

sanitize=true
case "$*" in
  "") ;;
  --fast) sanitize=false ;;
  *) echo "usage: ./test.sh [--fast]" >&2; exit 64 ;;
esac

tools/setup/install_packages.sh test

# The programs of the packages just installed, not namesakes that come first on PATH.
installed() { if [[ -x /usr/bin/$1 ]]; then echo "/usr/bin/$1"; else echo "$1"; fi; }
cmake=$(installed cmake)
ctest=$(installed ctest)
python=$(installed python3)

if [[ -z ${INOCULA_TEST_DATA:-} && -d ../shared/data ]]; then
  INOCULA_TEST_DATA=$(cd ../shared/data && pwd)
  export INOCULA_TEST_DATA
fi

# Several tests share the cores: a thread that waits for its team shall sleep, not spin the others off the machine.
export OMP_WAIT_POLICY=passive

# A failing test is remembered and the other suites still run; a failing build ends here.
failed=false
summary=()

# stage TEXT: a heading, with the seconds since the start.
stage() { echo "== $1 (at $SECONDS s)"; }

# build PRESET [TARGET...]: everything where no target is named.
build() {
  local preset=$1
  shift
  stage "building: $preset"
  "$cmake" --preset "$preset"
  "$cmake" --build --preset "$preset" ${1:+--target "$@"}
}

# run PRESET [ctest's arguments]
run() {
  local preset=$1
  shift
  stage "testing: $preset"
  rm -f "build/$preset/junit.xml"
  "$ctest" --preset "$preset" --parallel "$(nproc)" "$@" || failed=true
  summary+=("$preset=build/$preset/junit.xml")
}

cached() { grep -q "^$1:INTERNAL=ON" build/cuda/CMakeCache.txt; }

# Where there is a CUDA compiler, the whole is built with the CUDA half and its tests run where there is a GPU; the
# CPU alone is what the sanitizers' build holds. One architecture is enough to know that it compiles.
export CUDAARCHS=${CUDAARCHS:-90}
"$cmake" --preset cuda
if cached INOCULA_CUDA_FOUND && tools/setup/fetch_cudnn_frontend.sh; then
  "$cmake" --preset cuda
fi
if cached INOCULA_CUDA_BACKEND; then
  build cuda
  run cuda
else
  if ! cached INOCULA_CUDA_FOUND; then
    summary+=(--not-run "cuda: the CUDA half was not compiled: no CUDA compiler was found")
  else
    summary+=(--not-run "cuda: its devices were not compiled: cuDNN 9 or the headers of its front end were not found")
    build cuda cuda_link
    run cuda --tests-regex '^cuda_link'
  fi
  build cpu
  run cpu
fi

if $sanitize; then
  build cpu-debug
  run cpu-debug
  "$ctest" --test-dir build/cpu-debug --show-only --label-regex '^slow$' > build/cpu-debug/slow_tests
  summary+=(--left-out cpu-debug=build/cpu-debug/slow_tests)
else
  summary+=(--not-run "cpu-debug: the run under the sanitizers was left out by --fast")
fi

stage "summary"
"$python" tests/repository/summary.py "${summary[@]}" || failed=true
if $failed; then exit 1; fi
