// The clock around work that a device may do later than it is asked to.
#include "tools/timing.h"

#include <algorithm>

namespace inocula {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

double time_once(const Device& device, const std::function<void()>& work) {
  const Clock::time_point begin = Clock::now();
  work();
  device.backend().synchronize();
  return seconds_since(begin);
}

std::vector<double> time_repeatedly(const Device& device, std::int64_t repeat,
                                    const std::function<void()>& work) {
  time_once(device, work);
  std::vector<double> seconds;
  for (std::int64_t i = 0; i < repeat; ++i) seconds.push_back(time_once(device, work));
  std::sort(seconds.begin(), seconds.end());
  return seconds;
}

}  // namespace inocula
