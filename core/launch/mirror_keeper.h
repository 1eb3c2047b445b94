// SPDX-License-Identifier: MIT
// Who keeps mirrors up to date: one process for all of a user's, begun when one is asked for and
// gone when none has anything more to hear. It has no window and no terminal; after it was killed,
// or the machine was switched off, the next command or studio begins it again.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace tessera {

/// What is to be followed: a folder (home_folder()/mirrors) with a file for each mirror.
class MirrorList {
 public:
  explicit MirrorList(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// Throws Error when it cannot be written.
  void add(const std::filesystem::path& mirror) const;
  /// Throws Error when it cannot be removed.
  void remove(const std::filesystem::path& mirror) const;
  /// Folders of mirrors that are to be followed. A file that names none is removed.
  std::vector<std::filesystem::path> all() const;
  /// Held by the process that follows them.
  std::filesystem::path lock() const { return folder_ / "keeper.lock"; }
  std::filesystem::path log() const { return folder_ / "keeper.log"; }

 private:
  std::filesystem::path file_of(const std::filesystem::path& mirror) const;
  std::filesystem::path folder_;
};

/// Starts `program mirror --keep` detached, where there is something to follow and nobody does.
/// Returns its process, for whoever waits for children. Throws Error when it cannot be started.
std::optional<int> begin_keeper(const MirrorList& list, const std::string& program);

/// Follows all, also those that come later, until none is left. Returns at once where another
/// process does. `tell` gets lines for people.
void keep_mirrors(const MirrorList& list, const std::atomic<bool>& stop,
                  const std::function<void(const std::string&)>& tell);

}  // namespace tessera
