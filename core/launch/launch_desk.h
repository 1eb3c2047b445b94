// SPDX-License-Identifier: MIT
// LaunchDesk: what is started on a host, by hand or from the queue. The queue is a file that
// windows, terminals and the one process that starts what waits share (queue_file.h). It starts its
// next run when nobody has what that run needs: this machine, where a run of whoever started it may
// be running, or other hosts, as far as their runs are known here. A cluster decides for itself who
// has its nodes. What is started by hand starts at once. For one thread, which calls look() often
// while something that was started is watched, and look_around() now and then.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/launch/lone_process.h"
#include "core/launch/queue_file.h"
#include "core/launch/run_host.h"

namespace tessera {

/// Who hears what happens. Called in the desk's thread.
class LaunchListener {
 public:
  virtual ~LaunchListener() = default;
  virtual void begun(const LaunchOrder& order, const std::string& run) = 0;
  /// `message` is empty where the program ended with `exit_code` and said nothing.
  virtual void start_failed(const LaunchOrder& order, const std::string& message,
                            int exit_code) = 0;
  virtual void ended(const std::string& run, int exit_code) = 0;
  /// A start elsewhere has come further.
  virtual void start_came_to(const LaunchOrder& /*order*/, const StartPhase& /*phase*/) {}
  virtual void start_cancelled(const LaunchOrder& /*order*/) {}
  virtual void queue_changed(const RunQueue& queue) = 0;
  virtual void running_changed(const std::string& run) = 0;
  /// Something could not be read or written. The same words are not said twice in a row.
  virtual void trouble(const std::string& message) = 0;
  /// The queue's file is damaged; it lies at `aside` now, and the queue is empty.
  virtual void queue_set_aside(const std::string& message, const std::string& aside) = 0;
};

class LaunchDesk {
 public:
  /// Where `begin_holder` is given, the desk starts nothing from the queue: it calls it where
  /// something waits and nobody looks after it, and another process does the rest.
  LaunchDesk(std::unique_ptr<RunHost> host, std::filesystem::path queue_file,
             LaunchListener& listener, std::function<void(const QueueFile&)> begin_holder = {});
  ~LaunchDesk();
  LaunchDesk(const LaunchDesk&) = delete;
  LaunchDesk& operator=(const LaunchDesk&) = delete;

  /// Reads the queue. To be called once, before the rest.
  void open();
  /// Checks the spec and starts.
  void launch(const LaunchOrder& order);
  void change_queue(const std::function<void(RunQueue&)>& change);
  /// Ends a start elsewhere, by its tag, that has not led to a run yet.
  void cancel(const std::string& tag) { host_->cancel(tag); }
  /// Hears of what was started; true: something is still watched.
  bool look();
  /// Looks who has the host, and starts what waits when nobody has.
  void look_around();
  RunHost& host() { return *host_; }
  const RunQueue& queue() const { return queue_.queue(); }
  /// This process starts what waits.
  bool holds_queue();

 private:
  void read_queue();
  void edit_queue(const std::function<void(RunQueue&)>& change);
  void publish_queue();
  void tell_begun_elsewhere();
  void tell_trouble(const std::string& message);
  bool settle(const QueueEntry& entry);
  bool settle_old_starts();
  void start_what_is_free(bool here, std::vector<std::string> taken);
  bool announce(const LaunchOrder& order, const std::string& ticket);
  void advance();
  void begun(const LaunchOrder& order, const std::string& run);
  void cancelled(const LaunchOrder& order);
  void start_failed(const LaunchOrder& order, const std::string& message, int exit_code);

  std::unique_ptr<RunHost> host_;
  QueueFile queue_;
  LaunchListener& listener_;
  std::function<void(const QueueFile&)> begin_holder_;
  std::optional<LoneProcess> lock_;  ///< while this process starts what waits
  std::string told_;                 ///< the trouble that was told last
  std::string running_;
  std::vector<QueueStart> known_starts_;  ///< that were told
  bool is_open_ = false;
};

}  // namespace tessera
