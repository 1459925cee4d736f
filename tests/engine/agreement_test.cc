// The engine's recorded passes against the double reference: logits, both kinds of gradient, statistics, updates.
#include <algorithm>
#include <cmath>

#include "engine/objectives/erm.h"
#include "engine/optimizer.h"
#include "engine/trainer.h"
#include "tests/engine/graphs.h"
#include "tests/engine/harness.h"

namespace inocula::test {

namespace {

/// Relative L2 errors of single precision. A sum of some thousand products in floats is off by a few times 2^-24 of
/// its norm; some forty layers deep that grows to about 1e-6. Batch statistics of few pixels amplify it by 1 / std.
constexpr double kLogitBound = 1e-5;
constexpr double kGradientBound = 5e-5;
/// Where a ReLU's or a pooling window's decision is closer than rounding, the two may take different slopes: the
/// bound then holds for the median over samples or arrays.
constexpr double kMedianBound = 1e-3;
/// Distance from a kink, in units of the array's root mean square, that rounding cannot bridge.
constexpr double kKinkDistance = 1e-5;

double root_mean_square(const std::vector<double>& x) {
  double sum = 0;
  for (const double v : x) sum += v * v;
  return std::sqrt(sum / static_cast<double>(x.size()));
}

/// Decisions that single precision may take differently: ReLUs near 0, near ties in a pooling window.
std::int64_t count_near_kinks(const Graph& graph, const ReferenceTrace& trace) {
  std::int64_t count = 0;
  for (const Node& node : graph.nodes()) {
    if (node.inputs.empty()) continue;
    const std::vector<double>& x = trace.values[static_cast<std::size_t>(node.inputs[0])];
    const double near = kKinkDistance * root_mean_square(x);
    // A value that is 0 in both has been cut off before: it is no kink.
    if (std::holds_alternative<op::Relu>(node.operation))
      count += std::count_if(x.begin(), x.end(), [&](double v) { return v != 0 && std::abs(v) < near; });
    const auto* pool = std::get_if<op::MaxPool>(&node.operation);
    if (pool == nullptr) continue;
    const Shape in = graph.node(node.inputs[0]).shape;
    const std::int64_t reach_h = pool->window.kernel_h, reach_w = pool->window.kernel_w;
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(x.size()); ++i)
      for (std::int64_t dy = 0; dy < reach_h; ++dy)
        for (std::int64_t dx = dy == 0 ? 1 : 1 - reach_w; dx < reach_w; ++dx) {
          const std::int64_t row = i / in.w % in.h + dy, column = i % in.w + dx;
          if (row >= in.h || column < 0 || column >= in.w) continue;
          const double other = x[static_cast<std::size_t>(i + dy * in.w + dx)], here = x[static_cast<std::size_t>(i)];
          count += other != here && std::abs(other - here) < near ? 1 : 0;
        }
  }
  return count;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// Checks every error, or their median where kinks are near.
void check_errors(const std::vector<double>& errors, const std::vector<std::string>& names, std::int64_t near_kinks) {
  for (std::size_t i = 0; i < errors.size(); ++i) {
    CAPTURE(names[i]);
    if (near_kinks == 0) CHECK(errors[i] <= kGradientBound);
  }
  CHECK(median(errors) <= kMedianBound);
}

/// Relative error of each sample's part of an (N, ...) array.
std::vector<double> errors_by_sample(const std::vector<float>& actual, const std::vector<double>& expected, std::int64_t n) {
  std::vector<double> errors;
  const auto part = static_cast<std::ptrdiff_t>(expected.size()) / n;
  REQUIRE(actual.size() == expected.size());
  for (std::ptrdiff_t i = 0; i < n; ++i)
    errors.push_back(relative_error({actual.begin() + i * part, actual.begin() + (i + 1) * part},
                                    {expected.begin() + i * part, expected.begin() + (i + 1) * part}));
  return errors;
}

struct Measured {
  std::int64_t gradients = 0, near_kinks = 0;
};

/// Runs one mode on device and reference and compares all that it yields.
Measured check_agreement(const GraphCase& c, const Device& device, RecordingMode mode, unsigned seed) {
  Network network(c.graph, device);
  randomize(network, seed);
  Reference reference(network);
  const Shape shape = c.graph.input_shape().with_batch(c.batch);
  const std::vector<float> images = random_images(shape, seed);
  const std::vector<std::int32_t> label = random_labels(c.batch, c.graph.classes(), seed);

  const std::vector<float> statistics_before = all_statistics(network);
  const NetworkPass pass = run_pass(network, images, label, mode, Reduction::mean);
  const ReferenceTrace trace = reference.forward(to_doubles(images), mode.norm);
  const ReferenceLoss loss = reference_softmax_ce(trace.logits(), label, Reduction::mean);
  const ReferenceGradients gradients = reference.backward(trace, loss.dlogits);

  CHECK(relative_error(pass.logits, trace.logits()) <= kLogitBound);
  CHECK(relative_error(pass.loss, loss.loss) <= kLogitBound);
  for (std::int64_t n = 0; n < c.batch; ++n) {
    const auto row = trace.logits().begin() + n * c.graph.classes();
    CHECK(pass.predicted[static_cast<std::size_t>(n)] == std::max_element(row, row + c.graph.classes()) - row);
  }
  const std::int64_t near_kinks = count_near_kinks(c.graph, trace);
  if (mode.input_gradient) {
    const std::vector<double> errors = errors_by_sample(pass.dimages, gradients.images, c.batch);
    check_errors(errors, std::vector<std::string>(errors.size(), "images"), near_kinks);
  }
  if (mode.parameter_gradients) {
    std::vector<double> errors;
    std::vector<std::string> names;
    double largest = 0;
    for (const auto& [name, gradient] : gradients.weights) largest = std::max(largest, root_mean_square(gradient));
    CHECK(pass.dweights.size() == gradients.weights.size());
    for (const auto& [name, gradient] : gradients.weights) {
      CAPTURE(name);
      // A bias before batch statistics has a gradient of exactly 0: there rounding is all there is.
      if (root_mean_square(gradient) < 1e-10 * largest) {
        CHECK(root_mean_square(to_doubles(pass.dweights.at(name))) <= kGradientBound * largest);
        continue;
      }
      errors.push_back(relative_error(pass.dweights.at(name), gradient));
      names.push_back(name);
    }
    check_errors(errors, names, near_kinks);
  }
  for (const auto& [name, values] : reference.statistics()) {
    CAPTURE(name);
    const ParameterEntry& entry = network.parameters().statistics.find(name);
    const std::vector<float> all = all_statistics(network);
    const std::vector<float> actual(all.begin() + entry.offset, all.begin() + entry.offset + entry.count);
    CHECK(relative_error(actual, values) <= kLogitBound);
  }
  if (mode.norm != NormMode::batch) CHECK(same_bits(statistics_before, all_statistics(network)));
  return {1, near_kinks > 0 ? 1 : 0};
}

}  // namespace

TEST_CASE("agreement: every network in every mode, on one thread and on two") {
  const Device one = Device::open("cpu", {.threads = 1, .instruction_set = ""});
  Measured all;
  unsigned seed = 1;
  for (const Device* device : {&one, &cpu()})
    for (const GraphCase& c : graph_cases())
      for (const NormMode norm : {NormMode::frozen, NormMode::batch, NormMode::batch_no_update}) {
        const bool has_norm = !Network(c.graph, *device).parameters().statistics.entries().empty();
        // Frozen statistics are for attacks: parameters behind them cannot be trained.
        const bool train = norm != NormMode::frozen || !has_norm;
        CAPTURE(c.name);
        CAPTURE(device->threads());
        CAPTURE(static_cast<int>(norm));
        const Measured m =
            check_agreement(c, *device, {.norm = norm, .input_gradient = true, .parameter_gradients = train}, seed++);
        all.gradients += m.gradients;
        all.near_kinks += m.near_kinks;
      }
  MESSAGE(all.near_kinks, " of ", all.gradients, " passes came near a kink and were judged by their median");
  CHECK(2 * all.near_kinks < all.gradients);
}

TEST_CASE("agreement: what is asked for alone is the same as what is asked for together") {
  for (const GraphCase& c : graph_cases()) {
    CAPTURE(c.name);
    Network network(c.graph, cpu());
    randomize(network, 3);
    const std::vector<float> images = random_images(c.graph.input_shape().with_batch(c.batch), 4);
    const std::vector<std::int32_t> label = random_labels(c.batch, c.graph.classes(), 5);
    const auto run = [&](bool input, bool parameters) {
      return run_pass(network, images, label,
                      {.norm = NormMode::batch_no_update, .input_gradient = input, .parameter_gradients = parameters},
                      Reduction::sum);
    };
    const NetworkPass both = run(true, true), input = run(true, false), parameters = run(false, true), none = run(false, false);
    for (const NetworkPass* pass : {&input, &parameters, &none}) CHECK(same_bits(pass->logits, both.logits));
    CHECK(same_bits(input.dimages, both.dimages));
    for (const auto& [name, gradient] : both.dweights) {
      CAPTURE(name);
      CHECK(same_bits(gradient, parameters.dweights.at(name)));
    }
  }
}

}  // namespace inocula::test
