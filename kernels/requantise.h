// Images brought back to the grey levels that a file can hold, without leaving the ball.
#pragma once

#include <cstdint>

#include "kernels/nearest.h"

namespace inocula {

/// requantise: y = k / levels, k the whole number nearest to levels * x, but for the ball: in linf a pixel
/// whose nearest level is further than eps from its clean one takes the next level towards it. In l2 and l1 a
/// row whose nearest levels are further than eps rounds every difference down from a fraction that is
/// bisected: 1/2 is the nearest, 1 towards the clean pixel, and the least that the ball allows is taken. In
/// l0 levels are the nearest. Where a pixel's level is that of its clean one, y is the clean float itself.
/// Distances are those of the levels, whose floats are off by up to 2^-25; a radius is met from 2^-20 of it
/// beyond, so that 8 / 255 as a float are eight levels of 255. Clean pixels lie on the grid. A NaN becomes
/// its clean pixel.
struct Requantise {
  const float* x = nullptr;          ///< (rows, cols), in [0, 1] and in the ball
  const float* clean = nullptr;      ///< (rows, cols), in [0, 1]
  float* y = nullptr;                ///< (rows, cols); may be x
  const float* eps_scale = nullptr;  ///< (rows): factors of eps; null: 1
  std::int64_t rows = 0, cols = 0;
  float levels = 255;
  float eps = 0;  ///< may be infinite
  Distance norm = Distance::linf;
};

}  // namespace inocula
