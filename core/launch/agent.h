// SPDX-License-Identifier: MIT
// The agent of a launch on one host: a process in a session of its own that holds the ranks there.
//
// Nothing that happens to the desk or to the line to it touches the ranks. The agent reads what
// they print, writes down how they end, ends all of them when one fails or when it is told to, and
// leaves. Where it holds all ranks of the launch and its order says so, it begins again from the
// run's newest checkpoint instead, a number of times: nobody else need be there. What it says is a
// journal in a file, and what it is told comes through a named pipe beside it; whoever attaches
// follows the one and writes into the other, so that the agent knows nothing of lines. Each rank's
// standard input is a pipe of the agent: it ends with the agent, whatever ends that, and the rank
// then stops (app/lifeline.h).
#pragma once

#include <atomic>
#include <filesystem>
#include <string>
#include <vector>

#include "core/launch/agent_protocol.h"

namespace tessera {

/// Where agents of this user on this host have their folders: TESSERA_AGENTS, or
/// /tmp/tessera-UID/agents, which is on this host also where the home folder is shared. Made where
/// it is missing. Throws Error where it is another user's.
std::filesystem::path agents_folder();

/// The files of one agent.
struct AgentFiles {
  std::filesystem::path folder;

  std::filesystem::path order() const { return folder / "order.json"; }
  std::filesystem::path spec() const { return folder / "spec.toml"; }
  std::filesystem::path journal() const { return folder / "journal"; }
  std::filesystem::path asks() const { return folder / "asks"; }  ///< named pipe, a word a line
  std::filesystem::path lock() const { return folder / "lock"; }  ///< held while the agent lives
  std::filesystem::path run() const { return folder / "run"; }    ///< rank 0 writes its run here
  std::filesystem::path log() const { return folder / "agent.log"; }
  /// Whether an agent lives there.
  bool is_held() const;
};

/// Starts `program` as the agent of this order: `program agent hold FOLDER`, in a session of its
/// own. Returns once it holds its ranks. Throws Error where there is one of this name already, and
/// where it ends at once, with what it said.
AgentFiles start_agent(const AgentOrder& order, const std::string& program);

struct HoldOptions {
  std::string program;                      ///< what each rank runs
  std::vector<std::string> own_variables;   ///< this process has them, the ranks do not get them
  const std::atomic<bool>* stop = nullptr;  ///< set by a signal to the agent: the run is to stop
  double last_words_s = 7;                  ///< for the other ranks, once one has failed
  double mercy_s = 5;                       ///< between asking a rank to end and ending it
};

/// What the agent's process does, to the end of its ranks. Throws Error where none can be started.
void hold_ranks(const AgentFiles& files, const HoldOptions& options);

/// Hands the journal from number `from` on to `out` and what comes in at `in` to the agent, until
/// the agent has ended or one of the two has. For the far end of a line.
void relay_agent(const AgentFiles& files, std::int64_t from, int in, int out);

}  // namespace tessera
