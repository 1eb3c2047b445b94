// SPDX-License-Identifier: MIT
// The program as a whole for a host that has none or another one: the program, its plugins, its
// shared libraries and resources, in a folder of the user's there that is named by their content.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/launch/ssh.h"

namespace tessera {

/// What is to be copied, as links in a temporary folder: bin/, lib/, share/tessera/. It goes with
/// this object.
class ProgramBundle {
 public:
  /// Links to the program that runs now. Those of the files in `plugins` that exist are taken
  /// along. Throws Error where a file cannot be read.
  ProgramBundle(const std::filesystem::path& program,
                const std::vector<std::filesystem::path>& plugins,
                const std::filesystem::path& resources);
  ~ProgramBundle();
  ProgramBundle(const ProgramBundle&) = delete;
  ProgramBundle& operator=(const ProgramBundle&) = delete;

  const std::filesystem::path& folder() const { return folder_; }
  /// Sixteen digits that differ where a file does.
  const std::string& hash() const { return hash_; }
  /// Where it will lie on a host: "$HOME/.local/share/tessera/copies/HASH/bin/tessera".
  std::string remote_file() const;

 private:
  std::filesystem::path folder_;
  std::string hash_;
};

/// What hears how a copy comes along, and may end it.
struct CopyWatch {
  std::function<void(const std::string&)> tell{};  ///< a line for each host
  /// How many of the hosts that had no copy have one now.
  std::function<void(std::size_t done, std::size_t total)> progress{};
  const std::atomic<bool>* stop = nullptr;
};
/// Sends the bundle to those hosts that have no copy of it, all at the same time. Throws Error
/// where a host has no room, or cannot be reached, and once it is stopped: nothing of a copy that
/// is not whole stays.
void copy_program(const Ssh& ssh, const std::vector<std::string>& hosts,
                  const ProgramBundle& bundle, const CopyWatch& watch);

}  // namespace tessera
