// SPDX-License-Identifier: MIT
#include "core/launch/launch_watch.h"

#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "core/base/error.h"
#include "core/base/progress.h"

namespace tessera {

using State = AgentLine::State;
using Word = AgentWord::Kind;

namespace {
/// Ranks hear of a lost one from each other within seconds; the desk ends what does not.
constexpr double kOthersEndWithin_s = 15;
constexpr double kEndWithin_s = 10;
/// Ranks that still look for each other have nothing to save, and hear of no request.
constexpr double kStopsWithoutRun_s = 5;
constexpr double kRunKnownWithin_s = 15;

double now_on_steady_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

int exit_status_of(int wait_status) {
  return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

/// Whether `a` is the cause rather than `b`.
bool is_cause_before(const RankEnd& a, const RankEnd& b) {
  const bool a_killed = WIFSIGNALED(a.status), b_killed = WIFSIGNALED(b.status);
  if (a_killed != b_killed) return a_killed;
  return a.time < b.time;
}
}  // namespace

LaunchEnd judge_ends(const std::vector<RankEnd>& ends,
                     const std::vector<std::string>& lost_agents) {
  LaunchEnd end;
  const RankEnd *cause = nullptr, *first = nullptr;
  int worst_told = 0;
  for (const RankEnd& one : ends) {
    if (one.status == 0) continue;
    if (!first || one.time < first->time) first = &one;
    if (one.was_told) {
      worst_told = std::max(worst_told, exit_status_of(one.status));
      continue;
    }
    end.exit_status = std::max(end.exit_status, exit_status_of(one.status));
    if (!cause || is_cause_before(one, *cause)) cause = &one;
  }
  const bool was_killed = cause && WIFSIGNALED(cause->status);
  if (!lost_agents.empty()) end.exit_status = std::max(end.exit_status, 1);
  if (end.exit_status == 0) end.exit_status = worst_told;
  if (end.exit_status == 0) return end;
  if (!lost_agents.empty() && !was_killed) {
    end.cause = fmt::format("the agent on host {} is gone, and its ranks with it",
                            fmt::join(lost_agents, ", "));
  } else if (!cause || (first->was_told && !was_killed)) {
    end.cause = fmt::format("rank {} on host {} was told to end, and the others ended with it",
                            first->rank, first->host);
  } else {
    end.cause = fmt::format("rank {} on host {} (process {}) {}{}", cause->rank, cause->host,
                            cause->process, was_killed ? "was " : "", end_text(cause->status));
  }
  return end;
}

LaunchWatch::LaunchWatch(std::vector<std::unique_ptr<AgentLine>> lines, Options options)
    : lines_(std::move(lines)), options_(std::move(options)), told_(lines_.size()) {}

bool LaunchWatch::is_over() const {
  return std::all_of(lines_.begin(), lines_.end(),
                     [](const auto& line) { return line->state() == State::Over; });
}

bool LaunchWatch::all_begun() const {
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    if (told_[i].ranks_begun < lines_[i]->host().ranks) return false;
  }
  return true;
}

/// Whoever leaves at the begin wants to find the run again, so its name is waited for a little.
bool LaunchWatch::has_begun() {
  if (!all_begun()) return false;
  if (all_begun_at_s_ == 0) all_begun_at_s_ = now_on_steady_s();
  return run_is_known_ || now_on_steady_s() - all_begun_at_s_ > kRunKnownWithin_s;
}

std::optional<LaunchEnd> LaunchWatch::run() {
  while (!is_over()) {
    wait();
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      try {
        hear(i);
      } catch (const Error& error) {
        if (lines_[i]->is_starting()) give_up(i);
        if (options_.note) options_.note(error.what());
        lose(i);
      }
    }
    pass_on();
    if (options_.only_until_begun && !asked_stop_ && has_begun()) return {};
  }
  for (std::size_t i = 0; i < ends_.size(); ++i) {
    ends_[i].time -= lines_[at_[i]]->clock_ahead_s().value_or(0);
  }
  return judge_ends(ends_, lost_);
}

void LaunchWatch::wait() const {
  std::vector<const PipedProcess*> all;
  for (const auto& line : lines_) {
    if (line->process()) all.push_back(line->process());
  }
  wait_for_any(all, 50);
}

void LaunchWatch::hear(std::size_t at) {
  for (const AgentWord& word : lines_[at]->look()) take(at, word);
  tell_of_line(at);
}

void LaunchWatch::take(std::size_t at, const AgentWord& word) {
  const HostSlots& host = lines_[at]->host();
  Told& told = told_[at];
  switch (word.kind) {
    case Word::CaughtUp:
      told.caught_up = true;
      return;
    case Word::Rank:
      ++told.ranks_begun;
      break;
    case Word::Run:
      run_is_known_ = true;
      if (options_.run_known) options_.run_known(word.text);
      break;
    case Word::Ended:
      ends_.push_back(
          {word.rank, word.status, host.name(), word.process, word.time, word.was_told});
      at_.push_back(at);
      if (word.status != 0 && failed_at_s_ == 0) failed_at_s_ = now_on_steady_s();
      break;
    case Word::Again:
      // What ended before is no end of the launch.
      ends_.clear();
      at_.clear();
      failed_at_s_ = 0;
      break;
    case Word::Gone:
      lose(at);
      break;
    case Word::Asked:
      // A host that is to be switched off tells its agent alone.
      if (word.is_error && word.text == "stop" && told.caught_up) ask_all("stop", at);
      break;
    default:
      break;
  }
  if (options_.tell) options_.tell({host, word, told.caught_up});
}

void LaunchWatch::lose(std::size_t at) {
  lost_.push_back(lines_[at]->host().name());
  if (failed_at_s_ == 0) failed_at_s_ = now_on_steady_s();
}

void LaunchWatch::tell_of_line(std::size_t at) {
  Told& told = told_[at];
  const AgentLine& line = *lines_[at];
  const State before = std::exchange(told.state, line.state());
  if (before == line.state() || !options_.note) return;
  if (line.state() == State::Broken) {
    told.silent_since_s = now_on_steady_s() - line.silent_s();
    options_.note(
        fmt::format("the line to {} is broken ({}); its ranks go on, and the line is "
                    "tried again",
                    line.host().name(), line.trouble()));
  }
  if (before == State::Broken) {
    options_.note(fmt::format("the line to {} is back after {:.0f} s", line.host().name(),
                              now_on_steady_s() - told.silent_since_s));
  }
}

void LaunchWatch::ask_all(const std::string& what, std::size_t but) {
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    if (i != but && lines_[i]->state() != State::Over) lines_[i]->ask(what);
  }
}

void LaunchWatch::pass_on() {
  if (is_set(options_.stop) && !asked_stop_) {
    asked_stop_ = true;
    asked_stop_at_s_ = now_on_steady_s();
    lines_.front()->ask("stop");  // rank 0 is there, and decides for all
    if (lines_.front()->state() == State::Broken && options_.note) {
      options_.note(fmt::format("the run is asked to stop as soon as the line to {} is back",
                                lines_.front()->host().name()));
    }
  }
  const bool late = failed_at_s_ > 0 && now_on_steady_s() - failed_at_s_ > kOthersEndWithin_s;
  const bool no_run =
      asked_stop_ && !run_is_known_ && now_on_steady_s() - asked_stop_at_s_ > kStopsWithoutRun_s;
  if ((late || no_run || options_.ends_all) && !asked_end_) {
    asked_end_ = true;
    ask_all("end", lines_.size());
  }
}

/// One agent is not to be had, so the launch cannot be: what was started of it ends. To be called
/// while an Error is handled, which goes on then.
void LaunchWatch::give_up(std::size_t at) {
  const double start = now_on_steady_s();
  ask_all("end", at);
  while (!is_over() && now_on_steady_s() - start < kEndWithin_s) {
    wait();
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      if (i == at) continue;
      try {
        lines_[i]->look();
      } catch (const Error&) {
        // Its own reason is another one of the same launch; the first is told.
      }
    }
  }
  throw;
}

}  // namespace tessera
