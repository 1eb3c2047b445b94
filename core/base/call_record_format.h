// SPDX-License-Identifier: MIT
// The file of a call record: a header, a table of groups, and a ring of the newest calls. All
// fields are little endian; times are nanoseconds of the rank's CLOCK_MONOTONIC.
#pragma once

#include <cstdint>

namespace tessera::calls {

inline constexpr char kMagic[8] = {'T', 'S', 'C', 'A', 'L', 'L', 'S', '\0'};
inline constexpr std::uint32_t kVersion = 1;
inline constexpr std::uint32_t kGroups = 64, kEntries = 2048;

/// Nameless files say what they hold: sizes and counts come first, then whose calls they are.
struct Header {
  char magic[8];
  std::uint32_t version, header_bytes;
  std::uint32_t groups, group_bytes, entries, entry_bytes;
  std::int32_t rank, ranks;
  std::int64_t pid, start_ticks;
  char host[64], boot_id[40];
  std::int64_t started_ns, started_real_ns;  ///< one moment by the monotonic clock and by the date
  std::uint64_t next;                        ///< serial number of the next call
  std::uint32_t group_count;                 ///< in use
  std::uint32_t ending;                      ///< RankCalls::Ending
  std::int64_t beat_ns, asked_to_end_ns, ended_ns;
  char failure[512];
};

struct Group {
  std::uint64_t key;
  std::int32_t rank, size;
  std::uint64_t collectives;
  char name[40];
};

enum State : std::uint8_t { kEmpty, kEntered, kLeft, kFailed };

struct Entry {
  std::uint64_t serial, sequence, collective;
  std::int64_t bytes, entered_ns, left_ns;
  std::int32_t peer;
  std::uint16_t group;
  std::uint8_t kind, state;
  std::uint8_t is_collective, may_last;
  std::uint8_t unused[6];
};
static_assert(sizeof(Entry) == 64 && sizeof(Group) == 64 && sizeof(Header) % 8 == 0);

}  // namespace tessera::calls
