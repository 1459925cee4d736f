"""Writes augmix_pillow.h beside itself: what Pillow makes of an image, operation by operation.

    augmix_pillow.py

Operations and their parameters are those of the authors' program (Hendrycks et al., "AugMix", ICLR 2020), called as
it calls Pillow. The image is a formula that augmix_test.cc repeats.
"""

import pathlib

import PIL
from PIL import Image, ImageEnhance, ImageOps

WIDTH, HEIGHT = 20, 15


def level_at(channel, row, column):
    mixed = ((row * 31 + column * 17 + channel * 13 + 1) * 2654435761) % 2**32
    return 20 + (row * 7 + column * 5 + channel * 40 + (mixed >> 27)) % 200


def image_of(channels):
    planes = [Image.new("L", (WIDTH, HEIGHT)) for _ in range(channels)]
    for channel, plane in enumerate(planes):
        plane.putdata([level_at(channel, row, column) for row in range(HEIGHT) for column in range(WIDTH)])
    return planes[0] if channels == 1 else Image.merge("RGB", planes)


def float_parameter(level, largest):
    return float(level) * largest / 10.0


def int_parameter(level, largest):
    return int(level * largest / 10)


def moved(image, matrix):
    return image.transform(image.size, Image.AFFINE, matrix, resample=Image.BILINEAR)


def enhanced(kind):
    return lambda image, level, sign: kind(image).enhance(float_parameter(level, 1.8) + 0.1)


OPERATIONS = {
    "autocontrast": lambda image, level, sign: ImageOps.autocontrast(image),
    "equalize": lambda image, level, sign: ImageOps.equalize(image),
    "posterize": lambda image, level, sign: ImageOps.posterize(image, 4 - int_parameter(level, 4)),
    "rotate": lambda image, level, sign: image.rotate(sign * int_parameter(level, 30), resample=Image.BILINEAR),
    "solarize": lambda image, level, sign: ImageOps.solarize(image, 256 - int_parameter(level, 256)),
    "shear_x": lambda image, level, sign: moved(image, (1, sign * float_parameter(level, 0.3), 0, 0, 1, 0)),
    "shear_y": lambda image, level, sign: moved(image, (1, 0, 0, sign * float_parameter(level, 0.3), 1, 0)),
    "translate_x": lambda image, level, sign: moved(image, (1, 0, sign * int_parameter(level, WIDTH / 3), 0, 1, 0)),
    "translate_y": lambda image, level, sign: moved(image, (1, 0, 0, 0, 1, sign * int_parameter(level, HEIGHT / 3))),
    "color": enhanced(ImageEnhance.Color),
    "contrast": enhanced(ImageEnhance.Contrast),
    "brightness": enhanced(ImageEnhance.Brightness),
    "sharpness": enhanced(ImageEnhance.Sharpness),
    "flip_horizontal": lambda image, level, sign: ImageOps.mirror(image),
    "flip_vertical": lambda image, level, sign: ImageOps.flip(image),
}

# Operation, channels, level, sign. Level 10 of posterize has no bits left, which Pillow makes black and we do not.
CASES = [
    *[(kind, 3, 1, 1) for kind in ("autocontrast", "equalize", "flip_horizontal", "flip_vertical")],
    ("equalize", 1, 1, 1),
    *[("posterize", 3, level, 1) for level in (1, 3, 6.5)],
    *[("solarize", 3, level, 1) for level in (2.9, 7.5)],
    *[(kind, 3, level, 1) for kind in ("color", "contrast", "brightness", "sharpness") for level in (1.3, 9.9)],
    *[("contrast", 1, 2.1, 1), ("color", 1, 2.1, 1), ("sharpness", 1, 2.1, 1)],
    *[("rotate", 1, level, sign) for level in (0.2, 1, 2.9, 10) for sign in (1, -1)],
    *[(kind, 1, level, sign) for kind in ("shear_x", "shear_y", "translate_x", "translate_y")
      for level, sign in ((2.9, 1), (2.9, -1), (9.7, 1))],
    *[(kind, 3, 2.5, 1) for kind in ("rotate", "shear_x")],
]


def header():
    """The text of augmix_pillow.h."""
    lines = [
        f"// What Pillow {PIL.__version__} makes of an image, written by augmix_pillow.py.",
        "#pragma once",
        "",
        "#include \"kernels/augmix.h\"",
        "",
        "namespace inocula::test {",
        "",
        "struct PillowResult {",
        "  ImageOp kind;",
        "  int channels;",
        "  double level;",
        "  bool negative;",
        "  const char* image;  ///< (channels, 15, 20), two hexadecimal digits a value",
        "};",
        "",
        "// clang-format off",
        "inline const PillowResult kPillowResults[] = {",
    ]
    for kind, channels, level, sign in CASES:
        made = OPERATIONS[kind](image_of(channels), level, sign)
        digits = b"".join(plane.tobytes() for plane in made.split()).hex()
        lines.append(f"    {{ImageOp::{kind}, {channels}, {level}, {'true' if sign < 0 else 'false'},")
        pieces = [digits[i:i + 100] for i in range(0, len(digits), 100)]
        lines.extend(f'     "{piece}"' for piece in pieces)
        lines[-1] += "},"
    lines += ["};", "// clang-format on", "", "}  // namespace inocula::test", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    pathlib.Path(__file__).with_name("augmix_pillow.h").write_text(header(), encoding="ascii")
