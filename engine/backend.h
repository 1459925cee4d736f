// The seam to a vendor: memory, and convolutions prepared once for fixed shapes.
//
// Everything else that runs on a device is one of our own kernels (kernels/table.h). A backend lives in
// engine/backends/<name>/ and is the only place where a vendor's header may appear.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/precision.h"
#include "engine/tensor.h"
#include "kernels/element.h"
#include "kernels/queue.h"

namespace inocula {

/// Work with all its addresses bound: calling it enqueues it once.
using Launch = std::function<void(const Queue&)>;

struct ConvWindow {
  std::int64_t kernel_h = 1, kernel_w = 1;
  std::int64_t stride_h = 1, stride_w = 1;
  std::int64_t pad_h = 0, pad_w = 0;
  std::int64_t dilation_h = 1, dilation_w = 1;  ///< 1 means dense, as in PyTorch

  /// "3x3, stride 1x1, pad 1x1", and the dilation where there is one.
  std::string to_string() const;
  bool operator==(const ConvWindow&) const = default;
};

struct ConvGeometry {
  Shape in, out;
  ConvWindow window;
  std::int64_t groups = 1;
  Layout in_layout = Layout::blocked;  ///< plain for images and pooled features; the output is always blocked
  Element element = Element::f32;      ///< of blocked activations and their gradients; plain ones are f32

  double multiply_adds() const {
    return static_cast<double>(out.size()) *
           static_cast<double>(in.c / groups * window.kernel_h * window.kernel_w);
  }
  bool operator==(const ConvGeometry&) const = default;
};

/// What follows the products of a forward convolution, in this order: + bias[o], + residual, ReLU, sign bits.
struct ConvEpilogue {
  bool bias = false;
  bool residual = false;
  bool relu = false;
  bool sign_bits = false;  ///< one bit an output: is it positive? (kernels/pointwise.h)

  bool operator==(const ConvEpilogue&) const = default;
};

/// What follows the products of a backward-data convolution: + add, then zero where the mask bit is clear.
struct GradientEpilogue {
  bool add = false;
  bool mask = false;

  bool operator==(const GradientEpilogue&) const = default;
};

/// Addresses of one call; a pass reads those of its own and the epilogue's. Activations and their gradients
/// are of the geometry's element, or float where they are plain.
struct ConvOperands {
  const void* x = nullptr;        ///< forward, backward_weights
  const void* weights = nullptr;  ///< forward, backward_data: as written by bind_weights
  /// (out.c), readable to the next multiple of the block: times each output channel, before the bias. Only
  /// for those that scale_channels; null means 1.
  const float* scale = nullptr;
  const float* bias = nullptr;  ///< (out.c), readable to the next multiple of the block
  const void* residual = nullptr;
  void* y = nullptr;
  std::uint8_t* sign_bits = nullptr;
  const void* dy = nullptr;  ///< backward_data, backward_weights
  void* dx = nullptr;
  const void* add = nullptr;
  const std::uint8_t* mask = nullptr;
  float* dw = nullptr;      ///< (out.c, in.c / groups, kernel_h, kernel_w) plain, accumulated
  float* dbias = nullptr;   ///< (out.c), accumulated; may be null
  void* scratch = nullptr;  ///< scratch_bytes() of it, contents undefined before and after
};

/// One pass of one convolution, chosen and built once; bound to addresses as often as it occurs.
class PreparedConv {
 public:
  virtual ~PreparedConv() = default;

  /// Size of the prepared weights; 0 for backward_weights.
  virtual std::size_t weight_bytes() const { return 0; }
  /// Whether ConvOperands::scale is for it, and its prepared weights serve the same pass of this convolution
  /// with any epilogue and batch, as long as algorithm() is the same. Else the scale is multiplied into the
  /// weights.
  virtual bool scales_channels() const { return false; }
  /// Names the form of its prepared weights. Passes of one convolution whose form has the same name read the
  /// same ones, and so scale channels alike; the weights of a form without a name are this pass's alone.
  virtual std::string weight_form() const { return {}; }
  /// Scratch of bind_weights' launch.
  virtual std::size_t weight_scratch_bytes() const { return 0; }
  /// Transforms plain weights (out.c, in.c / groups, kernel_h, kernel_w), each output channel times scale[o]
  /// where `scale` is not null, into the form that this pass reads.
  virtual Launch bind_weights(const float* plain, const float* scale, void* prepared, void* scratch);

  virtual std::size_t scratch_bytes() const = 0;
  virtual Launch bind(const ConvOperands&) = 0;
  /// Which implementation runs, for records and benchmarks: "onednn jit:avx512_core".
  virtual std::string algorithm() const = 0;
};

/// What was asked of a backend and which implementation it chose: part of a run's record.
struct ConvChoice {
  std::string convolution;
  std::string algorithm;
};

/// One step of a Program, by reference.
struct NamedLaunch {
  const std::string& name;
  const Launch& launch;
};

/// Work that a backend has taken down as a whole, to be started as one from then on: a CUDA graph.
class Replay {
 public:
  virtual ~Replay() = default;
  /// Starts it; what is enqueued later waits for it.
  virtual void launch() = 0;
};

/// What memory holds when it is handed out.
enum class Contents : std::uint8_t {
  zeros,
  undefined,  ///< a checker such as compute-sanitizer then sees what is read before it was written
};

/// Times pieces of work by a device's own clock. Where the device is faster than the host launches, its wait
/// for the next launch is part of a piece.
class Stopwatch {
 public:
  virtual ~Stopwatch() = default;
  /// Inside Backend::run: what is enqueued from begin to end is a piece.
  virtual void begin() = 0;
  virtual void end() = 0;
  /// Seconds of each piece since the last call, in order. Waits for the device.
  virtual std::vector<double> laps() = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;

  virtual std::string name() const = 0;
  /// Hardware, instruction set and library versions, one fact a line.
  virtual std::string describe() const = 0;
  /// Whether its convolutions exist for the element of this precision.
  virtual bool supports(Precision precision) const { return precision == Precision::fp32; }
  /// Channels stored side by side in Layout::blocked, for an activation of `channels` channels. Filled up to
  /// whole blocks a number of channels is the same for every element, so that a channel vector fits any.
  virtual std::int64_t block(std::int64_t channels, Element element) const = 0;
  std::int64_t padded_channels(std::int64_t channels) const {
    const std::int64_t side_by_side = block(channels, Element::f32);
    return (channels + side_by_side - 1) / side_by_side * side_by_side;
  }

  /// Of the cache that a thread has to itself, for which a Recording cuts a batch (engine/strip.h); 0 where
  /// whole batches are better. Only for those whose block is a multiple of 8: slices begin at whole bytes of
  /// bits.
  virtual std::size_t core_cache_bytes() const { return 0; }

  /// Memory aligned to 64 bytes. Throws Error (missing_package) naming what is needed and what is
  /// free.
  virtual void* allocate(std::size_t bytes, Contents contents) = 0;
  virtual void release(void* memory, std::size_t bytes) = 0;
  virtual void upload(void* to, const void* from_host, std::size_t bytes) = 0;
  virtual void download(void* to_host, const void* from, std::size_t bytes) = 0;

  virtual std::shared_ptr<PreparedConv> conv_forward(const ConvGeometry&, const ConvEpilogue&) = 0;
  virtual std::shared_ptr<PreparedConv> conv_backward_data(const ConvGeometry&, const GradientEpilogue&) = 0;
  virtual std::shared_ptr<PreparedConv> conv_backward_weights(const ConvGeometry&) = 0;
  /// Every convolution built so far.
  virtual std::vector<ConvChoice> choices() const = 0;

  /// Does `work` step by step; a backend sets up the calling thread before it and restores it afterwards.
  virtual void run(const std::function<void(const Queue&)>& work) = 0;
  /// Called inside `run` after each step was enqueued: throws Error (internal) naming it where it could not
  /// be.
  virtual void require_enqueued(const std::string& /*step*/) {}
  /// Takes launches down, in order, without doing them. Every address and number that they hand to a kernel
  /// is frozen: what changes from run to run is read from device memory. Null where a backend gains nothing
  /// by it: `run` them.
  virtual std::unique_ptr<Replay> capture(const std::vector<NamedLaunch>&) { return nullptr; }
  /// The host's clock, where work is done when it has been enqueued.
  virtual std::unique_ptr<Stopwatch> make_stopwatch() const;
  /// Enqueues a copy from device memory to device memory by the vendor's own means: what our own copying is
  /// measured against.
  virtual void copy(void* to, const void* from, std::size_t bytes) = 0;
  /// Returns when everything enqueued so far is done.
  virtual void synchronize() {}
};

}  // namespace inocula
