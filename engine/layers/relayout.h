// Changing how an activation lies in memory, and moving ranges of its channels.
#pragma once

#include <string>

#include "engine/recorder.h"

namespace inocula {

/// Records to[to_first + c] = from[from_first + c] for `count` channels.
void record_copy_channels(Recorder& r, const Tensor& from, std::int64_t from_first, const Tensor& to,
                          std::int64_t to_first, std::int64_t count);

/// `t` itself if it has that layout, else a copy that has.
Tensor with_layout(Recorder& r, const Tensor& t, Layout layout, const std::string& name);

}  // namespace inocula
