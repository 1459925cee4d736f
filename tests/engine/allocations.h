// Counts what C++ code of this process allocates, and who asked: our own code or oneDNN.
#pragma once

#include <cstdint>

namespace inocula::test {

struct Allocations {
  std::int64_t ours = 0;    ///< operator new called from anywhere but oneDNN's library
  std::int64_t onednn = 0;  ///< called from inside it
};

/// False under AddressSanitizer, which keeps operator new for itself.
bool can_count_allocations();

/// Counts between its making and stop(), on all threads.
class AllocationCounter {
 public:
  AllocationCounter();
  ~AllocationCounter();
  Allocations stop();
};

}  // namespace inocula::test
