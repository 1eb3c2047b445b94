// SPDX-License-Identifier: MIT
// What a host is and has, as its own tessera tells it, and what of that stands in the way of a
// launch, each with the next step.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tessera {

/// What `tessera agent probe` prints. Sizes are in bytes, -1: not known; limits of -1 are none.
struct HostFacts {
  std::string build, host;
  int processors = 0;
  std::int64_t memory_bytes = -1;
  std::vector<std::string> gpus;
  std::string gpu_trouble;  ///< why there are none, where a plugin or driver says so
  std::string folder;       ///< holds the runs
  std::int64_t disk_free_bytes = -1, shared_memory_bytes = -1;
  std::int64_t locked_memory_limit = -1, open_files_limit = -1;
  std::vector<std::string> addresses;
};
std::string to_line(const HostFacts& facts);
/// Throws Error where the text is none.
HostFacts facts_of_line(const std::string& line);

/// What this host says of itself, without build and GPUs, which the caller knows. `folder` holds
/// the runs.
HostFacts facts_of_this_host(const std::string& folder);

/// A clock beside the desk's.
struct HostClock {
  double ahead_s = 0, doubt_s = 0;
};
/// The offset by the quickest of several answers: when it was asked, what the host's clock said,
/// when the answer came.
struct ClockAnswer {
  double asked = 0, there = 0, came = 0;
};
HostClock clock_offset(const std::vector<ClockAnswer>& answers);

struct HostCheck {
  enum class Level : std::uint8_t { Good, Warning, Bad };
  Level level = Level::Good;
  std::string name, text;
  std::string fix;  ///< the next step; empty where all is well
};
/// What is to be known of a host for a launch by the program of `own_build`.
std::vector<HostCheck> judge_host(const HostFacts& facts, const std::string& own_build,
                                  const HostClock& clock);

/// "1.5 GB".
std::string size_text(std::int64_t bytes);

}  // namespace tessera
