// The number of threads that oneDNN uses, set for a scope.
#pragma once

#include <omp.h>

namespace inocula::cpu {

/// oneDNN takes its thread count from OpenMP's setting of the calling thread, when it builds a primitive and
/// when it runs one: set it, and put it back.
class ThreadScope {
 public:
  explicit ThreadScope(int threads) : before_(omp_get_max_threads()) { omp_set_num_threads(threads); }
  ~ThreadScope() { omp_set_num_threads(before_); }
  ThreadScope(const ThreadScope&) = delete;
  ThreadScope& operator=(const ThreadScope&) = delete;

 private:
  int before_;
};

}  // namespace inocula::cpu
