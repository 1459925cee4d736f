// Ctrl-C, SIGTERM and SIGUSR1: the first asks for a checkpoint, the second of Ctrl-C or SIGTERM ends at once.
#pragma once

namespace inocula {

/// Installs handlers for as long as it lives; they only set a flag.
class InterruptWatch {
 public:
  InterruptWatch();
  ~InterruptWatch();
  InterruptWatch(const InterruptWatch&) = delete;
  InterruptWatch& operator=(const InterruptWatch&) = delete;

  /// Whether to stop at the next opportunity.
  static bool requested();
};

}  // namespace inocula
