"""Collects the libraries for a machine without packages and configures from that folder: nothing else may be found.

collected_folder.py REPOSITORY CMAKE
"""
import re
import subprocess
import sys
import tempfile
from pathlib import Path

# What a compiler brings along, and what runs scripts.
FROM_THE_SYSTEM = re.compile(r"OpenMP|PYTHON|CMAKE|INSTALL|CUDA|cuda|_SOURCE_DIR|_BINARY_DIR", re.IGNORECASE)
LEAST = 15  # libraries, headers and package descriptions


def main(repository, cmake):
    with tempfile.TemporaryDirectory() as folder:
        libraries, build = Path(folder) / "libraries", Path(folder) / "build"
        subprocess.run([Path(repository) / "tools/setup/collect_libraries.sh", libraries], check=True, stdout=subprocess.DEVNULL)
        subprocess.run([cmake, "-S", repository, "-B", build, f"-DCMAKE_PREFIX_PATH={libraries}", "-DCMAKE_BUILD_TYPE=Release",
                        "-DINOCULA_CUDA=OFF", "-DBUILD_TESTING=ON", "-DINOCULA_BENCH=ON",
                        "-DCMAKE_REQUIRE_FIND_PACKAGE_benchmark=ON"], check=True, stdout=subprocess.DEVNULL)
        inside, outside = 0, []
        for line in (build / "CMakeCache.txt").read_text().splitlines():
            entry = re.fullmatch(r"([\w+-]+):(?:FILEPATH|PATH)=(/.+)", line)
            if entry is None or FROM_THE_SYSTEM.search(entry[1]):
                continue
            if entry[2].startswith(str(libraries)):
                inside += 1
            else:
                outside.append(line)
        print(f"{inside} from the folder, {len(outside)} from elsewhere", *outside, sep="\n")
        return 0 if inside >= LEAST and not outside else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
