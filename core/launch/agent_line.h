// SPDX-License-Identifier: MIT
// The desk's line to the agent of one host, which is made again where it breaks. Nothing that was
// said while it was broken is lost, and nothing comes twice: words are numbered.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "core/launch/agent_protocol.h"
#include "core/launch/host_list.h"
#include "core/launch/piped_process.h"
#include "core/launch/ssh.h"

namespace tessera {

class AgentLine {
 public:
  enum class State : std::uint8_t {
    Begins,  ///< nothing has come yet
    Live,
    Broken,  ///< it is tried again and again
    Over     ///< there is nothing more to hear
  };

  /// `ssh` must outlive it. A host has `patience` for its first word.
  AgentLine(Ssh& ssh, HostSlots host, RemoteProgram program, std::string agent,
            std::chrono::milliseconds patience = std::chrono::seconds(60));

  /// Has the agent started. Throws Error where ssh cannot be.
  void start(const AgentOrder& order);
  /// Finds an agent that is there, and begins with its first word.
  void attach();

  /// What has come since the last look. Throws Error where the agent cannot be started or found.
  std::vector<AgentWord> look();
  /// "stop" or "end", as soon as there is a line.
  void ask(const std::string& what);

  State state() const { return state_; }
  /// It is to start its agent, and none has been heard of.
  bool is_starting() const { return starts_; }
  const HostSlots& host() const { return host_; }
  /// Why the line is broken.
  const std::string& trouble() const { return trouble_; }
  /// Since the agent was last heard of.
  double silent_s() const;
  /// How far the host's clock is ahead of this one's, and how far that may be wrong.
  std::optional<double> clock_ahead_s() const { return ahead_s_; }
  double clock_doubt_s() const { return doubt_s_; }
  /// For wait_for_any(); null where there is nothing to wait for.
  const PipedProcess* process() const { return process_ ? &*process_ : nullptr; }

 private:
  using Clock = std::chrono::steady_clock;
  void connect(const std::vector<std::string>& arguments, const std::string& first);
  void take(const AgentWord& word, std::vector<AgentWord>& words);
  void take_pong(const AgentWord& word);
  void ping();
  void finish(int wait_status);
  void try_again();

  Ssh& ssh_;
  HostSlots host_;
  RemoteProgram program_;
  std::string agent_;
  std::chrono::milliseconds patience_;
  std::optional<PipedProcess> process_;
  State state_ = State::Begins;
  std::string out_, err_, trouble_;
  std::vector<std::string> asks_;
  std::int64_t next_ = 0;  ///< number of the word that comes next
  int pings_ = 0, tries_ = 0;
  Clock::time_point heard_ = Clock::now(), pinged_{}, again_at_{};
  double ping_sent_ = 0;
  bool starts_ = false;
  std::optional<double> ahead_s_;
  double doubt_s_ = 1e9;
};

}  // namespace tessera
