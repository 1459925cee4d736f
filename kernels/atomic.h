// Adding to a counter that other teams add to as well; integers only, so that the order cannot matter.
#pragma once

#include <cstdint>

#include "kernels/target.h"

INOCULA_BEGIN_TARGET

INOCULA_DEVICE inline void atomic_add(std::uint64_t* counter, std::uint64_t amount) {
#if defined(INOCULA_CUDA)
  atomicAdd(reinterpret_cast<unsigned long long*>(counter), static_cast<unsigned long long>(amount));
#else
#pragma omp atomic
  *counter += amount;
#endif
}

/// As atomic_add, to a counter that no other team sees.
INOCULA_DEVICE inline void add_in_team(std::uint64_t* counter, std::uint64_t amount) {
#if defined(INOCULA_CUDA)
  atomic_add(counter, amount);
#else
  *counter += amount;
#endif
}

INOCULA_END_TARGET
