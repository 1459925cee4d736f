// What the process answers: sysexits' numbers.
#pragma once

#include "engine/error.h"

namespace inocula {

inline constexpr int kExitFine = 0;
inline constexpr int kExitUsage = 64;
inline constexpr int kExitInternal = 70;

inline int exit_code(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::usage:
      return kExitUsage;
    case ErrorKind::bad_data:
      return 65;
    case ErrorKind::no_input:
      return 66;
    case ErrorKind::missing_package:
      return 69;
    case ErrorKind::internal:
      return kExitInternal;
    case ErrorKind::cannot_create:
      return 73;
    case ErrorKind::io:
      return 74;
    case ErrorKind::interrupted:
      return 75;
    case ErrorKind::config:
      return 78;
  }
  return kExitInternal;
}

}  // namespace inocula
