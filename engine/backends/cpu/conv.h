// Convolutions on the CPU: our own where they are faster, else oneDNN's with the parts it lacks.
#pragma once

#include <memory>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <vector>

#include "engine/backend.h"
#include "engine/known_convs.h"
#include "kernels/table.h"

namespace inocula::cpu {

/// Builds prepared convolutions, one for each description, and hands the same one out again.
class ConvFactory {
 public:
  /// `block`: channels side by side, 16 or 8, as oneDNN's kernels for this machine want it. `precise`: direct
  /// convolutions alone.
  ConvFactory(const KernelTable& kernels, std::int64_t block, int threads, bool precise);

  std::shared_ptr<PreparedConv> forward(const ConvGeometry& g, const ConvEpilogue& e);
  std::shared_ptr<PreparedConv> backward_data(const ConvGeometry& g, const GradientEpilogue& e);
  std::shared_ptr<PreparedConv> backward_weights(const ConvGeometry& g);

  std::vector<ConvChoice> choices() const { return known_.choices(); }

 private:
  template <class Make>
  std::shared_ptr<PreparedConv> find_or_make(const std::string& description, const Make& make);

  const KernelTable& kernels_;
  std::int64_t block_;
  int threads_;
  bool precise_;
  dnnl::engine engine_;
  KnownConvs known_;
};

}  // namespace inocula::cpu
