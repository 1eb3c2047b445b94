// SPDX-License-Identifier: MIT
#include "ui/bridge/draft/draft_command.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <vector>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/config/paths.h"
#include "core/spec/spec_table.h"
#include "ui/bridge/launch/terminal_command.h"

namespace tessera::ui {

namespace fs = std::filesystem;

namespace {
constexpr std::size_t kMostSettingsLength = 400;
constexpr std::size_t kMostFiles = 100;

bool isRelativePath(const RunSpec& spec, const spec::Difference& difference) {
  const spec::Key* key = spec::find_key(difference.path);
  const bool isPath =
      key && (key->type == spec::KeyType::Path || key->type == spec::KeyType::PathList);
  if (!isPath) return false;
  RunSpec absolute = spec;
  make_paths_absolute(absolute, "/");
  return spec::get_value(absolute, difference.path) != spec::get_value(spec, difference.path);
}

/// The differences as KEY=VALUE words; nothing where they cannot be told that way.
std::optional<std::vector<std::string>> settingsOf(const RunSpec& spec, const RunSpec& base) {
  std::vector<std::string> settings;
  std::size_t length = 0;
  for (const spec::Difference& d : spec::differences(spec, base)) {
    if (d.path == "run.preset") continue;
    if (isRelativePath(spec, d)) return {};  // the program sees it from where it is started
    // A number that is absent, or an element that one of the two does not have.
    const bool absent = std::holds_alternative<std::monostate>(d.ours);
    if (absent || d.path.find("learning_rate") != std::string::npos) return {};
    settings.push_back(d.path + '=' + spec::format_value(d.ours));
    length += settings.back().size();
  }
  if (length > kMostSettingsLength) return {};
  return settings;
}

bool means(const SpecReading& reading, const RunSpec& spec) {
  if (!reading.complete) return false;
  const auto differences = spec::differences(reading.spec, spec);
  return std::all_of(differences.begin(), differences.end(),
                     [](const spec::Difference& d) { return d.path == "run.preset"; });
}

/// The letters of a run's name that are at home in a file's name.
std::string fileName(const std::string& name) {
  std::string kept;
  for (const char c : name) {
    const auto letter = static_cast<unsigned char>(c);
    kept += std::isalnum(letter) && letter < 0x80 ? c : '-';
  }
  return kept.empty() ? "spec" : kept;
}

/// FNV-1a: tells texts apart and is the same in every run of the program.
std::uint64_t hashOf(const std::string& text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

/// Only the newest specs and the newest scripts are kept: each command that was shown has left one.
void removeOld(const fs::path& folder, const char* ending) {
  std::vector<std::pair<fs::file_time_type, fs::path>> files;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code gone;
    const fs::file_time_type time = entry->last_write_time(gone);
    if (entry->path().extension() == ending && !gone) files.emplace_back(time, entry->path());
  }
  if (files.size() <= kMostFiles) return;
  std::sort(files.begin(), files.end(), std::greater<>());
  for (std::size_t i = kMostFiles; i < files.size(); ++i) fs::remove(files[i].second, error);
}

std::string written(RunSpec spec, const fs::path& folder) {
  make_paths_absolute(spec, folder);
  const std::string text = write_spec(spec);
  const fs::path drafts = home_folder() / "drafts";
  fs::create_directories(drafts);
  const fs::path file =
      drafts / fmt::format("{}-{:08x}.toml", fileName(spec.run.name), hashOf(text) & 0xffffffff);
  if (!fs::exists(file)) {
    write_file_atomically(file, text);
    removeOld(drafts, ".toml");
  }
  return file.string();
}

/// A run of the usual folder by its name, any other by its path.
std::string runWord(const fs::path& run) {
  std::error_code error;
  const bool usual = fs::equivalent(run.parent_path(), runs_folder(), error);
  return usual ? run.filename().string() : run.string();
}
}  // namespace

std::string commandAt(const std::string& command, const LaunchPlace& place) {
  const std::string train = "tessera train ", resume = "tessera resume ", fork = " --fork";
  const std::string spec = " --spec ";
  if (place.is_here() || command.empty()) return command;
  std::string line = command;
  if (line.starts_with(train)) {
    line = "tessera launch " + line.substr(train.size());
  } else if (const std::size_t at = line.find(fork); line.starts_with(resume) && at != line.npos) {
    const std::string run = line.substr(resume.size(), at - resume.size());
    std::string rest = line.substr(at + fork.size());
    if (const std::size_t named = rest.find(spec); named != rest.npos) {
      rest = rest.substr(0, named) + ' ' + rest.substr(named + spec.size());
    }
    line = "tessera launch --fork " + run + rest;
  }
  for (const std::string& word : options_of_place(place)) line += ' ' + shellWord(word);
  if (!place.script.empty()) {
    const fs::path file =
        home_folder() / "drafts" / fmt::format("job-{:08x}.sh", hashOf(place.script) & 0xffffffff);
    fs::create_directories(file.parent_path());
    if (!fs::exists(file)) {
      write_file_atomically(file, place.script);
      removeOld(file.parent_path(), ".sh");
    }
    line += " --script " + shellWord(file.string());
  }
  return line;
}

std::string DraftCommand::text() const {
  const std::string from = !run.empty() ? run + "/run.toml" : file;
  const auto read = [&](const std::vector<std::string>& settings) {
    return preset.empty() ? read_spec(from, settings) : read_preset(preset, settings);
  };
  std::string line =
      fork ? "tessera resume " + shellWord(runWord(run)) + " --fork" : "tessera train";
  if (fork && step >= 0) line += fmt::format(" --step {}", step);
  std::optional<std::vector<std::string>> settings;
  try {
    settings = settingsOf(spec, read({}).spec);
    if (settings && !means(read(*settings), spec)) settings.reset();
  } catch (const Error&) {
    settings.reset();  // what it began with is not there any more
  }
  if (!settings) {
    return line + (fork ? " --spec " : " ") + shellWord(written(spec, folder));
  }
  if (!fork) line += ' ' + shellWord(preset.empty() ? from : preset);
  for (const std::string& setting : *settings) line += " --set " + shellWord(setting);
  return line;
}

}  // namespace tessera::ui
