// Convolution, with what may follow it fused in: frozen batch norm, residual sum, ReLU.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "engine/backend.h"
#include "engine/layer.h"

namespace inocula {

/// A batch norm whose frozen statistics become the convolution's scale and bias.
struct FoldedNorm {
  std::string name;
  float eps = 1e-5f;
};

struct ConvLayerSpec {
  std::string name;  ///< of the convolution: prefix of "weight" and "bias"
  ConvGeometry geometry;
  bool bias = false;
  std::optional<FoldedNorm> norm;
  bool residual = false;  ///< input 1 is added before the ReLU
  bool relu = false;
  bool keep_sign = false;       ///< a gradient through the ReLU will be asked for
  bool input_gradient = false;  ///< backward_data of input 0 will be asked for
};

class ConvLayer final : public Layer {
 public:
  ConvLayer(const Device& device, ConvLayerSpec spec);

  Reads reads(Pass pass) const override;
  void prepare(Recorder& r, ParameterTensors& p) override;
  void forward(Recorder& r, ParameterTensors& p, LayerTrace& trace) override;
  Tensor backward_data(Recorder& r, ParameterTensors& p, LayerTrace& trace, std::size_t input,
                       const GradientSink& sink) override;
  void backward_params(Recorder& r, ParameterTensors& p, LayerTrace& trace) override;

 private:
  Tensor prepare_weights(Recorder& r, ParameterTensors& p, const std::shared_ptr<PreparedConv>& conv,
                         const char* pass) const;

  const Device& device_;
  ConvLayerSpec spec_;
  std::shared_ptr<PreparedConv> forward_, backward_data_;
  Tensor scale_, shift_;  ///< of the folded norm
  Tensor forward_weights_, backward_weights_;
};

}  // namespace inocula
