// Batch normalisation with a residual sum and a ReLU behind it, where those follow.
#pragma once

#include <string>

#include "engine/layer.h"
#include "engine/norm_mode.h"

namespace inocula {

struct NormLayerSpec {
  std::string name;
  NormMode mode = NormMode::batch;
  float eps = 1e-5f;
  float momentum = 0.1f;
  bool residual = false;  ///< input 1 is added before the ReLU
  bool relu = false;
  bool keep_sign = false;
};

class NormLayer final : public Layer {
 public:
  explicit NormLayer(NormLayerSpec spec) : spec_(std::move(spec)) {}

  Reads reads(Pass pass) const override;
  void prepare(Recorder& r, ParameterTensors& p) override;
  void forward(Recorder& r, ParameterTensors& p, LayerTrace& trace) override;
  Tensor backward_data(Recorder& r, ParameterTensors& p, LayerTrace& trace, std::size_t input,
                       const GradientSink& sink) override;
  void backward_params(Recorder& r, ParameterTensors& p, LayerTrace& trace) override;

 private:
  enum Kept { kMean, kRstd, kScale, kShift, kSumDy, kSumDyXhat, kKeptCount };

  void record_statistics(Recorder& r, ParameterTensors& p, LayerTrace& trace) const;
  /// Sums that both passes back need; recorded by whichever comes first. `params` also adds them to the
  /// gradients of gamma and beta.
  void record_sums(Recorder& r, ParameterTensors& p, LayerTrace& trace, bool params) const;

  NormLayerSpec spec_;
  Tensor frozen_scale_, frozen_shift_;
};

}  // namespace inocula
