// Naming slices of the flat buffers.
#include "engine/parameter_tensors.h"

namespace inocula {

Tensor ParameterTensors::find(const std::string& kind, const Buffer& buffer, const ParameterEntry& entry) {
  Tensor& t = known_[kind + entry.name];
  if (!t)
    t = recorder_.external(kind + entry.name, buffer.as<float>() + entry.offset, {1, entry.count, 1, 1});
  return t;
}

Tensor ParameterTensors::weight(const std::string& name) {
  return find("", store_.values, store_.weights.find(name));
}
Tensor ParameterTensors::gradient(const std::string& name) {
  return find("gradient of ", store_.gradients, store_.weights.find(name));
}
Tensor ParameterTensors::running(const std::string& name) {
  return find("", store_.running, store_.statistics.find(name));
}
Tensor ParameterTensors::all_gradients() {
  return find("all gradients", store_.gradients, {"", {}, 0, store_.weights.extent()});
}
Tensor ParameterTensors::all_weights() {
  return find("all weights", store_.values, {"", {}, 0, store_.weights.extent()});
}

}  // namespace inocula
