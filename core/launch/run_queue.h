// SPDX-License-Identifier: MIT
// The queue of runs as a value, and its file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace tessera {

/// A run that waits.
struct QueueEntry {
  std::string id;               ///< names the entry
  std::string name;             ///< the name that the run will have
  std::string spec;             ///< TOML text
  std::string resume;           ///< id of a run to be resumed instead of a new one
  std::string fork_from;        ///< id of the run it forks
  std::int64_t fork_step = -1;  ///< which checkpoint of the parent; -1: the newest
  std::string problem;          ///< why it could not be started; empty: none
  std::string announced;        ///< ticket of the start that was tried; empty: none was

  bool operator==(const QueueEntry&) const = default;
};

struct RunQueue {
  std::vector<QueueEntry> entries;
  bool paused = false;

  bool operator==(const RunQueue&) const = default;
  QueueEntry* find(const std::string& entry_id);
  void add(QueueEntry entry) { entries.push_back(std::move(entry)); }
  /// `to` is where it stands afterwards.
  void move(const std::string& entry_id, int to);
  void remove(const std::string& entry_id);

  /// An empty one where there is no file. Throws Error for a file that is no queue.
  static RunQueue load(const std::filesystem::path& file);
  /// Throws Error when the disk is full or fails; the old file then stays.
  void save(const std::filesystem::path& file) const;
};

}  // namespace tessera
