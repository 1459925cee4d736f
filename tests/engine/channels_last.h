// The CUDA backend's layout and convolutions on the CPU: everything of it but NVIDIA's libraries.
//
// Activations are channels-last with their channels filled up to eight; engine/backends/cuda/conv.cc packs
// weights, copies images, finishes epilogues and adds gradients as on a GPU. What a GPU leaves to cuDNN is
// done by plain loops in double.
#pragma once

#include <memory>

#include "engine/device.h"
#include "tests/engine/stand_in_cudnn.h"

namespace inocula::test {

const Device& channels_last(Fusion fusion);

/// Its backend around kernels of the CPU's; what stands in for cuDNN is enqueued as they are (tape.h).
std::unique_ptr<Backend> channels_last_backend(const KernelTable& kernels, Fusion fusion);

}  // namespace inocula::test
