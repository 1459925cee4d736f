// Recording what goes from one channel to several and back.
#include "attacks/grey.h"

#include "engine/layers/relayout.h"

namespace inocula::attacks {

Tensor record_first_channel(Recorder& r, const Tensor& images) {
  const Shape& s = images.shape;
  const Tensor grey = r.make("grey images", {s.n, 1, s.h, s.w});
  record_copy_channels(r, images, 0, grey, 0, 1);
  return grey;
}

Tensor record_stacked(Recorder& r, const Tensor& grey, std::int64_t channels) {
  const Shape& s = grey.shape;
  const Tensor stacked = r.make("stacked images", {s.n, channels, s.h, s.w});
  r.kernel("attack.stack", r.kernels().repeat_over_channels, [=, pixels = s.pixels()](Access& at) {
    return RepeatOverChannels{at.in(grey), at.out(stacked), grey.shape.n, channels, pixels};
  });
  return stacked;
}

Tensor GreyVictim::gradient(const Query& query, const Tensor& dlogits) {
  const Tensor of_channels = victim_.gradient(query, dlogits);
  const Shape& s = of_channels.shape;
  const Tensor grey = recorder_.make("grey gradient", {s.n, 1, s.h, s.w});
  recorder_.kernel("attack.grey_gradient", recorder_.kernels().sum_over_channels, [=, shape = s](Access& at) {
    return SumOverChannels{at.in(of_channels), at.out(grey), shape.n, shape.c, shape.pixels()};
  });
  return grey;
}

}  // namespace inocula::attacks
