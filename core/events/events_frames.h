// SPDX-License-Identifier: MIT
// The frames of an event log as bytes in a file; shared by its reader and its writer.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/events/events.h"

namespace tessera::events {

inline constexpr std::uint32_t kFormatVersion = 1;
inline constexpr std::uint64_t kHeaderBytes = 16, kHeadBytes = 16, kMostPayload = 64u << 20;

std::string make_header();
std::string make_frame(std::uint64_t sequence, std::string_view payload);

struct Frame {
  std::uint64_t offset = 0, sequence = 0;
  std::string_view payload;  ///< valid until the scanner reads on
  std::uint64_t end() const { return offset + kHeadBytes + payload.size(); }
};

/// Bytes of an open file by offset, through one buffer.
class FileWindow {
 public:
  explicit FileWindow(int file = -1) : file_(file) {}
  /// Looks at the file anew: its size, and its bytes.
  void refresh();
  std::uint64_t size() const { return size_; }
  /// `count` bytes at `offset`; null when the file does not reach so far.
  const char* at(std::uint64_t offset, std::uint64_t count);

 private:
  int file_;
  std::uint64_t size_ = 0, start_ = 0;
  std::string buffer_;
};

/// Walks the frames of a file that may still grow.
class FrameScanner {
 public:
  /// `file` stays the caller's. `name` is for messages.
  FrameScanner(int file, std::string name);

  /// To be called before a series of next(). False: not even a header is there yet. Throws Error
  /// for a file that is no event log or of a newer format.
  bool refresh();
  /// The next sound frame. Damage before it is recorded; without one, the end is pending.
  std::optional<Frame> next();
  /// Starts at the first frame found at or after `offset`.
  void seek(std::uint64_t offset);
  /// A place from which frames up to `sequence` come soon; the frame itself is at or after it.
  std::uint64_t place_before(std::uint64_t sequence);

  std::uint64_t offset() const { return offset_; }
  std::uint64_t size() const { return window_.size(); }
  std::uint64_t last_sequence() const { return last_sequence_; }
  std::uint64_t pending_bytes() const { return window_.size() - offset_; }
  std::vector<LogDamage> damage;

 private:
  std::optional<Frame> frame_at(std::uint64_t offset, std::uint64_t above_sequence);
  std::optional<Frame> find_frame(std::uint64_t from, std::uint64_t to,
                                  std::uint64_t above_sequence);

  FileWindow window_;
  std::string name_;
  bool header_read_ = false;
  bool searching_ = false;  ///< offset_ need not be the start of a frame
  std::uint64_t offset_ = kHeaderBytes, last_sequence_ = 0;
};

}  // namespace tessera::events
