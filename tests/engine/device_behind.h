// A CPU device whose backend a test watches.
#pragma once

#include <memory>

#include "engine/backends/cpu/backend.h"
#include "engine/device.h"
#include "tests/engine/harness.h"

namespace inocula::test {

/// A CPU device of one thread and direct convolutions behind a `Wrapper`, which writes into `counts`; these
/// must outlive it.
template <class Wrapper, class Counts>
Device device_behind(Counts& counts) {
  const KernelTable& kernels = cpu().kernels();
  return Device("cpu", 1, std::make_unique<Wrapper>(inocula::cpu::make_backend(kernels, 1, true), counts),
                kernels);
}

}  // namespace inocula::test
