// SPDX-License-Identifier: MIT
#include "core/base/files.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include "core/base/atomic_file.h"
#include "core/base/error.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {

[[noreturn]] void fail(const fs::path& path, const char* what) {
  const int error = errno;
  std::string hint;
  if (error == ENOSPC || error == EDQUOT) hint = "free some space on this disk, then try again";
  if (error == EFBIG) hint = "raise the limit on file sizes (ulimit -f)";
  if (error == EACCES || error == EPERM || error == EROFS) hint = "check who may write there";
  throw Error(path.string(), fmt::format("cannot be {}: {}", what, std::strerror(error)), hint);
}

/// Closes on every way out.
class Descriptor {
 public:
  Descriptor(const fs::path& path, int flags)
      : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0666)) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

AtomicFile::AtomicFile(fs::path path) : path_(std::move(path)), temporary_(path_) {
  static std::atomic<int> count = 0;
  temporary_ += fmt::format(".{}-{}.tmp", ::getpid(), count++);
  file_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file_ < 0) fail(path_, "written");
}

AtomicFile::~AtomicFile() {
  if (file_ >= 0) ::close(file_);
  if (!done_) ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(file_, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) fail(path_, "written");
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

void AtomicFile::commit() {
  if (::fsync(file_) != 0) fail(path_, "flushed");
  // Closing tells of a write that failed late, as network file systems do.
  if (::close(std::exchange(file_, -1)) != 0) fail(path_, "closed");
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail(path_, "written");
  done_ = true;
  sync_folder(path_.parent_path().empty() ? "." : path_.parent_path());
}

void write_file_atomically(const fs::path& path, std::initializer_list<std::string_view> parts) {
  AtomicFile file(path);
  for (const std::string_view text : parts) file.write(text);
  file.commit();
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
    throw Error(path.string(), fmt::format("is larger than {} bytes", most_bytes),
                "this is not the file it is named after");
  }
  return text;
}

void sync_folder(const fs::path& folder) {
  const Descriptor handle(folder, O_RDONLY | O_DIRECTORY);
  // NOTE: a folder may be writable and not readable; it then cannot be flushed by anyone but root.
  if (handle.fd() < 0 && errno == EACCES) return;
  if (handle.fd() < 0) fail(folder, "opened");
  // NOTE: some file systems cannot flush a folder and say EINVAL; they have nothing to flush.
  if (::fsync(handle.fd()) != 0 && errno != EINVAL) fail(folder, "flushed");
}

}  // namespace tessera
