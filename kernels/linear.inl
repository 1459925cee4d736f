// Bodies of the fully connected layer.
#include "kernels/linear.h"

#include "kernels/for_each.h"
#include "kernels/lanes.h"

INOCULA_BEGIN_TARGET

namespace {

/// One output of one sample.
struct ForwardElement {
  LinearForward a;
  INOCULA_DEVICE void operator()(std::int64_t element, const Team& team) const {
    const std::int64_t row = element / a.out, o = element - row * a.out;
    const float* const x = a.x + row * a.in;
    const float* const w = a.w + o * a.in;
    double y = team.sum(a.in, [=](std::int64_t i) { return x[i] * w[i]; });
    if (a.bias != nullptr) y += a.bias[o];
    if (team.leads()) a.y[element] = static_cast<float>(y);
  }
};

/// 16 inputs of one sample.
struct BackwardDataLanes {
  LinearBackwardData a;
  INOCULA_DEVICE void operator()(std::int64_t group, const Team& team) const {
    const std::int64_t row = group / lane_groups(a.in);
    const std::int64_t first = (group - row * lane_groups(a.in)) * kMaxLanes;
    const float* const dy = a.dy + row * a.out;
    const float* const w = a.w + first;
    float* const dx = a.dx + row * a.in + first;
    const std::int64_t in = a.in;
    sum_lanes(
        team, lanes_from(first, in), a.out, [=](int l, double sum) { dx[l] = static_cast<float>(sum); },
        [=](std::int64_t o, int l) { return dy[o] * w[o * in + l]; });
  }
};

/// 16 weights of one output.
struct BackwardWeightLanes {
  LinearBackwardParams a;
  INOCULA_DEVICE void operator()(std::int64_t group, const Team& team) const {
    const std::int64_t o = group / lane_groups(a.in);
    const std::int64_t first = (group - o * lane_groups(a.in)) * kMaxLanes;
    const float* const dy = a.dy + o;
    const float* const x = a.x + first;
    float* const dw = a.dw + o * a.in + first;
    const std::int64_t in = a.in, out = a.out;
    sum_lanes(
        team, lanes_from(first, in), a.rows, [=](int l, double sum) { dw[l] += static_cast<float>(sum); },
        [=](std::int64_t r, int l) { return dy[r * out] * x[r * in + l]; });
  }
};

/// 16 biases.
struct BackwardBiasLanes {
  LinearBackwardParams a;
  INOCULA_DEVICE void operator()(std::int64_t group, const Team& team) const {
    const std::int64_t first = group * kMaxLanes;
    const float* const dy = a.dy + first;
    float* const dbias = a.dbias + first;
    const std::int64_t out = a.out;
    sum_lanes(
        team, lanes_from(first, out), a.rows, [=](int l, double sum) { dbias[l] += static_cast<float>(sum); },
        [=](std::int64_t r, int l) { return dy[r * out + l]; });
  }
};

}  // namespace

void linear_forward(const Queue& queue, const LinearForward& args) {
  for_each_row(queue, args.rows * args.out, args.in, ForwardElement{args});
}

void linear_backward_data(const Queue& queue, const LinearBackwardData& args) {
  for_each_row(queue, args.rows * lane_groups(args.in), args.out * kMaxLanes, BackwardDataLanes{args});
}

void linear_backward_params(const Queue& queue, const LinearBackwardParams& args) {
  for_each_row(queue, args.out * lane_groups(args.in), args.rows * kMaxLanes, BackwardWeightLanes{args});
  if (args.dbias != nullptr)
    for_each_row(queue, lane_groups(args.out), args.rows * kMaxLanes, BackwardBiasLanes{args});
}

INOCULA_END_TARGET
