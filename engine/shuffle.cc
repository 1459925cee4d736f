// Images sorted by a random key of their own.
#include "engine/shuffle.h"

#include <algorithm>
#include <numeric>

#include "kernels/draw.h"

namespace inocula {

void shuffle(std::uint64_t seed, std::uint32_t epoch, std::vector<std::int32_t>& order) {
  std::vector<std::uint64_t> key(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    const Philox4 words = draw4(seed, Draw::shuffle, 0, epoch, static_cast<std::uint32_t>(i), 0);
    key[i] = static_cast<std::uint64_t>(words.w[0]) << 32 | words.w[1];
  }
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
    return key[static_cast<std::size_t>(a)] != key[static_cast<std::size_t>(b)]
               ? key[static_cast<std::size_t>(a)] < key[static_cast<std::size_t>(b)]
               : a < b;
  });
}

}  // namespace inocula
