// SPDX-License-Identifier: MIT
// Commands on other hosts through the system's ssh, as the user has configured it: aliases, agents,
// jump hosts, accounts. Nothing is asked (BatchMode), no password is kept, and one connection to
// each host serves all commands (ControlMaster, in a folder of this process alone).
#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/base/error.h"

namespace tessera {

/// A text as one word of a POSIX shell.
std::string shell_word(const std::string& text);

/// How `tessera` is found on a host: these files in this order, then the PATH. "$HOME/" at the
/// begin of a file means the home folder there; a file "X/bin/tessera" that was copied has its
/// libraries in X/lib.
struct RemoteProgram {
  std::vector<std::string> files;

  /// A command for any login shell, which runs the program with these arguments. It ends with
  /// kProgramMissing and says kMissingText where there is none.
  std::string command(const std::vector<std::string>& arguments) const;
  static constexpr int kProgramMissing = 127;
  static constexpr const char* kMissingText = "tessera-is-not-here";
};

class Ssh {
 public:
  /// `command`: "ssh", or with options of it: "ssh -F FILE", split at spaces. Throws Error where
  /// the folder for connections cannot be made.
  explicit Ssh(const std::string& command);
  /// Ends the connections.
  ~Ssh();
  Ssh(const Ssh&) = delete;
  Ssh& operator=(const Ssh&) = delete;

  /// What is to be started here to run `remote` in the login shell of a host. An empty host is this
  /// machine, where sh runs it.
  std::vector<std::string> line(const std::string& host, const std::string& remote) const;
  /// To be called for a host whose connection did not answer: the next line() makes a new one.
  void forget(const std::string& host);

 private:
  std::vector<std::string> options() const;

  std::vector<std::string> words_;
  std::filesystem::path folder_;
  mutable std::vector<std::string> hosts_;
};

/// What ssh's own failure (exit status 255) means, with the next step. `said`: its standard error.
Error explain_ssh(const std::string& host, const std::string& said);

/// What a command on a host came to.
struct HostAnswer {
  int wait_status = 0;
  bool timed_out = false;
  std::string output{}, errors{};

  /// It ended by itself with status 0.
  bool is_good() const { return !timed_out && wait_status == 0; }
};

/// Throws Error where whoever waits for hosts has asked for the end of it.
void check_not_stopped(const std::atomic<bool>* stop);

/// Runs one command line for each entry at the same time, and waits until all have ended or the
/// time is over. `input` goes to each of them. `looked`, where it is given, hears how many have
/// ended. Throws Error once `stop` is set; the commands end then.
std::vector<HostAnswer> run_all(const std::vector<std::vector<std::string>>& lines,
                                const std::string& input, std::chrono::milliseconds time,
                                const std::atomic<bool>* stop = nullptr,
                                const std::function<void(std::size_t ended)>& looked = {});

/// Throws Error where the answer is none: ssh failed, there is no program, or it said why not.
void require_answer(const std::string& host, const HostAnswer& answer);

}  // namespace tessera
