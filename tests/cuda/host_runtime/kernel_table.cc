// The CPU's kernels in the GPU's place.
#include "kernels/tables.h"

namespace inocula::cuda {

const KernelTable& kernel_table() {
  return cpu_baseline::kernel_table();
}

}  // namespace inocula::cuda
