// SPDX-License-Identifier: MIT
// mirror, fetch: runs of other hosts on this machine.
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <optional>

#include "app/commands.h"
#include "app/host_options.h"
#include "app/mirrors.h"
#include "app/signals.h"
#include "app/terminal.h"
#include "core/base/error.h"
#include "core/checkpoint/checkpoint.h"
#include "core/config/paths.h"
#include "core/launch/checkpoint_fetch.h"
#include "core/launch/lone_process.h"
#include "core/launch/run_mirror.h"
#include "core/run/run_folder.h"

namespace tessera::app {

namespace fs = std::filesystem;

namespace {
struct MirrorOptions {
  std::string run, runs, checkpoint = "newest";
  HostOptions hosts;  ///< ssh, program, and the folder of the runs there
  bool once = false, ends = false, keep = false;

  fs::path root() const { return runs.empty() ? runs_folder() : fs::absolute(runs); }
};

MirrorNote source_of(const MirrorOptions& asked, const RemoteRun& remote) {
  MirrorNote source;
  source.host = remote.host;
  source.run = remote.run;
  source.runs = asked.hosts.folder;
  source.ssh = ssh_to_note(ssh_command(asked.hosts));
  if (!asked.hosts.program.empty()) source.program.push_back(asked.hosts.program);
  source.program.push_back(running_program());
  return source;
}

/// The folder of a mirror that is here under this name, or under the name of the remote run.
std::optional<fs::path> mirror_here(const MirrorOptions& asked,
                                    const std::optional<RemoteRun>& remote) {
  if (!remote) {
    const RunFolder folder = RunFolder::find(asked.run, asked.root());
    if (is_mirror(folder.path())) return folder.path();
    throw Error(folder.id(), "is a run of this machine, and no mirror", "HOST:RUN names one there");
  }
  const fs::path folder = asked.root() / fs::path(remote->run).filename();
  const auto note = MirrorNote::load(folder);
  if (note && note->host == remote->host) return folder;
  return {};
}

bool is_followed(const fs::path& folder) {
  const MirrorList list = mirror_list();
  const auto all = list.all();
  return std::find(all.begin(), all.end(), folder) != all.end() &&
         LoneProcess::is_held(list.lock());
}

/// Gets what is there now; returns the folder here.
fs::path catch_up(const MirrorOptions& asked, const MirrorNote& source) {
  const std::atomic<bool>& stop = stop_on_signals();
  Ssh ssh(source.ssh.empty() ? "ssh" : source.ssh);
  HostPulses pulses;
  RunMirror mirror(ssh, pulses, source, asked.root(), {.follow = false});
  while (mirror.state() != RunMirror::State::Over) {
    if (stop) throw Error("mirror", "was stopped", "what has come is kept");
    mirror.look();
    if (mirror.process()) wait_for_any({mirror.process()}, 50);
  }
  return mirror.folder();
}

void show_mirror(const fs::path& folder) {
  const RunFolder run = RunFolder::open(folder);
  const RunStatus status = status_of(run);
  std::printf("%s on %s: %s, step %lld of %lld\n", run.id().c_str(), status.host.c_str(),
              std::string(name_of(status.state)).c_str(), static_cast<long long>(status.step + 1),
              static_cast<long long>(status.total_steps));
  std::printf("its copy is %s\n", folder.c_str());
}

void end_following(const fs::path& folder) {
  mirror_list().remove(folder);
  std::printf("%s is followed no more; what has come of it stays\n", folder.c_str());
}

void keep_all() {
  const MirrorList list = mirror_list();
  keep_mirrors(list, stop_on_signals(), [](const std::string& line) {
    std::printf("%s %s\n", fmt::format("{:%F %T}", fmt::localtime(std::time(nullptr))).c_str(),
                line.c_str());
    std::fflush(stdout);
  });
}

void mirror_run(const MirrorOptions& asked) {
  if (asked.keep) return keep_all();
  if (asked.run.empty()) {
    throw Error("mirror", "no run is named",
                "tessera mirror HOST:RUN; `tessera runs` lists those "
                "that are here");
  }
  const auto remote = remote_run_of(asked.run);
  const auto here = mirror_here(asked, remote);
  if (asked.ends) {
    if (!here) throw Error(asked.run, "is not mirrored here");
    return end_following(*here);
  }
  if (here && is_followed(*here)) return show_mirror(*here);
  const MirrorNote source =
      remote ? source_of(asked, *remote) : MirrorNote::load(*here).value_or(MirrorNote());
  const fs::path folder = catch_up(asked, source);
  show_mirror(folder);
  if (asked.once || is_final(status_of(RunFolder::open(folder)).state)) return;
  const MirrorList list = mirror_list();
  list.add(folder);
  begin_keeper(list, running_program());
  std::printf("it is kept up to date; show it:  tessera watch %s\n", folder.c_str());
}

/// One line on a terminal, and one now and then in a file.
class FetchView {
 public:
  void progress(std::uint64_t done, std::uint64_t bytes) {
    const int percent = bytes > 0 ? static_cast<int>(done * 100 / bytes) : 100;
    if (percent == shown_ || (!terminal_ && percent < shown_ + 10 && percent < 100)) return;
    shown_ = percent;
    std::fprintf(stderr, "%s%3d %% of %s%s", terminal_ ? "\r" : "", percent,
                 byte_count(static_cast<double>(bytes)).c_str(), terminal_ ? "" : "\n");
    open_ = terminal_;
  }
  void note(const std::string& text) {
    finish();
    std::fprintf(stderr, "tessera: %s\n", text.c_str());
  }
  void finish() {
    if (open_) std::fprintf(stderr, "\n");
    open_ = false;
  }

 private:
  bool terminal_ = ::isatty(STDERR_FILENO) != 0, open_ = false;
  int shown_ = -100;
};

void fetch_one(const MirrorOptions& asked) {
  const auto remote = remote_run_of(asked.run);
  auto folder = mirror_here(asked, remote);
  const bool fresh = !folder || (remote && !is_followed(*folder));
  if (fresh) folder = catch_up(asked, source_of(asked, *remote));
  const MirrorNote source = MirrorNote::load(*folder).value_or(MirrorNote());
  Ssh ssh(source.ssh.empty() ? "ssh" : source.ssh);
  const std::atomic<bool>& stop = stop_on_signals();
  FetchView view;
  const FetchOptions options{
      .check = [](const fs::path& path) { return check_checkpoint(path, Verify::Hashes); },
      .progress = [&](std::uint64_t done, std::uint64_t bytes) { view.progress(done, bytes); },
      .note = [&](const std::string& text) { view.note(text); },
      .stop = &stop};
  const fs::path checkpoint = fetch_checkpoint(ssh, source, *folder, asked.checkpoint, options);
  view.finish();
  std::printf("%s\ntalk to it:  tessera chat %s\n", checkpoint.c_str(), checkpoint.c_str());
}

void add_remote_options(CLI::App& command, MirrorOptions& options) {
  command.add_option("--runs", options.runs, "Folder of the runs here")->type_name("DIR");
  command.add_option("--folder", options.hosts.folder, "Folder of the runs there")
      ->type_name("DIR");
  command.add_option("--program", options.hosts.program, "Where tessera is on that host")
      ->type_name("FILE");
  command.add_option("--ssh", options.hosts.ssh, "The ssh command: --ssh \"ssh -F FILE\"");
}
}  // namespace

std::string running_program() {
  return fs::read_symlink("/proc/self/exe").string();
}

fs::path mirror_list_folder() {
  return home_folder() / "mirrors";
}

MirrorList mirror_list() {
  return MirrorList(mirror_list_folder());
}

void keep_mirrors_going() {
  try {
    begin_keeper(mirror_list(), running_program());
  } catch (const Error& error) {
    std::fprintf(stderr, "tessera: %s\n", error.what());
  }
}

std::string ssh_to_note(const std::string& command) {
  return command == "ssh" ? std::string() : command;
}

std::string mirror_launched_run(const std::string& host, const std::string& run,
                                const std::string& ssh, const std::vector<std::string>& program) {
  if (host.empty()) return {};
  try {
    const fs::path there = run;
    // On a file system that both see, in a folder that is listed here anyway.
    std::error_code error;
    if (RunFolder::is_run(there) && fs::equivalent(there.parent_path(), runs_folder(), error)) {
      return {};
    }
    MirrorNote source;
    source.host = host;
    source.run = run;
    source.ssh = ssh_to_note(ssh);
    source.program = program;
    const MirrorList list = mirror_list();
    fs::create_directories(runs_folder());
    list.add(make_mirror(source, there.filename().string(), runs_folder()));
    begin_keeper(list, running_program());
    return {};
  } catch (const std::exception& problem) {
    return problem.what();
  }
}

void add_mirror(CLI::App& app) {
  auto* command = app.add_subcommand("mirror", "Keep a copy of a run on another host here");
  auto options = std::make_shared<MirrorOptions>();
  command->add_option("run", options->run, "HOST:RUN, or a mirror that is here")
      ->type_name("HOST:RUN");
  add_remote_options(*command, *options);
  command->add_flag("--once", options->once, "Get what is there now, and do not follow it");
  command->add_flag("--end", options->ends, "Follow it no more");
  command->add_flag("--keep", options->keep, "Be the process that follows all of them")->group("");
  command->callback([options] { mirror_run(*options); });
}

void add_fetch(CLI::App& app) {
  auto* command = app.add_subcommand("fetch", "Bring a checkpoint from another host");
  auto options = std::make_shared<MirrorOptions>();
  command->add_option("run", options->run, "HOST:RUN, or a mirror that is here")
      ->type_name("HOST:RUN")
      ->required();
  command->add_option("--checkpoint", options->checkpoint, "Its number, or newest")
      ->type_name("STEP|newest");
  add_remote_options(*command, *options);
  command->callback([options] { fetch_one(*options); });
}

}  // namespace tessera::app
