// Bodies of the parameter updates.
#include "kernels/optim.h"

#include <cmath>

#include "kernels/for_each.h"

INOCULA_BEGIN_TARGET

namespace {

/// Parameters that one team updates; what is the same for all of them is read once.
constexpr std::int64_t kUpdatePiece = 4096;

template <bool kMomentum>
struct SgdPiece {
  Sgd a;
  INOCULA_DEVICE void operator()(std::int64_t piece, const Team& team) const {
    const std::int64_t first = piece * kUpdatePiece;
    float* const param = a.param + first;
    const float* const gradient = a.gradient + first;
    float* const velocity = kMomentum ? a.velocity + first : nullptr;
    const float rate = a.state->learning_rate, momentum = a.momentum, decay = a.decay;
    // p - lr (ahead g + follow v): Nesterov's step looks ahead, the plain one follows the velocity.
    const float ahead = !kMomentum || a.nesterov != 0 ? 1.0f : 0.0f;
    const float follow = a.nesterov != 0 ? momentum : 1.0f;
    const std::int64_t n = a.size - first < kUpdatePiece ? a.size - first : kUpdatePiece;
    team.each(n, [=](std::int64_t i) {
      const float p = param[i];
      const float g = gradient[i] + decay * p;
      float step = ahead * g;
      if constexpr (kMomentum) {
        const float v = momentum * velocity[i] + g;
        velocity[i] = v;
        step += follow * v;
      }
      param[i] = p - rate * step;
    });
  }
};

struct AdamPiece {
  Adam a;
  INOCULA_DEVICE void operator()(std::int64_t piece, const Team& team) const {
    const std::int64_t first = piece * kUpdatePiece;
    float* const param = a.param + first;
    const float* const gradient = a.gradient + first;
    float* const mean = a.mean + first;
    float* const variance = a.variance + first;
    const float beta1 = a.beta1, beta2 = a.beta2, eps = a.eps, decay = a.decay;
    const float rate = a.state->learning_rate / a.state->adam_correction1;
    const float root = sqrtf(a.state->adam_correction2);
    const std::int64_t n = a.size - first < kUpdatePiece ? a.size - first : kUpdatePiece;
    team.each(n, [=](std::int64_t i) {
      const float p = param[i];
      const float g = gradient[i] + decay * p;
      const float m = beta1 * mean[i] + (1.0f - beta1) * g;
      const float v = beta2 * variance[i] + (1.0f - beta2) * (g * g);
      mean[i] = m;
      variance[i] = v;
      param[i] = p - rate * m / (sqrtf(v) / root + eps);
    });
  }
};

template <class T>
struct FillElement {
  T* to;
  float value;
  INOCULA_DEVICE void operator()(std::int64_t i) const { store(to + i, value); }
};

struct ScaleRow {
  ScaleRows a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const float* const from = a.from + row * a.cols;
    float* const to = a.to + row * a.cols;
    const float scale = a.scale[row];
    team.each(a.cols, [=](std::int64_t i) { to[i] = from[i] * scale; });
  }
};

std::int64_t update_pieces(std::int64_t size) {
  return (size + kUpdatePiece - 1) / kUpdatePiece;
}

}  // namespace

void sgd(const Queue& queue, const Sgd& args) {
  if (args.velocity != nullptr) {
    for_each_row(queue, update_pieces(args.size), kUpdatePiece, SgdPiece<true>{args});
  } else {
    for_each_row(queue, update_pieces(args.size), kUpdatePiece, SgdPiece<false>{args});
  }
}

void adam(const Queue& queue, const Adam& args) {
  for_each_row(queue, update_pieces(args.size), kUpdatePiece, AdamPiece{args});
}

void fill(const Queue& queue, const Fill& args) {
  with_element(args.element, [&](auto stored) {
    using T = typename decltype(stored)::Type;
    for_each(queue, args.size, FillElement<T>{static_cast<T*>(args.to), args.value});
  });
}

void scale_rows(const Queue& queue, const ScaleRows& args) {
  for_each_row(queue, args.rows, args.cols, ScaleRow{args});
}

INOCULA_END_TARGET
