// SPDX-License-Identifier: MIT
#include "app/signals.h"

#include <signal.h>
#include <unistd.h>

#include <cstring>
#include <mutex>
#include <thread>

namespace tessera::app {

namespace {
std::atomic<bool> g_wanted{false}, g_stop{false}, g_hangup_ends{false};
std::atomic<const char*> g_told{"\nstopping: saved first; Ctrl+C again ends at once, unsaved\n"};

/// What SIGINT means to an InterruptsWork.
enum class Interrupt { EndsProgram, EndsWork, Asked };
std::atomic<Interrupt> g_interrupt{Interrupt::EndsProgram};

bool is_ignored(int number) {
  struct sigaction action {};
  return ::sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

/// What was ignored when the program started is left out: a signal that is waited for is taken even
/// where it is ignored.
const sigset_t& watched() {
  static const sigset_t all = [] {
    sigset_t set;
    sigemptyset(&set);
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2}) {
      if (!is_ignored(number)) sigaddset(&set, number);
    }
    return set;
  }();
  return all;
}

/// Whoever pressed Ctrl+C learns that it was heard, although the present step is finished first.
void tell_interrupt() {
  const char* const text = g_told;
  if (::isatty(STDERR_FILENO) != 1) return;
  if (::write(STDERR_FILENO, text, std::strlen(text)) < 0) return;  // the terminal is gone
}

/// As if the signal had met nobody who waits for it.
[[noreturn]] void end_by(int number) {
  signal(number, SIG_DFL);
  pthread_sigmask(SIG_UNBLOCK, &watched(), nullptr);
  raise(number);
  _exit(128 + number);
}

void wait_for_signals() {
  for (;;) {
    int number = 0;
    if (sigwait(&watched(), &number) != 0) continue;
    Interrupt expected = Interrupt::EndsWork;
    if (number == SIGINT && g_interrupt.compare_exchange_strong(expected, Interrupt::Asked)) {
      continue;
    }
    if (!g_wanted || (number == SIGHUP && g_hangup_ends)) end_by(number);
    const bool again = g_stop.exchange(true);
    if (number != SIGINT) continue;
    if (again) _exit(130);  // whoever presses Ctrl+C twice does not want to wait
    tell_interrupt();
  }
}
}  // namespace

void watch_signals() {
  static std::once_flag once;
  std::call_once(once, [] {
    pthread_sigmask(SIG_BLOCK, &watched(), nullptr);
    std::thread(wait_for_signals).detach();  // until the process ends
  });
}

InterruptsWork::InterruptsWork() {
  watch_signals();
  g_interrupt = Interrupt::EndsWork;
}

InterruptsWork::~InterruptsWork() {
  g_interrupt = Interrupt::EndsProgram;
}

bool InterruptsWork::asked() const {
  return g_interrupt == Interrupt::Asked;
}

const std::atomic<bool>& stop_on_signals() {
  watch_signals();
  g_wanted = true;
  // A full disk or a file size limit is an error of a write, not the end of the process.
  signal(SIGXFSZ, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  return g_stop;
}

void leave_on_hangup(const char* told) {
  g_told = told;
  g_hangup_ends = true;
}

}  // namespace tessera::app
