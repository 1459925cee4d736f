// The tables that a build may contain, by target; engine/device.cc knows which exist and run here.
#pragma once

#include "kernels/table.h"

namespace inocula {

namespace cpu_baseline {
const KernelTable& kernel_table();
}
namespace cpu_avx2 {
const KernelTable& kernel_table();
}
namespace cpu_avx512 {
const KernelTable& kernel_table();
}
namespace cuda {
const KernelTable& kernel_table();
}

}  // namespace inocula
