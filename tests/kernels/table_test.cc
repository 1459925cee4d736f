// Every table that was built is complete; targets that this processor cannot run are counted and named.
#include "tests/kernels/harness.h"

namespace inocula::test {
namespace {

void check_complete(const KernelTable& table, const char* name) {
  CHECK(std::string(table.target) == name);
#define INOCULA_CHECK_ENTRY(kernel, Args) CHECK_MESSAGE(bool{table.kernel != nullptr}, name, ": " #kernel);
  INOCULA_KERNELS(INOCULA_CHECK_ENTRY)
#undef INOCULA_CHECK_ENTRY
}

TEST_CASE("every built table is complete") {
  check_complete(cpu_baseline::kernel_table(), "cpu_baseline");
#if defined(__x86_64__)
  check_complete(cpu_avx2::kernel_table(), "cpu_avx2");
  check_complete(cpu_avx512::kernel_table(), "cpu_avx512");
#endif
  for (const Target& target : targets()) check_complete(*target.table, target.name.c_str());
}

TEST_CASE("instruction sets of this machine") {
  CHECK(targets().front().name == "cpu_baseline");
#if defined(__x86_64__)
  for (const char* name : {"cpu_avx2", "cpu_avx512"}) {
    bool runs_here = false;
    for (const Target& target : targets()) runs_here = runs_here || target.name == name;
    if (!runs_here) MESSAGE("skipped: all kernel tests of ", name, ": this processor lacks its instructions");
  }
#endif
}

}  // namespace
}  // namespace inocula::test
