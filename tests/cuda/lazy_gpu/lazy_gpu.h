// Two GPUs of host memory that do nothing before they are waited for, under the CUDA backend's own code.
//
// A real GPU may be late at any time: whatever the host changes between enqueueing and waiting is seen here
// by what was enqueued. Kernels are the CPU's (tests/engine/tape.h), cuDNN is the plain loops of
// tests/engine/channels_last.h; streams, events, captures, graphs and memory are those of the backend.
#pragma once

#include <cstddef>
#include <string>

#include "kernels/table.h"

namespace inocula::test::lazy_gpu {

inline constexpr int kDevices = 2;

/// Resources that were made and not given back: memory of both kinds, streams, events, graphs.
std::size_t alive();
/// What the calling thread has made current.
int current_device();
/// Graphs started so far.
std::size_t launches();

/// Memory that a device has from now on.
void set_memory(std::size_t bytes);
/// Lets the n-th call of the runtime from now on fail, 0 being the next one; a negative number lets none
/// fail. Calls that give something back are not counted and do not fail.
void fail_call(int n);
/// Name of the call that failed so, or empty.
std::string failed_call();
/// The next work that is done breaks its device: every later wait reports an illegal address until `reset`.
void break_device();
void reset();

/// The CPU's kernels, each put into the stream it is launched on.
const KernelTable& kernels();

}  // namespace inocula::test::lazy_gpu
