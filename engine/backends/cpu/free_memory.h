// How much memory this process may still take.
#pragma once

#include <cstddef>

namespace inocula::cpu {

/// Bytes that the kernel counts as available, or that the control group leaves where that is less; the
/// largest number where neither is known.
std::size_t free_memory();

}  // namespace inocula::cpu
