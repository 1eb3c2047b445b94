// SPDX-License-Identifier: MIT
#include "core/launch/launch_desk.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <ctime>
#include <utility>

#include "core/base/error.h"
#include "core/spec/spec.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {
/// Every problem of a spec, as the checker words them; empty: none.
std::string problems_of(const std::string& spec) {
  const SpecReading reading = read_spec_text(spec, "spec");
  std::string lines;
  for (const Problem& problem : reading.problems) {
    if (problem.severity != Severity::Error) continue;
    if (!lines.empty()) lines += '\n';
    lines += problem.text();
  }
  return reading.ok() ? std::string() : lines;
}
}  // namespace

LaunchDesk::LaunchDesk(std::unique_ptr<RunHost> host, fs::path queue_file, LaunchListener& listener)
    : host_(std::move(host)), queue_file_(std::move(queue_file)), listener_(listener) {}

LaunchDesk::~LaunchDesk() {
  if (queue_lock_ >= 0) ::close(queue_lock_);
}

void LaunchDesk::open() {
  try {
    queue_ = RunQueue::load(queue_file_);
  } catch (const Error& problem) {
    fs::path aside = queue_file_;
    aside += fmt::format(".damaged-{}", std::time(nullptr));
    std::error_code error;
    fs::rename(queue_file_, aside, error);
    if (error) {
      tell_trouble(problem.what());
    } else {
      listener_.queue_set_aside(problem.what(), aside.string());
    }
  }
  publish_queue();
}

void LaunchDesk::save_queue() {
  try {
    queue_.save(queue_file_);
  } catch (const Error& problem) {
    tell_trouble(problem.what());
  }
}

void LaunchDesk::publish_queue() {
  save_queue();
  listener_.queue_changed(queue_);
}

void LaunchDesk::tell_trouble(const std::string& message) {
  if (std::exchange(told_, message) == message) return;  // a disk that is away stays away
  listener_.trouble(message);
}

void LaunchDesk::change_queue(const std::function<void(RunQueue&)>& change) {
  told_.clear();
  change(queue_);
  publish_queue();
  advance();
}

/// Where two studios share one home, only the first starts what waits.
bool LaunchDesk::holds_queue() {
  if (queue_lock_ >= 0) return true;
  fs::path path = queue_file_;
  path += ".lock";
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (file < 0) return false;
  if (::flock(file, LOCK_EX | LOCK_NB) != 0) {
    ::close(file);
    return false;
  }
  queue_lock_ = file;
  forget_begun_entries();
  return true;
}

/// A studio that was killed in the middle of a start left the ticket of that start.
void LaunchDesk::forget_begun_entries() {
  std::vector<QueueEntry> waiting;
  for (const QueueEntry& entry : queue_.entries) {
    if (!entry.announced.empty() && host_->has_begun(entry.announced)) continue;
    waiting.push_back(entry);
    waiting.back().announced.clear();
  }
  if (waiting == queue_.entries) return;
  queue_.entries = std::move(waiting);
  publish_queue();
}

void LaunchDesk::look_around() {
  std::string running;
  try {
    running = host_->running();
  } catch (const Error& problem) {
    tell_trouble(problem.what());
    return;
  }
  if (std::exchange(running_, running) != running) listener_.running_changed(running);
  advance();
}

/// Starts the first entry that can be started, when no run is running on the host.
void LaunchDesk::advance() {
  if (queue_.paused || queue_.entries.empty() || host_->watches() || !holds_queue()) return;
  if (!running_.empty()) return;
  for (const QueueEntry& entry : queue_.entries) {
    if (!entry.problem.empty()) continue;
    const bool fork = !entry.fork_from.empty();
    launch({.tag = entry.id,
            .spec = entry.spec,
            .parent = fork ? entry.fork_from : entry.resume,
            .fork = fork,
            .step = entry.fork_step,
            .queued = entry.id});
    return;
  }
}

void LaunchDesk::launch(const LaunchOrder& order) {
  try {
    if (!order.spec.empty() || order.parent.empty()) {
      const std::string problems = problems_of(order.spec);
      if (!problems.empty()) return start_failed(order, problems, 0);
    }
    const std::string ticket = host_->prepare(order);
    if (QueueEntry* entry = queue_.find(order.queued)) {
      // Written down first: a studio that is killed now must not start the run a second time.
      entry->announced = ticket;
      save_queue();
    }
    host_->start(ticket, order);
  } catch (const std::exception& problem) {
    start_failed(order, problem.what(), 0);
  }
}

bool LaunchDesk::look() {
  bool ended = false;
  for (const LaunchNews& news : host_->look()) {
    switch (news.kind) {
      case LaunchNews::Kind::Begun:
        begun(news.order, news.run);
        break;
      case LaunchNews::Kind::Failed:
        start_failed(news.order, news.message, news.exit_code);
        ended = true;
        break;
      case LaunchNews::Kind::Ended:
        if (!news.trouble.empty()) tell_trouble(news.trouble);
        listener_.ended(news.run, news.exit_code);
        ended = true;
        break;
    }
  }
  if (ended) look_around();
  return host_->watches();
}

void LaunchDesk::start_failed(const LaunchOrder& order, const std::string& message, int exit_code) {
  if (QueueEntry* entry = queue_.find(order.queued)) {
    entry->problem =
        message.empty() ? fmt::format("the program ended with exit status {}", exit_code) : message;
    entry->announced.clear();
    publish_queue();
  }
  listener_.start_failed(order, message, exit_code);
}

void LaunchDesk::begun(const LaunchOrder& order, const std::string& run) {
  if (queue_.find(order.queued)) {
    queue_.remove(order.queued);
    publish_queue();
  }
  listener_.begun(order, run);
}

}  // namespace tessera
