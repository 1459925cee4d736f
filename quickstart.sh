#!/usr/bin/env bash
# Sets up, builds and runs a small robustness study on the CPU: ./quickstart.sh [DATA.npz|DATA.h5].
#
# Trains the same network normally and adversarially, attacks both, and prints the results and the path of the
# report. Without an argument the study runs on a built-in synthetic set and needs neither network nor data: chests
# with a planted shortcut, faint lines that betray the class, so that there is something for an attack to find.
set -euo pipefail

readonly plan=tools/presets/robust_training_quick.toml
readonly synthetic_images=2000

if [[ $# -gt 1 || ${1:-} == -* ]]; then
  echo "usage: ./quickstart.sh [DATA.npz|DATA.h5]" >&2
  exit 64
fi
if [[ $# == 1 && ! -f $1 ]]; then
  echo "quickstart.sh: $1: no such file; expected a data set in MedMNIST's layout (.npz or .h5)" >&2
  exit 66
fi
data=${1:+$(realpath "$1")}
cd "$(dirname "${BASH_SOURCE[0]}")"

tools/setup/install_packages.sh build

# The program of the package just installed, not a namesake that comes first on PATH.
cmake=/usr/bin/cmake
[[ -x $cmake ]] || cmake=cmake
"$cmake" --preset cpu -DBUILD_TESTING=OFF
"$cmake" --build --preset cpu --target inocula
inocula=build/cpu/inocula

# The folder is named after the data; each start replaces what an earlier one left there.
readonly runs=runs/quickstart
if [[ -n $data ]]; then
  name=$(basename "$data")
  study=$runs/${name%.*}
else
  study=$runs/synthetic
  data=$study.npz
  mkdir -p "$runs"
  rm -f "$data"
  "$inocula" data synth "$data" --kind shortcut --n "$synthetic_images" --size 28 --seed 0
fi
if [[ $(realpath -m "$data") == "$(realpath -m "$study")"/* || $study == "$runs/" ]]; then
  echo "quickstart.sh: $data: lies where results are written or has no name; expected a file outside of $runs" >&2
  exit 64
fi
rm -rf "$study"
"$inocula" study "$plan" --data "$data" --out "$PWD/$study"
