// SPDX-License-Identifier: MIT
// The queue of runs as a value, and its file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "core/launch/launch_place.h"

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
  LaunchPlace place{};          ///< where it is to be started

  bool operator==(const QueueEntry&) const = default;
};

/// 32 digits that no other entry has.
std::string new_entry_id();

/// An entry that has led to a run.
struct QueueStart {
  std::string entry, name, run;  ///< ids of both, and the entry's name
  double time = 0;               ///< seconds since 1970
  bool operator==(const QueueStart&) const = default;
};

struct RunQueue {
  std::vector<QueueEntry> entries;
  bool paused = false;
  std::vector<QueueStart> begun;  ///< the newest last; at most kMostBegun
  static constexpr std::size_t kMostBegun = 100;

  bool operator==(const RunQueue&) const = default;
  QueueEntry* find(const std::string& entry_id);
  void add(QueueEntry entry) { entries.push_back(std::move(entry)); }
  /// `to` is where it stands afterwards.
  void move(const std::string& entry_id, int to);
  void remove(const std::string& entry_id);
  /// Takes the entry off the queue and notes the run that it has led to.
  void note_begun(const std::string& entry_id, const std::string& run, double time);

  /// An empty one where there is no file. Throws Error for a file that is no queue.
  static RunQueue load(const std::filesystem::path& file);
  /// Throws Error when the disk is full or fails; the old file then stays.
  void save(const std::filesystem::path& file) const;
};

}  // namespace tessera
