// Element-wise layers: the images' normalisation, residual addition, ReLU.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/layer.h"

namespace inocula {

/// ReLU of x, or of the sum of two inputs, or that sum alone.
class PointwiseLayer final : public Layer {
 public:
  PointwiseLayer(std::string name, bool add, bool relu, bool keep_sign)
      : name_(std::move(name)), add_(add), relu_(relu), keep_sign_(keep_sign) {}

  Reads reads(Pass pass) const override { return {.input = pass == Pass::forward}; }
  void forward(Recorder& r, ParameterTensors& p, LayerTrace& trace) override;
  Tensor backward_data(Recorder& r, ParameterTensors& p, LayerTrace& trace, std::size_t input,
                       const GradientSink& sink) override;

 private:
  std::string name_;
  bool add_, relu_, keep_sign_;
};

/// (x - mean[c]) / std[c] on plain images.
class NormalizeLayer final : public Layer {
 public:
  NormalizeLayer(const Device& device, const std::vector<float>& mean, const std::vector<float>& std);

  Reads reads(Pass pass) const override { return {.input = pass == Pass::forward, .parameters = true}; }
  void prepare(Recorder& r, ParameterTensors& p) override;
  void forward(Recorder& r, ParameterTensors& p, LayerTrace& trace) override;
  Tensor backward_data(Recorder& r, ParameterTensors& p, LayerTrace& trace, std::size_t input,
                       const GradientSink& sink) override;

 private:
  std::shared_ptr<Buffer> constants_;  ///< scale, then shift; kept alive by the Program
  std::int64_t channels_;
  Tensor scale_, shift_;
};

}  // namespace inocula
