// Our own convolutions of 3x3 windows behind PreparedConv, and the rule that chooses their tile.
#pragma once

#include <memory>
#include <optional>

#include "engine/backend.h"
#include "engine/backends/cpu/winograd/winograd.h"
#include "kernels/table.h"

namespace inocula::cpu {

/// The tile for an output of height x width, or none where direct convolution takes fewer operations. A
/// function of the image alone: neither batch nor threads nor a clock may change a run's bits.
std::optional<WinogradTile> choose_tile(std::int64_t height, std::int64_t width);

/// Winograd's convolution of one pass, or null where it does not apply: windows other than 3x3 at stride 1,
/// groups, plain or bf16 input, images that are too small, a processor without AVX2.
std::shared_ptr<PreparedConv> make_winograd_forward(const ConvGeometry& g, const ConvEpilogue& e,
                                                    std::int64_t block, int threads);
std::shared_ptr<PreparedConv> make_winograd_backward_data(const ConvGeometry& g, std::int64_t block,
                                                          int threads);
std::shared_ptr<PreparedConv> make_winograd_backward_weights(const KernelTable& kernels,
                                                             const ConvGeometry& g, std::int64_t block,
                                                             int threads);

}  // namespace inocula::cpu
