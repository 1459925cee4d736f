// Signal handlers that set a flag.
#include "tools/interrupt.h"

#include <csignal>

namespace inocula {

namespace {

volatile std::sig_atomic_t g_requested = 0;

void remember(int signal) {
  // A second Ctrl-C or SIGTERM takes the default way out.
  if (g_requested != 0 && signal != SIGUSR1) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
  g_requested = 1;
}

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGUSR1};

}  // namespace

InterruptWatch::InterruptWatch() {
  g_requested = 0;
  struct sigaction action = {};
  action.sa_handler = remember;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (const int s : kSignals) sigaction(s, &action, nullptr);
}

InterruptWatch::~InterruptWatch() {
  for (const int s : kSignals) std::signal(s, SIG_DFL);
}

bool InterruptWatch::requested() {
  return g_requested != 0;
}

}  // namespace inocula
