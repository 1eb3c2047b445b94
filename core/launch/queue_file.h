// SPDX-License-Identifier: MIT
// The queue of a user's runs as all his processes share it: windows, terminals, and the one that
// starts what waits. Each change reads what stands in the file now and writes it, while nobody else
// does, so that none undoes another's.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "core/launch/run_queue.h"

namespace tessera {

class QueueFile {
 public:
  explicit QueueFile(std::filesystem::path file) : file_(std::move(file)) {}

  /// Reads the file where it has changed since the last look; true: the queue has. Throws Error for
  /// a file that is no queue.
  bool refresh();
  const RunQueue& queue() const { return queue_; }
  /// Throws Error for a file that is no queue, and when the disk is full; the file then stays.
  void change(const std::function<void(RunQueue&)>& change);
  /// Moves a damaged file aside and begins with an empty one. Returns where it lies now. Throws
  /// Error where it cannot be moved.
  std::filesystem::path set_aside();

  const std::filesystem::path& path() const { return file_; }
  /// Held by the process that starts what waits.
  std::filesystem::path lock() const;
  bool has_holder() const;

 private:
  std::string look_of_file() const;

  std::filesystem::path file_;
  std::string seen_ = "never";
  RunQueue queue_;
};

/// Starts `program queue run` detached, where something waits and nobody looks after it. Returns
/// its process, for whoever waits for children. Throws Error when it cannot be started.
std::optional<int> begin_queue_holder(const QueueFile& queue, const std::string& program);

}  // namespace tessera
