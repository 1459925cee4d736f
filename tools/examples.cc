// Choosing and drawing them.
#include "tools/examples.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "io/data_uri.h"

namespace inocula {

namespace {

using Json = nlohmann::ordered_json;

std::vector<std::int64_t> first_of_classes(const ImageSplit& split, std::int64_t limit, std::int64_t count) {
  const std::int64_t n = limit == 0 ? split.count : std::min(limit, split.count);
  std::vector<std::vector<std::int64_t>> of_class;
  for (std::int64_t i = 0; i < n; ++i) {
    const auto label = static_cast<std::size_t>(split.labels[static_cast<std::size_t>(i)]);
    if (label >= of_class.size()) of_class.resize(label + 1);
    of_class[label].push_back(i);
  }
  std::vector<std::int64_t> chosen;
  count = std::min(count, n);
  for (std::size_t turn = 0; static_cast<std::int64_t>(chosen.size()) < count; ++turn)
    for (const std::vector<std::int64_t>& images : of_class)
      if (turn < images.size() && static_cast<std::int64_t>(chosen.size()) < count)
        chosen.push_back(images[turn]);
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

void add_prediction(Json& to, const attacks::Predictions& p, std::int64_t image) {
  const auto i = static_cast<std::size_t>(image);
  const std::int32_t predicted = p.predicted[i];
  to["predicted"] = predicted;
  to["confidence"] =
      p.probability[i * static_cast<std::size_t>(p.classes) + static_cast<std::size_t>(predicted)];
}

attacks::Predictions predictions_of(const std::vector<float>& logits, const attacks::Evaluation& e,
                                    double temperature) {
  return {logits, e.label, e.classes, temperature};
}

/// A grey level of each value that `value` gives for (channel, pixel), as a PNG keeps them.
std::string picture(const ImageSplit& s, const std::function<double(std::int64_t, std::int64_t)>& value) {
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(s.image_bytes()));
  for (std::int64_t pixel = 0; pixel < s.height * s.width; ++pixel)
    for (std::int64_t c = 0; c < s.channels; ++c)
      bytes[static_cast<std::size_t>(pixel * s.channels + c)] =
          static_cast<std::uint8_t>(std::lround(255 * std::clamp(value(c, pixel), 0.0, 1.0)));
  return png_data_uri(bytes, s.height, s.width, s.channels);
}

}  // namespace

Examples::Examples(const ImageSplit& split, std::int64_t limit, std::int64_t count)
    : split_(split), index_(first_of_classes(split, limit, count)) {}

void Examples::add_clean(const attacks::Evaluation& e, double temperature) {
  const attacks::Predictions p = predictions_of(e.clean_logits, e, temperature);
  const auto bytes = static_cast<std::size_t>(split_.image_bytes());
  for (const std::int64_t i : index_) {
    const std::span<const std::uint8_t> pixels(split_.pixels.data() + static_cast<std::size_t>(i) * bytes,
                                               bytes);
    Json example{{"index", i},
                 {"label", split_.labels[static_cast<std::size_t>(i)]},
                 {"image", png_data_uri(pixels, split_.height, split_.width, split_.channels)}};
    add_prediction(example, p, i);
    example["rows"] = Json::array();
    list_.push_back(std::move(example));
  }
}

void Examples::add(std::size_t row, const attacks::Evaluation& e, double temperature) {
  const attacks::Predictions p = predictions_of(e.logits, e, temperature);
  const std::int64_t plane = split_.height * split_.width;
  for (std::size_t example = 0; example < index_.size(); ++example) {
    const float* const image = e.images.data() + example * static_cast<std::size_t>(split_.channels * plane);
    const std::uint8_t* const pixels =
        split_.pixels.data() + static_cast<std::size_t>(index_[example] * split_.image_bytes());
    const auto after = [&](std::int64_t c, std::int64_t pixel) {
      return static_cast<double>(image[c * plane + pixel]);
    };
    const auto change = [&](std::int64_t c, std::int64_t pixel) {
      const float before = static_cast<float>(pixels[pixel * split_.channels + c]) / 255.0f;
      return static_cast<double>(image[c * plane + pixel] - before);
    };
    double largest = 0;
    for (std::int64_t c = 0; c < split_.channels; ++c)
      for (std::int64_t pixel = 0; pixel < plane; ++pixel)
        largest = std::max(largest, std::abs(change(c, pixel)));
    const double scale = largest > 0 ? 0.5 / largest : 1;
    Json entry{{"row", row}};
    add_prediction(entry, p, index_[example]);
    entry["image"] = picture(split_, after);
    entry["change"] =
        picture(split_, [&](std::int64_t c, std::int64_t pixel) { return 0.5 + scale * change(c, pixel); });
    entry["scale"] = scale;
    list_[example]["rows"].push_back(std::move(entry));
  }
}

}  // namespace inocula
