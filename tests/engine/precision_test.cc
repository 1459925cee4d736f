// bf16 through whole networks: close to the double reference, half the memory, the same learning, and refused
// where it is not to be had. CMake runs these cases again for what oneDNN does on lesser machines.
#include "engine/precision.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "engine/objectives/erm.h"
#include "engine/trainer.h"
#include "io/synthetic.h"
#include "tests/engine/channels_last.h"
#include "tests/engine/graphs.h"
#include "tests/engine/harness.h"

namespace inocula::test {

namespace {

/// bf16 has 8 significant bits: a stored value is off by up to 2^-8, in the root mean square by about 2^-9.
/// The roundings of twenty layers, of activations and of weights, come to 2^-9 sqrt(40), about a hundredth.
/// Batch statistics stand by themselves, so that twice as much is stored, and magnify what lies far from the
/// mean.
constexpr double kFrozenLogitBound = 2e-2, kBatchLogitBound = 5e-2;
/// A gradient's direction is judged, by the median over samples or arrays. Where a value was closer to 0 than
/// its error of a hundredth, its ReLU takes the other slope: that is about one in 250, each layer of them
/// turns the gradient by an angle of sqrt(1 / 250), and the squares of the angles add up. Twice that is
/// allowed.
double smallest_cosine(const Graph& graph) {
  const auto relus = std::count_if(graph.nodes().begin(), graph.nodes().end(), [](const Node& n) {
    return std::holds_alternative<op::Relu>(n.operation);
  });
  return 1 - (0.01 + static_cast<double>(relus) / 250);
}

bool has_bf16() {
  if (cpu().backend().supports(Precision::bf16)) return true;
  MESSAGE("skipped: ", cpu().backend().describe());
  return false;
}

double cosine(const float* a, const double* b, std::size_t n) {
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < n; ++i) {
    ab += a[i] * b[i];
    aa += static_cast<double>(a[i]) * a[i];
    bb += b[i] * b[i];
  }
  return aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : (aa == bb ? 1 : 0);
}

void check_against_reference(const GraphCase& c, const Device& device, NormMode norm, unsigned seed) {
  Network network(c.graph, device, Precision::bf16);
  randomize(network, seed);
  Reference reference(network);
  // Statistics of the dozen values that a deep layer of a small batch has would magnify every rounding.
  const bool frozen = norm == NormMode::frozen;
  const std::int64_t batch = frozen ? c.batch : 24;
  const std::vector<float> images = random_images(c.graph.input_shape().with_batch(batch), seed);
  const std::vector<std::int32_t> label = random_labels(batch, c.graph.classes(), seed);
  const ReferenceTrace trace = reference.forward(to_doubles(images), norm);
  const ReferenceLoss loss = reference_softmax_ce(trace.logits(), label, Reduction::mean);
  const ReferenceGradients gradients = reference.backward(trace, loss.dlogits);

  const NetworkPass pass =
      run_pass(network, images, label, {.norm = norm, .input_gradient = true, .parameter_gradients = !frozen},
               Reduction::mean);
  CHECK(relative_error(pass.logits, trace.logits()) <= (frozen ? kFrozenLogitBound : kBatchLogitBound));
  std::vector<double> cosines;
  const std::size_t size = images.size() / label.size();
  for (std::size_t n = 0; n < label.size(); ++n)
    cosines.push_back(cosine(pass.dimages.data() + n * size, gradients.images.data() + n * size, size));
  CHECK(median(cosines) >= smallest_cosine(c.graph));
  if (frozen) return;
  cosines.clear();
  for (const auto& [name, gradient] : gradients.weights)
    cosines.push_back(cosine(pass.dweights.at(name).data(), gradient.data(), gradient.size()));
  CHECK(median(cosines) >= smallest_cosine(c.graph));
}

/// Of a forward and backward pass over 64 images.
Footprint footprint_of(Precision precision) {
  const Shape shape{64, 1, 16, 16};
  Network network(small_resnet(shape.with_batch(1), 16, 3), cpu(), precision);
  Recorder r(cpu());
  Buffer images(cpu(), static_cast<std::size_t>(shape.size()) * sizeof(float));
  Recording recording(r, network, shape.n, {.norm = NormMode::batch, .input_gradient = true});
  ForwardTrace trace = recording.forward(r.external("images", images.as<void>(), shape));
  const Tensor dlogits = r.make("dlogits", trace.logits.shape);
  r.copy("start", trace.logits, dlogits);
  const Tensor gradient = recording.backward(trace, dlogits);
  r.copy("end", gradient, r.external("images' gradient", images.as<void>(), gradient.shape));
  return r.finish().footprint();
}

/// Loss and accuracy of the last epoch.
struct Learned {
  double loss = 0, accuracy = 0;
};

Learned learn(Precision precision, const ImageSplit& split) {
  Network network(small_resnet({1, 1, split.height, split.width}, 8, 2), cpu(), precision);
  network.initialize(3);
  TrainerSpec spec;
  spec.epochs = 6;
  spec.batch = 20;
  spec.seed = 1;
  spec.schedule.peak = 0.05;
  Trainer trainer(network, Erm{}, split, spec);
  for (; !trainer.done(); trainer.run_step())
    if (trainer.step() % trainer.steps_per_epoch() == 0) trainer.clear_tally();
  const TrainingTally t = trainer.tally();
  const double seen = static_cast<double>(t.seen);
  return {t.loss / seen, static_cast<double>(t.correct) / seen};
}

}  // namespace

TEST_CASE("precision: every network in bf16 against the double reference, in the GPU's layout too") {
  unsigned seed = 0;
  for (const GraphCase& c : graph_cases())
    for (const NormMode norm : {NormMode::frozen, NormMode::batch}) {
      CAPTURE(c.name);
      CAPTURE(static_cast<int>(norm));
      seed += 1;
      std::vector<const Device*> devices = added_devices();
      if (cpu().backend().supports(Precision::bf16)) devices.push_back(&cpu());
      // Plain loops for convolutions: batches of three, not of two dozen.
      if (norm == NormMode::frozen)
        devices.push_back(&channels_last(seed % 4 == 1 ? Fusion::none : Fusion::all));
      for (const Device* device : devices) {
        CAPTURE(device->name());
        check_against_reference(c, *device, norm, seed);
      }
    }
}

TEST_CASE("precision: activations take half the memory in bf16, all else what it took") {
  if (!has_bf16()) return;
  const Footprint wide = footprint_of(Precision::fp32), narrow = footprint_of(Precision::bf16);
  REQUIRE(wide.items.size() == narrow.items.size());
  std::map<std::string, std::size_t> bytes;
  for (const Footprint::Item& item : narrow.items) bytes[item.name] = item.bytes;
  std::size_t halved = 0;
  for (const Footprint::Item& item : wide.items) {
    CAPTURE(item.name);
    const auto ends_in = [&](const char* what) { return item.name.ends_with(what); };
    if (ends_in("weights for forward") || ends_in("weights for backward")) continue;  // as the backend likes
    // Logits, features, and the gradient of the images.
    const bool plain = item.name.starts_with("fc ") || item.name == "avgpool output" ||
                       item.name == "conv1 input gradient" || item.name == "image gradient";
    if (!plain && (ends_in(" output") || ends_in(" gradient"))) {
      CHECK(2 * bytes.at(item.name) == item.bytes);
      halved += item.bytes;
    } else {
      CHECK(bytes.at(item.name) == item.bytes);
    }
  }
  CHECK(2 * halved > wide.sum_bytes);
  CHECK(static_cast<double>(narrow.arena_bytes) < 0.6 * static_cast<double>(wide.arena_bytes));
}

TEST_CASE("precision: training in bf16 learns what training in fp32 learns") {
  if (!has_bf16()) return;
  const ImageSplit split = synthesize({.count = 300, .size = 16}).train;
  const Learned wide = learn(Precision::fp32, split), narrow = learn(Precision::bf16, split);
  CAPTURE(wide.loss);
  CAPTURE(narrow.loss);
  CHECK(wide.accuracy >= 0.9);
  CHECK(narrow.accuracy >= 0.9);
  CHECK(std::abs(narrow.accuracy - wide.accuracy) <= 0.05);
}

TEST_CASE("precision: a machine without AVX-512 refuses bf16 in one line that says what it has") {
  const char* limit = std::getenv("DNNL_MAX_CPU_ISA");
  const bool limited = limit != nullptr && std::string(limit) == "AVX2";
  if (limited) REQUIRE(!cpu().backend().supports(Precision::bf16));
  const std::string offered = cpu().backend().describe();
  if (cpu().backend().supports(Precision::bf16)) {
    CHECK(offered.ends_with("precisions: fp32, bf16"));
    return;
  }
  CHECK(offered.ends_with("precisions: fp32"));
  const auto open = [] { Network network(small_resnet({1, 1, 8, 8}, 2, 2), cpu(), Precision::bf16); };
  check_throws(ErrorKind::missing_package, "precision bf16 cannot be used on device 'cpu': ", open);
  check_throws(ErrorKind::missing_package, ", precisions: fp32", open);
}

}  // namespace inocula::test
