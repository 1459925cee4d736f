#!/usr/bin/env bash
# Installs the Debian packages of a set where they are missing: install_packages.sh [--print] build|test|bench|fetch.
#
# With everything in place it asks dpkg alone: no network, no root, a fraction of a second. Without the right
# to install it prints the one line to run and exits 69 (a system package is missing). --print shows the set.
set -euo pipefail

readonly build_set=(
  g++ cmake ninja-build
  libdnnl-dev libhdf5-dev libzip-dev libxxhash-dev zlib1g-dev
  libcli11-dev libtomlplusplus-dev nlohmann-json3-dev libspng-dev libjs-vega
)
readonly test_set=(
  "${build_set[@]}"
  doctest-dev librapidcheck-dev libbenchmark-dev
  python3 python3-torch python3-numpy python3-h5py python3-sklearn python3-pil hdf5-tools shellcheck chromium
)
readonly bench_set=("${build_set[@]}" libbenchmark-dev)
readonly fetch_set=(python3 python3-pip)

usage() {
  echo "usage: install_packages.sh [--print] build|test|bench|fetch" >&2
  exit 64
}

print_only=false
if [[ ${1:-} == --print ]]; then
  print_only=true
  shift
fi
[[ $# == 1 ]] || usage
case $1 in
  build) wanted=("${build_set[@]}") ;;
  test) wanted=("${test_set[@]}") ;;
  bench) wanted=("${bench_set[@]}") ;;
  fetch) wanted=("${fetch_set[@]}") ;;
  *) usage ;;
esac

if $print_only; then
  echo "${wanted[*]}"
  exit 0
fi

if ! command -v dpkg-query > /dev/null || ! command -v apt-get > /dev/null; then
  echo "install_packages.sh: no dpkg and apt-get here; taking it that the packages of docs/building.md are installed" >&2
  exit 0
fi

# A package that dpkg has never heard of makes dpkg-query fail and goes unlisted: it is missing like the others.
present=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "${wanted[@]}" 2> /dev/null || true)
missing=()
for package in "${wanted[@]}"; do
  grep -qxF "installed $package" <<< "$present" || missing+=("$package")
done
[[ ${#missing[@]} -gt 0 ]] || exit 0

as_root=()
if [[ $(id -u) != 0 ]]; then
  # Without a terminal nobody can type a password.
  if sudo -n true 2> /dev/null || { [[ -t 0 && -t 2 ]] && command -v sudo > /dev/null && sudo -v; }; then
    as_root=(sudo)
  else
    echo "missing packages; run: sudo apt-get update && sudo apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 69
  fi
fi

echo "installing: ${missing[*]}"
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=600)
# A failed update alone decides nothing: the packages may be in the lists or in the cache already.
"${apt[@]}" update || echo "install_packages.sh: apt-get update failed; trying with the lists that are there" >&2
if ! "${apt[@]}" install --yes --no-install-recommends "${missing[@]}"; then
  echo "install_packages.sh: apt-get could not install ${missing[*]}" >&2
  exit 69
fi
