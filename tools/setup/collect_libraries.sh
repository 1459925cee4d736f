#!/usr/bin/env bash
# Copies the libraries and headers that a build needs into a folder, for a machine that has none: collect_libraries.sh FOLDER.
#
# For tools/gpu_check.sh --libraries on a machine without packages or network. It takes what the packages of the set
# test have installed here, with every library that those load, but for the runtimes of C, C++ and OpenMP.
set -euo pipefail
[[ $# == 1 ]] || { echo "usage: collect_libraries.sh FOLDER" >&2; exit 64; }
folder=$1
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

tools/setup/install_packages.sh test
tools/setup/fetch_cudnn_frontend.sh
mkdir -p "$folder/include" "$folder/lib" "$folder/share/cmake"
folder=$(cd "$folder" && pwd)
triplet=$(g++ -print-multiarch)

for header in oneapi dnnl.h dnnl.hpp hdf5/serial zip.h zlib.h xxhash.h CLI toml++ nlohmann doctest benchmark spng.h; do
  (cd /usr/include && cp -rL --parents "$header" "$folder/include/")
done
for header in dnnl_config.h dnnl_version.h zipconf.h zconf.h; do
  if [[ -e /usr/include/$triplet/$header ]]; then cp "/usr/include/$triplet/$header" "$folder/include/"; fi
done
# Header-only packages, whose descriptions find their headers from where they lie themselves.
for package in CLI11 nlohmann_json doctest; do
  for place in lib share; do
    for from in "/usr/$place/$triplet/cmake/$package" "/usr/$place/cmake/$package"; do
      if [[ -d $from ]]; then
        mkdir -p "$folder/$place/cmake"
        cp -rL "$from" "$folder/$place/cmake/"
      fi
    done
  done
done
for name in dnnl hdf5_serial zip z xxhash spng; do
  link=/usr/lib/$triplet/lib$name.so
  # Programs ask for the name that the library gives itself; linking asks for the short one.
  own_name=$(objdump -p "$link" | awk '/SONAME/ {print $2}')
  cp -L "$link" "$folder/lib/$own_name"
  ln -sf "$own_name" "$folder/lib/lib$name.so"
  ldd "$link" | awk '$3 ~ /^\// {print $3}' | while read -r needed; do
    case $(basename "$needed") in
      libc.so.* | libm.so.* | libstdc++.so.* | libgcc_s.so.* | libpthread.so.* | libdl.so.* | librt.so.* | libgomp.so.*) ;;
      *) cp -L "$needed" "$folder/lib/" ;;
    esac
  done
done
# Scripts of the report's charts: CMake looks for them beside headers.
mkdir -p "$folder/include/javascript"
cp -rL /usr/share/javascript/vega "$folder/include/javascript/"
# Its description finds the library by the way from one to the other.
mkdir -p "$folder/lib/$triplet/cmake"
cp -rL "/usr/lib/$triplet/cmake/benchmark" "$folder/lib/$triplet/cmake/"
cp -L "/usr/lib/$triplet"/libbenchmark*.a "$folder/lib/$triplet/"
cp -P "/usr/lib/$triplet"/libbenchmark*.so* "$folder/lib/$triplet/"
cp -P "/usr/lib/$triplet"/libbenchmark*.so.* "$folder/lib/"
cp -r .deps/cudnn-frontend "$folder/"
