// SPDX-License-Identifier: MIT
// Making and finding run folders, and the requests in them.
#include "core/run/run_folder.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <ctime>
#include <nlohmann/json.hpp>
#include <random>
#include <utility>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/nearest_word.h"
#include "core/config/paths.h"
#include "core/spec/spec_table.h"

namespace tessera {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {
/// What of a name can be part of a path on any system.
std::string slug_of(const std::string& name) {
  std::string slug;
  for (unsigned char c : name) {
    const bool plain = c < 0x80 && (std::isalnum(c) || c == '_' || c == '-' || c == '.');
    if (plain && !(slug.empty() && c == '.')) slug += static_cast<char>(c);
    if (!plain && !slug.empty() && slug.back() != '-') slug += '-';
  }
  while (!slug.empty() && slug.back() == '-') slug.pop_back();
  return slug.empty() ? "run" : slug.substr(0, 60);
}

std::string date_now() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  ::localtime_r(&now, &local);
  char text[32];
  std::strftime(text, sizeof text, "%Y%m%d-%H%M", &local);
  return text;
}

fs::path make_unique_folder(const fs::path& runs, const std::string& name) {
  std::error_code error;
  fs::create_directories(runs, error);
  std::random_device random;
  for (int attempt = 0; attempt < 100 && !error; ++attempt) {
    const fs::path path =
        runs / fmt::format("{}-{}-{:04x}", slug_of(name), date_now(), random() & 0xffffu);
    if (fs::create_directory(path, error)) return path;
  }
  throw Error(runs.string(), "no run folder can be made in it: " + error.message(),
              "choose another folder for runs, or free some space");
}

json lineage_to_json(const Lineage& l) {
  return {{"parent", l.parent},
          {"parent_folder", l.parent_folder},
          {"checkpoint", l.checkpoint},
          {"step", l.step}};
}
}  // namespace

namespace {
/// A run says what it is trained on: a sample that is made later must not change that.
RunSpec settled(RunSpec spec) {
  for (DataSource& source : spec.data.sources) {
    std::transform(source.paths.begin(), source.paths.end(), source.paths.begin(), settled_path);
  }
  return spec;
}
}  // namespace

RunFolder RunFolder::create(const fs::path& runs, const RunSpec& spec,
                            const std::optional<Lineage>& lineage) {
  const RunFolder folder(fs::absolute(make_unique_folder(runs, spec.run.name)));
  std::error_code error;
  for (const char* name : {"log", "checkpoints", "control"}) {
    fs::create_directory(folder.path_ / name, error);
    if (error) throw Error(folder.path_.string(), "cannot be filled: " + error.message());
  }
  if (lineage) {
    write_file_atomically(folder.path_ / "lineage.json", lineage_to_json(*lineage).dump(1) + "\n");
  }
  write_file_atomically(folder.spec_path(), write_spec(settled(spec)));  // last: makes it a run
  return folder;
}

bool RunFolder::is_run(const fs::path& folder) {
  std::error_code error;
  return fs::is_regular_file(folder / "run.toml", error);
}

RunFolder RunFolder::open(const fs::path& folder) {
  std::error_code error;
  if (!fs::is_directory(folder, error)) {
    throw Error(folder.string(), "does not exist", "`tessera runs` lists the runs there are");
  }
  if (!is_run(folder)) throw Error(folder.string(), "is no run folder: it has no run.toml");
  fs::path path = fs::absolute(folder).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();  // it ended with a slash
  return RunFolder(path);
}

RunFolder RunFolder::find(const std::string& name, const fs::path& runs) {
  if (is_run(name)) return open(name);
  if (!name.empty() && is_run(runs / name)) return open(runs / name);
  std::vector<std::string> all, candidates;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(runs, error)) {
    if (!is_run(entry.path())) continue;
    all.push_back(entry.path().filename().string());
    if (all.back().starts_with(name)) candidates.push_back(all.back());
  }
  if (candidates.size() == 1) return open(runs / candidates.front());
  std::sort(candidates.begin(), candidates.end());
  if (candidates.size() > 1) {
    candidates.resize(std::min<std::size_t>(candidates.size(), 10));
    throw Error("run", fmt::format("\"{}\" begins the names of several runs: {}", name,
                                   fmt::join(candidates, ", ")));
  }
  const std::string near = nearest_word(name, all);
  throw Error("run", fmt::format("there is no run \"{}\" in {}", name, runs.string()),
              near.empty() ? "`tessera runs` lists the runs there are"
                           : fmt::format("did you mean {}?", near));
}

fs::path RunFolder::log_path(int rank) const {
  return path_ / "log" / fmt::format("rank-{}.log", rank);
}

/// Warnings were told when the run was made.
RunSpec RunFolder::spec() const {
  SpecReading reading = read_spec(spec_path());
  if (!reading.ok()) return load_spec(spec_path().string());  // throws the problems
  make_paths_absolute(reading.spec, fs::current_path());
  return std::move(reading.spec);
}

std::optional<Lineage> RunFolder::lineage() const {
  const fs::path path = path_ / "lineage.json";
  if (!fs::exists(path)) return {};
  try {
    const json j = json::parse(read_file(path, 1 << 20));
    return Lineage{j.at("parent"), j.at("parent_folder"), j.at("checkpoint"), j.at("step")};
  } catch (const json::exception& problem) {
    throw Error(path.string(), fmt::format("cannot be read: {}", problem.what()));
  }
}

// ---- Requests -----------------------------------------------------------------------------------

namespace {
constexpr std::string_view kControls[] = {"save", "pause", "resume", "stop-saving", "stop-now"};
}

std::string_view name_of(Control control) {
  return kControls[static_cast<std::size_t>(control)];
}

namespace {
/// What a request's file asks for; nothing where it is no request.
std::optional<Control> control_of(const fs::path& file) {
  const std::string extension = file.extension().string();
  for (std::size_t i = 0; i < std::size(kControls); ++i) {
    if (extension.substr(std::min<std::size_t>(1, extension.size())) == kControls[i]) {
      return static_cast<Control>(i);
    }
  }
  return {};
}

/// Files in control/, oldest first, as their names begin with the time.
std::vector<fs::path> request_files(const RunFolder& folder) {
  std::vector<fs::path> paths;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder.control_path(), error)) {
    paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}
}  // namespace

void request_control(const RunFolder& folder, Control control) {
  const RunStatus status = status_of(folder);
  const bool answers = status.process && !is_final(status.state) && status.state != RunState::Draft;
  if (!answers) {
    throw Error(
        folder.id(), fmt::format("is not running: it is {}", name_of(status.state)),
        status.can_resume ? fmt::format("`tessera resume {}` goes on with it", folder.id()) : "");
  }
  static std::atomic<int> count = 0;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  std::error_code error;
  fs::create_directory(folder.control_path(), error);
  const std::string name = fmt::format(
      "{:020}-{}-{}.{}", std::chrono::duration_cast<std::chrono::nanoseconds>(now).count(),
      ::getpid(), count++, name_of(control));
  write_file_atomically(folder.control_path() / name, "");
}

std::vector<PendingRequest> pending_requests(const RunFolder& folder) {
  std::vector<PendingRequest> pending;
  for (const fs::path& path : request_files(folder)) {
    if (const auto control = control_of(path)) pending.push_back({path, *control});
  }
  return pending;
}

std::vector<Control> take_requests(const RunFolder& folder) {
  std::vector<Control> controls;
  std::error_code error;
  for (const fs::path& path : request_files(folder)) {
    const std::optional<Control> control = control_of(path);
    // Only who removes it may act on it.
    if (control && fs::remove(path, error)) controls.push_back(*control);
  }
  return controls;
}

bool stop_requested(const RunFolder& folder) {
  const std::vector<fs::path> files = request_files(folder);
  return std::any_of(files.begin(), files.end(), [](const fs::path& path) {
    const std::optional<Control> control = control_of(path);
    return control == Control::StopSaving || control == Control::StopNow;
  });
}

}  // namespace tessera
