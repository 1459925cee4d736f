// Values side by side along the channels.
#pragma once

#include <string>
#include <utility>

#include "engine/layer.h"

namespace inocula {

class ConcatLayer final : public Layer {
 public:
  ConcatLayer(std::string name, Shape out) : name_(std::move(name)), out_(out) {}

  Reads reads(Pass pass) const override { return {.input = pass == Pass::forward}; }
  void forward(Recorder& r, ParameterTensors& p, LayerTrace& trace) override;
  Tensor backward_data(Recorder& r, ParameterTensors& p, LayerTrace& trace, std::size_t input,
                       const GradientSink& sink) override;

 private:
  std::string name_;
  Shape out_;
};

}  // namespace inocula
