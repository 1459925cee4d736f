// The CPU as a backend: aligned memory, oneDNN convolutions.
#pragma once

#include <memory>

#include "engine/backend.h"
#include "kernels/table.h"

namespace inocula::cpu {

/// Channels side by side that oneDNN's kernels on this machine want: 16 with AVX-512, else 8.
std::int64_t preferred_block();

/// oneDNN's bf16 needs AVX-512: natively where the processor has the instructions, else emulated by it.
bool supports(Precision precision);

std::unique_ptr<Backend> make_backend(const KernelTable& kernels, int threads);

/// Processor, instruction sets, libraries: one fact a line.
std::string describe_machine();

}  // namespace inocula::cpu
