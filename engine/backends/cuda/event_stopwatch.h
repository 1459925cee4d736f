// A device's own clock, read by events on its stream.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <vector>

#include "engine/backend.h"

namespace inocula::cuda {

class EventStopwatch final : public Stopwatch {
 public:
  EventStopwatch(cudaStream_t stream, int ordinal);
  ~EventStopwatch() override;
  EventStopwatch(const EventStopwatch&) = delete;
  EventStopwatch& operator=(const EventStopwatch&) = delete;

  void begin() override;
  void end() override;
  std::vector<double> laps() override;

 private:
  /// Reads what the events hold, so that they can be used again.
  void read();
  void record();

  cudaStream_t stream_;
  int ordinal_;
  std::vector<cudaEvent_t> events_;  ///< begin and end by turns
  std::size_t used_ = 0;
  std::vector<double> laps_;
};

}  // namespace inocula::cuda
