// SPDX-License-Identifier: MIT
#include "app/signals.h"

#include <signal.h>
#include <unistd.h>

#include <mutex>
#include <thread>

namespace tessera::app {

namespace {
std::atomic<bool> g_wanted{false}, g_stop{false};

sigset_t watched() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

/// As if the signal had met nobody who waits for it.
[[noreturn]] void end_by(int number) {
  signal(number, SIG_DFL);
  const sigset_t set = watched();
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  raise(number);
  _exit(128 + number);
}

void wait_for_signals() {
  const sigset_t set = watched();
  for (;;) {
    int number = 0;
    if (sigwait(&set, &number) != 0) continue;
    if (!g_wanted) end_by(number);
    // A second one of the keyboard's means it.
    if (g_stop.exchange(true) && number == SIGINT) _exit(130);
  }
}
}  // namespace

void watch_signals() {
  static std::once_flag once;
  std::call_once(once, [] {
    const sigset_t set = watched();
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    std::thread(wait_for_signals).detach();  // until the process ends
  });
}

const std::atomic<bool>& stop_on_signals() {
  watch_signals();
  g_wanted = true;
  // A full disk or a file size limit is an error of a write, not the end of the process.
  signal(SIGXFSZ, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  return g_stop;
}

}  // namespace tessera::app
