// The kernel tests with the GPU as one more target: they hand plain pointers to kernels, so all memory of
// this program is made visible to the GPU.
//
// Where there is a GPU, operator new takes managed memory and the tests run on a thread whose stack is
// managed memory too: vectors and local variables of the tests are then valid on both sides. Each launch is
// waited for.
#define DOCTEST_CONFIG_IMPLEMENT
#include <cuda_runtime_api.h>
#include <doctest/doctest.h>
#include <pthread.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <memory_resource>
#include <new>

#include "tests/cuda/gpu.h"
#include "tests/kernels/harness.h"

namespace {

constexpr std::size_t kStackBytes = std::size_t{64} << 20;
/// What is in front of a piece of memory to tell how large it is; keeps the alignment.
constexpr std::size_t kHeader = 64;

class Managed final : public std::pmr::memory_resource {
  void* do_allocate(std::size_t bytes, std::size_t) override {
    void* memory = nullptr;
    if (cudaMallocManaged(&memory, bytes) != cudaSuccess) throw std::bad_alloc();
    return memory;
  }
  void do_deallocate(void* memory, std::size_t, std::size_t) override { cudaFree(memory); }
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }
};

/// Never destroyed: memory is freed until the very end.
std::pmr::memory_resource* pool() {
  static std::pmr::memory_resource* const resource = []() -> std::pmr::memory_resource* {
    if (inocula::test::count_gpus() == 0) return nullptr;
    alignas(Managed) static std::byte upstream[sizeof(Managed)];
    using Pool = std::pmr::synchronized_pool_resource;
    alignas(Pool) static std::byte memory[sizeof(Pool)];
    return new (memory) Pool(new (upstream) Managed);
  }();
  return resource;
}

#define INOCULA_WAITED_LAUNCH(name, Args)                                      \
  void waited_##name(const inocula::Queue& queue, const inocula::Args& args) { \
    inocula::cuda::kernel_table().name(queue, args);                           \
    inocula::test::require_done(#name);                                        \
  }
INOCULA_KERNELS(INOCULA_WAITED_LAUNCH)
#undef INOCULA_WAITED_LAUNCH

const inocula::KernelTable& waited_table() {
#define INOCULA_WAITED_ENTRY(name, Args) , &waited_##name
  static constexpr inocula::KernelTable table = {"cuda" INOCULA_KERNELS(INOCULA_WAITED_ENTRY)};
#undef INOCULA_WAITED_ENTRY
  return table;
}

struct Arguments {
  int argc;
  char** argv;
  int status = 0;
};

void* run_tests(void* from) {
  auto& arguments = *static_cast<Arguments*>(from);
  doctest::Context context(arguments.argc, arguments.argv);
  arguments.status = context.run();
  return nullptr;
}

int run_on_managed_stack(Arguments& arguments) {
  void* stack = nullptr;
  pthread_attr_t attributes;
  pthread_t thread;
  if (cudaMallocManaged(&stack, kStackBytes) != cudaSuccess || pthread_attr_init(&attributes) != 0 ||
      pthread_attr_setstack(&attributes, stack, kStackBytes) != 0 ||
      pthread_create(&thread, &attributes, run_tests, &arguments) != 0)
    return EXIT_FAILURE;
  pthread_join(thread, nullptr);
  return arguments.status;
}

}  // namespace

void* operator new(std::size_t bytes) {
  std::pmr::memory_resource* const from = pool();
  void* const memory =
      from != nullptr ? from->allocate(bytes + kHeader, kHeader) : std::malloc(bytes + kHeader);
  if (memory == nullptr) throw std::bad_alloc();
  *static_cast<std::size_t*>(memory) = bytes;
  return static_cast<std::byte*>(memory) + kHeader;
}
void operator delete(void* memory) noexcept {
  if (memory == nullptr) return;
  void* const begin = static_cast<std::byte*>(memory) - kHeader;
  if (std::pmr::memory_resource* const from = pool())
    from->deallocate(begin, *static_cast<std::size_t*>(begin) + kHeader, kHeader);
  else
    std::free(begin);
}
void operator delete(void* memory, std::size_t) noexcept {
  operator delete(memory);
}

int main(int argc, char** argv) {
  if (inocula::test::count_gpus() == 0) {
    std::puts("skipped: no NVIDIA GPU on this machine");
    return 0;
  }
  inocula::test::add_target({"cuda", &waited_table()});
  Arguments arguments{argc, argv};
  return run_on_managed_stack(arguments);
}
