// How long work on a device takes.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <vector>

#include "engine/device.h"

namespace inocula {

double seconds_since(std::chrono::steady_clock::time_point begin);

/// Seconds until the device is done with it.
double time_once(const Device& device, const std::function<void()>& work);

/// Seconds of each repetition after one warm-up, sorted.
std::vector<double> time_repeatedly(const Device& device, std::int64_t repeat,
                                    const std::function<void()>& work);

}  // namespace inocula
