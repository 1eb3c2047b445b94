// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/base/error.h"
#include "core/events/events_frames.h"

namespace tessera {

using events::Frame;
using events::FrameScanner;

std::string LogDamage::text() const {
  std::string out = fmt::format("{} bytes at offset {} are damaged", bytes, offset);
  if (lost_from == 0) return out;
  if (lost_from == lost_to) return out + fmt::format("; event {} is lost", lost_from);
  return out + fmt::format("; events {} to {} are lost", lost_from, lost_to);
}

struct EventReader::State {
  std::filesystem::path path;
  int file = -1;
  ino_t inode = 0;
  std::optional<FrameScanner> scanner;
  std::uint64_t skip_below = 0;  ///< events with lower numbers are passed over
  std::uint64_t last_sequence = 0, start_offset = 0;
  std::vector<std::string> kinds;
  Filter filter;
  std::vector<LogDamage> damage;  ///< that decoding found, and that of earlier files

  ~State() { close(); }
  void close() {
    if (file >= 0) ::close(file);
    file = -1;
    scanner.reset();
  }

  /// Opens the file when it has appeared or was replaced. False: nothing to read yet.
  bool ready() {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) {
      if (errno == ENOENT) return false;
      throw Error(path.string(), fmt::format("cannot be read: {}", std::strerror(errno)));
    }
    const bool shrunk =
        scanner && static_cast<std::uint64_t>(info.st_size) < scanner->offset() && file >= 0;
    if (file >= 0 && (info.st_ino != inode || shrunk)) {
      close();
      last_sequence = start_offset = 0;
    }
    if (file < 0) open();
    return scanner->refresh();
  }

  void open() {
    file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat info {};
    if (file < 0 || ::fstat(file, &info) != 0) {
      throw Error(path.string(), fmt::format("cannot be read: {}", std::strerror(errno)));
    }
    if (!S_ISREG(info.st_mode)) throw Error(path.string(), "is not a file");
    inode = info.st_ino;
    scanner.emplace(file, path.string());
    if (start_offset > 0) scanner->seek(start_offset);
  }

  std::optional<Frame> next() {
    while (auto frame = scanner->next()) {
      last_sequence = frame->sequence;
      if (frame->sequence >= skip_below && wanted(*frame)) return frame;
    }
    return {};
  }

  bool wanted(const Frame& frame) const {
    const std::string_view kind = kind_of_payload(frame.payload);
    if (!kinds.empty() && !kind.empty() &&
        std::find(kinds.begin(), kinds.end(), kind) == kinds.end()) {
      return false;
    }
    return !filter || filter(frame.offset, frame.sequence, frame.payload);
  }
};

EventReader::EventReader(std::filesystem::path path) : state_(std::make_unique<State>()) {
  state_->path = std::move(path);
  state_->ready();
}
EventReader::~EventReader() = default;
EventReader::EventReader(EventReader&&) noexcept = default;
EventReader& EventReader::operator=(EventReader&&) noexcept = default;

std::vector<Event> EventReader::poll(std::size_t most) {
  std::vector<Event> events;
  if (!state_->ready()) return events;
  while (events.size() < most) {
    const auto frame = state_->next();
    if (!frame) break;
    try {
      events.push_back(decode_payload(frame->sequence, frame->payload));
    } catch (const Error&) {
      // The checksum is right and the event is not: written by a faulty program. damage() tells.
      state_->damage.push_back(
          {frame->offset, frame->end() - frame->offset, frame->sequence, frame->sequence});
    }
  }
  damage();
  return events;
}

std::vector<RawFrame> EventReader::poll_raw(std::size_t most) {
  std::vector<RawFrame> frames;
  if (!state_->ready()) return frames;
  while (frames.size() < most) {
    const auto frame = state_->next();
    if (!frame) break;
    frames.push_back({frame->sequence, std::string(frame->payload)});
  }
  return frames;
}

void EventReader::seek_sequence(std::uint64_t sequence) {
  state_->skip_below = sequence;
  if (!state_->ready()) return;
  seek_offset(state_->scanner->place_before(sequence));
  state_->skip_below = sequence;
}

void EventReader::seek_offset(std::uint64_t offset) {
  state_->skip_below = 0;
  state_->last_sequence = 0;
  state_->start_offset = offset;
  if (state_->scanner) state_->scanner->seek(offset);
}

void EventReader::set_kinds(std::vector<std::string> kinds) {
  state_->kinds = std::move(kinds);
}

void EventReader::set_filter(Filter filter) {
  state_->filter = std::move(filter);
}

std::uint64_t EventReader::offset() const {
  return state_->scanner ? state_->scanner->offset()
                         : std::max(state_->start_offset, events::kHeaderBytes);
}
std::uint64_t EventReader::last_sequence() const {
  return state_->last_sequence;
}
std::uint64_t EventReader::pending_bytes() const {
  if (!state_->scanner || state_->scanner->size() < state_->scanner->offset()) return 0;
  return state_->scanner->pending_bytes();
}

const std::vector<LogDamage>& EventReader::damage() const {
  if (state_->scanner) {
    auto& found = state_->scanner->damage;
    state_->damage.insert(state_->damage.end(), found.begin(), found.end());
    found.clear();
  }
  return state_->damage;
}

std::vector<Event> read_events(const std::filesystem::path& path, std::vector<LogDamage>* damage) {
  if (!std::filesystem::exists(path)) throw Error(path.string(), "does not exist");
  EventReader reader(path);
  std::vector<Event> events = reader.poll();
  if (damage) *damage = reader.damage();
  return events;
}

}  // namespace tessera
