// SPDX-License-Identifier: MIT
// What the desk keeps of a launch on hosts, so that another desk finds its agents later.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/launch/host_list.h"

namespace tessera {

struct LaunchRecord {
  std::string name;                  ///< the name of the launch
  std::vector<HostSlots> hosts;      ///< in the order of ranks
  std::vector<std::string> program;  ///< RemoteProgram::files
  std::string ssh;                   ///< the command; empty: a record of an older version
  std::string run;                   ///< folder of the run on the first host; empty: not known yet
  std::string end;                   ///< how it ended; empty: nobody has seen its end
  double started = 0;                ///< seconds since 1970

  /// Throws Error when it cannot be written.
  void save(const std::filesystem::path& folder) const;
};

/// The launch with this name, or of the run with this name or folder, or of the only one whose name
/// begins so. Throws Error listing the candidates.
LaunchRecord find_launch(const std::filesystem::path& folder, const std::string& name);
/// All of them, the newest first; what cannot be read is left out.
std::vector<LaunchRecord> all_launches(const std::filesystem::path& folder);

}  // namespace tessera
