// SPDX-License-Identifier: MIT
#include "core/events/events_frames.h"

#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/base/error.h"

namespace tessera::events {

namespace {
constexpr std::string_view kMagic = "TSEVENTS";

template <class T>
T load(const char* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}
template <class T>
void store(std::string& to, T value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}

std::uint32_t checksum(const char* sequence_and_payload, std::size_t bytes) {
  return static_cast<std::uint32_t>(
      ::crc32_z(0, reinterpret_cast<const unsigned char*>(sequence_and_payload), bytes));
}

/// The first byte of a CBOR map: most places in a file that are no frame fail here.
bool begins_map(char c) {
  return (static_cast<unsigned char>(c) >> 5) == 5;
}
}  // namespace

std::string make_header() {
  std::string header(kMagic);
  store<std::uint32_t>(header, kFormatVersion);
  store<std::uint32_t>(header, 0);
  return header;
}

std::string make_frame(std::uint64_t sequence, std::string_view payload) {
  std::string frame;
  frame.reserve(kHeadBytes + payload.size());
  store<std::uint32_t>(frame, static_cast<std::uint32_t>(payload.size()));
  store<std::uint32_t>(frame, 0);
  store<std::uint64_t>(frame, sequence);
  frame += payload;
  const std::uint32_t crc = checksum(frame.data() + 8, frame.size() - 8);
  std::memcpy(frame.data() + 4, &crc, sizeof crc);
  return frame;
}

void FileWindow::refresh() {
  struct stat info {};
  size_ = ::fstat(file_, &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
  buffer_.clear();
}

const char* FileWindow::at(std::uint64_t offset, std::uint64_t count) {
  constexpr std::uint64_t kChunk = 1 << 20;
  if (offset > size_ || count > size_ - offset) return nullptr;
  if (offset < start_ || offset + count > start_ + buffer_.size()) {
    start_ = offset;
    buffer_.resize(std::min(std::max(count, kChunk), size_ - offset));
    std::size_t filled = 0;
    while (filled < buffer_.size()) {
      const ssize_t got = ::pread(file_, buffer_.data() + filled, buffer_.size() - filled,
                                  static_cast<off_t>(start_ + filled));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) break;
      filled += static_cast<std::size_t>(got);
    }
    buffer_.resize(filled);
    if (filled < count) return nullptr;
  }
  return buffer_.data() + (offset - start_);
}

FrameScanner::FrameScanner(int file, std::string name) : window_(file), name_(std::move(name)) {}

bool FrameScanner::refresh() {
  window_.refresh();
  if (header_read_) return true;
  const std::string expected = make_header();
  const std::uint64_t have = std::min<std::uint64_t>(window_.size(), kHeaderBytes);
  const char* header = window_.at(0, have);
  if (!header) return false;
  const bool is_log = std::memcmp(header, kMagic.data(), std::min<std::size_t>(have, 8)) == 0;
  if (is_log && have < kHeaderBytes) return false;
  const auto version = is_log ? load<std::uint32_t>(header + 8) : kFormatVersion;
  if (version > kFormatVersion) {
    throw Error(name_,
                fmt::format("is an event log of format {}, this program reads up to format {}",
                            version, kFormatVersion),
                "open it with a newer Tessera");
  }
  if (!is_log) {
    // Frames behind a damaged header are as good as any.
    if (have < kHeaderBytes || !find_frame(kHeaderBytes, window_.size(), 0)) {
      throw Error(name_, "is not an event log");
    }
    damage.push_back({0, kHeaderBytes, 0, 0});
  }
  header_read_ = true;
  return true;
}

std::optional<Frame> FrameScanner::frame_at(std::uint64_t offset, std::uint64_t above_sequence) {
  const char* head = window_.at(offset, kHeadBytes + 1);
  if (!head || !begins_map(head[kHeadBytes])) return {};
  const auto length = load<std::uint32_t>(head);
  const auto sequence = load<std::uint64_t>(head + 8);
  if (length == 0 || length > kMostPayload || sequence <= above_sequence) return {};
  // NOTE: without this bound, a place that only looks like a head costs a checksum of megabytes.
  if (sequence - above_sequence > std::uint64_t{1} << 40) return {};
  const char* frame = window_.at(offset, kHeadBytes + length);
  if (!frame || checksum(frame + 8, 8 + length) != load<std::uint32_t>(frame + 4)) return {};
  return Frame{offset, sequence, {frame + kHeadBytes, length}};
}

std::optional<Frame> FrameScanner::find_frame(std::uint64_t from, std::uint64_t to,
                                              std::uint64_t above_sequence) {
  for (std::uint64_t offset = from; offset < to; ++offset) {
    if (auto frame = frame_at(offset, above_sequence)) return frame;
  }
  return {};
}

std::optional<Frame> FrameScanner::next() {
  auto frame = frame_at(offset_, last_sequence_);
  if (!frame) {
    frame = find_frame(offset_ + 1, window_.size(), last_sequence_);
    if (!frame) return {};
    if (!searching_) {
      const bool missing = frame->sequence > last_sequence_ + 1;
      damage.push_back({offset_, frame->offset - offset_, missing ? last_sequence_ + 1 : 0,
                        missing ? frame->sequence - 1 : 0});
    }
  }
  searching_ = false;
  offset_ = frame->end();
  last_sequence_ = frame->sequence;
  return frame;
}

void FrameScanner::seek(std::uint64_t offset) {
  offset_ = std::max(offset, kHeaderBytes);
  last_sequence_ = 0;
  searching_ = offset_ > kHeaderBytes;
}

std::uint64_t FrameScanner::place_before(std::uint64_t sequence) {
  std::uint64_t low = kHeaderBytes, high = window_.size();
  while (high > low && high - low > (1 << 20)) {
    const std::uint64_t middle = low + (high - low) / 2;
    const auto frame = find_frame(middle, high, 0);
    if (frame && frame->sequence < sequence) {
      low = frame->offset;
    } else {
      high = middle;
    }
  }
  return low;
}

}  // namespace tessera::events
