// SSIM of made-up images by scikit-image's formula, written by ssim_values.py.
#pragma once

#include <cstdint>

namespace inocula::test {

struct SsimValue {
  std::int64_t height, width, change;
  double ssim;
};

inline constexpr SsimValue kSsimValues[] = {
    {11, 11, 1, 0.995781878},
    {28, 28, 1, 0.857497277},
    {28, 20, 3, 0.597248394},
    {17, 40, 10, 0.045790499},
};

}  // namespace inocula::test
