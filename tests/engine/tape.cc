// The current tape, and the table of kernels that go to it.
#include "tests/engine/tape.h"

#include "engine/device.h"

namespace inocula::test {

namespace {

thread_local Tape* current_tape = nullptr;

const KernelTable& kernels_of_cpu() {
  static const Device cpu = Device::open("cpu", {.threads = 1});
  return cpu.kernels();
}

#define INOCULA_TAPED_LAUNCH(name, Args)                    \
  void taped_##name(const Queue& queue, const Args& args) { \
    enqueue(kernels_of_cpu().name, queue, args);            \
  }
INOCULA_KERNELS(INOCULA_TAPED_LAUNCH)
#undef INOCULA_TAPED_LAUNCH

}  // namespace

Tape* Tape::current() {
  return current_tape;
}

Taping::Taping(Tape& tape) {
  current_tape = &tape;
}
Taping::~Taping() {
  current_tape = nullptr;
}

const KernelTable& taped_kernels() {
#define INOCULA_TAPED_ENTRY(name, Args) , &taped_##name
  static constexpr KernelTable table = {"taped" INOCULA_KERNELS(INOCULA_TAPED_ENTRY)};
#undef INOCULA_TAPED_ENTRY
  return table;
}

}  // namespace inocula::test
