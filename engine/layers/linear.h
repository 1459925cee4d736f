// The fully connected layer, on the flattened (C, H, W) input.
#pragma once

#include <string>
#include <utility>

#include "engine/layer.h"

namespace inocula {

class LinearLayer final : public Layer {
 public:
  LinearLayer(std::string name, std::int64_t out_features, bool bias)
      : name_(std::move(name)), out_features_(out_features), bias_(bias) {}

  Reads reads(Pass pass) const override {
    switch (pass) {
      case Pass::forward:
        return {.input = true, .parameters = true};
      case Pass::backward_data:
        return {.parameters = true};
      default:
        return {.kept = true};
    }
  }
  void forward(Recorder& r, ParameterTensors& p, LayerTrace& trace) override;
  Tensor backward_data(Recorder& r, ParameterTensors& p, LayerTrace& trace, std::size_t input,
                       const GradientSink& sink) override;
  void backward_params(Recorder& r, ParameterTensors& p, LayerTrace& trace) override;

 private:
  enum Kept { kFlat, kKeptCount };  ///< the input as plain rows
  std::string name_;
  std::int64_t out_features_;
  bool bias_;
};

}  // namespace inocula
