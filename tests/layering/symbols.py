#!/usr/bin/python3
"""Fails where objects of one instruction set export a symbol that another's may replace: symbols.py TARGET OBJECT...

Inline functions and templates outside the target's namespace have one name in the objects of all instruction sets.
The linker keeps one copy, and on a smaller processor that may be the wrong one (docs/adr/0009).
"""
import re
import subprocess
import sys

EXPORTED = re.compile(r"^[0-9a-f]* *([A-TV-Zu]) (\S+)$", re.M)  # U is undefined: somebody else's


def check(target, listing):
    """(number of exported symbols, names of those outside inocula::TARGET) of what nm prints."""
    symbols = [name for _, name in EXPORTED.findall(listing)]
    own = f"7inocula{len(target)}{target}"
    # Marks of the sanitizers; none is code.
    return len(symbols), sorted({name for name in symbols if own not in name and not name.startswith("__odr_asan")})


def main():
    target, *objects = sys.argv[1:]
    listing = subprocess.run(["nm", *objects], capture_output=True, text=True, check=True).stdout
    seen, strays = check(target, listing)
    for name in strays:
        print(f"{name}: exported outside of inocula::{target}; move it into the target's namespace or have it inlined")
    print(f"layering_symbols: {len(objects)} objects of {target}, {seen} symbols, {len(strays)} violations")
    return 1 if strays or not seen else 0


if __name__ == "__main__":
    sys.exit(main())
