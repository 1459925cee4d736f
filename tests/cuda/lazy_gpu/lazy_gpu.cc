// The runtime's functions over host memory, and cuDNN's door.
#include "tests/cuda/lazy_gpu/lazy_gpu.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <new>
#include <set>
#include <utility>

#include "engine/backends/cuda/cudnn.h"
#include "kernels/tables.h"
#include "tests/cuda/lazy_gpu/cuda_runtime_api.h"
#include "tests/engine/stand_in_cudnn.h"
#include "tests/engine/tape.h"

namespace inocula::test {

/// What was captured; the same as a graph and as its executable.
struct LazyGraph {
  std::shared_ptr<Tape> tape;
};

/// Work in pieces, each done as a whole: an event stands between two of them.
struct LazyStream final : TapedStream {
  int device = 0;
  std::deque<std::shared_ptr<Tape>> pending;
  std::size_t done = 0;  ///< pieces
  std::shared_ptr<Tape> captured;
  bool broken_capture = false;

  void take_from_here() {
    pending.push_back(std::make_shared<Tape>());
    tape = pending.back().get();
  }
  std::size_t begun() const { return done + pending.size(); }
  /// Does what was enqueued before piece `end`.
  void do_until(std::size_t end) {
    while (done < end && !pending.empty()) {
      const std::shared_ptr<Tape> piece = std::move(pending.front());
      pending.pop_front();
      done += 1;
      piece->play(Queue{});
    }
    if (pending.empty()) take_from_here();
  }
};

struct LazyEvent {
  LazyStream* stream = nullptr;
  std::size_t end = 0;  ///< the pieces before this one come first
};

namespace lazy_gpu {
namespace {

struct Piece {
  std::size_t bytes = 0;
  int device = -1;  ///< -1: page-locked memory of the host
};

/// A program's devices may be made small from outside.
std::size_t usual_limit() {
  const char* const mebibytes = std::getenv("LAZY_GPU_MIB");
  return std::size_t{mebibytes != nullptr ? std::strtoull(mebibytes, nullptr, 10) : 1024} << 20;
}

struct State {
  std::map<std::byte*, Piece> memory;
  std::set<const void*> others;
  std::size_t limit = usual_limit(), taken = 0, launches = 0;
  int calls_until_failure = -1;
  std::string failed;
  bool break_next = false, broken = false;
  cudaError_t last = cudaSuccess;
};

State& state() {
  static State s;
  return s;
}
thread_local int device_now = 0;

cudaError_t answer(cudaError_t error) {
  if (error != cudaSuccess) state().last = error;
  return error;
}

/// What a call that may fail begins with: whether it does.
bool fails(const char* name) {
  State& s = state();
  if (s.calls_until_failure < 0 || s.calls_until_failure-- > 0) return false;
  s.failed = name;
  return true;
}

LazyStream& lazy(cudaStream_t stream) {
  return *static_cast<LazyStream*>(stream);
}

/// A call with a stream's device current; else CUDA refuses it.
cudaError_t on(cudaStream_t stream, const char* name) {
  if (fails(name)) return answer(cudaErrorUnknown);
  if (stream == nullptr || lazy(stream).device != device_now) return answer(cudaErrorInvalidDevice);
  return cudaSuccess;
}

/// Whether [at, at + bytes) lies in one piece of memory, of this device or page-locked.
bool is_inside(const void* at, std::size_t bytes, int device) {
  auto* const begin = static_cast<std::byte*>(const_cast<void*>(at));
  auto piece = state().memory.upper_bound(begin);
  if (piece == state().memory.begin()) return false;
  --piece;
  return begin + bytes <= piece->first + piece->second.bytes && piece->second.device == device;
}

cudaError_t take(void** memory, std::size_t bytes, int device) {
  State& s = state();
  if (device >= 0 && s.taken + bytes > s.limit) return answer(cudaErrorMemoryAllocation);
  constexpr std::size_t kAlignment = 256;
  auto* const piece = static_cast<std::byte*>(::operator new (bytes, std::align_val_t{kAlignment}));
  std::memset(piece, 0xFF, bytes);  // NaN: who reads it is seen
  s.memory[piece] = {bytes, device};
  if (device >= 0) s.taken += bytes;
  *memory = piece;
  return cudaSuccess;
}

cudaError_t give(void* memory) {
  State& s = state();
  const auto piece = s.memory.find(static_cast<std::byte*>(memory));
  if (piece == s.memory.end()) return answer(cudaErrorInvalidValue);
  if (piece->second.device >= 0) s.taken -= piece->second.bytes;
  s.memory.erase(piece);
  ::operator delete (memory, std::align_val_t{256});
  return cudaSuccess;
}

template <class T>
cudaError_t make(T** made) {
  *made = new T;
  state().others.insert(*made);
  return cudaSuccess;
}
template <class T>
cudaError_t destroy(T* made) {
  if (state().others.erase(made) == 0) return answer(cudaErrorInvalidValue);
  delete made;
  return cudaSuccess;
}

struct Copy {
  void* to;
  const void* from;
  std::size_t bytes;
};
void copy_bytes(const Queue&, const Copy& a) {
  std::memcpy(a.to, a.from, a.bytes);
}
struct Set {
  void* to;
  int value;
  std::size_t bytes;
};
void set_bytes(const Queue&, const Set& a) {
  std::memset(a.to, a.value, a.bytes);
}
struct Played {
  const Tape* tape;
};
void play(const Queue& queue, const Played& a) {
  a.tape->play(queue);
}

/// Does what was enqueued before piece `end`, unless this wait is to fail: then nothing is done from here on,
/// as on a device that is lost.
cudaError_t wait(LazyStream& stream, std::size_t end, const char* name) {
  State& s = state();
  if (stream.captured) {
    stream.broken_capture = true;
    return answer(cudaErrorStreamCaptureUnsupported);
  }
  if (fails(name) || std::exchange(s.break_next, false)) s.broken = true;
  if (s.broken) return answer(cudaErrorIllegalAddress);
  stream.do_until(end);
  return cudaSuccess;
}

#define INOCULA_LAZY_LAUNCH(name, Args)                    \
  void lazy_##name(const Queue& queue, const Args& args) { \
    if (fails(#name))                                      \
      answer(cudaErrorUnknown);                            \
    else                                                   \
      taped_kernels().name(queue, args);                   \
  }
INOCULA_KERNELS(INOCULA_LAZY_LAUNCH)
#undef INOCULA_LAZY_LAUNCH

}  // namespace

std::size_t alive() {
  return state().memory.size() + state().others.size();
}
int current_device() {
  return device_now;
}
std::size_t launches() {
  return state().launches;
}
void set_memory(std::size_t bytes) {
  state().limit = bytes;
}
void fail_call(int n) {
  state().calls_until_failure = n;
  state().failed.clear();
}
std::string failed_call() {
  return state().failed;
}
void break_device() {
  state().break_next = true;
}
void reset() {
  State& s = state();
  s.broken = s.break_next = false;
  s.last = cudaSuccess;
  s.limit = usual_limit();
  fail_call(-1);
}

const KernelTable& kernels() {
#define INOCULA_LAZY_ENTRY(name, Args) , &lazy_##name
  static constexpr KernelTable table = {"lazy" INOCULA_KERNELS(INOCULA_LAZY_ENTRY)};
#undef INOCULA_LAZY_ENTRY
  return table;
}

}  // namespace lazy_gpu
}  // namespace inocula::test

namespace inocula::cuda {

std::unique_ptr<Cudnn> Cudnn::open(void* stream, int) {
  return test::stand_in_for_cudnn(test::Fusion::all, stream);
}

const KernelTable& kernel_table() {
  return test::lazy_gpu::kernels();
}

}  // namespace inocula::cuda

using namespace inocula::test;
using namespace inocula::test::lazy_gpu;

cudaError_t cudaDriverGetVersion(int* version) {
  *version = 13000;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = 13000;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceCount(int* count) {
  *count = kDevices;
  return cudaSuccess;
}
cudaError_t cudaGetDevice(int* device) {
  *device = device_now;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) {
  if (device < 0 || device >= kDevices) return answer(cudaErrorInvalidDevice);
  device_now = device;
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr which, int) {
  if (fails("cudaDeviceGetAttribute")) return answer(cudaErrorUnknown);
  *value = which == cudaDevAttrComputeCapabilityMajor ? 9 : 0;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  *properties = {"lazy GPU", 9, 0, 1, state().limit};
  return cudaSuccess;
}
cudaError_t cudaGetLastError() {
  return std::exchange(state().last, cudaSuccess);
}
const char* cudaGetErrorString(cudaError_t error) {
  return error == cudaErrorIllegalAddress ? "an illegal memory access was encountered" : "planted";
}
const char* cudaGetErrorName(cudaError_t error) {
  return error == cudaErrorIllegalAddress ? "cudaErrorIllegalAddress" : "cudaErrorUnknown";
}

cudaError_t cudaMalloc(void** memory, std::size_t bytes) {
  return fails("cudaMalloc") ? answer(cudaErrorMemoryAllocation) : take(memory, bytes, device_now);
}
cudaError_t cudaFree(void* memory) {
  return give(memory);
}
cudaError_t cudaMallocHost(void** memory, std::size_t bytes) {
  return fails("cudaMallocHost") ? answer(cudaErrorMemoryAllocation) : take(memory, bytes, -1);
}
cudaError_t cudaFreeHost(void* memory) {
  return give(memory);
}
cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  *free = state().limit - std::min(state().limit, state().taken);
  *total = state().limit;
  return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void* memory, int value, std::size_t bytes, cudaStream_t stream) {
  if (const cudaError_t error = on(stream, "cudaMemsetAsync"); error != cudaSuccess) return error;
  stream->tape->add(&set_bytes, Set{memory, value, bytes});
  return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  if (const cudaError_t error = on(stream, "cudaMemcpyAsync"); error != cudaSuccess) return error;
  const void* const on_device = kind == cudaMemcpyHostToDevice ? to : from;
  if (kind == cudaMemcpyDeviceToDevice && !is_inside(to, bytes, lazy(stream).device))
    return answer(cudaErrorInvalidValue);
  // From ordinary memory a copy would hold the host up, and in a capture it is an error.
  if (!is_inside(on_device, bytes, lazy(stream).device) ||
      (kind == cudaMemcpyHostToDevice && !is_inside(from, bytes, -1)))
    return answer(cudaErrorInvalidValue);
  stream->tape->add(&copy_bytes, Copy{to, from, bytes});
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  if (fails("cudaStreamCreateWithFlags")) return answer(cudaErrorUnknown);
  LazyStream* made = nullptr;
  make(&made);
  made->device = device_now;
  made->take_from_here();
  *stream = made;
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  return destroy(&lazy(stream));
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  if (lazy(stream).device != device_now) return answer(cudaErrorInvalidDevice);
  return wait(lazy(stream), lazy(stream).begun(), "cudaStreamSynchronize");
}
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  if (const cudaError_t error = on(stream, "cudaStreamBeginCapture"); error != cudaSuccess) return error;
  if (lazy(stream).captured) return answer(cudaErrorInvalidValue);
  lazy(stream).captured = std::make_shared<Tape>();
  stream->tape = lazy(stream).captured.get();
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  if (!lazy(stream).captured) return answer(cudaErrorInvalidValue);
  const std::shared_ptr<Tape> captured = std::exchange(lazy(stream).captured, nullptr);
  stream->tape = lazy(stream).pending.back().get();
  if (std::exchange(lazy(stream).broken_capture, false)) return answer(cudaErrorStreamCaptureInvalidated);
  if (fails("cudaStreamEndCapture")) return answer(cudaErrorUnknown);
  make(graph);
  (*graph)->tape = captured;
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  if (fails("cudaGraphInstantiate")) return answer(cudaErrorMemoryAllocation);
  make(executable);
  (*executable)->tape = graph->tape;
  return cudaSuccess;
}
cudaError_t cudaGraphUpload(cudaGraphExec_t, cudaStream_t stream) {
  return on(stream, "cudaGraphUpload");
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  if (const cudaError_t error = on(stream, "cudaGraphLaunch"); error != cudaSuccess) return error;
  state().launches += 1;
  stream->tape->add(&play, Played{executable->tape.get()});
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  return destroy(executable);
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  return destroy(graph);
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  return fails("cudaEventCreateWithFlags") ? answer(cudaErrorUnknown) : make(event);
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  return destroy(event);
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  if (const cudaError_t error = on(stream, "cudaEventRecord"); error != cudaSuccess) return error;
  *event = {&lazy(stream), lazy(stream).begun()};
  lazy(stream).take_from_here();
  return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  return event->stream == nullptr ? cudaSuccess : wait(*event->stream, event->end, "cudaEventSynchronize");
}
/// A millisecond for each piece of work from one to the other, both of which have to be past.
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t begin, cudaEvent_t end) {
  if (fails("cudaEventElapsedTime")) return answer(cudaErrorUnknown);
  if (begin->stream == nullptr || end->stream == nullptr || end->end > end->stream->done)
    return answer(cudaErrorInvalidValue);
  *milliseconds = static_cast<float>(end->end - begin->end);
  return cudaSuccess;
}
