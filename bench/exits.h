// A benchmark's exit: one line for an error, and the number that the program would answer.
#pragma once

#include <cstdio>
#include <exception>

#include "tools/exit_code.h"

namespace inocula::bench {

template <class Work>
int exit_of(const char* program, const Work& work) {
  try {
    work();
    return kExitFine;
  } catch (const Error& e) {
    std::fprintf(stderr, "%s: %s\n", program, e.what());
    return exit_code(e.kind());
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s: internal error: %s\n", program, e.what());
    return kExitInternal;
  }
}

}  // namespace inocula::bench
