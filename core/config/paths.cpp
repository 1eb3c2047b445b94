// SPDX-License-Identifier: MIT
#include "core/config/paths.h"

#include <algorithm>
#include <cstdlib>

#include "core/base/error.h"
#include "core/text/generated_text.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {
fs::path from_environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? fs::path(value) : fs::path();
}

fs::path user_home() {
  return from_environment("HOME");
}

fs::path made(const fs::path& folder, const char* variable) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) {
    throw Error(folder.string(), "cannot be made: " + error.message(),
                fmt::format("set {} to a folder that you may write to", variable));
  }
  return folder;
}
}  // namespace

fs::path resources_folder() {
  if (const fs::path given = from_environment("TESSERA_RESOURCES"); !given.empty()) {
    if (!fs::is_directory(given)) {
      throw Error(given.string(), "is no folder, though TESSERA_RESOURCES names it");
    }
    return given;
  }
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  for (const fs::path& folder : {program.parent_path().parent_path() / "share" / "tessera",
                                 fs::path(TESSERA_RESOURCES_FOLDER)}) {
    if (fs::is_directory(folder / "presets", error)) return folder;
  }
  throw Error("resources", "the presets were not found beside the program",
              "install the program whole, or set TESSERA_RESOURCES to its resources folder");
}

fs::path home_folder() {
  if (const fs::path given = from_environment("TESSERA_HOME"); !given.empty()) {
    return made(given, "TESSERA_HOME");
  }
  if (const fs::path data = from_environment("XDG_DATA_HOME"); data.is_absolute()) {
    return made(data / "tessera", "TESSERA_HOME");
  }
  if (user_home().empty()) {
    throw Error("home", "HOME is not set", "set TESSERA_HOME to a folder for runs and settings");
  }
  return made(user_home() / ".local" / "share" / "tessera", "TESSERA_HOME");
}

fs::path runs_folder() {
  if (const fs::path given = from_environment("TESSERA_RUNS"); !given.empty()) {
    return made(given, "TESSERA_RUNS");
  }
  return made(home_folder() / "runs", "TESSERA_RUNS");
}

namespace {
constexpr std::string_view kResource = "resource:", kSample = "sample:", kGenerated = "generated:";

/// What stands at the end of a sample that was made whole.
constexpr std::string_view kSampleRecord = "parts.json";
}  // namespace

std::optional<fs::path> sample_folder() {
  std::error_code error;
  if (const fs::path given = from_environment("TESSERA_SAMPLE"); !given.empty()) {
    if (given == "none") return std::nullopt;
    if (fs::exists(given / kSampleRecord, error)) return given;
    throw Error(given.string(), "holds no sample, though TESSERA_SAMPLE names it",
                "packaging/make-sample --to FOLDER makes one; TESSERA_SAMPLE=none goes without");
  }
  fs::path cache = from_environment("XDG_CACHE_HOME");
  if (!cache.is_absolute()) cache = user_home() / ".cache";
  for (const fs::path& folder : {cache / "tessera" / "sample", resources_folder() / "sample"}) {
    if (fs::exists(folder / kSampleRecord, error)) return folder;
  }
  return std::nullopt;
}

std::string settled_path(const std::string& path) {
  if (!path.starts_with(kSample)) return path;
  const std::string part = path.substr(kSample.size());
  std::error_code error;
  if (const auto sample = sample_folder(); sample && fs::is_directory(*sample / part, error)) {
    return fs::absolute(*sample / part).string();
  }
  return std::string(kGenerated) + part;
}

bool is_independent_path(const std::string& path) {
  return path.starts_with('~') || path.starts_with(kResource) || path.starts_with(kSample) ||
         path.starts_with(kGenerated);
}

fs::path resolve_path(const std::string& path, const fs::path& base) {
  if (path.starts_with(kSample)) return resolve_path(settled_path(path), base);
  if (path.starts_with(kGenerated)) {
    return text::generated_text(path.substr(kGenerated.size()), resources_folder() / "grammar",
                                home_folder() / "generated-text");
  }
  if (path.starts_with(kResource)) return resources_folder() / path.substr(kResource.size());
  if (path == "~" || path.starts_with("~/")) {
    if (user_home().empty()) {
      throw Error(path, "begins with ~, and HOME is not set",
                  "write the path in full, or set HOME to your home folder");
    }
    return user_home() / fs::path(path.substr(std::min<std::size_t>(2, path.size())));
  }
  return base / path;  // an absolute path stays itself
}

}  // namespace tessera
