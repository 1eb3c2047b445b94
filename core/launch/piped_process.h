// SPDX-License-Identifier: MIT
// A program whose input and outputs are pipes of this one, without waiting for any of them.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tessera {

class PipedProcess {
 public:
  /// `line[0]` is looked for on the PATH. In a session of its own, so that Ctrl+C in a terminal is
  /// for this program alone. Throws Error where it cannot be started.
  explicit PipedProcess(const std::vector<std::string>& line);
  /// Ends it where it runs.
  ~PipedProcess();
  PipedProcess(PipedProcess&& other) noexcept;
  PipedProcess& operator=(PipedProcess&&) = delete;

  /// For poll(); -1 once it is closed.
  int output() const { return out_; }
  int errors() const { return err_; }

  /// Queues text for its input; what it does not take yet goes at the next call of exchange().
  void write(std::string_view text) { waiting_ += text; }
  bool has_waiting() const { return !waiting_.empty() && in_ >= 0; }
  int input() const { return in_; }
  /// Its input ends once all that was written has gone.
  void close_input() { closing_ = true; }
  /// Sends what waits, and takes what has come: to `out` and `err`, appended.
  void exchange(std::string& out, std::string& err);
  /// Its wait status once it has ended; what it printed last is still to be taken.
  std::optional<int> poll();
  void kill(int signal) const;

 private:
  void close_all();

  pid_t pid_ = -1;
  int in_ = -1, out_ = -1, err_ = -1;
  std::string waiting_;
  bool closing_ = false;
  std::optional<int> ended_;
};

/// Waits until one of the processes has something to say, or can take what waits for it.
void wait_for_any(const std::vector<const PipedProcess*>& processes, int milliseconds);

}  // namespace tessera
