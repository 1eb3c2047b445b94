// SPDX-License-Identifier: MIT
// SIGINT and SIGTERM, without a handler.
//
// NOTE: a handler's frame is pushed on the stack of the thread that is interrupted, and oneDNN's
// AVX-512 products use the stack pointer as a general register that points into the heap (oneDNN
// issue 4845, all versions before 3.11.2): a signal that comes in the middle of one overwrites what
// lies there. So both signals are blocked in every thread, and one thread waits for them.
#pragma once

#include <atomic>

namespace tessera::app {

/// To be called before any other thread is made, which then inherits that the signals are blocked.
/// Until stop_on_signals() they end the program as they do by default. Further calls do nothing.
void watch_signals();

/// From now on SIGINT and SIGTERM set the flag that is returned; a second SIGINT ends the program.
const std::atomic<bool>& stop_on_signals();

}  // namespace tessera::app
