// SPDX-License-Identifier: MIT
// The signals that ask a command to stop, without a handler: SIGINT (Ctrl+C), SIGTERM (kill, a
// cluster's time limit), SIGHUP (the terminal was closed), SIGUSR1 and SIGUSR2 (a cluster's warning
// before its time limit).
//
// NOTE: a handler's frame is pushed on the stack of the thread that is interrupted, and oneDNN's
// AVX-512 products use the stack pointer as a general register that points into the heap (oneDNN
// issue 4845, all versions before 3.11.2): a signal that comes in the middle of one overwrites what
// lies there. So these signals are blocked in every thread, and one thread waits for them.
#pragma once

#include <atomic>

namespace tessera::app {

/// To be called before any other thread is made, which then inherits that the signals are blocked.
/// Until stop_on_signals() they end the program as they do by default. A signal that is ignored at
/// the program's start, as `nohup` does with SIGHUP, stays ignored. Further calls do nothing.
void watch_signals();

/// While one is alive, SIGINT asks for the end of what is being done instead of ending the program;
/// a second one before it is gone ends the program. There may be one at a time, and none after
/// stop_on_signals().
class InterruptsWork {
 public:
  InterruptsWork();
  ~InterruptsWork();
  InterruptsWork(const InterruptsWork&) = delete;
  InterruptsWork& operator=(const InterruptsWork&) = delete;

  bool asked() const;
};

/// From now on each of the signals sets the flag that is returned; a second SIGINT ends the
/// program. Writing into a closed pipe or a full disk becomes an error of the write.
const std::atomic<bool>& stop_on_signals();

/// For a command that only looks after what runs elsewhere: a terminal that is closed (SIGHUP) ends
/// it and asks for nothing. `told` is what whoever presses Ctrl+C reads.
void leave_on_hangup(const char* told);

}  // namespace tessera::app
