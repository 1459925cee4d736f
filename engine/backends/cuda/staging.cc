// The ring of page-locked slots.
#include "engine/backends/cuda/staging.h"

#include <algorithm>
#include <cstring>

#include "engine/backends/cuda/check.h"

namespace inocula::cuda {

namespace {

constexpr std::size_t kSlots = 8;
constexpr std::size_t kSlotBytes = std::size_t{1} << 20;

}  // namespace

PinnedStaging::PinnedStaging(cudaStream_t stream, const LastWork& last)
    : stream_(stream), last_(last), slots_(kSlots) {
  for (Slot& slot : slots_) {
    check(cudaMallocHost(&slot.memory, kSlotBytes), "cudaMallocHost of ", kSlotBytes, " bytes", last_);
    check(cudaEventCreateWithFlags(&slot.free, cudaEventDisableTiming), "cudaEventCreate", last_);
  }
}

PinnedStaging::~PinnedStaging() {
  cudaStreamSynchronize(stream_);  // copies may still read the slots
}

PinnedStaging::Slot::~Slot() {
  if (free != nullptr) cudaEventDestroy(free);
  if (memory != nullptr) cudaFreeHost(memory);
}

void PinnedStaging::upload(void* to, const void* from_host, std::size_t bytes) {
  for (std::size_t done = 0; done < bytes; done += kSlotBytes) {
    const Slot& slot = slots_[next_];
    next_ = (next_ + 1) % slots_.size();
    const std::size_t count = std::min(kSlotBytes, bytes - done);
    check(cudaEventSynchronize(slot.free), "cudaEventSynchronize", last_);
    std::memcpy(slot.memory, static_cast<const std::byte*>(from_host) + done, count);
    check(cudaMemcpyAsync(static_cast<std::byte*>(to) + done, slot.memory, count, cudaMemcpyHostToDevice,
                          stream_),
          "cudaMemcpyAsync of ", count, " bytes from the host", last_);
    check(cudaEventRecord(slot.free, stream_), "cudaEventRecord", last_);
  }
}

}  // namespace inocula::cuda
