// Which coordinates of a row a sparse step moves: those of the largest gradient that still have room.
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/for_each.h"
#include "kernels/target.h"

INOCULA_BEGIN_TARGET

/// A move along the gradient's sign of `length` in the L1 norm, negative downhill, in equal parts on the
/// `count` coordinates of largest |g| whose pixel is not at the border already to which it is to go; of equal
/// ones on those of lowest index. Where fewer have room and a gradient, on these. Coordinates at the border
/// whose |g| is as large are pushed beyond it by such a part: the projection onto ball and box then leaves
/// them there, where otherwise it would take from them too what the others have gained. A NaN counts as 0.
class SparseMove {
 public:
  /// All members of a team get the same. x in [lo, hi].
  INOCULA_DEVICE SparseMove(const Team& team, const float* gradient, const float* x, std::int64_t cols,
                            std::int64_t count, float length, float lo, float hi)
      : g_(gradient), x_(x), up_(length > 0), lo_(lo), hi_(hi) {
    const double most = free_from(team, cols, 1), all = static_cast<double>(count);
    const double moved = most < all ? most : all;
    if (!(moved > 0)) return;
    part_ = static_cast<float>(length / moved);
    // Floats are in order as their bits are: of at least `threshold_` there are enough, of `over` too few.
    std::int32_t over = kInfinityBits + 1;
    threshold_ = 1;
    while (over - threshold_ > 1) {
      const std::int32_t middle = threshold_ + (over - threshold_) / 2;
      (free_from(team, cols, middle) >= moved ? threshold_ : over) = middle;
    }
    const double ties = moved - free_from(team, cols, over);
    std::int64_t few = 0;
    ties_end_ = cols;
    if (free_ties(team, cols) > ties)
      while (ties_end_ - few > 1) {
        const std::int64_t middle = few + (ties_end_ - few) / 2;
        (free_ties(team, middle) >= ties ? ties_end_ : few) = middle;
      }
  }

  /// What is added to x[i].
  INOCULA_DEVICE float operator()(std::int64_t i) const {
    const std::int32_t size = size_of(i);
    const bool tie = size == threshold_ && (i < ties_end_ || !has_room(i));
    const float part = g_[i] > 0 ? part_ : -part_;
    return size > threshold_ || tie ? part : 0.0f;
  }

 private:
  static constexpr std::int32_t kInfinityBits = 0x7F800000;

  /// The bits of |g|, 0 for a NaN.
  INOCULA_DEVICE std::int32_t size_of(std::int64_t i) const {
    std::int32_t bits;
    memcpy(&bits, g_ + i, sizeof bits);
    bits &= 0x7FFFFFFF;
    return bits > kInfinityBits ? 0 : bits;
  }
  INOCULA_DEVICE bool has_room(std::int64_t i) const {
    const float room = (g_[i] > 0) == up_ ? hi_ - x_[i] : x_[i] - lo_;
    return room > 0;
  }
  /// Coordinates with room of at least that size.
  INOCULA_DEVICE double free_from(const Team& team, std::int64_t cols, std::int32_t least) const {
    const SparseMove* const self = this;
    return team.sum(cols, [=](std::int64_t i) {
      const float room = self->has_room(i) ? 1.0f : 0.0f;
      return self->size_of(i) >= least ? room : 0.0f;
    });
  }
  /// Coordinates below `end` with room and of the threshold's size.
  INOCULA_DEVICE double free_ties(const Team& team, std::int64_t end) const {
    const SparseMove* const self = this;
    return team.sum(end, [=](std::int64_t i) {
      const float room = self->has_room(i) ? 1.0f : 0.0f;
      return self->size_of(i) == self->threshold_ ? room : 0.0f;
    });
  }

  const float* g_;
  const float* x_;
  bool up_;
  float lo_, hi_;
  float part_ = 0;
  std::int32_t threshold_ = kInfinityBits + 1;
  std::int64_t ties_end_ = 0;
};

/// Passes over a row that finding the threshold takes.
inline constexpr std::int64_t kSparseMoveCost = 34;

INOCULA_END_TARGET
