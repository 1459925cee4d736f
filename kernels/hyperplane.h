// The nearest point of a hyperplane inside a box, for one row and its team: FAB's projection.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "kernels/for_each.h"
#include "kernels/nearest.h"
#include "kernels/target.h"

INOCULA_BEGIN_TARGET

/// A move d of x with <w, d> = -residual, x + d in [lo, hi] and the least norm; where the box does not reach
/// the hyperplane, as far towards it as the box allows. Each coordinate moves against the residual's growth,
/// by at most the room that the box leaves:
///   linf: by the multiplier;
///   l2:   by the multiplier times |w|;
///   l1:   wholly where |w| is above a threshold, by a share of the room where it is the threshold.
/// Multiplier and share solve a monotone piecewise-linear equation. A w that is 0 or not finite moves
/// nothing.
class HyperplaneMove {
 public:
  /// All members of a team get the same. `norm` is linf, l2 or l1; x in [lo, hi].
  INOCULA_DEVICE HyperplaneMove(const Team& team, Distance norm, const float* w, const float* x,
                                std::int64_t cols, double residual, float lo, float hi)
      : norm_(norm), residual_(residual), lo_(lo), hi_(hi) {
    if (!(fabs(residual) > 0)) return;  // there already, or nowhere
    if (norm == Distance::l1)
      find_threshold(team, w, x, cols);
    else
      find_multiplier(team, w, x, cols);
  }

  /// d of one coordinate.
  INOCULA_DEVICE double operator()(float w, float x) const {
    const double length = length_of(w, x), weight = weight_of(w);
    return (weight > 0) == (residual_ > 0) ? -length : length;
  }
  /// |d| of one coordinate.
  INOCULA_DEVICE double length_of(float w, float x) const {
    const double size = fabs(weight_of(w)), room = room_of(w, x);
    if (norm_ == Distance::l1) {
      const double part = size > threshold_ ? 1.0 : size == threshold_ ? share_ : 0.0;
      return size > 0 ? part * room : 0.0;
    }
    const double free = free_length(size);
    return free < room ? free : room;
  }

 private:
  INOCULA_DEVICE static double weight_of(float w) {
    return w - w == 0 ? static_cast<double>(w) : 0.0;  // infinity less itself is a NaN
  }
  INOCULA_DEVICE double room_of(float w, float x) const {
    const double weight = weight_of(w);
    if (weight == 0) return 0;
    const bool down = (weight > 0) == (residual_ > 0);
    return down ? static_cast<double>(x) - lo_ : static_cast<double>(hi_) - x;
  }
  INOCULA_DEVICE double pace(double size) const { return norm_ == Distance::linf ? 1.0 : size; }
  /// How far a coordinate would go if there were room.
  INOCULA_DEVICE double free_length(double size) const {
    // Not infinity times 0.
    return size > 0 ? multiplier_ * pace(size) : 0.0;
  }

  /// Newton's method on sum of |w| min(multiplier pace, room), which is concave: from 0 it climbs to the
  /// solution from below, and stands still at it as soon as the coordinates without room are the right ones.
  INOCULA_DEVICE void find_multiplier(const Team& team, const float* w, const float* x, std::int64_t cols) {
    const double wanted = fabs(residual_);
    const HyperplaneMove* const self = this;
    for (int turn = 0; turn < kMostTurns; ++turn) {
      const double multiplier = multiplier_;
      const double used_up = team.sum(cols, [=](std::int64_t i) {
        const double size = fabs(weight_of(w[i])), room = self->room_of(w[i], x[i]);
        return multiplier * self->pace(size) >= room ? size * room : 0.0;
      });
      const double slope = team.sum(cols, [=](std::int64_t i) {
        const double size = fabs(weight_of(w[i])), room = self->room_of(w[i], x[i]);
        return multiplier * self->pace(size) >= room ? 0.0 : size * self->pace(size);
      });
      if (!(slope > 0)) {  // all room is used up
        multiplier_ = INFINITY;
        return;
      }
      const double next = (wanted - used_up) / slope;
      if (!(next > multiplier)) return;
      multiplier_ = next;
    }
  }

  /// The least float above which the rooms of all larger |w| do not reach the hyperplane, by bisection:
  /// floats are in order as their bits are.
  INOCULA_DEVICE void find_threshold(const Team& team, const float* w, const float* x, std::int64_t cols) {
    const double wanted = fabs(residual_);
    const HyperplaneMove* const self = this;
    const auto reached_above = [=](float threshold) {
      return team.sum(cols, [=](std::int64_t i) {
        const double size = fabs(weight_of(w[i]));
        return size > threshold ? size * self->room_of(w[i], x[i]) : 0.0;
      });
    };
    if (reached_above(0) <= wanted) {
      threshold_ = 0;
      return;
    }
    const float peak =
        team.largest(cols, 0.0f, [=](std::int64_t i) { return static_cast<float>(fabs(weight_of(w[i]))); });
    std::int32_t over = 0,
                 under;  // above `over` the rooms are more than is wanted, above `under` they are not
    memcpy(&under, &peak, sizeof under);
    while (under - over > 1) {
      const std::int32_t middle = over + (under - over) / 2;
      float threshold;
      memcpy(&threshold, &middle, sizeof threshold);
      (reached_above(threshold) <= wanted ? under : over) = middle;
    }
    float threshold;
    memcpy(&threshold, &under, sizeof threshold);
    const double at_threshold = team.sum(cols, [=](std::int64_t i) {
      const double size = fabs(weight_of(w[i]));
      return size == threshold ? size * self->room_of(w[i], x[i]) : 0.0;
    });
    threshold_ = threshold;
    share_ = (wanted - reached_above(threshold)) / at_threshold;
  }

  /// More than are ever needed: each turn another coordinate runs out of room, and most run out together.
  static constexpr int kMostTurns = 200;

  Distance norm_;
  double residual_;
  float lo_, hi_;
  double multiplier_ = 0;
  double threshold_ = INFINITY, share_ = 0;
};

/// The norm of f(i), all 0 or more, over [0, n).
template <class F>
INOCULA_DEVICE double norm_of(const Team& team, Distance norm, std::int64_t n, F f) {
  if (norm == Distance::linf) return team.largest(n, 0.0, f);
  if (norm == Distance::l1) return team.sum(n, f);
  return sqrt(team.sum(n, [=](std::int64_t i) { return f(i) * f(i); }));
}

INOCULA_END_TARGET
