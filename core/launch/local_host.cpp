// SPDX-License-Identifier: MIT
#include "core/launch/local_host.h"

#include <signal.h>

#include <algorithm>
#include <chrono>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/launch/agent_protocol.h"
#include "core/launch/detached_process.h"
#include "core/launch/launch_record.h"
#include "core/launch/mirror_keeper.h"
#include "core/launch/rank_counts.h"
#include "core/launch/slurm_record.h"
#include "core/launch/start_claim.h"
#include "core/run/mirror_note.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {
constexpr std::size_t kMostOutputBytes = 64u << 10;
constexpr auto kKeepFiles = std::chrono::hours(24 * 14);
/// A launch that names no run by then has come to nothing, or nobody can say.
constexpr double kRunNamedWithin_s = 600;
constexpr auto kRecoverAgain = std::chrono::seconds(30);

std::string trimmed(const std::string& text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

/// What the program said, its end where it is long.
std::string output_of(const StartFiles& files) {
  std::string text;
  try {
    text = read_file(files.log());
  } catch (const Error&) {
    return {};  // it ended before it said anything
  }
  if (text.size() > kMostOutputBytes) text.erase(0, text.size() - kMostOutputBytes);
  text = trimmed(text);
  // A launch tells how it comes along before it tells what stands in its way.
  const std::size_t last = files.is_elsewhere() ? text.rfind("\ntessera: ") : text.npos;
  if (last != text.npos) text.erase(0, last + 1);
  if (text.starts_with("tessera: ")) text.erase(0, 9);
  return text;
}

/// A run of this user's on other hosts, by its folder here.
std::optional<MirrorNote> note_of_mirror(const fs::path& folder) {
  try {
    return MirrorNote::load(folder);
  } catch (const Error&) {
    return {};  // damaged: the program itself tells it
  }
}
}  // namespace

void LocalHost::remove_old_files() {
  fs::create_directories(paths_.launches);
  const auto now = fs::file_time_type::clock::now();
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(paths_.launches)) {
    if (now - entry.last_write_time(error) > kKeepFiles) fs::remove(entry.path(), error);
  }
}

/// A run that goes on does so where it was, unless another place is named.
LaunchPlace LocalHost::place_of(const LaunchOrder& order) {
  if (!order.place.is_here() || order.parent.empty() || order.fork) return order.place;
  const fs::path folder = paths_.folder_of(order.parent);
  LaunchPlace place;
  if (const auto record = slurm_record_of(folder); record && !record->profile.empty()) {
    place.kind = LaunchPlace::Kind::Slurm;
    place.profile = record->profile;
    return place;
  }
  const auto note = note_of_mirror(folder);
  if (!note) return place;
  place.kind = LaunchPlace::Kind::Hosts;
  place.ssh = note->ssh;
  place.folder = fs::path(note->run).parent_path().string();
  if (!note->program.empty()) place.program = note->program.front();
  for (const LaunchRecord& record : all_launches(paths_.launched)) {
    if (record.run != note->run) continue;
    std::vector<std::string> hosts;
    for (const HostSlots& one : record.hosts) {
      if (one.host.empty()) {
        place.local = one.ranks;
      } else {
        hosts.push_back(fmt::format("{}:{}", one.host, one.ranks));
      }
    }
    place.hosts = fmt::format("{}", fmt::join(hosts, ","));
    return place;
  }
  place.hosts = fmt::format("{}:{}", note->host, ranks_of(RunFolder::open(folder).spec()));
  return place;
}

std::string LocalHost::prepare(const LaunchOrder& order) {
  if (paths_.program().empty()) {
    throw Error("tessera", "was found neither beside the studio nor on the PATH",
                "install the program whole");
  }
  fs::create_directories(paths_.launches);
  const StartFiles files = StartFiles::make(paths_.launches, !place_of(order).is_here());
  if (!order.spec.empty()) write_file_atomically(files.spec(), order.spec);
  if (!order.place.script.empty()) write_file_atomically(files.script(), order.place.script);
  return files.ticket();
}

std::vector<std::string> LocalHost::arguments_of(const LaunchOrder& order,
                                                 const StartFiles& files) {
  if (files.is_elsewhere()) return arguments_elsewhere(order, files);
  std::vector<std::string> arguments;
  const std::string spec = files.spec().string();
  if (order.parent.empty()) {
    arguments = {"train", spec};
  } else {
    arguments = {"resume", paths_.folder_of(order.parent).string()};
    if (order.fork) arguments.insert(arguments.end(), {"--fork", "--spec", spec});
    if (order.step >= 0) arguments.insert(arguments.end(), {"--step", std::to_string(order.step)});
  }
  arguments.insert(arguments.end(),
                   {"--id-file", files.id().string(), "--claim", files.claim().string()});
  return arguments;
}

std::vector<std::string> LocalHost::arguments_elsewhere(const LaunchOrder& order,
                                                        const StartFiles& files) {
  std::vector<std::string> arguments = {"launch"};
  if (!order.spec.empty()) arguments.push_back(files.spec().string());
  if (!order.parent.empty()) {
    arguments.insert(arguments.end(),
                     {order.fork ? "--fork" : "--resume", paths_.folder_of(order.parent).string()});
    if (order.step >= 0) arguments.insert(arguments.end(), {"--step", std::to_string(order.step)});
  }
  const LaunchPlace place = place_of(order);
  const std::vector<std::string> options = options_of_place(place);
  arguments.insert(arguments.end(), options.begin(), options.end());
  if (!place.script.empty()) {
    arguments.insert(arguments.end(), {"--script", files.script().string()});
  }
  arguments.insert(arguments.end(), {"--start-files", files.base.string()});
  return arguments;
}

void LocalHost::start(const std::string& ticket, const LaunchOrder& order) {
  Child child;
  child.order = order;
  child.files = StartFiles::of_ticket(ticket);
  const auto arguments = arguments_of(order, child.files);
  child.pid = start_detached(paths_.program(), arguments, child.files.log());
  children_.push_back(std::move(child));
}

void LocalHost::cancel(const std::string& tag) {
  for (Child& child : children_) {
    if (child.order.tag != tag || child.told || !child.is_elsewhere()) continue;
    child.cancelled = true;
    ::kill(child.pid, SIGTERM);
  }
}

bool LocalHost::watches_here() const {
  return std::any_of(children_.begin(), children_.end(),
                     [](const Child& child) { return !child.is_elsewhere(); });
}

bool LocalHost::watches_start(const std::string& ticket) const {
  return std::any_of(children_.begin(), children_.end(),
                     [&](const Child& child) { return child.files.ticket() == ticket; });
}

bool LocalHost::has_begun(const std::string& ticket) const {
  return fs::exists(ticket);
}

bool LocalHost::give_up(const std::string& ticket) {
  const StartFiles files = StartFiles::of_ticket(ticket);
  if (give_up_start(files.claim()) != StartState::GivenUp) return false;
  std::error_code none;
  // Its program is gone, but what it had begun on the hosts may go on.
  if (files.is_elsewhere() && fs::exists(files.launch(), none)) return recover(files);
  return true;
}

/// Lets a program look for what a start has become. True: it came to nothing. Throws Error where
/// the program could not tell; it is tried again later.
bool LocalHost::recover(const StartFiles& files) {
  Recovery& recovery = recoveries_[files.ticket()];
  if (recovery.pid > 0) {
    const auto status = end_of(recovery.pid);
    if (!status) return false;
    recovery.pid = -1;
    recovery.again = std::chrono::steady_clock::now() + kRecoverAgain;
    const int code = exit_code_of(*status);
    if (code == kNothingWasStarted) {
      recoveries_.erase(files.ticket());
      std::error_code none;
      fs::remove(files.launch(), none);
      return true;
    }
    if (code != 0) {
      const std::string said = output_of(files);
      throw Error(trimmed(read_file(files.launch(), 1 << 16)),
                  fmt::format("cannot be found again: {}",
                              said.empty() ? fmt::format("exit status {}", code) : said),
                  fmt::format("it is looked for again in {} s; where it will never be found, take "
                              "its entry off the queue",
                              kRecoverAgain.count()));
    }
  }
  if (std::chrono::steady_clock::now() < recovery.again) return false;
  const std::string launch = trimmed(read_file(files.launch(), 1 << 16));
  recovery.pid = start_detached(
      paths_.program(),
      {"launch", "--attach", launch, "--detach", "--start-files", files.base.string()},
      files.log());
  return false;
}

std::string LocalHost::run_of(const std::string& ticket) const {
  try {
    const fs::path folder = trimmed(read_file(ticket, 1 << 16));
    return (folder.has_filename() ? folder : folder.parent_path()).filename().string();
  } catch (const Error&) {
    return {};
  }
}

std::vector<LaunchNews> LocalHost::look() {
  std::vector<LaunchNews> news;
  std::vector<Child> running;
  for (Child& child : children_) {
    if (const auto status = end_of(child.pid)) {
      if (child.is_elsewhere()) {
        finish_elsewhere(child, exit_code_of(*status), news);
      } else {
        finish(child, *status, news);
      }
      continue;
    }
    look_at(child, news);
    running.push_back(std::move(child));
  }
  children_ = std::move(running);
  return news;
}

void LocalHost::look_at(Child& child, std::vector<LaunchNews>& news) {
  if (child.told) return;
  if (child.is_elsewhere()) {
    const auto phase = read_phase(child.files);
    if (phase && phase != child.phase) {
      LaunchNews step{LaunchNews::Kind::Phase, child.order, {}, {}, 0, {}};
      step.phase = *phase;
      news.push_back(std::move(step));
      child.phase = phase;
    }
    if (!has_begun(child.files.ticket())) return;
    child.told = true;
    news.push_back({LaunchNews::Kind::Begun, child.order, run_of(child.files.ticket()), {}, 0, {}});
    return;
  }
  if (!look_for_run(child)) return;
  child.told = true;
  news.push_back({LaunchNews::Kind::Begun, child.order, child.run->id(), {}, 0, {}});
}

/// The program of a start elsewhere ends once the run goes on by itself there, and later where it
/// lets the run begin again after faults.
void LocalHost::finish_elsewhere(Child& child, int code, std::vector<LaunchNews>& news) {
  const StartFiles& files = child.files;
  const std::string run = has_begun(files.ticket()) ? run_of(files.ticket()) : std::string();
  if (run.empty()) {
    // One that was killed may have begun something: whoever holds the queue looks for it.
    if (code > 128 && !child.order.queued.empty() && fs::exists(files.launch())) return;
    const auto kind = child.cancelled ? LaunchNews::Kind::Cancelled : LaunchNews::Kind::Failed;
    news.push_back({kind, child.order, {}, output_of(files), code, {}});
    files.remove_all();
    return;
  }
  if (!child.told) news.push_back({LaunchNews::Kind::Begun, child.order, run, {}, 0, {}});
  if (code != 0) {
    LaunchNews end{LaunchNews::Kind::Ended, child.order, run, output_of(files), code, {}};
    news.push_back(std::move(end));
  }
  if (child.order.queued.empty()) files.remove_all();
}

/// True once the program has named its run and holds it.
bool LocalHost::look_for_run(Child& child) {
  try {
    if (!child.run) {
      if (!fs::exists(child.files.id())) return false;
      child.run = RunFolder::open(trimmed(read_file(child.files.id(), 1 << 16)));
    }
    const auto process = process_of(*child.run);
    return process && process->pid == child.pid;
  } catch (const Error&) {
    return false;  // looked for again soon; a program that ends without a run is told of then
  }
}

void LocalHost::finish(Child& child, int wait_status, std::vector<LaunchNews>& news) {
  const int code = exit_code_of(wait_status);
  if (!child.told && !look_for_run(child)) {
    news.push_back({LaunchNews::Kind::Failed, child.order, {}, output_of(child.files), code, {}});
    if (!child.run) child.files.remove_all();
    return;
  }
  const std::string id = child.run->id();
  if (!child.told) news.push_back({LaunchNews::Kind::Begun, child.order, id, {}, 0, {}});
  LaunchNews end{LaunchNews::Kind::Ended, child.order, id, {}, code, {}};
  try {
    const auto process = process_of(*child.run);
    if (process && process->pid == child.pid) record_exit(*child.run, *process, wait_status);
    std::error_code error;
    fs::rename(child.files.log(), child.run->path() / "log" / "console.log", error);
    fs::remove(child.files.spec(), error);
    fs::remove(child.files.log(), error);
    // What says that it has begun stays, for a queue whose holder is killed just now.
    if (child.order.queued.empty()) child.files.remove_all();
  } catch (const Error& problem) {
    end.trouble = problem.what();
  }
  news.push_back(std::move(end));
}

/// A run of a launch, by its folder here. What is not known here takes nothing any more.
bool LocalHost::has_ended(const std::string& run) {
  try {
    return is_final(status_of(RunFolder::open(paths_.folder_of(run))).state);
  } catch (const Error&) {
    return true;
  }
}

std::vector<std::string> LocalHost::taken_hosts() {
  std::vector<std::string> taken;
  const auto take = [&](const std::string& host) {
    if (!host.empty()) taken.push_back(host.substr(host.find('@') + 1));
  };
  for (const LaunchRecord& record : all_launches(paths_.launched)) {
    if (!record.end.empty()) continue;
    const bool named = !record.run.empty();
    if (!named && clock_now() - record.started > kRunNamedWithin_s) continue;
    if (named && has_ended(fs::path(record.run).filename().string())) continue;
    for (const HostSlots& host : record.hosts) take(host.host);
  }
  for (const fs::path& mirror : MirrorList(paths_.mirrors).all()) {
    const auto note = note_of_mirror(mirror);
    if (note && !has_ended(mirror.filename().string())) take(note->host);
  }
  return taken;
}

/// From its claim on, before there is a run whose files could say so.
bool LocalHost::is_starting() const {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(paths_.launches, error)) {
    if (entry.path().extension() == ".claim" && is_claimed_by_living(entry.path())) return true;
  }
  return false;
}

std::string LocalHost::running() {
  return local_runs_.find_running(paths_.roots());
}

void LocalHost::control(const std::string& run, Control control) {
  request_control(RunFolder::open(paths_.folder_of(run)), control);
}

}  // namespace tessera
