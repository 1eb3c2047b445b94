// SPDX-License-Identifier: MIT
#include "core/run/paths.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>

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

namespace {
class File {
 public:
  File(const fs::path& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0666)) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

[[noreturn]] void fail(const fs::path& path, const char* what) {
  const int error = errno;
  throw Error(path.string(), fmt::format("cannot be {}: {}", what, std::strerror(error)),
              error == ENOSPC || error == EDQUOT ? "free some space on this disk" : "");
}

void write_all(const File& file, const fs::path& path, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(file.fd(), text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) fail(path, "written");
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fsync(file.fd()) != 0) fail(path, "flushed");
}
}  // namespace

void write_file_atomically(const fs::path& path, const std::string& text) {
  fs::path temporary = path;
  static std::atomic<int> count = 0;
  temporary += fmt::format(".{}-{}.tmp", ::getpid(), count++);
  try {
    const File file(temporary, O_WRONLY | O_CREAT | O_TRUNC);
    if (file.fd() < 0) fail(path, "written");
    write_all(file, path, text);
    if (::rename(temporary.c_str(), path.c_str()) != 0) fail(path, "written");
  } catch (const Error&) {
    ::unlink(temporary.c_str());
    throw;
  }
  const File folder(path.parent_path().empty() ? "." : path.parent_path(), O_RDONLY | O_DIRECTORY);
  if (folder.fd() >= 0) ::fsync(folder.fd());
}

std::string read_file(const fs::path& path, std::size_t most_bytes) {
  std::error_code error;
  const auto status = fs::status(path, error);
  if (!fs::exists(status)) throw Error(path.string(), "does not exist");
  if (!fs::is_regular_file(status)) throw Error(path.string(), "is not a file");
  std::ifstream in(path, std::ios::binary);
  if (!in) fail(path, "read");
  std::string text(std::min<std::uintmax_t>(fs::file_size(path, error), most_bytes + 1), '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad()) fail(path, "read");
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > most_bytes) {
    throw Error(path.string(), fmt::format("is larger than {} bytes", most_bytes));
  }
  return text;
}

}  // namespace tessera
