// What the labels of a data set mean.
#pragma once

#include <cstdint>

namespace inocula {

/// A data set's labels tell several labels an image from one class an image, but not whether classes are
/// grades: that is said with the training, and kept in the model's card.
enum class Task : std::uint8_t {
  multi_class,  ///< one class an image; softmax and cross-entropy
  ordinal,      ///< the same, of classes that are grades in rising order: how far off an answer is counts too
  multi_label,  ///< each label is there or not, independently; sigmoid and binary cross-entropy
};

/// "multi-class", "ordinal" or "multi-label".
inline const char* to_string(Task task) {
  return task == Task::multi_label ? "multi-label" : task == Task::ordinal ? "ordinal" : "multi-class";
}

}  // namespace inocula
