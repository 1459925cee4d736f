"""Today's Pillow makes of an image what augmix_pillow.h says that Pillow made: augmix_pillow_installed.py.

With the version that the header was written with every byte is the same. Another may round otherwise: one grey level
off on at most 5 values in a thousand of each operation.
"""

import pathlib
import re
import sys

try:
    import PIL
    import PIL.Image
except ImportError:
    print("skipped: PIL is not installed (Debian: python3-pil)")
    sys.exit(77)

import augmix_pillow

SHARE_FARTHER = 0.005
RESULT = re.compile(r'\{ImageOp::(\w+), (\d), ([\d.]+), (true|false),((?:\s*"[0-9a-f]+")+)\}')


def read(header):
    """(version, [(operation, channels, level, sign, values)])"""
    results = [(kind, int(channels), float(level), -1 if negative == "true" else 1,
                bytes.fromhex("".join(re.findall(r'"([0-9a-f]+)"', digits))))
               for kind, channels, level, negative, digits in RESULT.findall(header)]
    return re.search(r"What Pillow (\S+) makes", header)[1], results


def main():
    header = pathlib.Path(__file__).with_name("augmix_pillow.h").read_text(encoding="ascii")
    version, stored = read(header)
    made = read(augmix_pillow.header())[1]
    wrong = []
    if [result[:4] for result in made] != [result[:4] for result in stored] or not stored:
        wrong.append("the header holds other operations than augmix_pillow.py; write it anew")
    if version == PIL.__version__ and augmix_pillow.header() != header:
        wrong.append(f"Pillow {version} wrote another header")
    for was, now in zip(stored, made):
        farther = sum(abs(a - b) > 1 for a, b in zip(was[4], now[4]))
        if len(was[4]) != len(now[4]) or farther > SHARE_FARTHER * len(was[4]):
            wrong.append(f"{was[:4]}: {farther} of {len(was[4])} values are more than one level off")
    for failure in wrong:
        print("not so:", failure)
    print(f"{len(stored)} operations of Pillow {version}, made again by Pillow {PIL.__version__}: {len(wrong)} failures")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
