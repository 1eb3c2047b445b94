// SPDX-License-Identifier: MIT
#include "core/launch/queue_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "core/base/error.h"
#include "core/launch/detached_process.h"
#include "core/launch/lone_process.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {
fs::path beside(fs::path file, const char* suffix) {
  return file += suffix;
}

/// Held for the moment of a change.
class ChangeLock {
 public:
  explicit ChangeLock(const fs::path& file)
      : fd_(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)) {
    int locked = -1;
    while (fd_ >= 0 && (locked = ::flock(fd_, LOCK_EX)) != 0 && errno == EINTR) {
    }
    // NOTE: a file system without locks leaves two changes at the same moment to luck.
    if (fd_ < 0)
      throw Error(file.string(), fmt::format("cannot be made: {}", std::strerror(errno)));
  }
  ~ChangeLock() { ::close(fd_); }
  ChangeLock(const ChangeLock&) = delete;
  ChangeLock& operator=(const ChangeLock&) = delete;

 private:
  int fd_;
};
}  // namespace

fs::path QueueFile::lock() const {
  return beside(file_, ".lock");
}

bool QueueFile::has_holder() const {
  return LoneProcess::is_held(lock());
}

/// The file is replaced as a whole, so its number changes with it.
std::string QueueFile::look_of_file() const {
  struct stat info {};
  if (::stat(file_.c_str(), &info) != 0) return "none";
  return fmt::format("{}:{}:{}.{}", info.st_ino, info.st_size, info.st_mtim.tv_sec,
                     info.st_mtim.tv_nsec);
}

bool QueueFile::refresh() {
  const std::string look = look_of_file();
  if (look == seen_) return false;
  RunQueue queue = RunQueue::load(file_);
  seen_ = look;
  const bool changed = !(queue == queue_);
  queue_ = std::move(queue);
  return changed;
}

void QueueFile::change(const std::function<void(RunQueue&)>& change) {
  std::error_code error;
  fs::create_directories(file_.parent_path(), error);
  const ChangeLock lock(beside(file_, ".change"));
  RunQueue queue = RunQueue::load(file_);
  const RunQueue before = queue;
  change(queue);
  if (!(queue == before) || !fs::exists(file_)) queue.save(file_);
  seen_ = look_of_file();
  queue_ = std::move(queue);
}

fs::path QueueFile::set_aside() {
  const ChangeLock lock(beside(file_, ".change"));
  const fs::path aside = beside(file_, fmt::format(".damaged-{}", std::time(nullptr)).c_str());
  std::error_code error;
  fs::rename(file_, aside, error);
  if (error) throw Error(file_.string(), "cannot be set aside: " + error.message());
  queue_ = {};
  seen_ = look_of_file();
  return aside;
}

std::optional<int> begin_queue_holder(const QueueFile& queue, const std::string& program) {
  const auto& entries = queue.queue().entries;
  const bool waits = std::any_of(entries.begin(), entries.end(),
                                 [](const QueueEntry& e) { return e.problem.empty(); });
  if (!waits || queue.queue().paused || queue.has_holder()) return {};
  return start_detached(program, {"queue", "run"}, beside(queue.path(), ".log"));
}

}  // namespace tessera
