// How little of a network's activations an attack keeps for its way back, beside what training keeps.
#include <set>
#include <variant>

#include "engine/recording.h"
#include "models/resnet.h"
#include "tests/engine/harness.h"

namespace inocula::test {

namespace {

/// Bytes that a forward pass writes and the passes back read.
std::size_t kept_bytes(Network& network, std::int64_t batch, const RecordingMode& mode) {
  Recorder r(network.device());
  const Tensor images = r.make("images", network.graph().input_shape().with_batch(batch));
  Recording recording(r, network, batch, mode);
  const std::size_t forward = r.step_count();
  ForwardTrace trace = recording.forward(images);
  const std::size_t back = r.step_count();
  recording.backward(trace, r.make("gradient of the logits", trace.logits.shape));
  std::set<std::int32_t> written, kept;
  for (std::size_t step = forward; step < back; ++step)
    written.insert(r.use(step).writes.begin(), r.use(step).writes.end());
  for (std::size_t step = back; step < r.step_count(); ++step)
    for (const std::int32_t id : r.use(step).reads)
      if (written.count(id) > 0) kept.insert(id);
  std::size_t bytes = 0;
  for (const std::int32_t id : kept) bytes += r.tensor(id).bytes;
  return bytes;
}

}  // namespace

TEST_CASE("resnet18: an attack keeps one bit a ReLU, a small part of what training keeps") {
  constexpr std::int64_t kBatch = 32;
  for (const std::int64_t width : {16, 64}) {
    Network network(models::resnet18({.input = {}, .classes = 2, .width = width}), cpu());
    const std::size_t attack =
        kept_bytes(network, kBatch, {.norm = NormMode::frozen, .input_gradient = true});
    const std::size_t training =
        kept_bytes(network, kBatch, {.norm = NormMode::batch, .parameter_gradients = true});
    const double ratio = static_cast<double>(attack) / static_cast<double>(training);
    MESSAGE("width ", width, ": an attack keeps ", attack, " bytes, training ", training, ": ", ratio);
    std::int64_t outputs = 0;  // whole blocks of channels at these widths
    for (const Node& node : network.graph().nodes())
      if (std::holds_alternative<op::Relu>(node.operation)) outputs += kBatch * node.shape.size();
    CHECK(attack == static_cast<std::size_t>(outputs / 8));
    CHECK(ratio <= 0.15);
  }
}

}  // namespace inocula::test
