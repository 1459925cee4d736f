// Setting GOMP_SPINCOUNT for oneself.
#include "tools/thread_policy.h"

#include <unistd.h>

#include <cstdlib>

namespace inocula {

namespace {
constexpr const char* kSpinCount = "2000";  // a few microseconds: longer than a barrier among running threads
}

void prefer_sleeping_threads(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr) return;
  if (setenv("GOMP_SPINCOUNT", kSpinCount, 0) == 0) execv("/proc/self/exe", argv);
}

}  // namespace inocula
