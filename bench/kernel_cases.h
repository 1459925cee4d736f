// How each kernel of the table is benchmarked: with which arguments, and which bytes it must move.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bench/arrays.h"
#include "kernels/table.h"

namespace inocula::bench {

/// What one launch is given and does.
template <class Args>
struct KernelWork {
  Args args;
  double bytes = 0;  ///< that have to be read or written, each once; 0 where memory is not what bounds it
  double operations = 0;            ///< of what is bound by arithmetic
  std::optional<Fill> before = {};  ///< launched first, and a trifle: what the kernel would use up
};

template <class Args>
struct KernelCase {
  std::string variant;  ///< empty where there is one alone
  std::function<KernelWork<Args>(Arrays&)> make;
};

/// cases::NAME() for every kernel of the table. One that nobody defines does not link: no kernel goes
/// unmeasured.
namespace cases {
#define INOCULA_KERNEL_CASES(name, Args) std::vector<KernelCase<Args>> name();
INOCULA_KERNELS(INOCULA_KERNEL_CASES)
#undef INOCULA_KERNEL_CASES
}  // namespace cases

/// Pixels of an image of the workload that is measured: 28x28, grey.
inline constexpr std::int64_t kSide = 28, kPixels = kSide * kSide;

}  // namespace inocula::bench
