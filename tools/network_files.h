// A network's weights to and from a safetensors file with PyTorch's names and layouts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "engine/network.h"

namespace inocula {

struct NonFinite {
  std::string tensor;
  std::int64_t element = 0;
  float value = 0;
};

/// The first NaN or infinity among weights and running statistics, if any.
std::optional<NonFinite> find_non_finite(const Network& network);

/// Writes what torch.nn.Module.state_dict() of the same network holds: weights, running statistics, and
/// num_batches_tracked as int64 scalars. Errors: as io/safetensors.h.
void save_network(const std::string& path, const Network& network);

/// Reads such a file; f64, f16 and bf16 are converted, num_batches_tracked may be missing. Errors: no_input;
/// bad_data naming the tensor that is missing, unexpected, of another shape, or holds a NaN, an infinity or
/// a negative running variance. On an error the network is as it was before.
void load_network(const std::string& path, Network& network);

}  // namespace inocula
