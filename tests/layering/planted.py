#!/usr/bin/python3
"""Plants one violation of each kind in a sound little tree and demands that the layering test names it."""
import sys
import tempfile
from pathlib import Path

import layering
import symbols

SOUND = {
    "CMakeLists.txt": "# How the tree is built.\n",
    "test.sh": "#!/bin/sh\n# Runs all the tests.\n",
    "kernels/add.h": "// Adds two numbers.\n#include <cstdint>\n",
    "kernels/for_each.h": "// The two launch shapes.\n#if 1\n  #  include <cuda_runtime.h>\n#endif\n",
    "engine/error.h": "// How the library fails.\nvoid fail() { throw 1; }\n",
    "engine/device.h": "// One device and its kernels.\n#include \"kernels/add.h\"\n",
    "engine/device.cc": "// Opens a device by name.\n#include \"engine/backends/cpu/conv.h\"\n",
    "engine/backends/cpu/conv.h": "// Convolution by oneDNN.\n#include <oneapi/dnnl/dnnl.hpp>\n",
    "engine/backends/cuda/conv.h": "// Convolution by cuDNN.\n#include <cudnn.h>\n",
    "attacks/pgd.h": "// Projected gradient descent.\n#include \"engine/device.h\"\n#include \"kernels/add.h\"\n",
    "io/hdf5.h": "// Reading HDF5 files.\n#include \"engine/error.h\"\n",
    "io/hdf5.cc": "// Reading HDF5 files.\n#include <hdf5.h>\n#include <sys/stat.h>\n#include <nlohmann/json.hpp>\n",
    "io/strict_json.h": "// JSON from files of unknown origin: bounded depth, no key twice. For sources of\n// io/ only.\n"
                        "#include <nlohmann/json.hpp>\n",
    "io/npz.cc": "// Reading zip archives.\n#include <xxhash.h>\n#include <zip.h>\n#include <zlib.h>\n",
    "tools/config.cc": "// Reading configurations.\n#include <toml++/toml.h>\n",
    "kernels/vector.h": "// Vectors by hand.\n#include <immintrin.h>\n#include <omp.h>\n",
    "io/report.cc": "// Writing reports.\n#include \"io/strict_json.h\"\n",
    "models/resnet.h": "// Residual networks as data.\n#include \"engine/device.h\"\n",
    "tools/main.cc": "// The command line.\n#include <CLI/CLI.hpp>\n#include \"attacks/pgd.h\"\nvoid f() { puts(\"\"); }\n",
    "tests/all.cc": "// All the tests.\n#include <doctest/doctest.h>\n#include \"engine/backends/cpu/conv.h\"\n",
    # What merely looks like a violation: in comments, in strings, and beside the forbidden words.
    "engine/sound.cc": (
        "// Looks forbidden and is not.\n"
        "// #include \"io/hdf5.h\", std::cout, exit(1)\n"
        "/* abort();\n   throw 1; */\n"
        "static_assert(true);\n"
        "const char* text = \"printf( std::cerr \\\" exit(1)\";\n"
        "const char* raw = R\"x(abort(); \" )x\";\n"
        "const int million = 1'000'000;\n"
        "int f(char* to) { return snprintf(to, 1, \"\"); }\n"
        "void g(Step& step) { step.exit(1); Program::terminate(step); }\n"
        "void h() { try { f(nullptr); } catch (...) { throw; } }\n"),
}

# (file, what follows its caption, the rule that must speak)
PLANTED = [
    ("kernels/bad.h", '#include "engine/device.h"\n', "upward"),
    ("engine/bad.h", '#include "attacks/pgd.h"\n', "upward"),
    ("engine/bad.cc", '  #  include "tools/main.cc"\n', "upward"),
    ("models/bad.h", '#include "tests/all.cc"\n', "upward"),
    ("tools/bad.cc", '#include "tests/all.cc"\n', "upward"),
    ("attacks/bad.h", '#include "io/hdf5.h"\n', "sideways"),
    ("attacks/bad.cc", '#include "models/resnet.h"\n', "sideways"),
    ("io/bad.cc", '#include "attacks/pgd.h"\n', "sideways"),
    ("io/bad.h", '#include "models/resnet.h"\n', "sideways"),
    ("models/bad.h", '#include "attacks/pgd.h"\n', "sideways"),
    ("models/bad.cc", '#include "io/hdf5.h"\n', "sideways"),
    ("engine/bad.h", '#include "engine/backends/cpu/conv.h"\n', "backend"),
    ("engine/layers/bad.cc", '#include "engine/backends/cpu/conv.h"\n', "backend"),
    ("engine/backends/cuda/bad.h", '#include "engine/backends/cpu/conv.h"\n', "backend"),
    ("attacks/bad.cc", '#include "engine/backends/cpu/conv.h"\n', "backend"),
    ("io/bad.h", '#include "io/strict_json.h"\n', "private"),
    ("tools/bad.cc", '#include "io/strict_json.h"\n', "private"),
    ("engine/bad.cc", "#include <dnnl.hpp>\n", "vendor"),
    ("engine/backends/cuda/bad.cc", "#include <oneapi/dnnl/dnnl.hpp>\n", "vendor"),
    ("kernels/bad.inl", "#include <cuda_runtime.h>\n", "vendor"),
    ("engine/backends/cpu/bad.cc", '#include "cublas_v2.h"\n', "vendor"),
    ("tools/bad.cc", "#include <cudnn.h>\n", "vendor"),
    ("models/bad.cc", "#include <thrust/sort.h>\n", "vendor"),
    ("io/bad.h", "#include <hdf5.h>\n", "vendor"),
    ("tools/bad.cc", "#include <H5Fpublic.h>\n", "vendor"),
    ("engine/bad.cc", "#include <zip.h>\n", "vendor"),
    ("attacks/bad.cc", "#include <zlib.h>\n", "vendor"),
    ("tools/bad.cc", "#include <xxhash.h>\n", "vendor"),
    ("attacks/bad.cc", "#include <nlohmann/json.hpp>\n", "vendor"),
    ("io/bad.h", "#include <nlohmann/json.hpp>\n", "vendor"),
    ("io/bad.cc", "#include <CLI/CLI.hpp>\n", "vendor"),
    ("engine/bad.cc", "#include <toml++/toml.h>\n", "vendor"),
    ("io/bad.cc", "#include <immintrin.h>\n", "vendor"),
    ("attacks/bad.cc", "#include <omp.h>\n", "vendor"),
    ("kernels/bad.h", "#include <unistd.h>\n", "vendor"),
    ("engine/bad.h", "#include <Eigen/Dense>\n", "unknown"),
    ("engine/bad.h", '#include "device.h"\n', "unknown"),
    ("engine/bad.h", '#include "../kernels/add.h"\n', "unknown"),
    ("engine/bad.cc", "#include HEADER\n", "unknown"),
    ("engine/bad.cc", '#include "kernels/absent.h"\n', "missing"),
    ("engine/bad.cc", "#include <kernels/add.h>\n", "missing"),
    ("engine/bad.cc", "void f() { std::cout << 1; }\n", "output"),
    ("models/bad.cc", "void f() { std::cerr << 1; }\n", "output"),
    ("io/bad.cc", 'void f() { fprintf(stderr, ""); }\n', "output"),
    ("attacks/bad.cc", 'void f() { printf(""); }\n', "output"),
    ("kernels/bad.inl", 'void f() { std::puts(""); }\n', "output"),
    ("engine/bad.cc", "void f() { std::exit(1); }\n", "exit"),
    ("engine/bad.cc", "void f() { ::abort (); }\n", "exit"),
    ("kernels/bad.h", "void f(int n) { assert(n > 0); }\n", "exit"),
    ("io/bad.cc", "void f() { throw std::runtime_error(text); }\n", "throw"),
    ("attacks/bad.cc", "std::mt19937_64 generator;\n", "random"),
    ("attacks/bad.cc", "int f() { return rand(); }\n", "random"),
    ("src/bad.cc", "", "place"),
]

CAPTIONLESS = [
    ("kernels/bad.h", "#pragma once\n"),
    ("kernels/bad.h", ""),
    ("engine/bad.cc", "// bad.cc\n"),
    ("engine/bad.cc", "// This sentence has no end\n#include <vector>\n"),
    ("engine/bad.cc", "// This sentence\n// is no caption,\n// but a paragraph.\n"),
    ("engine/CMakeLists.txt", "add_library(engine)\n"),
    ("tests/bad.py", "#!/usr/bin/python3\nimport sys\n"),
    ("quickstart.sh", "#!/bin/sh\nset -eu\n"),
]

# What nm prints for one sound object of the target cpu_avx2, and lines that must not be in it.
OBJECT = """
best.cc.o:
                 U _ZN7inocula12cpu_baseline5otherEv
0000000000000000 T _ZN7inocula8cpu_avx29keep_bestERKNS_5QueueE
0000000000000000 W _ZN7inocula8cpu_avx28for_eachINS0_3AddEEEvT_
0000000000000010 t _ZL5quietv
0000000000000020 r .LC0
"""
STRAYS = [
    "0000000000000000 W _ZNK7inocula10PlaneShape6blocksEv",
    "0000000000000000 W _ZSt4moveIRiEONSt16remove_referenceIT_E4typeEOS2_",
    "0000000000000000 u _ZZ5cachevE5value",
    "0000000000000000 T _ZN7inocula12cpu_baseline3addEv",
    "0000000000000000 D counter",
]


def plant(root, tree):
    for path, text in tree.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")


def verdict(path, text, rule):
    """None if exactly the planted violation is reported, else what went wrong."""
    with tempfile.TemporaryDirectory() as folder:
        plant(Path(folder), {**SOUND, path: text})
        _, violations = layering.check(Path(folder))
    if len(violations) == 1 and violations[0].startswith(f"{path}:") and f": {rule}: " in violations[0]:
        return None
    return f"{path} with {text!r}: expected one '{rule}', got {violations}"


def main():
    with tempfile.TemporaryDirectory() as folder:
        plant(Path(folder), SOUND)
        seen, violations = layering.check(Path(folder))
    wrong = [f"the sound tree: {violation}" for violation in violations]
    if seen != len(SOUND):
        wrong.append(f"the sound tree has {len(SOUND)} files, {seen} were read")
    cases = [(path, "// Planted for the test.\n" + text, rule) for path, text, rule in PLANTED]
    cases += [(path, text, "caption") for path, text in CAPTIONLESS]
    wrong += filter(None, (verdict(*case) for case in cases))
    if symbols.check("cpu_avx2", OBJECT) != (2, []):
        wrong.append(f"the sound object: {symbols.check('cpu_avx2', OBJECT)}")
    for stray in STRAYS:
        if symbols.check("cpu_avx2", OBJECT + stray)[1] != stray.split()[-1:]:
            wrong.append(f"{stray}: not reported")
    for surprise in wrong:
        print(surprise)
    print(f"layering_can_fail: {len(cases) + len(STRAYS)} violations planted, {len(wrong)} surprises")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
