// Pooling layers: maximum, average, global average.
#pragma once

#include <string>
#include <utility>

#include "engine/layer.h"
#include "kernels/pool.h"

namespace inocula {

class MaxPoolLayer final : public Layer {
 public:
  /// `out` with the batch; `keep_arg`: a gradient will be asked for.
  MaxPoolLayer(std::string name, PoolWindow window, Shape out, bool keep_arg)
      : name_(std::move(name)), window_(window), out_(out), keep_arg_(keep_arg) {}

  Reads reads(Pass pass) const override {
    return {.input = pass == Pass::forward, .kept = pass == Pass::backward_data};
  }
  void forward(Recorder& r, ParameterTensors& p, LayerTrace& trace) override;
  Tensor backward_data(Recorder& r, ParameterTensors& p, LayerTrace& trace, std::size_t input,
                       const GradientSink& sink) override;

 private:
  enum Kept { kArg, kKeptCount };
  std::string name_;
  PoolWindow window_;
  Shape out_;
  bool keep_arg_;
};

class AveragePoolLayer final : public Layer {
 public:
  AveragePoolLayer(std::string name, PoolWindow window, Shape out)
      : name_(std::move(name)), window_(window), out_(out) {}

  Reads reads(Pass pass) const override { return {.input = pass == Pass::forward}; }
  void forward(Recorder& r, ParameterTensors& p, LayerTrace& trace) override;
  Tensor backward_data(Recorder& r, ParameterTensors& p, LayerTrace& trace, std::size_t input,
                       const GradientSink& sink) override;

 private:
  std::string name_;
  PoolWindow window_;
  Shape out_;
};

/// Its result is plain (N, C, 1, 1).
class GlobalAveragePoolLayer final : public Layer {
 public:
  explicit GlobalAveragePoolLayer(std::string name) : name_(std::move(name)) {}

  Reads reads(Pass pass) const override { return {.input = pass == Pass::forward}; }
  void forward(Recorder& r, ParameterTensors& p, LayerTrace& trace) override;
  Tensor backward_data(Recorder& r, ParameterTensors& p, LayerTrace& trace, std::size_t input,
                       const GradientSink& sink) override;

 private:
  std::string name_;
};

}  // namespace inocula
