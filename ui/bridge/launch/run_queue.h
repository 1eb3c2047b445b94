// SPDX-License-Identifier: MIT
// The queue of runs as a value, and its file.
#pragma once

#include <QString>
#include <vector>

#include "ui/bridge/launch/launcher.h"

namespace tessera::ui {

struct RunQueue {
  std::vector<QueueEntry> entries;
  bool paused = false;

  bool operator==(const RunQueue&) const = default;
  QueueEntry* find(const QString& entryId);
  void add(QueueEntry entry) { entries.push_back(std::move(entry)); }
  /// `to` is where it stands afterwards.
  void move(const QString& entryId, int to);
  void remove(const QString& entryId);

  /// An empty one where there is no file. Throws Error for a file that is no queue.
  static RunQueue load(const QString& file);
  /// Throws Error when the disk is full or fails; the old file then stays.
  void save(const QString& file) const;
};

}  // namespace tessera::ui
