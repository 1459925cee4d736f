// Checks that every kernel of the table was compiled by nvcc and linked; needs neither GPU nor driver.
#include <doctest/doctest.h>

#include <string>

#include "kernels/tables.h"

namespace inocula {
namespace {

TEST_CASE("every kernel has a CUDA launch") {
  const KernelTable& table = cuda::kernel_table();
  CHECK(std::string(table.target) == "cuda");
  std::string missing;
#define INOCULA_NOTE_MISSING(name, Args) \
  if (table.name == nullptr) missing += " " #name;
  INOCULA_KERNELS(INOCULA_NOTE_MISSING)
#undef INOCULA_NOTE_MISSING
  CHECK_MESSAGE(missing.empty(), "without a launch:" << missing);
}

}  // namespace
}  // namespace inocula
