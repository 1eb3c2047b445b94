// SPDX-License-Identifier: MIT
// Which runs are running on this machine, from the process files in their folders.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/run/run_folder.h"

namespace tessera {

class LocalRuns {
 public:
  /// The id of a run in one of the folders whose process is alive on this machine; empty: none.
  /// One look at a file per run, and a reading where that has changed.
  std::string find_running(const std::vector<std::filesystem::path>& roots);

 private:
  struct Seen {
    std::filesystem::file_time_type written;
    std::optional<ProcessId> process;  ///< that may be alive
  };
  bool is_running(const std::filesystem::path& folder);
  std::unordered_map<std::string, Seen> seen_;
};

}  // namespace tessera
