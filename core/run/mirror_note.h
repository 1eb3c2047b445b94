// SPDX-License-Identifier: MIT
// What marks a run folder as the copy of a run on another host, and what is known of that run: by
// whom it was said last, when, and what stands in the way since. A file in the folder
// (mirror.json), so that a state is told from evidence after any number of restarts.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/events/events.h"

namespace tessera {

struct MirrorNote {
  std::string host;                  ///< as ssh knows it
  std::string run;                   ///< the folder there, or its name
  std::string runs;                  ///< folder of the runs there; empty: that host's own
  std::string ssh;                   ///< the command; empty: "ssh"
  std::vector<std::string> program;  ///< where tessera is looked for there

  double last_contact = 0;   ///< by this machine's clock, seconds since 1970; 0: none yet
  std::string trouble;       ///< why nothing comes; empty: the line is sound
  double trouble_since = 0;  ///< by this machine's clock
  std::string gone;          ///< why the run is not there any more; empty: it is
  std::string told;          ///< what happened to the run there that people should know
  double told_at = 0;

  /// How the host itself says that the run stands, and the last event that it knew then.
  RunState state = RunState::Draft;
  std::string reason;
  int rank = -1;
  std::uint64_t judged_at = 0;  ///< 0: it has said nothing yet

  bool operator==(const MirrorNote&) const = default;

  /// Nothing where the folder is no mirror. Throws Error for a note that cannot be read.
  static std::optional<MirrorNote> load(const std::filesystem::path& folder);
  /// Throws Error when the disk is full or fails.
  void save(const std::filesystem::path& folder) const;
};

/// Whether a run folder is the copy of a run on another host.
bool is_mirror(const std::filesystem::path& folder);

}  // namespace tessera
