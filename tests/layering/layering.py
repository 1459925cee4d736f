#!/usr/bin/python3
"""Fails where a source file breaks the house's floors, prints or exits in the library, or lacks its caption."""
import re
import sys
from pathlib import Path

# A file may include from its own folder and from lower floors. Equal floors are blind to each other.
FLOORS = {"kernels": 0, "engine": 1, "attacks": 2, "io": 2, "models": 2, "tools": 3, "bench": 4, "tests": 4}
LIBRARY = ("kernels", "engine", "attacks", "io", "models")
LOOK_EVERYWHERE = ("bench", "tests")
SOURCES = (".h", ".inl", ".cc", ".cu", ".hpp", ".hh", ".cuh", ".cpp", ".cxx", ".c")
SCRIPTS = (".py", ".sh", ".cmake")
NO_SOURCES = re.compile(r"build|runs$|docs$|[.](?!ci$)")  # top folders that hold none of our sources

STANDARD = re.compile(r"[a-z_]+")  # <vector>, <cstdint>: no slash, no suffix

# (what, the headers' names, the files that may include them)
VENDORS = [(what, re.compile(headers), re.compile(homes)) for what, headers, homes in (
    ("oneDNN", r"dnnl|oneapi/", r"engine/backends/cpu/"),
    ("CUDA", r"cu(da|dnn|blas|rand|fft|solver|sparse|b/)|nccl|nvtx|nvrtc|thrust/|cooperative_groups|mma\.h",
     r"engine/backends/cuda/|kernels/for_each\.h$|kernels/.*\.cu$"),
    ("HDF5", r"hdf5|H5", r"io/.*\.cc$"),
    ("libzip", r"zip(conf)?\.h", r"io/.*\.cc$"),
    ("zlib", r"z(lib|conf)\.h", r"io/.*\.cc$"),
    ("xxHash", r"xxh", r"io/.*\.cc$"),
    ("libspng", r"spng", r"io/.*\.cc$"),
    ("nlohmann-json", r"nlohmann/", r"io/.*\.cc$|io/strict_json\.h$|tools/"),
    ("CLI11", r"CLI", r"tools/"),
    ("toml++", r"toml", r"tools/"),
    ("an instruction set", r"(\w*intrin|arm_neon|arm_sve|cpuid)\.h", r"kernels/|engine/"),
    ("OpenMP", r"omp\.h", r"kernels/|engine/"),
    ("the operating system", r"(sys/.*|unistd|fcntl|signal|sched|pthread|dlfcn|termios)\.h",
     r"(engine|io|tools)/.*\.cc$"),
)]

# Headers that show a vendor's types, and the files that may include them.
PRIVATE = {"io/strict_json.h": re.compile(r"io/.*\.cc$")}

# (rule, what must not appear, where it may all the same, why): library folders only, comments and strings aside
FORBIDDEN = [(rule, re.compile(pattern), re.compile(homes), why) for rule, pattern, homes, why in (
    ("output", r"\bstd::(cout|cerr|clog)\b|\bstd(out|err)\b"
               r"|(?<![\w.>:])(std::|::)?(printf|vprintf|puts|putchar|perror)\s*\(",
     r"$^", "only tools/ speaks to people"),
    ("exit", r"(?<![\w.>:])(std::|::)?(exit|_exit|_Exit|quick_exit|abort|terminate|assert)\s*\(",
     r"$^", "the library never ends the process; fail() throws"),
    ("throw", r"\bthrow\b(?!\s*;)", r"engine/error\.h$", "errors are thrown by fail() of engine/error.h alone"),
    ("random", r"\bstd::(random_device|mt19937\w*|default_random_engine|rand)\b|(?<![\w.>:])s?rand\s*\(",
     r"$^", "a random number is a function: kernels/draw.h"),
)]

INCLUDE = re.compile(r"^[ \t]*#[ \t]*include\b[ \t]*(.*)$", re.M)
TOKEN = re.compile(
    r'(?P<comment>//[^\n]*|/\*.*?\*/)'
    r'|(?P<string>R"([^(\s"]*)\(.*?\)\3"|"(?:\\.|[^"\\\n])*"|\'(?:\\[^\']+|[^\'\\\n])\')',
    re.S)
# A sentence on the first line, or on the first two where it is long.
CAPTIONS = {"//": re.compile(r"// \S+( \S+)*(\n//)?( \S+)+[.]\n"),
            "#": re.compile(r'(# |""")\S+( \S+)*(\n#)?( \S+)+[.](""")?\n')}


def blank(text, strings):
    """The text with comments, and strings where asked, made empty; line numbers stay."""
    def replace(token):
        if token["comment"] is None and not strings:
            return token[0]
        return "\n" * token[0].count("\n") or ("" if token["comment"] else '""')
    return TOKEN.sub(replace, text)


def check_include(root, path, name):
    """(rule, complaint) if the file at `path` may not include `name`, else None."""
    home, *_ = path.split("/")
    target, *rest = name.split("/")
    if not rest or target not in FLOORS:
        return check_foreign(home, path, name)
    if not (root / name).is_file():
        return "missing", "names no file of the repository"
    if home in LOOK_EVERYWHERE:
        return None
    if target != home and FLOORS[target] >= FLOORS[home]:
        rule = "sideways" if FLOORS[target] == FLOORS[home] else "upward"
        return rule, f"{home}/ may not look into {target}/"
    backend = re.match(r"engine/backends/[^/]+/", name)
    if backend and not path.startswith(backend[0]) and not re.match(r"engine/[^/]+\.cc$", path):
        return "backend", "a backend is seen by itself and by engine/*.cc alone"
    if name in PRIVATE and not PRIVATE[name].match(path):
        return "private", "shows a vendor's types and is for its own folder's sources"
    return None


def check_foreign(home, path, name):
    if home in LOOK_EVERYWHERE or STANDARD.fullmatch(name):
        return None
    for what, headers, homes in VENDORS:
        if headers.match(name):
            return None if homes.match(path) else ("vendor", f"{what} may not be seen from here")
    return "unknown", "neither a file of the repository from its root, nor a header this test knows"


def check_source(root, path, text):
    """All violations of one C++ or CUDA file, as (line, rule, complaint)."""
    code = blank(text, strings=False)
    for include in INCLUDE.finditer(code):
        line = code.count("\n", 0, include.start()) + 1
        quoted = re.match(r'"([^"]+)"|<([^>]+)>', include[1])
        if not quoted:
            yield line, "unknown", f"an include this test cannot read: {include[1]}"
            continue
        name = quoted[1] or quoted[2]
        if quoted[2] and name.split("/")[0] in FLOORS and "/" in name:
            yield line, "missing", f"<{name}>: our own files are included in quotes"
            continue
        complaint = check_include(root, path, name)
        if complaint:
            yield line, complaint[0], f"{name}: {complaint[1]}"
    if path.split("/")[0] in LIBRARY:
        code = blank(text, strings=True)
        for rule, pattern, homes, why in FORBIDDEN:
            if homes.match(path):
                continue
            for match in pattern.finditer(code):
                yield code.count("\n", 0, match.start()) + 1, rule, f"{match[0].strip()}: {why}"


def check_caption(text, comment):
    shebang = re.match(r"#!.*\n", text)
    if not CAPTIONS[comment].match(text, shebang.end() if shebang else 0):
        yield 1, "caption", "does not begin with one sentence that says what the file is for"


def files(root):
    for top in sorted(root.iterdir()):
        if top.is_file():
            yield top
        elif not NO_SOURCES.match(top.name):
            yield from sorted(path for path in top.rglob("*") if path.is_file())


def check(root):
    """(number of files read, violations as lines of text)."""
    seen, violations = 0, []
    for file in files(root):
        path = file.relative_to(root).as_posix()
        is_source = file.suffix in SOURCES
        is_script = file.suffix in SCRIPTS or file.name == "CMakeLists.txt" or path == ".ci/run"
        if not (is_source or is_script) or "__pycache__" in path:
            continue
        seen += 1
        text = file.read_text(encoding="utf-8")
        found = list(check_caption(text, "//" if is_source else "#"))
        if is_source and path.split("/")[0] not in FLOORS:
            found.append((1, "place", "sources live in " + ", ".join(FLOORS)))
        elif is_source:
            found += check_source(root, path, text)
        violations += [f"{path}:{line}: {rule}: {complaint}" for line, rule, complaint in found]
    return seen, violations


def main():
    seen, violations = check(Path(sys.argv[1]))
    for violation in violations:
        print(violation)
    print(f"layering: {seen} files read, {len(violations)} violations")
    return 1 if violations or seen == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
