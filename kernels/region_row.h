// A row's share of a region.
#pragma once

#include "kernels/region.h"
#include "kernels/target.h"

INOCULA_BEGIN_TARGET

/// The mask of an image, (pixels); null where all of it may change, as of padding.
INOCULA_HD inline const std::uint8_t* mask_of(const Region& region, std::int32_t sample) {
  return region.mask == nullptr || sample < 0 ? nullptr : region.mask + sample * region.stride;
}

INOCULA_END_TARGET
