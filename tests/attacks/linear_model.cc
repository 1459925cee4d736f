// Closed forms of the linear model.
#include "tests/attacks/linear_model.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "tests/engine/harness.h"

namespace inocula::test {

namespace {

double mean_of(std::int64_t c) {
  return 0.45 + 0.05 * static_cast<double>(c);
}
double std_of(std::int64_t c) {
  return 0.25 + 0.1 * static_cast<double>(c);
}

Graph linear_graph(const Shape& image, std::int64_t classes) {
  Graph graph(image);
  op::Normalize normalize;
  for (std::int64_t c = 0; c < image.c; ++c) {
    normalize.mean.push_back(static_cast<float>(mean_of(c)));
    normalize.std.push_back(static_cast<float>(std_of(c)));
  }
  graph.add("normalize", normalize, {0});
  graph.add("fc", op::Linear{classes, true}, {1});
  return graph;
}

}  // namespace

LinearModel::LinearModel(const Shape& image, std::int64_t classes, unsigned seed)
    : image_(image), classes_(classes), network_(linear_graph(image, classes), cpu()) {
  network_.initialize(seed);
}

std::vector<double> LinearModel::logits(const std::vector<double>& x) const {
  const std::vector<float> w = find_weight(network_, "fc.weight"), b = find_weight(network_, "fc.bias");
  std::vector<double> z(b.begin(), b.end());
  for (std::size_t k = 0; k < z.size(); ++k)
    for (std::size_t i = 0; i < x.size(); ++i) {
      const std::int64_t c = static_cast<std::int64_t>(i) / image_.pixels();
      z[k] += w[k * x.size() + i] * (x[i] - static_cast<float>(mean_of(c))) / static_cast<float>(std_of(c));
    }
  return z;
}

double LinearModel::margin(const std::vector<double>& x, std::int32_t label) const {
  const std::vector<double> z = logits(x);
  return label == 0 ? z[0] - z[1] : z[1] - z[0];
}

std::vector<double> LinearModel::margin_gradient(std::int32_t label) const {
  const std::vector<float> w = find_weight(network_, "fc.weight");
  const auto size = static_cast<std::size_t>(image_.per_sample());
  std::vector<double> g(size);
  for (std::size_t i = 0; i < size; ++i) {
    const double difference = static_cast<double>(w[i]) - w[size + i];
    g[i] = (label == 0 ? difference : -difference) /
           static_cast<float>(std_of(static_cast<std::int64_t>(i) / image_.pixels()));
  }
  return g;
}

std::vector<double> LinearModel::loss_gradient(const std::vector<double>& x, std::int32_t label) const {
  const std::vector<float> w = find_weight(network_, "fc.weight");
  const ReferenceLoss loss =
      reference_softmax_ce(logits(x), std::vector<std::int32_t>{label}, Reduction::sum);
  std::vector<double> g(x.size());
  for (std::size_t k = 0; k < loss.dlogits.size(); ++k)
    for (std::size_t i = 0; i < x.size(); ++i)
      g[i] += loss.dlogits[k] * w[k * x.size() + i] /
              static_cast<float>(std_of(static_cast<std::int64_t>(i) / image_.pixels()));
  return g;
}

void LinearModel::centre(const ImageSplit& split, double margin_wanted) {
  double sum = 0;
  for (std::int64_t i = 0; i < split.count; ++i) sum += margin(image_of(split, i), 0);
  std::vector<float> bias = find_weight(network_, "fc.bias");
  bias[0] += static_cast<float>(margin_wanted - sum / static_cast<double>(split.count));
  set_weight(network_, "fc.bias", bias);
}

std::vector<double> image_of(const ImageSplit& split, std::int64_t index) {
  std::vector<double> image;
  const std::uint8_t* from = split.pixels.data() + index * split.image_bytes();
  for (std::int64_t c = 0; c < split.channels; ++c)
    for (std::int64_t p = 0; p < split.height * split.width; ++p)
      image.push_back(static_cast<double>(static_cast<float>(from[p * split.channels + c]) / 255.0f));
  return image;
}

ImageSplit split_between(std::int64_t count, const Shape& image, std::int64_t classes, int low, int high,
                         unsigned seed) {
  ImageSplit split = random_split(count, image, classes, seed);
  for (std::uint8_t& p : split.pixels) p = static_cast<std::uint8_t>(low + p * (high - low) / 255);
  for (std::int64_t i = 0; i < count; ++i)
    split.labels[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(i % classes);
  return split;
}

double least_linf(const std::vector<double>& g, const std::vector<double>& x, double eps) {
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i)
    sum += g[i] * (g[i] > 0 ? std::max(x[i] - eps, 0.0) : std::min(x[i] + eps, 1.0));
  return sum;
}

double least_l2(const std::vector<double>& g, const std::vector<double>& x, double eps) {
  // x' = clip(x - t g): the longer the step, the further from x; bisect for the step that uses up eps.
  const auto moved = [&](double t, std::size_t i) { return std::clamp(x[i] - t * g[i], 0.0, 1.0); };
  double low = 0, high = 1e6;
  for (int turn = 0; turn < 200; ++turn) {
    const double t = (low + high) / 2;
    double squares = 0;
    for (std::size_t i = 0; i < x.size(); ++i) squares += (moved(t, i) - x[i]) * (moved(t, i) - x[i]);
    (squares <= eps * eps ? low : high) = t;
  }
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += g[i] * moved(low, i);
  return sum;
}

double least_l1(const std::vector<double>& g, const std::vector<double>& x, double eps) {
  // Each unit of the radius is worth |g| of its pixel: the largest first, as far as the box lets them.
  std::vector<std::size_t> order(x.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return std::abs(g[a]) > std::abs(g[b]); });
  double sum = 0, left = eps;
  for (const std::size_t i : order) {
    const double move = std::min(left, g[i] > 0 ? x[i] : 1 - x[i]);
    sum += g[i] * x[i] - std::abs(g[i]) * move;
    left -= move;
  }
  return sum;
}

std::vector<double> attacked_image(const attacks::Evaluation& e, std::int64_t index) {
  const auto size = static_cast<std::ptrdiff_t>(e.images.size()) / e.n;
  return {e.images.begin() + index * size, e.images.begin() + (index + 1) * size};
}

std::uint64_t total(const std::vector<std::uint64_t>& counts) {
  return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

attacks::Evaluation evaluate(Network& network, const ImageSplit& split, const Perturbation& attack,
                             std::int64_t batch, std::uint64_t seed, NormMode attack_norm) {
  attacks::Evaluator evaluator(network, split, attack,
                               {.batch = batch,
                                .seed = seed,
                                .limit = 0,
                                .attack_norm = attack_norm,
                                .keep_images = attacks::KeepImages::yes});
  return evaluator.run();
}

}  // namespace inocula::test
