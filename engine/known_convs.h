// Convolutions that a backend has built, each once, by what was asked for.
#pragma once

#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/backend.h"

namespace inocula {

class KnownConvs {
 public:
  /// The one of this description, or what `make` builds now: a std::shared_ptr<PreparedConv>.
  template <class Make>
  std::shared_ptr<PreparedConv> find_or_make(const std::string& description, const Make& make) {
    std::shared_ptr<PreparedConv>& known = known_[description];
    if (!known) {
      try {
        known = make();
      } catch (...) {
        known_.erase(description);
        throw;
      }
    }
    return known;
  }

  /// Which implementation each of them got, in the order of their descriptions.
  std::vector<ConvChoice> choices() const;

 private:
  std::map<std::string, std::shared_ptr<PreparedConv>> known_;
};

/// One line that tells convolutions apart: "forward (8, 64, 28, 28) to (8, 64, 28, 28), 3x3, … + bias +
/// ReLU".
std::string describe(const ConvGeometry& g, const ConvEpilogue& e);
std::string describe(const ConvGeometry& g, const GradientEpilogue& e);
/// Of the backward pass to the weights.
std::string describe(const ConvGeometry& g);

}  // namespace inocula
