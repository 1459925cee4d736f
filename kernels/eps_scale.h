// The factor of each row's radius, by the image that the row holds.
#pragma once

#include <cstdint>

namespace inocula {

/// gather_eps_scale: to[row] = share * factor[sample[row]]; 1 in place of a factor of padding, or where there
/// are none.
struct GatherEpsScale {
  const float* factor = nullptr;         ///< (images); may be null
  const std::int32_t* sample = nullptr;  ///< (rows): index of the image in its data set; negative: padding
  float* to = nullptr;                   ///< (rows)
  std::int64_t rows = 0;
  float share = 1;
};

}  // namespace inocula
