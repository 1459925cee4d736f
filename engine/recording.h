// A network inside a Program: in one mode, its weights prepared once, its passes recorded as often as wanted.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "engine/fuse.h"
#include "engine/layer.h"
#include "engine/network.h"
#include "engine/norm_mode.h"
#include "engine/strip.h"

namespace inocula {

struct RecordingMode {
  NormMode norm = NormMode::frozen;
  bool input_gradient = false;       ///< attacks
  bool parameter_gradients = false;  ///< training
};

/// One recorded forward: what its backward needs.
struct ForwardTrace {
  std::vector<LayerTrace> layers;  ///< by group; of the strip's the last one alone, with y and sign
  std::vector<std::vector<LayerTrace>> slices;  ///< by slice of the batch: the strip's, by group
  Tensor logits;                                ///< (N, K, 1, 1) plain
};

class Recording {
 public:
  /// Records the preparation of weights, which holds for all passes recorded afterwards: parameters must not
  /// change between them.
  Recording(Recorder& recorder, Network& network, std::int64_t batch, RecordingMode mode);
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;
  ~Recording();

  /// `images`: plain fp32 (N, C, H, W) in [0, 1].
  ForwardTrace forward(const Tensor& images);
  /// Records what the mode asked for: gradients of the parameters are added to the flat gradient buffer, the
  /// gradient of the images (plain, of the same loss as dlogits) is the answer, or no tensor.
  Tensor backward(ForwardTrace& trace, const Tensor& dlogits);

  ParameterTensors& parameters() { return parameters_; }
  Recorder& recorder() { return recorder_; }

 private:
  using Values = std::map<Value, Tensor>;

  /// Groups [begin, end) of the whole batch or a slice: adds their values. Traces may hold where y and sign
  /// go.
  void forward(std::size_t begin, std::size_t end, Values& values, std::vector<LayerTrace>& layers);
  /// The strip's end for the whole batch, a slice after the other.
  void forward_strip(const Tensor& images, ForwardTrace& trace);
  /// From the gradient of the last group's value, masked, to that of the value that enters the first group.
  Tensor backward(std::size_t begin, std::size_t end, std::vector<LayerTrace>& layers, const Tensor& dy);
  Tensor backward_strip(ForwardTrace& trace, const Tensor& dy);

  /// Whether a gradient must reach this value.
  bool wants_gradient(Value v) const { return wanted_[static_cast<std::size_t>(v)]; }
  void check_all_read() const;
  void find_wanted();

  Recorder& recorder_;
  const Network& network_;
  std::int64_t batch_;
  RecordingMode mode_;
  ParameterTensors parameters_;
  std::vector<NodeGroup> groups_;
  Strip strip_;
  std::vector<bool> wanted_;  ///< by value
  std::vector<std::unique_ptr<Layer>> layers_;
};

}  // namespace inocula
