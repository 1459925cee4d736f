// A graph placed on a device: its parameters, ready to be recorded into Programs.
#pragma once

#include <cstdint>
#include <string>

#include "engine/device.h"
#include "engine/graph.h"
#include "engine/parameters.h"
#include "engine/precision.h"

namespace inocula {

class Network {
 public:
  /// Parameters are zero but for batch norm's (weight 1, running variance 1): call initialize or load. Throws
  /// Error (missing_package) where the device does not compute in this precision.
  Network(Graph graph, const Device& device, Precision precision = Precision::fp32);
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  const Graph& graph() const { return graph_; }
  const Device& device() const { return device_; }
  Precision precision() const { return precision_; }
  ParameterStore& parameters() { return parameters_; }
  const ParameterStore& parameters() const { return parameters_; }

  /// PyTorch's defaults: convolution and linear weights and biases uniform on (-1, 1) / sqrt(fan_in); batch
  /// norm weight 1, bias 0, running mean 0, variance 1. A function of the seed alone.
  void initialize(std::uint64_t seed);

 private:
  void reset_norms();

  Graph graph_;
  const Device& device_;
  Precision precision_;
  ParameterStore parameters_;
};

}  // namespace inocula
