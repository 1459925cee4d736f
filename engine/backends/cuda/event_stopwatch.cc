// Two events a piece, a thousand pieces before they are read.
#include "engine/backends/cuda/event_stopwatch.h"

#include <utility>

#include "engine/backends/cuda/check.h"

namespace inocula::cuda {

namespace {
constexpr std::size_t kMostEvents = 2000;
}

EventStopwatch::EventStopwatch(cudaStream_t stream, int ordinal) : stream_(stream), ordinal_(ordinal) {
  events_.reserve(kMostEvents);
}

EventStopwatch::~EventStopwatch() {
  for (const cudaEvent_t event : events_) cudaEventDestroy(event);
}

void EventStopwatch::record() {
  if (used_ == events_.size()) {
    cudaEvent_t event = nullptr;
    check(cudaEventCreateWithFlags(&event, cudaEventDefault), "cudaEventCreate on cuda:", ordinal_);
    events_.push_back(event);
  }
  check(cudaEventRecord(events_[used_], stream_), "cudaEventRecord on cuda:", ordinal_);
  used_ += 1;
}

void EventStopwatch::begin() {
  if (used_ == kMostEvents) read();
  record();
}

void EventStopwatch::end() {
  record();
}

void EventStopwatch::read() {
  if (used_ == 0) return;
  check(cudaEventSynchronize(events_[used_ - 1]), "waiting for the clock of cuda:", ordinal_);
  for (std::size_t i = 0; i + 1 < used_; i += 2) {
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, events_[i], events_[i + 1]),
          "cudaEventElapsedTime on cuda:", ordinal_);
    laps_.push_back(1e-3 * static_cast<double>(milliseconds));
  }
  used_ = 0;
}

std::vector<double> EventStopwatch::laps() {
  const DeviceScope scope(ordinal_);
  read();
  return std::exchange(laps_, {});
}

}  // namespace inocula::cuda
