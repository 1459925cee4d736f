// A few images of a split, and what attacks and corruptions make of them: the grids of a report.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

#include "attacks/evaluate.h"
#include "engine/source.h"

namespace inocula {

class Examples {
 public:
  /// `count` of the first `limit` images (0: of all), of the classes in turn, in each the first ones.
  Examples(const ImageSplit& split, std::int64_t limit, std::int64_t count);

  /// Numbers of the images, rising.
  const std::vector<std::int64_t>& index() const { return index_; }

  /// What the network says of them as they are. `temperature`: that logits are divided by.
  void add_clean(const attacks::Evaluation& e, double temperature);
  /// What row `row` of the evaluation made of them, and what the network says of that. `e` keeps the images
  /// of index().
  void add(std::size_t row, const attacks::Evaluation& e, double temperature);

  /// A list of {"index", "label", "image", "predicted", "confidence", "rows": [{"row", "predicted",
  /// "confidence", "image", "change", "scale"}]}. Images are PNG data URIs; "change" shows the signed change,
  /// times "scale", around middle grey.
  const nlohmann::ordered_json& json() const { return list_; }

 private:
  const ImageSplit& split_;
  std::vector<std::int64_t> index_;
  nlohmann::ordered_json list_ = nlohmann::ordered_json::array();
};

}  // namespace inocula
