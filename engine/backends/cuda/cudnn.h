// cuDNN, loaded when a CUDA device is opened, and the plans of convolutions that it makes.
//
// No header of NVIDIA's shows here: the vendor's headers take a minute to compile and are read by cudnn.cc
// alone.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "engine/backends/cuda/conv_problem.h"
#include "engine/determinism.h"

namespace inocula::cuda {

/// cuDNN bound to a device's stream.
class Cudnn {
 public:
  /// Loads libcudnn.so.9. Throws Error (missing_package) where it is not found or too old.
  /// `stream` is a cudaStream_t of the current device.
  static std::unique_ptr<Cudnn> open(void* stream, int compute_capability);
  /// For planning alone, on a machine without the hardware: `properties` describes a GPU in cuDNN's JSON.
  static std::unique_ptr<Cudnn> describe_hardware(const std::string& properties, int compute_capability);

  virtual ~Cudnn() = default;
  /// "9.19.0"
  virtual std::string version() const = 0;

  class Plan {
   public:
    virtual ~Plan() = default;
    virtual std::size_t workspace_bytes() const = 0;
    /// cuDNN's name of the engine and its settings: "eng70_k2=4_k18=0".
    virtual std::string name() const = 0;
    /// Enqueues it; may be captured. Nothing is allocated on the device.
    virtual void execute(const ConvAddresses& at, void* workspace) = 0;
  };
  /// Null where no engine of cuDNN does this: fusions are optional. Determinism::reproducible admits no
  /// engine whose results change from run to run. Throws Error (internal) for what went wrong else.
  virtual std::unique_ptr<Plan> plan(const ConvProblem& problem, const Admission& admission) = 0;
};

}  // namespace inocula::cuda
