// The Carlini-Wagner L2 attack: its variable, its step by Adam, and the search for its constant, per sample.
//
// Carlini, Wagner, "Towards evaluating the robustness of neural networks", IEEE S&P 2017. Minimised is
// ||x - clean||_2^2 + c phi over w, x = (tanh w + 1) / 2, phi = max(-margin, -confidence), margin being how
// far the attack's aim is ahead: the likeliest other logit less the label's, or the target's less the
// likeliest other. tanh and its inverse are built from portable_math.h, all sums are in double.
#pragma once

#include <cstdint>

namespace inocula {

/// Keeps black and white pixels, whose w would be infinite, within reach of gradients.
inline constexpr double kCwInside = 0.999999;
/// Adam's decays and floor.
inline constexpr double kCwDecay1 = 0.9, kCwDecay2 = 0.999, kCwFloor = 1e-8;

/// A sample's search for c. Each round minimises with one c.
struct CwSearch {
  double weight = 0;                  ///< c
  double lower = 0, upper = 0;        ///< largest c that failed, least that succeeded
  double decayed1 = 1, decayed2 = 1;  ///< Adam's decays to the power of the steps taken
  std::int64_t hit = 0;               ///< whether this round reached the aim
  double checked = 0;                 ///< the objective at this round's last check
  std::int64_t taken = 0;             ///< steps of this round
};

/// What a round's objective has to fall below, in parts of the last check's, to go on.
inline constexpr double kCwFallen = 0.9999;

/// cw_start: c = weight, and nothing known about it.
struct CwStart {
  CwSearch* search = nullptr;  ///< (rows), written
  std::int64_t rows = 0;
  double weight = 0;
};

/// cw_begin: a new round: w = atanh(kCwInside (2 clean - 1)), x its image, moments 0.
struct CwBegin {
  float* w = nullptr;            ///< (rows, cols), written
  float* moment1 = nullptr;      ///< (rows, cols), written
  float* moment2 = nullptr;      ///< (rows, cols), written
  float* x = nullptr;            ///< (rows, cols), written
  const float* clean = nullptr;  ///< (rows, cols)
  CwSearch* search = nullptr;    ///< (rows), of this round made new
  std::int64_t rows = 0, cols = 0;
  float* checked_w = nullptr;            ///< (rows, cols), written; null where rounds do not end early
  std::int32_t* done = nullptr;          ///< (rows), written: 1 where a row is padding; null as checked_w
  const std::int32_t* sample = nullptr;  ///< (rows): negative where a row is padding; read for `done`
};

/// cw_judge: hit = the aim is reached and the margin is at least `confidence`; the round notes it.
struct CwJudge {
  const float* loss = nullptr;  ///< (rows), of margin_loss against `label`
  const std::int32_t* predicted = nullptr;
  const std::int32_t* label = nullptr;  ///< (rows): the label to get away from, or the class to reach
  CwSearch* search = nullptr;           ///< (rows)
  std::int32_t* hit = nullptr;          ///< (rows), written
  std::int64_t rows = 0;
  std::int32_t targeted = 0;
  float confidence = 0;
};

/// cw_step: one step of Adam down the objective. What is not finite in the gradient counts as 0.
///
/// As in the authors' code, whose batches end as one, a row's round is over where at a check, every `every`
/// steps, the objective has not fallen by a ten-thousandth since the last one; phi is taken from its least,
/// 0. But only where besides no w has gone half as far as Adam can in these steps: black and white pixels
/// travel all that way before they can be seen to have set out, and would never move.
struct CwStep {
  float* w = nullptr;               ///< (rows, cols), updated in place
  float* moment1 = nullptr;         ///< (rows, cols), updated in place
  float* moment2 = nullptr;         ///< (rows, cols), updated in place
  float* x = nullptr;               ///< (rows, cols), updated in place
  const float* clean = nullptr;     ///< (rows, cols)
  const float* gradient = nullptr;  ///< (rows, cols): of margin_loss against label or target, at x
  const float* loss = nullptr;      ///< (rows): that loss
  CwSearch* search = nullptr;       ///< (rows)
  std::int64_t rows = 0, cols = 0;
  std::int32_t targeted = 0;
  float confidence = 0;
  float rate = 0;
  std::int64_t every = 0;        ///< steps between checks; 0: none, and checked_w and done are not read
  float* checked_w = nullptr;    ///< (rows, cols): w at the last check
  std::int32_t* done = nullptr;  ///< (rows): 1 where the round is over, and nothing changes any more
};

/// cw_next: the next c: half way between the bounds, or ten times as much while none has succeeded.
struct CwNext {
  CwSearch* search = nullptr;  ///< (rows)
  std::int64_t rows = 0;
};

}  // namespace inocula
