// The kernel tests with the GPU as one more target: they hand plain pointers to kernels, so all memory of
// this program is made visible to the GPU.
//
// Where there is a GPU, operator new takes page-locked memory, which has one address on both sides, and the
// tests run on a stack of it: vectors and local variables of the tests are then valid for kernels. Each
// launch is waited for. With --device-copies each launch works on copies of its arrays in device memory of
// their exact size: slow, and what compute-sanitizer should see (device_copies.h).
#define DOCTEST_CONFIG_IMPLEMENT
#include <cuda_runtime_api.h>
#include <doctest/doctest.h>
#include <ucontext.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory_resource>
#include <new>

#include "tests/cuda/device_copies.h"
#include "tests/cuda/gpu.h"
#include "tests/kernels/harness.h"

namespace {

constexpr std::size_t kStackBytes = std::size_t{64} << 20;
/// What is in front of a piece of memory to tell how large it is; keeps the alignment.
constexpr std::size_t kHeader = 64;

class PageLocked final : public std::pmr::memory_resource {
  void* do_allocate(std::size_t bytes, std::size_t) override {
    void* memory = nullptr;
    if (cudaHostAlloc(&memory, bytes, cudaHostAllocDefault) != cudaSuccess) throw std::bad_alloc();
    return memory;
  }
  void do_deallocate(void* memory, std::size_t, std::size_t) override { cudaFreeHost(memory); }
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }
};

/// Null until main has found a GPU: what the runtime itself and static objects allocate stays ordinary
/// memory. Never destroyed: memory is freed until the very end.
std::pmr::memory_resource* visible_memory = nullptr;

void use_visible_memory() {
  alignas(PageLocked) static std::byte upstream[sizeof(PageLocked)];
  using Pool = std::pmr::synchronized_pool_resource;
  alignas(Pool) static std::byte memory[sizeof(Pool)];
  visible_memory = new (memory) Pool(new (upstream) PageLocked);
}

/// In front of each piece: how large it is, and where it came from.
struct Header {
  std::size_t bytes;
  std::pmr::memory_resource* from;  ///< null: malloc
};
static_assert(sizeof(Header) <= kHeader);

bool works_on_copies = false;

/// Waits for the launch before its arrays are copied back.
template <class Args>
void wait_for(void (*kernel)(const inocula::Queue&, const Args&), const char* name,
              const inocula::Queue& queue, const Args& args) {
  inocula::test::DeviceCopies copies;
  kernel(queue, works_on_copies ? copies.move_arrays(args) : args);
  inocula::test::require_done(name);
}

#define INOCULA_WAITED_LAUNCH(name, Args)                                      \
  void waited_##name(const inocula::Queue& queue, const inocula::Args& args) { \
    wait_for(inocula::cuda::kernel_table().name, #name, queue, args);          \
  }
INOCULA_KERNELS(INOCULA_WAITED_LAUNCH)
#undef INOCULA_WAITED_LAUNCH

const inocula::KernelTable& waited_table() {
#define INOCULA_WAITED_ENTRY(name, Args) , &waited_##name
  static constexpr inocula::KernelTable table = {"cuda" INOCULA_KERNELS(INOCULA_WAITED_ENTRY)};
#undef INOCULA_WAITED_ENTRY
  return table;
}

ucontext_t main_context, test_context;
doctest::Context* tests = nullptr;
int status = EXIT_FAILURE;

void run_tests() {
  status = tests->run();
}

/// False where there is no such stack.
bool run_on_visible_stack() {
  void* stack = nullptr;
  if (cudaHostAlloc(&stack, kStackBytes, cudaHostAllocDefault) != cudaSuccess ||
      getcontext(&test_context) != 0)
    return false;
  test_context.uc_stack.ss_sp = stack;
  test_context.uc_stack.ss_size = kStackBytes;
  test_context.uc_link = &main_context;
  makecontext(&test_context, run_tests, 0);
  return swapcontext(&main_context, &test_context) == 0;
}

}  // namespace

void* operator new(std::size_t bytes) {
  std::pmr::memory_resource* const from = visible_memory;
  void* const memory = from != nullptr
                           ? from->allocate(bytes + kHeader, kHeader)
                           : std::aligned_alloc(kHeader, (bytes + 2 * kHeader - 1) / kHeader * kHeader);
  if (memory == nullptr) throw std::bad_alloc();
  new (memory) Header{bytes, from};
  if (works_on_copies) inocula::test::note_array(static_cast<std::byte*>(memory) + kHeader, bytes);
  return static_cast<std::byte*>(memory) + kHeader;
}
void operator delete(void* memory) noexcept {
  if (memory == nullptr) return;
  if (works_on_copies) inocula::test::forget_array(memory);
  auto* const begin = reinterpret_cast<Header*>(static_cast<std::byte*>(memory) - kHeader);
  if (begin->from != nullptr)
    begin->from->deallocate(begin, begin->bytes + kHeader, kHeader);
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
  for (int i = 1; i < argc; ++i)
    works_on_copies = works_on_copies || std::strcmp(argv[i], "--device-copies") == 0;
  use_visible_memory();
  inocula::test::add_target({"cuda", &waited_table()});
  doctest::Context context(argc, argv);
  tests = &context;
  return run_on_visible_stack() ? status : EXIT_FAILURE;
}
