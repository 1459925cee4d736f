#!/usr/bin/env bash
# Sets up, builds and runs a small robustness study on the CPU: ./quickstart.sh [DATA.npz|DATA.h5].
#
# Trains the same network normally and adversarially, attacks both, and prints the results and the path of the
# report. Without an argument the study runs on a built-in synthetic set and needs neither network nor data: chests
# with a planted shortcut, faint lines that betray the class, so that there is something for an attack to find.
set -euo pipefail

readonly model=resnet18:width=16
readonly epochs=3 batch=64
readonly epsilon=8/255 inner_steps=5 inner_alpha=2/255
readonly attack=pgd:norm=linf,eps=8/255,steps=20,alpha=2/255
readonly synthetic_images=2000
readonly evaluated_images=500  # at most; attacking every image of a large set takes long

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
if [[ -n $data ]]; then
  name=$(basename "$data")
  study=runs/quickstart/${name%.*}
  mkdir -p "$study"
else
  study=runs/quickstart/synthetic
  mkdir -p "$study"
  data=$study/data.npz
  rm -f "$data"
  "$inocula" data synth "$data" --kind shortcut --n "$synthetic_images" --size 28 --seed 0
fi

train() {  # METHOD [flags]
  "$inocula" train --data "$data" --model "$model" --out "$study/$1" --overwrite --seed 0 \
    --epochs "$epochs" --batch "$batch" --method "$@"
}
evaluate() {  # METHOD
  echo "== $1 training, attacked by $attack"
  "$inocula" evaluate --model "$study/$1" --data "$data" --out "$study/$1/evaluate.json" --seed 0 \
    --attack "$attack" --limit "$evaluated_images"
}

train standard
train pgd --norm linf --eps "$epsilon" --steps "$inner_steps" --alpha "$inner_alpha"
evaluate standard
evaluate pgd
"$inocula" report "$study/standard" "$study/pgd" --out "$study/report.html" --quiet
echo "report: $PWD/$study/report.html"
