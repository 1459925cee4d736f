// Convolutions on the CPU by oneDNN, with the parts it lacks from our own kernels.
#pragma once

#include <map>
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>

#include "engine/backend.h"
#include "kernels/table.h"

namespace inocula::cpu {

/// Builds prepared convolutions, one for each description, and hands the same one out again.
class ConvFactory {
 public:
  /// `block`: channels side by side, 16 or 8, as oneDNN's kernels for this machine want it.
  ConvFactory(const KernelTable& kernels, std::int64_t block, int threads);

  std::shared_ptr<PreparedConv> forward(const ConvGeometry& g, const ConvEpilogue& e);
  std::shared_ptr<PreparedConv> backward_data(const ConvGeometry& g, const GradientEpilogue& e);
  std::shared_ptr<PreparedConv> backward_weights(const ConvGeometry& g);

 private:
  template <class Make>
  std::shared_ptr<PreparedConv> find_or_make(const std::string& key, const Make& make);

  const KernelTable& kernels_;
  std::int64_t block_;
  int threads_;
  dnnl::engine engine_;
  std::map<std::string, std::shared_ptr<PreparedConv>> known_;
};

}  // namespace inocula::cpu
