// The order of an epoch: a permutation that is a function of (seed, epoch).
#pragma once

#include <cstdint>
#include <vector>

namespace inocula {

/// Fills `order` (its size is the number of images) with a permutation of 0 … size - 1.
void shuffle(std::uint64_t seed, std::uint32_t epoch, std::vector<std::int32_t>& order);

}  // namespace inocula
