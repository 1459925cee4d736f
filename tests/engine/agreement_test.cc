// The engine's recorded passes against the double reference: logits, both kinds of gradient, statistics,
// updates.
#include <algorithm>
#include <cmath>

#include "engine/objectives/erm.h"
#include "engine/optimizer.h"
#include "engine/trainer.h"
#include "tests/engine/channels_last.h"
#include "tests/engine/graphs.h"
#include "tests/engine/harness.h"

namespace inocula::test {

namespace {

/// Relative L2 errors of single precision. A sum of some thousand products in floats is off by a few times
/// 2^-24 of its norm; some forty layers deep that grows to about 1e-6. Batch statistics of few pixels amplify
/// it by 1 / std.
constexpr double kLogitBound = 1e-5;
constexpr double kGradientBound = 5e-5;
/// Where a ReLU's or a pooling window's decision is closer than rounding, the two may take different slopes:
/// the bound then holds for the median over samples or arrays.
constexpr double kMedianBound = 1e-3;
/// Convolutions through transforms (Winograd's, Fourier's), our own and those of a GPU's library, cost a digit.
constexpr double kTransformSlack = 10;

double slack_of(const Device& device) {
  const bool transforms =
      &device == &cpu() || &device == &cpu_of_two_threads() || device.name().rfind("cuda", 0) == 0;
  return transforms ? kTransformSlack : 1;
}

/// Checks every error, or their median where kinks are near.
void check_errors(const std::vector<double>& errors, const std::vector<std::string>& names,
                  std::int64_t near_kinks, double slack) {
  for (std::size_t i = 0; i < errors.size(); ++i) {
    CAPTURE(names[i]);
    if (near_kinks == 0) CHECK(errors[i] <= slack * kGradientBound);
  }
  CHECK(median(errors) <= kMedianBound);
}

/// Relative error of each sample's part of an (N, ...) array.
std::vector<double> errors_by_sample(const std::vector<float>& actual, const std::vector<double>& expected,
                                     std::int64_t n) {
  std::vector<double> errors;
  const auto part = static_cast<std::ptrdiff_t>(expected.size()) / n;
  REQUIRE(actual.size() == expected.size());
  for (std::ptrdiff_t i = 0; i < n; ++i)
    errors.push_back(relative_error({actual.begin() + i * part, actual.begin() + (i + 1) * part},
                                    {expected.begin() + i * part, expected.begin() + (i + 1) * part}));
  return errors;
}

/// What the reference says of one network, one batch and one mode.
struct Expected {
  std::vector<float> images;
  std::vector<std::int32_t> label;
  ReferenceTrace trace;
  ReferenceLoss loss;
  ReferenceGradients gradients;
  std::map<std::string, std::vector<double>> statistics;  ///< after the pass
  std::int64_t near_kinks = 0;
};

Expected expect(const GraphCase& c, NormMode norm, unsigned seed) {
  Network network(c.graph, cpu());
  randomize(network, seed);
  Reference reference(network);
  Expected e;
  e.images = random_images(c.graph.input_shape().with_batch(c.batch), seed);
  e.label = random_labels(c.batch, c.graph.classes(), seed);
  e.trace = reference.forward(to_doubles(e.images), norm);
  e.loss = reference_softmax_ce(e.trace.logits(), e.label, Reduction::mean);
  e.gradients = reference.backward(e.trace, e.loss.dlogits);
  e.statistics = reference.statistics();
  e.near_kinks = count_near_kinks(c.graph, e.trace);
  return e;
}

void check_weight_gradients(const NetworkPass& pass, const Expected& e, double slack) {
  std::vector<double> errors;
  std::vector<std::string> names;
  for (const auto& [name, error] : gradient_errors(pass.dweights, e.gradients.weights)) {
    errors.push_back(error);
    names.push_back(name);
  }
  check_errors(errors, names, e.near_kinks, slack);
}

/// Runs one mode on a device and compares all that it yields.
void check_agreement(const GraphCase& c, const Device& device, RecordingMode mode, unsigned seed,
                     const Expected& e) {
  Network network(c.graph, device);
  randomize(network, seed);
  const std::vector<float> statistics_before = all_statistics(network);
  const NetworkPass pass = run_pass(network, e.images, e.label, mode, Reduction::mean);
  const double slack = slack_of(device);

  CHECK(relative_error(pass.logits, e.trace.logits()) <= slack * kLogitBound);
  CHECK(relative_error(pass.loss, e.loss.loss) <= slack * kLogitBound);
  for (std::int64_t n = 0; n < c.batch; ++n) {
    const auto row = e.trace.logits().begin() + n * c.graph.classes();
    CHECK(pass.predicted[static_cast<std::size_t>(n)] ==
          std::max_element(row, row + c.graph.classes()) - row);
  }
  const std::vector<double> errors = errors_by_sample(pass.dimages, e.gradients.images, c.batch);
  check_errors(errors, std::vector<std::string>(errors.size(), "images"), e.near_kinks, slack);
  if (mode.parameter_gradients) check_weight_gradients(pass, e, slack);
  const std::vector<float> statistics = all_statistics(network);
  for (const auto& [name, values] : e.statistics) {
    CAPTURE(name);
    const ParameterEntry& entry = network.parameters().statistics.find(name);
    const auto first = statistics.begin() + entry.offset;
    CHECK(relative_error({first, first + entry.count}, values) <= slack * kLogitBound);
  }
  if (mode.norm != NormMode::batch) CHECK(same_bits(statistics_before, statistics));
}

}  // namespace

TEST_CASE("agreement: every network in every mode, on one thread, on two, precisely, and in the GPU's layout") {
  int passes = 0, near_kinks = 0;
  unsigned seed = 0;
  for (const GraphCase& c : graph_cases())
    for (const NormMode norm : {NormMode::frozen, NormMode::batch, NormMode::batch_no_update}) {
      CAPTURE(c.name);
      CAPTURE(static_cast<int>(norm));
      seed += 1;
      const Expected e = expect(c, norm, seed);
      passes += 1;
      near_kinks += e.near_kinks > 0 ? 1 : 0;
      // Frozen statistics are for attacks: parameters behind them cannot be trained.
      const bool train = norm != NormMode::frozen || e.statistics.empty();
      std::vector<const Device*> devices{&cpu(), &cpu_of_two_threads(), &precise_cpu(),
                                         &channels_last(seed % 2 == 0 ? Fusion::none : Fusion::all)};
      devices.insert(devices.end(), added_devices().begin(), added_devices().end());
      for (const Device* device : devices) {
        CAPTURE(device->name());
        CAPTURE(device->threads());
        check_agreement(c, *device, {.norm = norm, .input_gradient = true, .parameter_gradients = train},
                        seed, e);
      }
    }
  MESSAGE(near_kinks, " of ", passes, " passes came near a kink and were judged by their median");
  CHECK(2 * near_kinks < passes);
}

TEST_CASE("agreement: what is asked for alone is the same as what is asked for together") {
  for (const GraphCase& c : graph_cases()) {
    CAPTURE(c.name);
    Network network(c.graph, cpu());
    randomize(network, 3);
    const std::vector<float> images = random_images(c.graph.input_shape().with_batch(c.batch), 4);
    const std::vector<std::int32_t> label = random_labels(c.batch, c.graph.classes(), 5);
    const auto run = [&](bool input, bool parameters) {
      return run_pass(
          network, images, label,
          {.norm = NormMode::batch_no_update, .input_gradient = input, .parameter_gradients = parameters},
          Reduction::sum);
    };
    const NetworkPass both = run(true, true), input = run(true, false), parameters = run(false, true),
                      none = run(false, false);
    for (const NetworkPass* pass : {&input, &parameters, &none}) CHECK(same_bits(pass->logits, both.logits));
    CHECK(same_bits(input.dimages, both.dimages));
    for (const auto& [name, gradient] : both.dweights) {
      CAPTURE(name);
      CHECK(same_bits(gradient, parameters.dweights.at(name)));
    }
  }
}

}  // namespace inocula::test
