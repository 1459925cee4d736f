// Bodies of training by hand.
#include "tests/engine/by_hand.h"

#include <algorithm>

#include "engine/shuffle.h"

namespace inocula::test {

namespace {

double worst_error(const Buffer& buffer, const ParameterLayout& layout,
                   const std::map<std::string, std::vector<double>>& expected) {
  double worst = 0;
  for (const ParameterEntry& entry : layout.entries()) {
    std::vector<float> values(static_cast<std::size_t>(entry.count));
    buffer.download(values.data(), values.size(), static_cast<std::size_t>(entry.offset));
    worst = std::max(worst, relative_error(values, expected.at(entry.name)));
  }
  return worst;
}

}  // namespace

Graph graph_by_hand(const Shape& image, std::int64_t classes) {
  Graph g(image);
  Value x = g.add("conv", op::Conv{6, {.kernel_h = 3, .kernel_w = 3, .pad_h = 1, .pad_w = 1}}, {0});
  x = g.add("norm", op::BatchNorm{}, {x});
  x = g.add("relu", op::Relu{}, {x});
  x = g.add("pool", op::GlobalAveragePool{}, {x});
  g.add("fc", op::Linear{classes, true}, {x});
  return g;
}

BatchByHand batch_by_hand(const ImageSplit& split, const TrainerSpec& spec, std::int64_t batch) {
  const std::int64_t batches = split.count / spec.batch;
  std::vector<std::int32_t> order(static_cast<std::size_t>(split.count));
  inocula::shuffle(spec.seed, static_cast<std::uint32_t>(batch / batches), order);
  BatchByHand b;
  for (std::int64_t row = 0; row < spec.batch; ++row) {
    const std::int32_t sample = order[static_cast<std::size_t>(batch % batches * spec.batch + row)];
    b.sample.push_back(sample);
    b.label.push_back(split.labels[static_cast<std::size_t>(sample)]);
    const std::uint8_t* from = split.pixels.data() + sample * split.image_bytes();
    for (std::int64_t c = 0; c < split.channels; ++c)
      for (std::int64_t p = 0; p < split.height * split.width; ++p)
        b.clean.push_back(from[p * split.channels + c] / 255.0);
  }
  return b;
}

double sign_of(double v) {
  return v > 0 ? 1 : (v < 0 ? -1 : 0);
}

std::vector<float> state_array(const Trainer& trainer, const std::string& name) {
  for (const TrainerState::Array& array : trainer.save().arrays)
    if (array.name == name) return array.values;
  FAIL("the trainer's state has no array '" << name << "'");
  return {};
}

bool same_state(const TrainerState& a, const TrainerState& b) {
  bool same = a.arrays.size() == b.arrays.size() && a.step == b.step &&
              a.batches_tracked == b.batches_tracked && a.tally.loss == b.tally.loss &&
              a.tally.correct == b.tally.correct && a.tally.seen == b.tally.seen;
  for (std::size_t i = 0; same && i < a.arrays.size(); ++i)
    same = a.arrays[i].name == b.arrays[i].name && same_bits(a.arrays[i].values, b.arrays[i].values);
  return same;
}

double worst_weight_error(const Network& network, Reference& reference) {
  return worst_error(network.parameters().values, network.parameters().weights, reference.weights());
}

double worst_statistics_error(const Network& network, Reference& reference) {
  return worst_error(network.parameters().running, network.parameters().statistics, reference.statistics());
}

}  // namespace inocula::test
