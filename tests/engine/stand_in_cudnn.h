// Plain loops in cuDNN's place.
#pragma once

#include <memory>

#include "engine/backends/cuda/cudnn.h"

namespace inocula::test {

/// What the stand-in fuses: on a GPU that depends on the shape and the precision.
enum class Fusion { none, all };

/// Enqueues on `stream`, a TapedStream (tape.h), or, where it is null, as kernels are.
std::unique_ptr<cuda::Cudnn> stand_in_for_cudnn(Fusion fusion, void* stream);

}  // namespace inocula::test
