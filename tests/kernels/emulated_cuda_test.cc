// The emulation of CUDA keeps CUDA's rules, and faults that are planted in small kernels do show.
#include <stdexcept>

#include "tests/kernels/emulated_cuda/cuda_runtime.h"
#include "tests/kernels/harness.h"

namespace inocula::test {
namespace {

using emulated_cuda::Order;

constexpr unsigned kWholeWarp = 0xFFFFFFFFu;

template <class Kernel, class... Arguments>
void launch(Order order, unsigned blocks, unsigned threads, Kernel kernel, Arguments... arguments) {
  cudaLaunchConfig_t config = {};
  config.gridDim = blocks;
  config.blockDim = threads;
  config.stream = stream(order);
  CHECK(cudaLaunchKernelEx(&config, kernel, arguments...) == cudaSuccess);
}

/// The text of the exception with which a launch ends.
template <class Kernel, class... Arguments>
std::string broken_rule(Kernel kernel, Arguments... arguments) {
  for (const Order order : {Order::forward, Order::backward}) {
    try {
      launch(order, 1, 256, kernel, arguments...);
    } catch (const std::logic_error& e) {
      if (order == Order::backward) return e.what();
    }
  }
  return {};
}

bool mentions(const std::string& text, const char* what) {
  return text.find(what) != std::string::npos;
}

__global__ void count_visits(int* visits) {
  ++visits[blockIdx.x * blockDim.x + threadIdx.x];
}

__global__ void note_turns(std::int64_t* next, std::int64_t* turn) {
  turn[blockIdx.x * blockDim.x + threadIdx.x] = (*next)++;
}

__global__ void exchange(unsigned* narrow, unsigned* wide, unsigned* votes) {
  const unsigned t = threadIdx.x;
  narrow[t] = __shfl_down_sync(kWholeWarp, t, 3, 16);
  wide[t] = __shfl_down_sync(kWholeWarp, t, 5);
  votes[t] = __ballot_sync(kWholeWarp, t % 3 == 0);
}

/// Each thread gathers what the one opposite wrote; the barriers before and after can be left out.
__global__ void gather_opposite(bool before, bool after, unsigned rounds, unsigned* result) {
  __shared__ unsigned value[64];
  for (unsigned round = 0; round < rounds; ++round) {
    value[threadIdx.x] = threadIdx.x + 1000 * round;
    if (before) __syncthreads();
    result[threadIdx.x] = 7 * result[threadIdx.x] + value[63 - threadIdx.x];
    if (after) __syncthreads();
  }
}

__global__ void leave_early(unsigned first) {
  if (threadIdx.x >= first) return;
  __syncthreads();
}

__global__ void part_of_block() {
  if (threadIdx.x != 77) __syncthreads();
  __shfl_down_sync(kWholeWarp, 1.0, 1);
}

__global__ void part_of_warp() {
  if (threadIdx.x % 32 < 31) __ballot_sync(kWholeWarp, true);
}

__global__ void half_a_mask() {
  if (threadIdx.x % 32 < 16) __ballot_sync(0xFFFFu, true);
}

__global__ void two_barriers() {
  if (threadIdx.x < 128) __syncthreads();
  if (threadIdx.x >= 128) __syncthreads();
}

TEST_CASE("emulated CUDA: every thread of every block runs once, in the stream's order") {
  std::vector<int> visits(5 * 96, 0);
  launch(Order::forward, 5, 96, count_visits, visits.data());
  CHECK(visits == std::vector<int>(5 * 96, 1));
  for (const Order order : {Order::forward, Order::backward}) {
    std::int64_t next = 0;
    std::vector<std::int64_t> turn(3 * 64, -1), expected;
    for (std::int64_t i = 0; i < 3 * 64; ++i)
      expected.push_back(order == Order::forward ? i : 3 * 64 - 1 - i);
    launch(order, 3, 64, note_turns, &next, turn.data());
    CHECK(turn == expected);
  }
}

TEST_CASE("emulated CUDA: on the default stream the orders take turns") {
  cudaLaunchConfig_t config = {};
  config.blockDim = 32;
  std::vector<std::int64_t> lowest_first;
  for (int i = 0; i < 2; ++i) {
    std::int64_t next = 0;
    std::vector<std::int64_t> turn(32, -1);
    cudaLaunchKernelEx(&config, note_turns, &next, turn.data());
    lowest_first.push_back(turn[0]);
  }
  std::sort(lowest_first.begin(), lowest_first.end());
  CHECK(lowest_first == std::vector<std::int64_t>{0, 31});
}

TEST_CASE("emulated CUDA: a warp's lanes exchange values and votes") {
  for (const Order order : {Order::forward, Order::backward}) {
    std::vector<unsigned> narrow(256), wide(256), votes(256);
    launch(order, 1, 256, exchange, narrow.data(), wide.data(), votes.data());
    for (unsigned t = 0; t < 256; ++t) {
      CHECK(narrow[t] == (t % 16 + 3 < 16 ? t + 3 : t));
      CHECK(wide[t] == (t % 32 + 5 < 32 ? t + 5 : t));
      for (unsigned lane = 0; lane < 32; ++lane)
        CHECK((votes[t] >> lane & 1) == ((t / 32 * 32 + lane) % 3 == 0 ? 1u : 0u));
    }
  }
}

TEST_CASE("emulated CUDA: a missing barrier is a difference between the orders") {
  constexpr unsigned kRounds = 3;
  const auto gathered = [](Order order, bool before, bool after) {
    std::vector<unsigned> result(64, 0);
    launch(order, 1, 64, gather_opposite, before, after, kRounds, result.data());
    return result;
  };
  std::vector<unsigned> expected;
  for (unsigned t = 0; t < 64; ++t) expected.push_back((49 + 7 + 1) * (63 - t) + 1000 * (0 * 49 + 1 * 7 + 2));
  CHECK(gathered(Order::forward, true, true) == expected);
  CHECK(gathered(Order::backward, true, true) == expected);
  CHECK(gathered(Order::forward, false, true) != gathered(Order::backward, false, true));
  CHECK(gathered(Order::forward, true, false) != gathered(Order::backward, true, false));
}

TEST_CASE("emulated CUDA: barriers and collectives that not all reach end the launch") {
  const std::string early = broken_rule(leave_early, 100u);
  CHECK(mentions(early, "some threads do not reach"));
  CHECK(mentions(early, "156 returned"));
  CHECK(mentions(early, "100 "));
  CHECK(mentions(broken_rule(part_of_block), "some threads do not reach"));
  CHECK(mentions(broken_rule(part_of_warp), "some threads do not reach"));
  CHECK(mentions(broken_rule(half_a_mask), "part of a warp"));
  CHECK(mentions(broken_rule(two_barriers), "different places"));
  CHECK_THROWS_AS(launch(Order::forward, 1, 250, leave_early, 250u), std::logic_error);
  // Threads that leave where no barrier follows are in order, and so is a launch after a broken one.
  CHECK(broken_rule(leave_early, 0u) == "");
  CHECK(broken_rule(leave_early, 256u) == "");
}

}  // namespace
}  // namespace inocula::test
