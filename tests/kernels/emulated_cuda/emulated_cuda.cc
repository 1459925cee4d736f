// The emulated block: its threads as fibers, the order they run in, and the rules of CUDA that they must
// keep.
#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/kernels/emulated_cuda/cuda_runtime.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

dim3 threadIdx, blockIdx, blockDim, gridDim;

struct CUstream_st {
  inocula::emulated_cuda::Order order;
};

namespace inocula::emulated_cuda {

const std::uint64_t* offers = nullptr;

namespace {

Order other(Order order) {
  return order == Order::forward ? Order::backward : Order::forward;
}

constexpr unsigned kWarp = 32;
constexpr unsigned kMostWarps = 32;
constexpr std::uint32_t kWholeWarp = 0xFFFFFFFFu;

/// Enough for a kernel and for a sanitizer's report from inside it. No power of two: the stacks would fall on
/// the same lines of the cache.
constexpr std::size_t kStackBytes = 64000;

/// How many threads ahead the scheduler calls for a stack, and how many of its cache lines.
constexpr unsigned kAhead = 8;
constexpr int kPrefetched = 4;

/// A stack, and where its code stands while another one's runs.
struct Fiber {
  std::unique_ptr<std::byte[]> stack;  // none: the program's own
  Context context;
  // For AddressSanitizer, which wants to know whose frames it sees.
  void* fake_stack = nullptr;
  const void* bottom = nullptr;
  std::size_t bytes = 0;
};

struct Thread {
  Fiber* fiber = nullptr;  // while it waits
  Place place = {};        // of its last wait
  bool returned = false;
};

/// Threads that meet: how many of them have come, and where.
struct Meeting {
  Place place = {};
  unsigned arrived = 0;
};

struct Warp {
  std::uint32_t ready = 0;
  Meeting meeting;
  std::array<std::uint64_t, kWarp> offer, received;
};

/// One block at a time, and all that is kept for the next one.
class Machine {
 public:
  void launch(const cudaLaunchConfig_t& config, void (*body)(const void*), const void* arguments) {
    const dim3 grid = config.gridDim, block = config.blockDim;
    if (block.x == 0 || block.x % kWarp != 0 || block.x > kMostWarps * kWarp ||
        block.y * block.z * grid.y * grid.z != 1)
      throw std::logic_error("only blocks of whole warps along x are emulated");
    body_ = body;
    arguments_ = arguments;
    gridDim = grid;
    blockDim = block;
    const Order first = config.stream != nullptr ? config.stream->order : turn_;
    if (config.stream == nullptr) turn_ = other(turn_);
    for (unsigned b = 0; b < grid.x; ++b) {
      order_ = first;
      // On the default stream the next block's order is the other one.
      if (config.stream == nullptr && b % 2 != 0) order_ = other(first);
      blockIdx.x = first == Order::forward ? b : grid.x - 1 - b;
      run_block();
    }
  }

  Switch wait_for_block(Place place) {
    if (meets(block_, place, blockDim.x))
      for (unsigned w = 0; w < warps_.size(); ++w) make_ready(w);
    return wait();
  }

  Switch wait_for_warp(unsigned mask, std::uint64_t offer, Place place) {
    Warp& warp = warps_[threadIdx.x / kWarp];
    if (mask != kWholeWarp) break_off("a collective of a part of a warp");
    warp.offer[threadIdx.x % kWarp] = offer;
    if (meets(warp.meeting, place, kWarp)) {
      // A lane that runs ahead offers anew before the others have looked.
      warp.received = warp.offer;
      make_ready(threadIdx.x / kWarp);
    }
    return wait();
  }

  void arrived() {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(running_->fake_stack, nullptr, nullptr);
#endif
  }

 private:
  Thread& thread() {
    return threads_[threadIdx.x];
  }

  /// Whether this thread is the last of `all` to come.
  bool meets(Meeting& meeting, Place place, unsigned all) {
    thread().place = place;
    if (meeting.arrived == 0) meeting.place = place;
    if (place.line != meeting.place.line ||
        (place.file != meeting.place.file && std::strcmp(place.file, meeting.place.file) != 0))
      break_off("threads that should meet wait at different places");
    if (++meeting.arrived < all) return false;
    meeting.arrived = 0;
    return true;
  }

  void make_ready(unsigned w) {
    warps_[w].ready = kWholeWarp;
    ready_warps_ |= 1u << w;
  }

  void run_block() {
    threads_.assign(blockDim.x, {});
    warps_.assign(blockDim.x / kWarp, {});
    for (unsigned w = 0; w < warps_.size(); ++w) make_ready(w);
    block_ = {};
    returned_ = 0;
    go(to(next_fiber()));
    if (broken_.empty()) return;
    // Their code was left in the midst of it and cannot go on.
    idle_.clear();
    fibers_.clear();
    throw std::logic_error(std::exchange(broken_, {}));
  }

  /// A fiber's whole life: one thread after the other, while there are any that have not begun.
  [[noreturn]] void live() {
    for (;;) {
      body_(arguments_);
      thread().returned = true;
      ++returned_;
      idle_.push_back(running_);
      go(to(next_fiber()));
    }
  }

  /// Lets the others run until this thread is ready, which it may be already, and first in order.
  Switch wait() {
    thread().fiber = running_;
    return to(next_fiber());
  }

  /// The fiber of the thread whose turn it is, an idle one if it has not begun, the program's if none is
  /// left.
  Fiber* next_fiber() {
    if (ready_warps_ == 0) {
      if (returned_ < blockDim.x) broken_ = state("a barrier or collective that some threads do not reach");
      return &host_;
    }
    const unsigned w = first(ready_warps_);
    std::uint32_t& ready = warps_[w].ready;
    const unsigned lane = first(ready);
    ready &= ~(1u << lane);
    if (ready == 0) ready_warps_ &= ~(1u << w);
    const unsigned t = w * kWarp + lane;
    threadIdx.x = t;
    offers = warps_[w].received.data();
    prefetch(order_ == Order::forward ? t + kAhead : t - kAhead);
    if (threads_[t].fiber != nullptr) return std::exchange(threads_[t].fiber, nullptr);
    if (idle_.empty()) return new_fiber();
    Fiber* const fiber = idle_.back();
    idle_.pop_back();
    return fiber;
  }

  /// The first bit in this order.
  unsigned first(std::uint32_t bits) const {
    return static_cast<unsigned>(order_ == Order::forward ? std::countr_zero(bits)
                                                          : std::bit_width(bits) - 1) %
           kWarp;
  }

  /// The stacks of a block do not fit into the first-level cache: its next lines are called for in time.
  void prefetch(unsigned t) const {
    if (t >= threads_.size() || threads_[t].fiber == nullptr) return;
    const std::byte* const from = static_cast<const std::byte*>(threads_[t].fiber->context.stack_pointer);
    for (int line = 0; line < kPrefetched; ++line) __builtin_prefetch(from + 64 * line);
  }

  Fiber* new_fiber();

  /// Ends the block from inside one of its threads, whose objects are never destroyed: they may own nothing.
  [[noreturn]] void break_off(const char* what) {
    broken_ = state(what);
    go(to(&host_));
    __builtin_unreachable();
  }

  /// What is wrong, and how many threads wait where.
  std::string state(const char* what) const {
    std::map<std::string, int> count;
    for (const Thread& t : threads_) {
      if (t.returned) {
        ++count["returned"];
      } else if (t.place.file == nullptr) {
        ++count["not begun"];
      } else {
        ++count[std::string(t.place.file) + ":" + std::to_string(t.place.line)];
      }
    }
    std::string text = std::string(what) + ", block " + std::to_string(blockIdx.x) + ":";
    for (const auto& [where, threads] : count) text += " " + std::to_string(threads) + " " + where + ";";
    text.pop_back();
    return text;
  }

  Switch to(Fiber* next) {
    left_ = std::exchange(running_, next);
#if defined(__SANITIZE_ADDRESS__)
    if (next != left_) __sanitizer_start_switch_fiber(&left_->fake_stack, next->bottom, next->bytes);
#endif
    return {&left_->context, &next->context};
  }

  /// Where a new fiber's first switch leads.
  static void begin();

  Order turn_ = Order::forward;   // of the next launch's first block
  Order order_ = Order::forward;  // of the running block
  void (*body_)(const void*) = nullptr;
  const void* arguments_ = nullptr;

  std::vector<Thread> threads_;
  std::vector<Warp> warps_;
  std::uint32_t ready_warps_ = 0;  // those with a thread that is ready
  Meeting block_;
  unsigned returned_ = 0;
  std::string broken_;  // which rule was, and how

  Fiber host_;
  Fiber* running_ = &host_;
  Fiber* left_ = &host_;  // by the last switch
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<Fiber*> idle_;
};

Machine machine;

void Machine::begin() {
#if defined(__SANITIZE_ADDRESS__)
  // The bounds of the program's own stack become known when it is first left.
  __sanitizer_finish_switch_fiber(nullptr, &machine.left_->bottom, &machine.left_->bytes);
#endif
  machine.live();
}

Fiber* Machine::new_fiber() {
  fibers_.push_back(std::make_unique<Fiber>());
  Fiber* const fiber = fibers_.back().get();
  fiber->stack = std::make_unique_for_overwrite<std::byte[]>(kStackBytes);
  fiber->bottom = fiber->stack.get();
  fiber->bytes = kStackBytes;
  // As if `begin` had been called from nowhere: its caller's address is the last word below a multiple of 16.
  std::byte* end = fiber->stack.get() + kStackBytes;
  end -= reinterpret_cast<std::uintptr_t>(end) % 16;
  std::uintptr_t* const caller = reinterpret_cast<std::uintptr_t*>(end) - 1;
  *caller = 0;
  fiber->context = {caller, nullptr, reinterpret_cast<const void*>(&begin)};
  return fiber;
}

CUstream_st streams[] = {{Order::forward}, {Order::backward}};

}  // namespace

cudaStream_t stream(Order order) {
  return &streams[order == Order::forward ? 0 : 1];
}

void launch(const cudaLaunchConfig_t& config, void (*thread)(const void*), const void* arguments) {
  machine.launch(config, thread, arguments);
}

Switch wait_for_block(Place place) {
  return machine.wait_for_block(place);
}

Switch wait_for_warp(unsigned mask, std::uint64_t offer, Place place) {
  return machine.wait_for_warp(mask, offer, place);
}

void arrived() {
  machine.arrived();
}

}  // namespace inocula::emulated_cuda
