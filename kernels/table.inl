// Fills a target's table with the kernels compiled for it.
#include "kernels/table.h"
#include "kernels/target.h"

INOCULA_BEGIN_TARGET

#define INOCULA_DECLARE_KERNEL(name, Args) void name(const Queue&, const Args&);
INOCULA_KERNELS(INOCULA_DECLARE_KERNEL)
#undef INOCULA_DECLARE_KERNEL

const KernelTable& kernel_table() {
#define INOCULA_STRING2(x) #x
#define INOCULA_STRING(x) INOCULA_STRING2(x)
#define INOCULA_KERNEL_ENTRY(name, Args) , &name
  static constexpr KernelTable table = {INOCULA_STRING(INOCULA_TARGET) INOCULA_KERNELS(INOCULA_KERNEL_ENTRY)};
  return table;
}

INOCULA_END_TARGET
