"""Writes ssim_values.h beside itself: SSIM of made-up images by the formula of scikit-image, with SciPy's filter.

    ssim_values.py

structural_similarity(gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1): Gaussian filters cut
at 3.5 deviations, and the mean over pixels whose window lies inside.
"""

import pathlib

import numpy as np
from scipy.ndimage import gaussian_filter


def ssim(x, y):
    mean = lambda image: gaussian_filter(image, 1.5, truncate=3.5)
    ux, uy = mean(x), mean(y)
    vx, vy, vxy = mean(x * x) - ux * ux, mean(y * y) - uy * uy, mean(x * y) - ux * uy
    c1, c2 = 0.01 ** 2, 0.03 ** 2
    s = (2 * ux * uy + c1) * (2 * vxy + c2) / ((ux * ux + uy * uy + c1) * (vx + vy + c2))
    return s[5:-5, 5:-5].mean()


def main():
    lines = []
    for height, width, change in ((11, 11, 1), (28, 28, 1), (28, 20, 3), (17, 40, 10)):
        i = np.arange(height * width)
        pattern = lambda extra: ((37 * i + 11 * i * i + extra) % 101 / 100).reshape(height, width)
        lines.append(f"    {{{height}, {width}, {change}, {ssim(pattern(0), pattern(change * (i % 7))):.9f}}},")
    path = pathlib.Path(__file__).with_name("ssim_values.h")
    path.write_text("""// SSIM of made-up images by scikit-image's formula, written by ssim_values.py.
#pragma once

#include <cstdint>

namespace inocula::test {

struct SsimValue {
  std::int64_t height, width, change;
  double ssim;
};

inline constexpr SsimValue kSsimValues[] = {
""" + "\n".join(lines) + """
};

}  // namespace inocula::test
""")


main()
