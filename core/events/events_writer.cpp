// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/events/events_frames.h"

namespace tessera {

using events::FrameScanner;
using Clock = std::chrono::steady_clock;

struct EventWriter::State {
  std::string name;
  int file = -1;
  std::uint64_t end = 0, last_sequence = 0, cut_bytes = 0;
  std::vector<LogDamage> damage;
  Clock::time_point last_sync = Clock::now();
  bool dirty = false;

  ~State() {
    if (file < 0) return;
    if (dirty) ::fdatasync(file);
    ::close(file);
  }

  [[noreturn]] void fail(const char* what, int error) const {
    const bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
    throw Error(name, fmt::format("cannot be {}: {}", what, std::strerror(error)),
                full ? "free some space on this disk; what was logged so far is kept" : "");
  }

  void open(const std::filesystem::path& path) {
    file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (file < 0) fail("opened", errno);
    if (::flock(file, LOCK_EX | LOCK_NB) != 0) {
      // Some network file systems have no locks; the lock of the run folder says so.
      if (errno == ENOLCK || errno == EOPNOTSUPP || errno == ENOSYS) return;
      if (errno != EWOULDBLOCK) fail("locked", errno);
      throw Error(name, "is being written by another process",
                  "stop that run first, or start a new one");
    }
  }

  /// Finds the end of the last sound frame and cuts off what is behind it.
  void recover() {
    FrameScanner scanner(file, name);
    if (scanner.refresh()) {
      while (scanner.next()) {
      }
      end = scanner.offset();
      last_sequence = scanner.last_sequence();
      damage = std::move(scanner.damage);
    }
    cut_bytes = scanner.size() - end;
    if (cut_bytes > 0 && ::ftruncate(file, static_cast<off_t>(end)) != 0) fail("repaired", errno);
    if (end == 0) put(events::make_header());
    const std::string header = events::make_header();
    if (!damage.empty() && damage.front().offset == 0 &&
        ::pwrite(file, header.data(), header.size(), 0) < 0) {
      fail("repaired", errno);
    }
    for (const LogDamage& d : damage) log::warning("{}: {}", name, d.text());
    if (cut_bytes > 0) log::warning("{}: a torn end of {} bytes was cut off", name, cut_bytes);
  }

  /// All of it, or none of it and an Error.
  void put(std::string_view bytes) {
    std::size_t done = 0;
    while (done < bytes.size()) {
      const ssize_t wrote =
          ::pwrite(file, bytes.data() + done, bytes.size() - done, static_cast<off_t>(end + done));
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote <= 0) {
        const int error = wrote == 0 ? ENOSPC : errno;
        // When even this fails, the next append overwrites the part, or the next start cuts it off.
        if (::ftruncate(file, static_cast<off_t>(end)) != 0) log::warning("{}: torn end", name);
        fail("written", error);
      }
      done += static_cast<std::size_t>(wrote);
    }
    end += bytes.size();
    dirty = true;
  }

  void sync() {
    last_sync = Clock::now();
    if (!dirty) return;
    if (::fdatasync(file) != 0) fail("flushed", errno);
    dirty = false;
  }

  void put_frame(std::uint64_t sequence, std::string_view payload) {
    if (payload.size() > events::kMostPayload) {
      throw Error(name, fmt::format("an event of {} bytes is too large", payload.size()));
    }
    put(events::make_frame(sequence, payload));
    last_sequence = sequence;
  }
};

EventWriter::EventWriter(const std::filesystem::path& path) : state_(std::make_unique<State>()) {
  state_->name = path.string();
  state_->open(path);
  state_->recover();
  state_->sync();
}
EventWriter::~EventWriter() = default;
EventWriter::EventWriter(EventWriter&&) noexcept = default;
EventWriter& EventWriter::operator=(EventWriter&&) noexcept = default;

std::uint64_t EventWriter::append(const EventBody& body) {
  require(!std::holds_alternative<UnknownEvent>(body), "events", "an unknown event is not written");
  const double now =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  state_->put_frame(state_->last_sequence + 1, encode_payload(now, body));
  const bool weighty =
      std::holds_alternative<StateEvent>(body) || std::holds_alternative<CheckpointEvent>(body) ||
      std::holds_alternative<ResumeEvent>(body) || std::holds_alternative<RollbackEvent>(body);
  if (weighty || Clock::now() - state_->last_sync > std::chrono::seconds(1)) state_->sync();
  return state_->last_sequence;
}

void EventWriter::append_raw(const RawFrame& frame) {
  require(frame.sequence > state_->last_sequence, "events", "event {} cannot follow event {}",
          frame.sequence, state_->last_sequence);
  state_->put_frame(frame.sequence, frame.payload);
  if (Clock::now() - state_->last_sync > std::chrono::seconds(1)) state_->sync();
}

void EventWriter::sync() {
  state_->sync();
}
std::uint64_t EventWriter::last_sequence() const {
  return state_->last_sequence;
}
std::uint64_t EventWriter::cut_bytes() const {
  return state_->cut_bytes;
}
const std::vector<LogDamage>& EventWriter::damage() const {
  return state_->damage;
}

}  // namespace tessera
