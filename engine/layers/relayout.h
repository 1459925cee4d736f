// Changing how an activation lies in memory and what it is stored in, and moving ranges of its channels.
#pragma once

#include <string>

#include "engine/recorder.h"

namespace inocula {

/// Records to[to_first + c] = from[from_first + c] for `count` channels.
void record_copy_channels(Recorder& r, const Tensor& from, std::int64_t from_first, const Tensor& to,
                          std::int64_t to_first, std::int64_t count);

/// `t` itself if it is plain, else a copy in fp32 that is.
Tensor as_plain(Recorder& r, const Tensor& t, const std::string& name);

/// `t` itself if it lies and is stored as `like`, else a copy that does.
Tensor stored_like(Recorder& r, const Tensor& t, const Tensor& like, const std::string& name);

}  // namespace inocula
