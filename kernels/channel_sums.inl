// Body of the channels' sums: first over a plane's pixels, then over the samples.
#include "kernels/channel_sums.h"

#include "kernels/for_each.h"
#include "kernels/plane_sums.h"

INOCULA_BEGIN_TARGET

namespace {

template <class T>
struct SumPlane {
  AddChannelSums a;
  INOCULA_DEVICE void operator()(std::int64_t row, const Team& team) const {
    const PlaneLanes part = plane_lanes(a.shape, row);
    const T* const dy = static_cast<const T*>(a.dy);
    float* const to = a.partial + part.sample * a.shape.padded_channels() + part.channel;
    sum_plane(
        team, a.shape, part, [=](int l, double sum) { to[l] = static_cast<float>(sum); },
        [=](std::int64_t i, int) { return to_float(dy[i]); });
  }
};

/// Up to 16 channels.
struct AddSamples {
  AddChannelSums a;
  INOCULA_DEVICE void operator()(std::int64_t group, const Team& team) const {
    const std::int64_t first = group * kMaxLanes, channels = a.shape.channels - first;
    const float* const partial = a.partial;
    float* const sum = a.sum + first;
    sum_samples(
        team, a.shape, first,
        [=](int l, double total) {
          if (l < channels) sum[l] += static_cast<float>(total);
        },
        [=](std::int64_t i, int) { return static_cast<double>(partial[i]); });
  }
};

}  // namespace

void add_channel_sums(const Queue& queue, const AddChannelSums& args) {
  const std::int64_t rows = plane_lane_rows(args.shape), cost = args.shape.pixels() * kMaxLanes;
  with_element(args.shape.element, [&](auto stored) {
    for_each_row(queue, rows, cost, SumPlane<typename decltype(stored)::Type>{args});
  });
  for_each_row(queue, lane_groups(args.shape.channels), args.shape.batch * kMaxLanes, AddSamples{args});
}

INOCULA_END_TARGET
