// AMX's convolutions behind PreparedConv.
#pragma once

#include <memory>

#include "engine/backend.h"

namespace inocula::cpu {

/// bf16 convolutions of one pass by AMX, or null where it does not apply: groups, plain inputs, fp32, a
/// processor without it.
std::shared_ptr<PreparedConv> make_amx_forward(const ConvGeometry& g, const ConvEpilogue& e,
                                               std::int64_t block, int threads);
std::shared_ptr<PreparedConv> make_amx_backward_data(const ConvGeometry& g, std::int64_t block, int threads);

}  // namespace inocula::cpu
