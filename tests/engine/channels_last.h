// The CUDA backend's layout and convolutions on the CPU: everything of it but NVIDIA's libraries.
//
// Activations are channels-last with their channels filled up to eight; engine/backends/cuda/conv.cc packs
// weights, copies images, finishes epilogues and adds gradients as on a GPU. What a GPU leaves to cuDNN is
// done by plain loops in double.
#pragma once

#include <memory>

#include "engine/backends/cuda/cudnn.h"
#include "engine/device.h"

namespace inocula::test {

/// What the stand-in for cuDNN fuses: on a GPU that depends on the shape and the precision.
enum class Fusion { none, all };

const Device& channels_last(Fusion fusion);

/// The plain loops; enqueued on `stream`, a TapedStream (tape.h), or, where it is null, as kernels are.
std::unique_ptr<cuda::Cudnn> stand_in_for_cudnn(Fusion fusion, void* stream);

/// Its backend around kernels of the CPU's; what stands in for cuDNN is enqueued as they are (tape.h).
std::unique_ptr<Backend> channels_last_backend(const KernelTable& kernels, Fusion fusion);

}  // namespace inocula::test
