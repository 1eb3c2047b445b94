// SPDX-License-Identifier: MIT
#include "core/launch/launch_desk.h"

#include <algorithm>
#include <utility>

#include "core/base/error.h"
#include "core/launch/agent_protocol.h"
#include "core/spec/spec.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {
/// Every problem of a spec, as the checker words them; empty: none. On hosts and clusters a run
/// trains where it is, whatever host.kind says.
std::string problems_of(const std::string& spec, const LaunchPlace& place) {
  const SpecReading reading = read_spec_text(spec, "spec");
  std::string lines;
  for (const Problem& problem : reading.problems) {
    if (problem.severity != Severity::Error) continue;
    if (!place.is_here() && problem.key == "host.kind") continue;
    if (!lines.empty()) lines += '\n';
    lines += problem.text();
  }
  return reading.ok() ? std::string() : lines;
}
}  // namespace

LaunchDesk::LaunchDesk(std::unique_ptr<RunHost> host, fs::path queue_file, LaunchListener& listener,
                       std::function<void(const QueueFile&)> begin_holder)
    : host_(std::move(host)),
      queue_(std::move(queue_file)),
      listener_(listener),
      begin_holder_(std::move(begin_holder)) {}

LaunchDesk::~LaunchDesk() = default;

void LaunchDesk::open() {
  read_queue();
  edit_queue([](RunQueue&) {});  // so that there is a file, and that it can be written
  publish_queue();
  is_open_ = true;
}

/// Takes what others have changed. A damaged file is set aside.
void LaunchDesk::read_queue() {
  try {
    if (!queue_.refresh()) return;
    publish_queue();
  } catch (const Error& problem) {
    try {
      const fs::path aside = queue_.set_aside();
      listener_.queue_set_aside(problem.what(), aside.string());
      publish_queue();
    } catch (const Error&) {
      tell_trouble(problem.what());
    }
  }
}

void LaunchDesk::edit_queue(const std::function<void(RunQueue&)>& change) {
  try {
    queue_.change(change);
  } catch (const Error& problem) {
    tell_trouble(problem.what());
  }
}

void LaunchDesk::publish_queue() {
  tell_begun_elsewhere();
  listener_.queue_changed(queue_.queue());
}

/// Entries that another process has started: their runs are told as if they had been begun here.
void LaunchDesk::tell_begun_elsewhere() {
  const std::vector<QueueStart> before = std::exchange(known_starts_, queue_.queue().begun);
  if (!begin_holder_ || !is_open_) return;  // what was begun before is no news
  for (const QueueStart& start : known_starts_) {
    if (std::find(before.begin(), before.end(), start) != before.end()) continue;
    LaunchOrder order;
    order.tag = order.queued = start.entry;
    listener_.begun(order, start.run);
  }
}

void LaunchDesk::tell_trouble(const std::string& message) {
  if (std::exchange(told_, message) == message) return;  // a disk that is away stays away
  listener_.trouble(message);
}

void LaunchDesk::change_queue(const std::function<void(RunQueue&)>& change) {
  told_.clear();
  edit_queue(change);
  publish_queue();
  advance();
}

bool LaunchDesk::holds_queue() {
  if (lock_ && lock_->held()) return true;
  try {
    lock_.emplace(queue_.lock());
  } catch (const Error& problem) {
    tell_trouble(problem.what());
    return false;
  }
  return lock_->held();
}

/// A holder that was killed in the middle of a start left the ticket of that start. What has led to
/// a run goes off the queue, what never will waits again. False: its program is about to begin.
bool LaunchDesk::settle(const QueueEntry& entry) {
  const bool given_up = !host_->has_begun(entry.announced) && host_->give_up(entry.announced);
  // Looked at again: it may have begun before it was given up.
  const bool begun = host_->has_begun(entry.announced);
  if (!begun && !given_up) return false;
  const std::string run = begun ? host_->run_of(entry.announced) : std::string();
  edit_queue([&](RunQueue& queue) {
    QueueEntry* const now = queue.find(entry.id);
    if (!now || now->announced != entry.announced) return;
    begun ? queue.note_begun(entry.id, run, clock_now()) : now->announced.clear();
  });
  publish_queue();
  return true;
}

/// True: none of them is about to take this machine. Those that go elsewhere wait for each other's
/// hosts alone.
bool LaunchDesk::settle_old_starts() {
  bool here = !host_->watches_here();
  for (const QueueEntry& entry : std::vector<QueueEntry>(queue_.queue().entries)) {
    if (entry.announced.empty()) continue;
    const bool is_far = StartFiles::of_ticket(entry.announced).is_elsewhere();
    if (is_far && host_->watches_start(entry.announced)) continue;
    if (!is_far && !here) continue;
    if (!settle(entry) && !is_far) here = false;
  }
  return here;
}

void LaunchDesk::look_around() {
  read_queue();
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

/// Starts what waits for nobody any more.
void LaunchDesk::advance() {
  const RunQueue& queue = queue_.queue();
  if (queue.paused || queue.entries.empty()) return;
  bool here = false;
  std::vector<std::string> taken;
  try {
    if (begin_holder_) return begin_holder_(queue_);
    if (!holds_queue()) return;
    here = settle_old_starts() && !host_->is_starting() && running_.empty();
    taken = host_->taken_hosts();
  } catch (const Error& problem) {
    return tell_trouble(problem.what());
  }
  start_what_is_free(here, std::move(taken));
}

/// `here`: this machine is free; `taken`: hosts that are not. Whoever waits longer for a machine
/// has it first.
void LaunchDesk::start_what_is_free(bool here, std::vector<std::string> taken) {
  for (const QueueEntry& entry : std::vector<QueueEntry>(queue_.queue().entries)) {
    if (!entry.problem.empty()) continue;
    const std::vector<std::string> hosts = entry.place.host_names();
    const bool free = entry.announced.empty() && (here || !entry.place.needs_here()) &&
                      std::none_of(hosts.begin(), hosts.end(), [&](const std::string& host) {
                        return std::find(taken.begin(), taken.end(), host) != taken.end();
                      });
    if (free) {
      const bool fork = !entry.fork_from.empty();
      launch({.tag = entry.id,
              .spec = entry.spec,
              .parent = fork ? entry.fork_from : entry.resume,
              .fork = fork,
              .step = entry.fork_step,
              .queued = entry.id,
              .place = entry.place});
      const RunQueue now = queue_.queue();
      const auto at = std::find_if(now.entries.begin(), now.entries.end(),
                                   [&](const QueueEntry& e) { return e.id == entry.id; });
      if (at == now.entries.end() || !at->problem.empty()) continue;  // it takes nothing
    }
    if (entry.place.needs_here()) here = false;
    taken.insert(taken.end(), hosts.begin(), hosts.end());
  }
}

/// Written down first: a holder that is killed now must not start the run a second time. False: the
/// entry is not on the queue any more.
bool LaunchDesk::announce(const LaunchOrder& order, const std::string& ticket) {
  bool is_there = false;
  queue_.change([&](RunQueue& queue) {
    QueueEntry* const entry = queue.find(order.queued);
    is_there = entry != nullptr;
    if (entry) entry->announced = ticket;
  });
  return is_there;
}

void LaunchDesk::launch(const LaunchOrder& order) {
  try {
    if (!order.spec.empty() || order.parent.empty()) {
      const std::string problems = problems_of(order.spec, order.place);
      if (!problems.empty()) return start_failed(order, problems, 0);
    }
    const std::string ticket = host_->prepare(order);
    if (!order.queued.empty() && !announce(order, ticket)) return publish_queue();
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
      case LaunchNews::Kind::Phase:
        listener_.start_came_to(news.order, news.phase);
        break;
      case LaunchNews::Kind::Cancelled:
        cancelled(news.order);
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
  if (!order.queued.empty()) {
    edit_queue([&](RunQueue& queue) {
      QueueEntry* const entry = queue.find(order.queued);
      if (!entry) return;
      entry->problem = message.empty()
                           ? fmt::format("the program ended with exit status {}", exit_code)
                           : message;
      entry->announced.clear();
    });
    publish_queue();
  }
  listener_.start_failed(order, message, exit_code);
}

/// An entry of the queue waits for somebody to try it again.
void LaunchDesk::cancelled(const LaunchOrder& order) {
  if (!order.queued.empty()) return start_failed(order, "was cancelled", 0);
  listener_.start_cancelled(order);
}

void LaunchDesk::begun(const LaunchOrder& order, const std::string& run) {
  if (!order.queued.empty()) {
    edit_queue([&](RunQueue& queue) {
      if (queue.find(order.queued)) queue.note_begun(order.queued, run, clock_now());
    });
    publish_queue();
  }
  listener_.begun(order, run);
}

}  // namespace tessera
