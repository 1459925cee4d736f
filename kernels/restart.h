// Which of an image's random draws a row takes: several attempts at one image may lie in one batch.
#pragma once

#include <cstdint>

#include "kernels/target.h"

INOCULA_BEGIN_TARGET

/// Of kernel arguments with `state` and `restart`: (rows), added to the state's number; may be null.
template <class Args>
INOCULA_HD inline std::uint32_t restart_of(const Args& a, std::int64_t row) {
  return a.state->restart + (a.restart != nullptr ? static_cast<std::uint32_t>(a.restart[row]) : 0);
}

INOCULA_END_TARGET
