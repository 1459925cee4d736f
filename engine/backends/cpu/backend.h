// The CPU as a backend: aligned memory, our own convolutions and oneDNN's.
#pragma once

#include <memory>

#include "engine/backend.h"
#include "kernels/table.h"

namespace inocula::cpu {

/// Channels side by side that oneDNN's kernels on this machine want: 16 with AVX-512, else 8.
std::int64_t preferred_block();

/// Whether activations of this element lie channels-last, filled up to whole blocks: AMX, which multiplies
/// bf16 several times as fast as AVX-512 does, is used by oneDNN for no other layout.
bool channels_last(Element element);

/// Channels side by side in an activation of that many: `block`, or all where it is channels-last.
std::int64_t stored_block(std::int64_t channels, Element element, std::int64_t block);

/// oneDNN's bf16 needs AVX-512: natively where the processor has the instructions, else emulated by it.
bool supports(Precision precision);

/// `precise`: convolutions by direct summation alone.
std::unique_ptr<Backend> make_backend(const KernelTable& kernels, int threads, bool precise);

/// Processor, instruction sets, libraries: one fact a line.
std::string describe_machine();

}  // namespace inocula::cpu
