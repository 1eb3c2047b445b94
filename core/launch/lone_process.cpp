// SPDX-License-Identifier: MIT
#include "core/launch/lone_process.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/base/error.h"

namespace tessera {

namespace {
struct flock whole_file() {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return lock;
}
}  // namespace

// NOTE: with these locks (of the open file, not of the process) one can ask whether there is a
// holder without taking the lock for a moment, in which somebody else would not get it.
LoneProcess::LoneProcess(const std::filesystem::path& file) {
  const int opened = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (opened < 0) {
    throw Error(file.string(), fmt::format("cannot be made: {}", std::strerror(errno)));
  }
  struct flock lock = whole_file();
  if (::fcntl(opened, F_OFD_SETLK, &lock) == 0) {
    file_ = opened;
  } else {
    ::close(opened);
  }
}

LoneProcess::~LoneProcess() {
  if (file_ >= 0) ::close(file_);
}

bool LoneProcess::is_held(const std::filesystem::path& file) {
  const int opened = ::open(file.c_str(), O_RDWR | O_CLOEXEC);
  if (opened < 0) return false;
  struct flock lock = whole_file();
  const bool held = ::fcntl(opened, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
  ::close(opened);
  return held;
}

}  // namespace tessera
