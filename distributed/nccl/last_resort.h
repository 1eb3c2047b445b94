// SPDX-License-Identifier: MIT
// Ends a process that waits for ranks that are gone and cannot be called back from its waiting.
#pragma once

#include <chrono>
#include <memory>
#include <string>

namespace tessera {

/// Safe from any thread.
class LastResort {
 public:
  /// `patience`: from begin() to the end of the process; 0: it does not end.
  explicit LastResort(std::chrono::milliseconds patience);
  ~LastResort();
  /// Starts the time. The reason is written to standard error when it is over, and the process ends
  /// with status 70.
  void begin(const std::string& reason);
  /// Somebody has heard of it and takes the error where it belongs: the time begins anew, twice as
  /// long.
  void put_off();
  void call_off();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace tessera
