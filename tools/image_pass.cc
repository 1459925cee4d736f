// A Program of one look at some images.
#include "tools/image_pass.h"

#include "attacks/parts/attack_loss.h"
#include "engine/loss.h"
#include "engine/recorder.h"
#include "engine/reference.h"
#include "engine/resident_images.h"
#include "engine/victim.h"

namespace inocula {

ImagePass run_image_pass(Network& network, const ImageSplit& images) {
  const Device& device = network.device();
  const std::int64_t count = images.count, classes = network.graph().classes();
  std::vector<std::int32_t> index(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < index.size(); ++i) index[i] = static_cast<std::int32_t>(i);
  ResidentImages resident(network, images, count);
  resident.choose(index.data());

  const Shape shape = network.graph().input_shape().with_batch(count);
  ImagePass pass;
  pass.logits.resize(static_cast<std::size_t>(count * classes));
  pass.gradient.resize(static_cast<std::size_t>(shape.size()));
  Buffer state(device, sizeof(StepState)), logits(device, pass.logits.size() * sizeof(float)),
      gradient(device, pass.gradient.size() * sizeof(float));
  Recorder r(device);
  const BatchTensors b = resident.record(
      r, r.external("step state", state.as<void>(), {1, sizeof(StepState), 1, 1}, DType::bytes), count);
  NetworkVictim victim(r, network, count, NormMode::frozen, VictimUse::gradients);
  const auto deliver = [&](const Tensor& from, const Buffer& to) {
    r.copy("image_pass.export", from, r.external("result", to.as<void>(), from.shape));
  };
  deliver(victim.logits(b.images), logits);
  deliver(attacks::record_loss_gradient(r, victim, b.images, {.label = b.label}).gradient, gradient);
  Program program = r.finish();
  program.run();
  logits.download(pass.logits.data(), pass.logits.size());
  gradient.download(pass.gradient.data(), pass.gradient.size());
  return pass;
}

std::vector<double> pixels_in_double(const ImageSplit& s) {
  std::vector<double> x(s.pixels.size());
  const std::int64_t pixels = s.height * s.width;
  // A split keeps channels side by side.
  for (std::int64_t n = 0; n < s.count; ++n)
    for (std::int64_t c = 0; c < s.channels; ++c)
      for (std::int64_t i = 0; i < pixels; ++i) {
        const std::uint8_t p = s.pixels[static_cast<std::size_t>((n * pixels + i) * s.channels + c)];
        x[static_cast<std::size_t>((n * s.channels + c) * pixels + i)] =
            static_cast<double>(static_cast<float>(p) / 255.0f);
      }
  return x;
}

ExactImagePass run_image_pass_in_double(const Network& network, const ImageSplit& images) {
  Reference reference(network);
  const ReferenceTrace trace = reference.forward(pixels_in_double(images), NormMode::frozen);
  const ReferenceLoss loss = reference_softmax_ce(trace.logits(), images.labels, Reduction::sum);
  return {trace.logits(), reference.backward(trace, loss.dlogits).images};
}

double share_of_turned_signs(const std::vector<float>& numbers, const std::vector<double>& exact) {
  double turned = 0;
  for (std::size_t i = 0; i < exact.size(); ++i)
    turned += (numbers[i] > 0) != (exact[i] > 0) || (numbers[i] < 0) != (exact[i] < 0) ? 1 : 0;
  return turned / static_cast<double>(exact.size());
}

ImageSplit first_images(const ImageSplit& s, std::int64_t count) {
  ImageSplit part = s;
  part.count = count;
  part.pixels.resize(static_cast<std::size_t>(count * s.image_bytes()));
  part.labels.resize(static_cast<std::size_t>(count * s.label_columns));
  return part;
}

}  // namespace inocula
