#!/usr/bin/env bash
# Puts the headers of cuDNN's C++ front end into .deps/, where the CUDA build looks for them.
#
# They are in no Debian package; they come from PyPI, one pinned version, checked against its hash. With the headers
# in place it does nothing and needs no network. Exits 69 where they cannot be had: the CUDA build then leaves its
# devices out and says so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

readonly version=1.32.0
readonly wheel_hash=sha256:c6006556017a4d1c914c52a556c71b1267f2d6a0500f742e7b4edef539878df0
readonly target=.deps/cudnn-frontend

if [[ -f $target/VERSION && $(< "$target/VERSION") == "$version" ]]; then exit 0; fi

tools/setup/install_packages.sh fetch
python=python3
if [[ -x /usr/bin/python3 ]]; then python=/usr/bin/python3; fi

mkdir -p .deps
work=$(mktemp -d .deps/fetch.XXXXXX)
trap 'rm -rf "$work"' EXIT
echo "nvidia-cudnn-frontend==$version --hash=$wheel_hash" > "$work/requirements.txt"
# The headers are the same in the wheel of every platform; the hash is of this one.
if ! "$python" -m pip download --quiet --no-deps --only-binary=:all: --require-hashes \
    --python-version 3.11 --implementation cp --platform manylinux_2_27_x86_64 \
    --dest "$work" --requirement "$work/requirements.txt"; then
  echo "fetch_cudnn_frontend.sh: nvidia-cudnn-frontend $version could not be downloaded" >&2
  exit 69
fi
"$python" - "$work" <<'EXTRACT'
import pathlib, sys, zipfile
work = pathlib.Path(sys.argv[1])
with zipfile.ZipFile(next(work.glob("*.whl"))) as wheel:
    wheel.extractall(work / "unpacked", [name for name in wheel.namelist() if name.startswith("include/")])
EXTRACT
echo "$version" > "$work/unpacked/VERSION"
rm -rf "$target"
mv "$work/unpacked" "$target"
