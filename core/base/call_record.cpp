// SPDX-License-Identifier: MIT
#include "core/base/call_record.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "core/base/call_record_format.h"
#include "core/base/communicator.h"
#include "core/base/error.h"
#include "core/base/files.h"

namespace tessera {

namespace fs = std::filesystem;
using calls::Entry, calls::Group, calls::Header;

namespace {
std::int64_t clock_ns(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

std::string first_line(const fs::path& path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return line;
}

template <std::size_t N>
void put_text(char (&to)[N], std::string_view text) {
  const std::size_t count = std::min(text.size(), N - 1);
  std::memcpy(to, text.data(), count);
  to[count] = '\0';
}

template <std::size_t N>
std::string text_in(const char (&from)[N]) {
  return std::string(from, ::strnlen(from, N));
}

/// A field that another process may read at any time.
template <class T>
void store(T& field, T value) {
  std::atomic_ref<T>(field).store(value, std::memory_order_release);
}

constexpr std::size_t kBytes =
    sizeof(Header) + calls::kGroups * sizeof(Group) + calls::kEntries * sizeof(Entry);
}  // namespace

std::int64_t monotonic_ns() {
  return clock_ns(CLOCK_MONOTONIC);
}

std::int64_t process_start_ticks(std::int64_t pid) {
  const std::string stat = first_line(fmt::format("/proc/{}/stat", pid));
  const auto name_end = stat.rfind(')');  // the name itself may hold anything
  std::istringstream fields(name_end == stat.npos ? "" : stat.substr(name_end + 1));
  std::string state, skipped;
  fields >> state;
  if (state.empty() || state == "Z" || state == "X") return 0;
  for (int i = 0; i < 18; ++i) fields >> skipped;
  std::int64_t ticks = 0;
  fields >> ticks;
  return ticks;
}

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "this machine";
}

std::string boot_id() {
  return first_line("/proc/sys/kernel/random/boot_id");
}

// ---- Writing ------------------------------------------------------------------------------------

CallRecord::CallRecord(const fs::path& file, int rank, int ranks) : bytes_(kBytes) {
  std::error_code none;
  fs::remove(file, none);  // an older one may still be mapped by whoever reads it
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  const auto fail = [&](const char* what) {
    const int error = errno;
    if (fd >= 0) ::close(fd);
    throw Error(file.string(), fmt::format("{}: {}", what, std::strerror(error)));
  };
  if (fd < 0) fail("cannot be made");
  // Space is taken now: a full disk found by a later store would end the process by SIGBUS.
  if (const int error = ::posix_fallocate(fd, 0, static_cast<off_t>(bytes_)); error != 0) {
    errno = error;
    fail("cannot be given its size");
  }
  memory_ = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory_ == MAP_FAILED) fail("cannot be mapped into memory");
  ::close(fd);
  auto* bytes = static_cast<std::byte*>(memory_);
  header_ = reinterpret_cast<Header*>(bytes);
  groups_ = reinterpret_cast<Group*>(bytes + sizeof(Header));
  entries_ = reinterpret_cast<Entry*>(bytes + sizeof(Header) + calls::kGroups * sizeof(Group));
  Header& h = *header_;
  h.version = calls::kVersion;
  h.header_bytes = sizeof(Header);
  h.groups = calls::kGroups;
  h.group_bytes = sizeof(Group);
  h.entries = calls::kEntries;
  h.entry_bytes = sizeof(Entry);
  h.rank = rank;
  h.ranks = ranks;
  h.pid = ::getpid();
  h.start_ticks = process_start_ticks(h.pid);
  put_text(h.host, host_name());
  put_text(h.boot_id, boot_id());
  h.started_ns = monotonic_ns();
  h.started_real_ns = clock_ns(CLOCK_REALTIME);
  h.beat_ns = h.started_ns;
  std::atomic_thread_fence(std::memory_order_release);
  std::memcpy(h.magic, calls::kMagic, sizeof h.magic);  // last: makes it a record
}

CallRecord::~CallRecord() {
  ::munmap(memory_, bytes_);
}

int CallRecord::add_group(std::string_view name, std::uint64_t key, int rank, int size) noexcept {
  const std::uint32_t at = header_->group_count;
  // Groups beyond the table are noted as the last one in it.
  if (at >= calls::kGroups) return static_cast<int>(calls::kGroups) - 1;
  Group& g = groups_[at];
  g.key = key;
  g.rank = rank;
  g.size = size;
  g.collectives = 0;
  put_text(g.name, name);
  store(header_->group_count, at + 1);
  return static_cast<int>(at);
}

std::uint64_t CallRecord::enter(const CallNote& note) noexcept {
  Group& group = groups_[note.group];
  const std::uint64_t serial = std::atomic_ref(header_->next).fetch_add(1);
  Entry& e = entries_[serial % calls::kEntries];
  store<std::uint8_t>(e.state, calls::kEmpty);
  e.serial = serial;
  e.sequence = note.sequence;
  e.collective =
      note.collective ? std::atomic_ref(group.collectives).fetch_add(1) : group.collectives;
  e.bytes = note.bytes;
  e.entered_ns = monotonic_ns();
  e.left_ns = 0;
  e.peer = note.peer;
  e.group = static_cast<std::uint16_t>(note.group);
  e.kind = note.kind;
  e.is_collective = note.collective;
  e.may_last = note.may_last;
  store<std::uint8_t>(e.state, calls::kEntered);
  return serial;
}

void CallRecord::leave(std::uint64_t serial, bool failed) noexcept {
  Entry& e = entries_[serial % calls::kEntries];
  if (e.serial != serial) return;  // so many others came between that its place is taken
  e.left_ns = monotonic_ns();
  store<std::uint8_t>(e.state, failed ? calls::kFailed : calls::kLeft);
}

void CallRecord::beat() noexcept {
  store(header_->beat_ns, monotonic_ns());
}

void CallRecord::asked_to_end() noexcept {
  if (header_->asked_to_end_ns == 0) store(header_->asked_to_end_ns, monotonic_ns());
}

void CallRecord::ended(std::string_view failure) noexcept {
  if (header_->ending != 0) return;
  put_text(header_->failure, failure);
  store(header_->ended_ns, monotonic_ns());
  const auto how = failure.empty() ? RankCalls::Ending::Well : RankCalls::Ending::Failed;
  store(header_->ending, static_cast<std::uint32_t>(how));
}

// ---- Reading ------------------------------------------------------------------------------------

fs::path calls_file(const fs::path& folder, int rank) {
  return folder / fmt::format("{}.calls", rank);
}

namespace {
const char* kind_name(std::uint8_t kind) {
  if (kind == kSplitCall) return "split";
  return name_of(static_cast<Communication::Kind>(kind));
}

RecordedCall call_of(const Entry& e, const std::vector<RecordedGroup>& groups) {
  RecordedCall call;
  call.serial = e.serial;
  call.sequence = e.sequence;
  call.collective = e.collective;
  if (e.group < groups.size()) {
    call.group = groups[e.group].name;
    call.group_key = groups[e.group].key;
  }
  call.kind = e.kind;
  call.is_collective = e.is_collective;
  call.may_last = e.may_last;
  call.failed = e.state == calls::kFailed;
  call.peer = e.peer;
  call.bytes = e.bytes;
  call.entered_ns = e.entered_ns;
  call.left_ns = e.state == calls::kEntered ? 0 : e.left_ns;
  return call;
}

void take_entries(RankCalls& rank, const Entry* entries) {
  for (std::uint32_t i = 0; i < calls::kEntries; ++i) {
    const Entry& e = entries[i];
    if (e.state == calls::kEmpty) continue;
    auto& place = e.state == calls::kEntered ? rank.open : rank.last;
    if (!place || place->serial < e.serial) place = call_of(e, rank.groups);
  }
  // A later call shows that the rank has left an older one whose end was not written down.
  if (rank.open && rank.last && rank.last->serial > rank.open->serial) rank.open.reset();
}
}  // namespace

std::optional<RankCalls> read_calls(const fs::path& file) {
  std::error_code none;
  if (!fs::exists(file, none)) return {};
  const std::string bytes = read_file(file, 16u << 20);
  if (bytes.size() < sizeof(Header)) return {};  // being made
  Header h;
  std::memcpy(&h, bytes.data(), sizeof h);
  constexpr char kNone[8] = {};
  if (std::memcmp(h.magic, kNone, sizeof kNone) == 0) return {};
  if (std::memcmp(h.magic, calls::kMagic, sizeof h.magic) != 0) {
    throw Error(file.string(), "is no record of calls");
  }
  if (h.version != calls::kVersion || bytes.size() < kBytes) {
    throw Error(file.string(),
                fmt::format("is a record of version {}, expected {}", h.version, calls::kVersion));
  }
  RankCalls rank;
  rank.rank = h.rank;
  rank.ranks = h.ranks;
  rank.pid = h.pid;
  rank.start_ticks = h.start_ticks;
  rank.host = text_in(h.host);
  rank.boot_id = text_in(h.boot_id);
  rank.started_ns = h.started_ns;
  rank.started_real_ns = h.started_real_ns;
  rank.beat_ns = h.beat_ns;
  rank.asked_to_end_ns = h.asked_to_end_ns;
  rank.ended_ns = h.ended_ns;
  rank.ending = static_cast<RankCalls::Ending>(h.ending);
  rank.failure = text_in(h.failure);
  std::vector<Group> groups(std::min(h.group_count, calls::kGroups));
  std::memcpy(groups.data(), bytes.data() + sizeof(Header), groups.size() * sizeof(Group));
  for (const Group& g : groups) {
    rank.groups.push_back({g.key, text_in(g.name), g.rank, g.size, g.collectives});
  }
  std::vector<Entry> entries(calls::kEntries);
  std::memcpy(entries.data(), bytes.data() + sizeof(Header) + calls::kGroups * sizeof(Group),
              entries.size() * sizeof(Entry));
  take_entries(rank, entries.data());
  return rank;
}

std::vector<RankCalls> read_all_calls(const fs::path& folder) {
  std::vector<RankCalls> all;
  std::error_code error;
  for (const auto& file : fs::directory_iterator(folder, error)) {
    if (file.path().extension() != ".calls") continue;
    try {
      if (auto rank = read_calls(file.path())) all.push_back(std::move(*rank));
    } catch (const Error&) {
      // Not of this run's program; the others still say what they say.
    }
  }
  std::sort(all.begin(), all.end(),
            [](const RankCalls& a, const RankCalls& b) { return a.rank < b.rank; });
  return all;
}

std::string RecordedCall::text() const {
  return fmt::format("{} {} of the {} group", kind_name(kind), sequence, group);
}

std::string RankCalls::name() const {
  return fmt::format("rank {} on host {}", rank, host);
}

std::string RankCalls::whereabouts() const {
  if (open) return fmt::format("in {}", open->text());
  if (last) return fmt::format("computing after {}", last->text());
  return "before its first call to other ranks";
}

bool RankCalls::is_here() const {
  return host == host_name() && boot_id == tessera::boot_id();
}

bool RankCalls::is_there() const {
  return !is_here() || process_start_ticks(pid) == start_ticks;
}

// ---- Judging ------------------------------------------------------------------------------------

namespace {
double seconds_between(std::int64_t from_ns, std::int64_t to_ns) {
  return static_cast<double>(to_ns - from_ns) * 1e-9;
}

const RecordedGroup* group_of(const RankCalls& rank, std::uint64_t key) {
  for (const RecordedGroup& group : rank.groups) {
    if (group.key == key) return &group;
  }
  return nullptr;
}

/// The rank that `waiting` waits for in its open call, if there is one that has not come.
const RankCalls* missing_in(const std::vector<RankCalls>& ranks, const RankCalls& waiting) {
  const RecordedCall& call = *waiting.open;
  for (const RankCalls& other : ranks) {
    const RecordedGroup* group = group_of(other, call.group_key);
    if (!group || other.rank == waiting.rank) continue;
    if (!call.is_collective) {
      if (group->rank == call.peer) return &other;
      continue;
    }
    if (group->collectives <= call.collective) return &other;
    // It came to this one, and to something else than the others: they wait for each other.
    const bool differs = other.open && other.open->group_key == call.group_key &&
                         other.open->collective == call.collective && other.open->kind != call.kind;
    if (differs) return &other;
  }
  return nullptr;
}
}  // namespace

std::optional<RankTrouble> find_hang(const std::vector<RankCalls>& ranks, std::int64_t now_ns,
                                     double limit_s) {
  if (limit_s <= 0) return {};
  const auto runs = [](const RankCalls& r) { return r.ending == RankCalls::Ending::None; };
  for (const RankCalls& silent : ranks) {
    const double age = seconds_between(silent.beat_ns, now_ns);
    if (!runs(silent) || !silent.is_here() || age < limit_s) continue;
    std::string text = fmt::format("{} (process {}) gives no sign of life for {:.1f} s: it was {}",
                                   silent.name(), silent.pid, age, silent.whereabouts());
    for (const RankCalls& waiting : ranks) {
      if (!waiting.open || waiting.rank == silent.rank) continue;
      if (missing_in(ranks, waiting) != &silent) continue;
      text += fmt::format("; {} waits for it in {}", waiting.name(), waiting.open->text());
      break;
    }
    return RankTrouble{silent.rank, text};
  }
  for (const RankCalls& waiting : ranks) {
    if (!runs(waiting) || !waiting.is_here() || !waiting.open || waiting.open->may_last) continue;
    const double age = seconds_between(waiting.open->entered_ns, now_ns);
    if (age < limit_s) continue;
    const RankCalls* missing = missing_in(ranks, waiting);
    if (!missing) continue;
    return RankTrouble{
        missing->rank,
        fmt::format("{} waits in {} for {:.1f} s, and {} did not come: it is {}", waiting.name(),
                    waiting.open->text(), age, missing->name(), missing->whereabouts())};
  }
  return {};
}

namespace {
/// When a rank ended of its own accord: what comes first is the cause of the rest. A rank that went
/// without a word did so soon after its last sign of life.
std::int64_t end_of(const RankCalls& rank) {
  return rank.ending == RankCalls::Ending::Failed ? rank.ended_ns : rank.beat_ns;
}
}  // namespace

std::optional<RankTrouble> find_first_ended(const std::vector<RankCalls>& ranks) {
  const RankCalls* first = nullptr;
  for (const RankCalls& rank : ranks) {
    const bool failed = rank.ending == RankCalls::Ending::Failed;
    const bool gone = rank.ending == RankCalls::Ending::None && !rank.is_there();
    // What was told to end, ended for another's sake.
    if (!failed && (!gone || rank.asked_to_end_ns != 0)) continue;
    if (!first || end_of(rank) < end_of(*first)) first = &rank;
  }
  if (!first) return {};
  if (first->ending == RankCalls::Ending::Failed) {
    return RankTrouble{first->rank, fmt::format("{} failed, {}: {}", first->name(),
                                                first->whereabouts(), first->failure)};
  }
  return RankTrouble{first->rank,
                     fmt::format("{} (process {}) is gone without a last word: it was {}",
                                 first->name(), first->pid, first->whereabouts())};
}

}  // namespace tessera
