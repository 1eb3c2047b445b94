// SPDX-License-Identifier: MIT
#include "core/data/build_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "core/base/error.h"

namespace tessera::data {

namespace fs = std::filesystem;

FolderLock::FolderLock(const fs::path& folder) {
  fd_ = ::open((folder / ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd_ < 0)
    throw Error(folder.string(), fmt::format("cannot write here: {}", std::strerror(errno)),
                "check the folder and its permissions");
  if (::flock(fd_, LOCK_EX | LOCK_NB) == 0) return;
  const int reason = errno;
  ::close(fd_);
  if (reason == EWOULDBLOCK)
    throw Error(folder.string(), "another data build is at work in this folder",
                "wait for it, or choose another folder");
  throw Error(folder.string(), fmt::format("cannot lock the folder: {}", std::strerror(reason)),
              "choose a folder on a file system with locks");
}

FolderLock::~FolderLock() {
  ::close(fd_);
}

SeenFile::SeenFile(const fs::path& path, std::int64_t bytes) : path_(path) {
  std::ofstream(path, std::ios::app | std::ios::binary).flush();
  std::error_code failed;
  const auto size = static_cast<std::int64_t>(fs::file_size(path, failed));
  if (failed) throw Error(path.string(), "cannot create", "check the folder and its permissions");
  if (size < bytes)
    throw Error(path.string(), "cut off", "remove the folder and build the data again");
  fs::resize_file(path, static_cast<std::uintmax_t>(bytes), failed);
  fd_ = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (failed || fd_ < 0)
    throw Error(path.string(), "cannot write", "check the folder and its permissions");
}

SeenFile::~SeenFile() {
  ::close(fd_);
}

std::int64_t SeenFile::flush() {
  const char* data = reinterpret_cast<const char*>(waiting_.data());
  const std::size_t bytes = waiting_.size() * sizeof(Fingerprint);
  const auto fail = [&] {
    throw Error(path_.string(), fmt::format("cannot write: {}", std::strerror(errno)),
                "make room on the disk and start again: what was finished is kept");
  };
  for (std::size_t at = 0; at < bytes;) {
    const ssize_t done = ::write(fd_, data + at, bytes - at);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) fail();
    at += static_cast<std::size_t>(done);
  }
  if (::fsync(fd_) != 0) fail();
  waiting_.clear();
  return static_cast<std::int64_t>(bytes);
}

}  // namespace tessera::data
