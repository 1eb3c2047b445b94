// SPDX-License-Identifier: MIT
// What a rank asked of other ranks, kept where it outlives the rank: a file that is mapped into
// memory, so that no call costs a system call and SIGKILL loses nothing. A reader sees what each
// rank is at, which ranks do not come to a call, and which one ended first.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tessera {

namespace calls {
struct Header;
struct Group;
struct Entry;
}  // namespace calls

/// The kinds of Communication by their numbers, and this.
inline constexpr std::uint8_t kSplitCall = 255;

/// A call as it is written down. `sequence` counts the calls of this rank in the group,
/// `collective` those of them that all ranks of the group make.
struct CallNote {
  int group = 0;
  std::uint8_t kind = 0;
  bool collective = true;
  bool may_last = false;  ///< waits for work of unknown length, as for rank 0's next order
  int peer = -1;
  std::int64_t bytes = 0;
  std::uint64_t sequence = 0;
};

/// Written by its rank; any of its threads.
class CallRecord {
 public:
  /// Makes the file anew. Throws Error naming it where it cannot be made.
  CallRecord(const std::filesystem::path& file, int rank, int ranks);
  ~CallRecord();
  CallRecord(const CallRecord&) = delete;
  CallRecord& operator=(const CallRecord&) = delete;

  /// The number of a group for CallNote. `key` is the same on all its ranks, and another one for
  /// each group.
  int add_group(std::string_view name, std::uint64_t key, int rank, int size) noexcept;
  /// Returns what leave() is told.
  std::uint64_t enter(const CallNote& note) noexcept;
  void leave(std::uint64_t serial, bool failed) noexcept;

  /// A sign of life, to be given a few times a second by a thread that does nothing else.
  void beat() noexcept;
  /// It was told to end, and has not ended by itself.
  void asked_to_end() noexcept;
  /// The last words of a rank that ends by itself; empty: all is well.
  void ended(std::string_view failure) noexcept;

 private:
  void* memory_ = nullptr;
  std::size_t bytes_ = 0;
  calls::Header* header_ = nullptr;
  calls::Group* groups_ = nullptr;
  calls::Entry* entries_ = nullptr;
};

/// A call as a reader finds it.
struct RecordedCall {
  std::uint64_t serial = 0;  ///< how many calls of the rank came before
  std::uint64_t sequence = 0, collective = 0;
  std::uint64_t group_key = 0;
  std::string group{};
  std::uint8_t kind = 0;
  bool is_collective = true, may_last = false, failed = false;
  int peer = -1;
  std::int64_t bytes = 0;
  std::int64_t entered_ns = 0, left_ns = 0;  ///< left 0: it is in it

  /// "all_reduce 41 of the data group".
  std::string text() const;
};

/// A group that a rank belongs to; ranks with the same key are in the same one.
struct RecordedGroup {
  std::uint64_t key = 0;
  std::string name{};
  int rank = 0, size = 0;
  std::uint64_t collectives = 0;  ///< begun so far
};

/// A rank by its record. Times are of CLOCK_MONOTONIC of its host.
struct RankCalls {
  enum class Ending : std::uint8_t { None, Well, Failed };
  int rank = 0, ranks = 1;
  std::int64_t pid = 0, start_ticks = 0;
  std::string host{}, boot_id{};
  std::int64_t started_ns = 0, started_real_ns = 0;  ///< one moment by both clocks
  std::int64_t beat_ns = 0, asked_to_end_ns = 0, ended_ns = 0;
  Ending ending = Ending::None;
  std::string failure{};
  std::vector<RecordedGroup> groups{};
  std::optional<RecordedCall> open{};  ///< it is in this call
  std::optional<RecordedCall> last{};  ///< the newest that it has left

  /// "rank 2 on host x".
  std::string name() const;
  /// "in all_reduce 41 of the data group", "after all_reduce 41 of the data group, computing".
  std::string whereabouts() const;
  /// Its clock is the one of this process.
  bool is_here() const;
  /// Its process is there; of ranks elsewhere nothing is known, and they count as there.
  bool is_there() const;
};

/// RANK.calls in this folder.
std::filesystem::path calls_file(const std::filesystem::path& folder, int rank);
/// Nothing where there is no such file yet. Throws Error where it is none of ours, or of another
/// version.
std::optional<RankCalls> read_calls(const std::filesystem::path& file);
/// All records of a folder, in the order of ranks; what cannot be read is left out.
std::vector<RankCalls> read_all_calls(const std::filesystem::path& folder);

/// One rank, and what is wrong with it.
struct RankTrouble {
  int rank = 0;
  std::string text;
};

/// A rank that gives no sign of life, or that does not come to a call in which another one waits,
/// for `limit_s` or longer. `now_ns` is CLOCK_MONOTONIC; 0: none is looked for.
std::optional<RankTrouble> find_hang(const std::vector<RankCalls>& ranks, std::int64_t now_ns,
                                     double limit_s);
/// The rank that ended first without being told to, and how; nothing where all go on or have ended
/// well.
std::optional<RankTrouble> find_first_ended(const std::vector<RankCalls>& ranks);

std::int64_t monotonic_ns();
/// When a process of this host started, in ticks after boot; 0: there is none, or it is dead and
/// not yet waited for.
std::int64_t process_start_ticks(std::int64_t pid);
/// "this machine" where it has no name.
std::string host_name();
/// One that differs after each start of the machine.
std::string boot_id();

}  // namespace tessera
