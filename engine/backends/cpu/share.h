// Who of a team does what, for kernels that are compiled for several instruction sets.
#pragma once

#include <cstdint>

#include "kernels/target.h"

INOCULA_BEGIN_TARGET

// Not std::min: the linker keeps one copy of a function of the standard library, for whichever instruction
// set.
inline std::int64_t smaller(std::int64_t a, std::int64_t b) {
  return a < b ? a : b;
}

/// Part `index` of `parts` about equal parts of [0, n).
struct Share {
  std::int64_t begin, end;
  Share(std::int64_t n, std::int64_t index, std::int64_t parts)
      : begin(n * index / parts), end(n * (index + 1) / parts) {}
};

INOCULA_END_TARGET
