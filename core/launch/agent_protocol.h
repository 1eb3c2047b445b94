// SPDX-License-Identifier: MIT
// What a desk and the agents of its hosts say to each other: JSON, one object a line.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace tessera {

/// Raised where old and new cannot understand each other.
inline constexpr int kAgentProtocol = 1;

/// What one agent is to do: hold the ranks of a launch that run on its host.
struct AgentOrder {
  std::string launch;             ///< name of the launch, the same on all its hosts
  int index = 0;                  ///< place of the host in the launch
  int first_rank = 0, ranks = 1;  ///< this host's
  int world = 1;                  ///< ranks of the whole launch
  std::string master_address;     ///< where the others reach rank 0's host
  int master_port = 0;            ///< free there a moment ago
  std::string build;              ///< what the desk's program is; the agent's must be the same
  std::vector<std::string>
      arguments;     ///< what each rank is given; "{spec}" stands for the spec's file
  std::string spec;  ///< TOML; empty: there is none
  std::map<std::string, std::string> environment;  ///< each rank gets it beside what it has
  std::map<std::string, std::string> defaults;     ///< likewise, where the host does not set them
  /// How often the agent begins again by itself once a rank was lost, with `again` for arguments,
  /// in which "{run}" stands for the run's folder. For a launch on one host alone: with several,
  /// the agents of the others end with their ranks.
  int restarts = 0;
  std::vector<std::string> again{};

  /// "LAUNCH-INDEX": the agent's own.
  std::string agent_name() const;
};
std::string to_line(const AgentOrder& order);
/// Throws Error where the text is no order, or one of another protocol.
AgentOrder order_of_line(const std::string& line);

/// What an agent says. Words with a number are in its journal, and come again to whoever attaches.
struct AgentWord {
  enum class Kind : std::uint8_t {
    Begun,     ///< the agent is there: text is its host's name, process its number
    Rank,      ///< a rank was started: rank, process
    Run,       ///< text: the folder of the run
    Output,    ///< a line that a rank printed: rank, text, is_error
    Asked,     ///< text: what was asked for ("stop", "end"); is_error: by a signal to the agent
    Note,      ///< text: what a person should know
    Ended,     ///< a rank has ended: rank, status (of waitpid), was_told where it was told to end
    Done,      ///< all ranks have ended, and the agent too
    CaughtUp,  ///< what comes now is new
    Gone,      ///< the agent has died: text says what is known
    Pong,      ///< answers a ping: status is its number, time the clock's
    Refused,   ///< text: why nothing was begun; hint
    Again      ///< all ranks have ended and begin again: text says why, status is how often now
  };
  Kind kind = Kind::Note;
  std::int64_t number = -1;  ///< in the journal; -1: not in it
  double time = 0;           ///< seconds since 1970 by the host's clock
  int rank = -1, status = 0;
  std::int64_t process = 0;
  bool is_error = false, was_told = false;
  std::string text{}, hint{};
};
std::string to_line(const AgentWord& word);
/// Throws Error where the text is none.
AgentWord word_of_line(const std::string& line);

/// "ended with exit status 1", "killed by signal 9 (Killed)".
std::string end_text(int wait_status);

/// Takes the whole lines from the front of a text.
std::vector<std::string> take_lines(std::string& text);

/// This machine's clock, seconds since 1970.
double clock_now();

}  // namespace tessera
