// A network's parameters as tensors of one Recorder, by name.
#pragma once

#include <map>
#include <string>

#include "engine/parameters.h"
#include "engine/recorder.h"

namespace inocula {

class ParameterTensors {
 public:
  ParameterTensors(Recorder& recorder, ParameterStore& store) : recorder_(recorder), store_(store) {}

  Tensor weight(const std::string& name);
  Tensor gradient(const std::string& name);
  Tensor running(const std::string& name);
  /// Every gradient as one flat array, gaps included.
  Tensor all_gradients();
  Tensor all_weights();

 private:
  Tensor find(const std::string& kind, const Buffer& buffer, const ParameterEntry& entry);

  Recorder& recorder_;
  ParameterStore& store_;
  std::map<std::string, Tensor> known_;
};

}  // namespace inocula
