// A layer: three passes that can be recorded, each stating what it reads.
//
// Layers own no memory: they name tensors, and the Program decides where those live. A layer belongs to one
// Recording (engine/recording.h), which knows the mode; its forward may be recorded several times, each time
// with a LayerTrace of its own.
#pragma once

#include <string>
#include <vector>

#include "engine/parameter_tensors.h"
#include "engine/recorder.h"
#include "engine/tensor.h"

namespace inocula {

enum class Pass {
  forward,          ///< y = f(x, theta)
  backward_data,    ///< dx = (df/dx)^T dy: attack and training
  backward_params,  ///< dtheta += (df/dtheta)^T dy: training only
};

/// What a pass reads apart from dy. Whatever no later pass reads is not kept: that is how an attack comes by
/// with one bit an activation.
struct Reads {
  bool input = false;
  bool parameters = false;  ///< parameters, what was prepared from them, or constants of the layer
  bool kept = false;        ///< something that forward left in LayerTrace::kept

  bool operator==(const Reads&) const = default;
};

/// What one recorded forward leaves for the passes back.
struct LayerTrace {
  std::vector<Tensor> x;
  Tensor y;
  Tensor sign;  ///< DType::bits, set where y > 0: where the layer ends in a ReLU and a gradient is wanted
  std::vector<Tensor> kept;  ///< the layer's own; indices are an enum beside it
  Tensor dy;                 ///< the gradient that arrived, already masked by `sign`
};

/// Where the gradient of an input goes: it shall become (result + add) masked by `mask`; both may be missing.
struct GradientSink {
  Tensor add;
  Tensor mask;
};

class Layer {
 public:
  virtual ~Layer() = default;

  virtual Reads reads(Pass pass) const = 0;
  /// Work that depends on parameters alone, recorded once before all forwards.
  virtual void prepare(Recorder&, ParameterTensors&) {}
  /// Records y from trace.x and fills the rest of the trace.
  virtual void forward(Recorder&, ParameterTensors&, LayerTrace& trace) = 0;
  /// Records the gradient of input number `input` from trace.dy and answers it (it may be dy itself).
  virtual Tensor backward_data(Recorder&, ParameterTensors&, LayerTrace& trace, std::size_t input,
                               const GradientSink& sink) = 0;
  /// Adds this forward's share to the gradients of the parameters.
  virtual void backward_params(Recorder&, ParameterTensors&, LayerTrace&) {}
};

/// dy passed on unchanged: itself where the sink asks for nothing, else joined with it.
Tensor pass_gradient(Recorder& r, const Tensor& dy, const GradientSink& sink);

}  // namespace inocula
