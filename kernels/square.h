// The Square attack: squares of one change at random places, kept where the network's margin falls.
//
// Andriushchenko, Croce, Flammarion, Hein, "Square Attack: a query-efficient black-box adversarial attack via
// random search", ECCV 2020. Each sample has a search of its own: its windows, its signs, its end.
#pragma once

#include <cstdint>

#include "kernels/step_state.h"

namespace inocula {

/// A sample's search between two queries.
struct SquareSearch {
  float loss = 0;           ///< of the best image; -infinity before the first answer
  std::int32_t broken = 0;  ///< 1: the best image is not taken for its label, and the search is over
  std::int32_t turn = 0;    ///< windows drawn
  std::int32_t top = 0, left = 0, side = 0;  ///< the window in which the candidate differs; side 0: none
};

/// From turn number `from` on windows are `side` pixels wide and high.
struct SquarePhase {
  std::int32_t from = 0, side = 0;
};
/// The share of pixels in a window falls from p to p / 512 by halves.
inline constexpr int kSquarePhases = 10;

struct SquareAttack {
  float* x = nullptr;                       ///< (rows, channels, height, width): the next candidates
  float* best = nullptr;                    ///< the same shape: per sample the one of highest loss so far
  const float* clean = nullptr;             ///< the same shape, in [lo, hi]
  SquareSearch* search = nullptr;           ///< (rows)
  std::int32_t* done = nullptr;             ///< (rows): 1 where the search is over, or the row is padding
  const float* loss = nullptr;              ///< (rows): margin_loss of x; not read by the starts
  const std::int32_t* predicted = nullptr;  ///< (rows): of x; not read by the starts
  const std::int32_t* label = nullptr;      ///< (rows); not read by the starts
  const std::int32_t* sample = nullptr;     ///< (rows): index of the image in its data set
  const StepState* state = nullptr;
  const std::int32_t* restart =
      nullptr;  ///< (rows): number of each row's draws, added to the state's; may be null
  std::int64_t rows = 0, channels = 0, height = 0, width = 0;
  float eps = 0;
  float lo = 0, hi = 1;
  SquarePhase phase[kSquarePhases] = {};  ///< `from` rising, of the first 0; sides in [1, min(height, width)]
  const float* eps_scale = nullptr;       ///< (rows): factors of eps; null: 1
};
/// square_start_linf: x = best = clip(clean +- eps), one sign for each channel and column.
/// square_start_l2:   x = best = clip(clean + delta), delta of norm eps: tiles of a fifth of the shorter
/// side,
///                    each two pyramids of opposite signs; orientation and sign of each tile at random.
///
/// square_step_linf, square_step_l2: takes the candidate for the best image if its loss is higher or it is
/// not taken for its label (and then the search is over: nothing changes any more), and writes the next
/// candidate: the best image with
///   linf: clip(clean +- eps) in a window, one sign for each channel. That is 2 eps added and brought back
///         into ball and box;
///   l2:   its delta set to 0 in a second window, and in the first to what it was there, normalised, plus the
///         two pyramids of a random sign, scaled to the norm of both windows and what is left to eps; all of
///         it scaled to eps, then brought into the box. Sides are odd, or 1.
/// |x - clean| <= eps and lo <= x <= hi hold for the stored floats. A NaN loss is never higher.

}  // namespace inocula
