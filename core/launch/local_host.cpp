// SPDX-License-Identifier: MIT
#include "core/launch/local_host.h"

#include <chrono>
#include <random>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/launch/detached_process.h"
#include "core/launch/start_claim.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {
constexpr std::size_t kMostOutputBytes = 64u << 10;
constexpr auto kKeepFiles = std::chrono::hours(24 * 14);

fs::path with(fs::path files, const char* suffix) {
  return files += suffix;
}

/// A ticket is the path of the file in which the program names its run.
fs::path files_of(const std::string& ticket) {
  return fs::path(ticket).replace_extension();
}

std::string trimmed(const std::string& text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

/// What the program said, its end where it is long.
std::string output_of(const fs::path& files) {
  std::string text;
  try {
    text = read_file(with(files, ".log"));
  } catch (const Error&) {
    return {};  // it ended before it said anything
  }
  if (text.size() > kMostOutputBytes) text.erase(0, text.size() - kMostOutputBytes);
  text = trimmed(text);
  if (text.starts_with("tessera: ")) text.erase(0, 9);
  return text;
}

void remove_files(const fs::path& files) {
  std::error_code error;
  for (const char* suffix : {".toml", ".id", ".log", ".claim"}) {
    fs::remove(with(files, suffix), error);
  }
}

std::string new_name() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}{:08x}{:08x}", random(), random(), random(), random());
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

std::string LocalHost::prepare(const LaunchOrder& order) {
  if (paths_.program().empty()) {
    throw Error("tessera", "was found neither beside the studio nor on the PATH",
                "install the program whole");
  }
  fs::create_directories(paths_.launches);
  const fs::path files = paths_.launches / new_name();
  if (!order.spec.empty()) write_file_atomically(with(files, ".toml"), order.spec);
  return with(files, ".id").string();
}

std::vector<std::string> LocalHost::arguments_of(const LaunchOrder& order, const fs::path& files) {
  std::vector<std::string> arguments;
  const std::string spec = with(files, ".toml").string();
  if (order.parent.empty()) {
    arguments = {"train", spec};
  } else {
    arguments = {"resume", paths_.folder_of(order.parent).string()};
    if (order.fork) arguments.insert(arguments.end(), {"--fork", "--spec", spec});
    if (order.step >= 0) arguments.insert(arguments.end(), {"--step", std::to_string(order.step)});
  }
  arguments.insert(arguments.end(), {"--id-file", with(files, ".id").string(), "--claim",
                                     with(files, ".claim").string()});
  return arguments;
}

void LocalHost::start(const std::string& ticket, const LaunchOrder& order) {
  Child child;
  child.order = order;
  child.files = files_of(ticket);
  const auto arguments = arguments_of(order, child.files);
  child.pid = start_detached(paths_.program(), arguments, with(child.files, ".log"));
  children_.push_back(std::move(child));
}

bool LocalHost::has_begun(const std::string& ticket) const {
  return fs::exists(ticket);
}

bool LocalHost::give_up(const std::string& ticket) {
  return give_up_start(with(files_of(ticket), ".claim")) == StartState::GivenUp;
}

std::string LocalHost::run_of(const std::string& ticket) const {
  try {
    return fs::path(trimmed(read_file(ticket, 1 << 16))).filename().string();
  } catch (const Error&) {
    return {};
  }
}

std::vector<LaunchNews> LocalHost::look() {
  std::vector<LaunchNews> news;
  std::vector<Child> running;
  for (Child& child : children_) {
    if (const auto status = end_of(child.pid)) {
      finish(child, *status, news);
      continue;
    }
    if (!child.told && look_for_run(child)) {
      child.told = true;
      news.push_back({LaunchNews::Kind::Begun, child.order, child.run->id(), {}, 0, {}});
    }
    running.push_back(std::move(child));
  }
  children_ = std::move(running);
  return news;
}

/// True once the program has named its run and holds it.
bool LocalHost::look_for_run(Child& child) {
  try {
    if (!child.run) {
      const fs::path id = with(child.files, ".id");
      if (!fs::exists(id)) return false;
      child.run = RunFolder::open(trimmed(read_file(id, 1 << 16)));
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
    if (!child.run) remove_files(child.files);
    return;
  }
  const std::string id = child.run->id();
  if (!child.told) news.push_back({LaunchNews::Kind::Begun, child.order, id, {}, 0, {}});
  LaunchNews end{LaunchNews::Kind::Ended, child.order, id, {}, code, {}};
  try {
    const auto process = process_of(*child.run);
    if (process && process->pid == child.pid) record_exit(*child.run, *process, wait_status);
    std::error_code error;
    fs::rename(with(child.files, ".log"), child.run->path() / "log" / "console.log", error);
    // What says that it has begun stays, for a queue whose holder is killed just now.
    const bool queued = !child.order.queued.empty();
    for (const char* suffix : {".toml", ".log", queued ? "" : ".id", queued ? "" : ".claim"}) {
      if (*suffix) fs::remove(with(child.files, suffix), error);
    }
  } catch (const Error& problem) {
    end.trouble = problem.what();
  }
  news.push_back(std::move(end));
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
