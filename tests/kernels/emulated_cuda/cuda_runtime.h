// Stands in for NVIDIA's header of this name: what the kernels use of CUDA, run by g++ on the CPU.
//
// A block's threads are fibers of the calling thread; blocks run one after the other. A thread runs until it
// waits at a barrier or for its warp, then the next one by order of the stream: a thread runs as far ahead of
// later ones as the barriers let it, so that what two orders compute differs where a barrier is missing.
// What CUDA leaves undefined here throws: a barrier or a collective that not all threads of the block or
// warp reach together. Arithmetic is the CPU's; nothing is said of how a GPU's compiler rounds.
#pragma once

#include <cstdint>
#include <cstring>
#include <tuple>
#include <type_traits>
#include <utility>

// The names are CUDA's.
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming,google-explicit-constructor)

#define __host__
#define __device__
#define __global__
#define __launch_bounds__(threads)
// Only one block runs at a time: what is static is shared by its threads and by no others.
#define __shared__ static

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned vx = 1, unsigned vy = 1, unsigned vz = 1) : x(vx), y(vy), z(vz) {}
};

extern dim3 threadIdx, blockIdx, blockDim, gridDim;

struct CUstream_st;
using cudaStream_t = CUstream_st*;

enum cudaError_t { cudaSuccess };

struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  cudaStream_t stream;
};

namespace inocula::emulated_cuda {

/// Where in the sources a thread waits.
struct Place {
  const char* file;
  int line;
};

/// Which threads and blocks come first: those of low or of high number.
enum class Order : std::uint8_t { forward, backward };

/// A stream whose blocks run in this order. Those of the default stream take turns, within a launch and from
/// launch to launch.
cudaStream_t stream(Order order);

/// Runs thread(arguments) as every thread of every block. Throws std::logic_error where CUDA's rules are
/// broken.
void launch(const cudaLaunchConfig_t& config, void (*thread)(const void*), const void* arguments);

/// Where code stands that will go on.
struct Context {
  void* stack_pointer = nullptr;
  void* frame_pointer = nullptr;
  const void* code = nullptr;
};

/// Which code is left, and which goes on.
struct Switch {
  Context *from, *to;
};

/// The calling thread's arrival at a barrier, and whose turn it is now.
Switch wait_for_block(Place place);
Switch wait_for_warp(unsigned mask, std::uint64_t offer, Place place);

/// What each lane of the running thread's warp offered when they last met.
extern const std::uint64_t* offers;

/// For AddressSanitizer: after every switch.
void arrived();

/// Here and by a jump, no call that returns elsewhere: the processor foretells jumps from their past, but a
/// return from the last call, which was another thread's; that is most of the emulation's time.
[[gnu::always_inline]] inline void go(Switch between) {
  if (between.from == between.to) return;
  asm volatile(
      "movq %%rsp, 0(%0)\n\t"
      "movq %%rbp, 8(%0)\n\t"
      "leaq 1f(%%rip), %%rax\n\t"
      "movq %%rax, 16(%0)\n\t"
      "movq 0(%1), %%rsp\n\t"
      "movq 8(%1), %%rbp\n\t"
      "jmp *16(%1)\n"
      "1:"
      : "+D"(between.from), "+S"(between.to)
      :
      : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm0", "xmm1",
        "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",
        "xmm14", "xmm15", "memory", "cc");
#if defined(__SANITIZE_ADDRESS__)
  arrived();
#endif
}

}  // namespace inocula::emulated_cuda

template <class... Parameters, class... Arguments>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                               Arguments&&... arguments) {
  const std::tuple<void (*)(Parameters...), Parameters...> call(kernel,
                                                                std::forward<Arguments>(arguments)...);
  const auto thread = [](const void* pointer) {
    std::apply([](auto run, const Parameters&... each) { run(each...); },
               *static_cast<const decltype(call)*>(pointer));
  };
  inocula::emulated_cuda::launch(*config, thread, &call);
  return cudaSuccess;
}

[[gnu::always_inline]] inline void __syncthreads(const char* file = __builtin_FILE(),
                                                 int line = __builtin_LINE()) {
  inocula::emulated_cuda::go(inocula::emulated_cuda::wait_for_block({file, line}));
}

template <class T>
[[gnu::always_inline]] inline T __shfl_down_sync(unsigned mask, T value, unsigned distance, int width = 32,
                                                 const char* file = __builtin_FILE(),
                                                 int line = __builtin_LINE()) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(std::uint64_t));
  std::uint64_t offer = 0;
  std::memcpy(&offer, &value, sizeof value);
  inocula::emulated_cuda::go(inocula::emulated_cuda::wait_for_warp(mask, offer, {file, line}));
  const unsigned lane = threadIdx.x % 32, segment = static_cast<unsigned>(width);
  const unsigned from = lane % segment + distance < segment ? lane + distance : lane;
  std::memcpy(&value, &inocula::emulated_cuda::offers[from], sizeof value);
  return value;
}

[[gnu::always_inline]] inline unsigned __ballot_sync(unsigned mask, bool vote,
                                                     const char* file = __builtin_FILE(),
                                                     int line = __builtin_LINE()) {
  inocula::emulated_cuda::go(inocula::emulated_cuda::wait_for_warp(mask, vote ? 1 : 0, {file, line}));
  unsigned votes = 0;
  for (unsigned lane = 0; lane < 32; ++lane)
    votes |= static_cast<unsigned>(inocula::emulated_cuda::offers[lane]) << lane;
  return votes;
}

// Between two waits a thread is alone: plain operations are atomic.
inline unsigned long long atomicAdd(unsigned long long* to, unsigned long long amount) {
  return std::exchange(*to, *to + amount);
}
inline unsigned long long atomicMin(unsigned long long* to, unsigned long long value) {
  return std::exchange(*to, value < *to ? value : *to);
}

// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming,google-explicit-constructor)
