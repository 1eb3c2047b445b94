// SPDX-License-Identifier: MIT
#include "distributed/mpi/link.h"

#include <sched.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "core/base/error.h"

namespace tessera {

namespace {
using Clock = std::chrono::steady_clock;

/// A note between ranks: its kind, and the text of an error.
constexpr std::size_t kNoteBytes = 1024;
constexpr char kEnded = 'E', kGoodbye = 'G';
constexpr int kNoteTag = 0;
/// For last words after an error, and for messages on their way at a good end.
constexpr double kLastWords_s = 5, kLastMessages_s = 10;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void check(int code, const char* what) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING] = {};
  int length = 0;
  MPI_Error_string(code, text, &length);
  throw Error("mpi", fmt::format("{}: {}", what, text),
              "the machine of another rank may be gone, or cannot be reached");
}

/// Waits ever longer between two looks: at first at once, since most answers come within
/// microseconds; then others may run; in long waits the processor is left alone.
class Pause {
 public:
  void wait() {
    if (++looks_ < 200) return;
    if (seconds_since(start_) < 2e-3) {
      ::sched_yield();
      return;
    }
    const long ns = seconds_since(start_) < 0.1 ? 50'000 : 500'000;
    const timespec time{0, ns};
    ::nanosleep(&time, nullptr);
  }

 private:
  int looks_ = 0;
  Clock::time_point start_ = Clock::now();
};
}  // namespace

MpiLink::MpiLink() : note_text_(kNoteBytes) {
  int given = 0, already = 0;
  MPI_Initialized(&already);
  require(!already, "mpi", "ranks were connected before in this process");
  // Errors of another rank are told from a thread that watches over the ranks.
  check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &given), "cannot begin");
  require(given == MPI_THREAD_MULTIPLE, "mpi", "this MPI serves one thread only");
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
  MPI_Comm_size(MPI_COMM_WORLD, &size_);
  check(MPI_Comm_dup(MPI_COMM_WORLD, &notes_), "cannot make a channel for notes");
  MPI_Comm_set_errhandler(notes_, MPI_ERRORS_RETURN);
  listen();
}

MpiLink::~MpiLink() {
  if (!ended_) send_rest(kLastMessages_s);
  say_goodbye();
  wait_for_goodbyes();
  // Messages may be under way that nobody will take: MPI_Finalize could wait for them without end.
  if (ended_) return;
  if (note_ != MPI_REQUEST_NULL) {
    MPI_Cancel(&note_);
    MPI_Wait(&note_, MPI_STATUS_IGNORE);
  }
  MPI_Comm_free(&notes_);
  MPI_Finalize();
}

/// Without an error the others may take as long as they like.
void MpiLink::wait_for_goodbyes() {
  const Clock::time_point start = Clock::now();
  Pause pause;
  while (!ended_ || seconds_since(start) < kLastWords_s) {
    look_for_notes();
    {
      const std::lock_guard lock(mutex_);
      if (goodbyes_ == size_ - 1) return;
    }
    pause.wait();
  }
}

MPI_Request MpiLink::send(const void* data, std::size_t bytes, int to, int tag) {
  MPI_Request request = MPI_REQUEST_NULL;
  check(MPI_Isend(data, static_cast<int>(bytes), MPI_BYTE, to, tag, MPI_COMM_WORLD, &request),
        "cannot send");
  return request;
}

MPI_Request MpiLink::receive(void* data, std::size_t bytes, int from, int tag) {
  MPI_Request request = MPI_REQUEST_NULL;
  check(MPI_Irecv(data, static_cast<int>(bytes), MPI_BYTE, from, tag, MPI_COMM_WORLD, &request),
        "cannot receive");
  return request;
}

void MpiLink::wait(std::span<MPI_Request> requests, std::vector<std::size_t>* received) {
  std::vector<MPI_Status> states(requests.size());
  Pause pause;
  for (;;) {
    int done = 0;
    const int code =
        MPI_Testall(static_cast<int>(requests.size()), requests.data(), &done, states.data());
    if (code != MPI_SUCCESS) {
      forget(requests);
      check(code, "a message was lost");
    }
    if (done) break;
    look_for_notes();
    if (ended_) {
      forget(requests);
      throw_if_ended();
    }
    pause.wait();
  }
  if (!received) return;
  received->clear();
  for (const MPI_Status& state : states) {
    int bytes = 0;
    MPI_Get_count(&state, MPI_BYTE, &bytes);
    received->push_back(static_cast<std::size_t>(std::max(bytes, 0)));
  }
}

void MpiLink::send_away(std::vector<std::byte> bytes, int to, int tag) {
  drop_sent();
  const std::lock_guard lock(mutex_);
  away_.push_back({std::move(bytes), MPI_REQUEST_NULL});
  Away& one = away_.back();
  one.request = send(one.bytes.data(), one.bytes.size(), to, tag);
}

void MpiLink::drop_sent() {
  const std::lock_guard lock(mutex_);
  away_.remove_if([](Away& one) {
    int done = 0;
    const int code = MPI_Test(&one.request, &done, MPI_STATUS_IGNORE);
    return code != MPI_SUCCESS || done;
  });
}

/// False where some are not taken in this time.
bool MpiLink::send_rest(double seconds) {
  const Clock::time_point start = Clock::now();
  Pause pause;
  while (true) {
    drop_sent();
    {
      const std::lock_guard lock(mutex_);
      if (away_.empty()) return true;
    }
    look_for_notes();
    if (ended_ || seconds_since(start) > seconds) return false;
    pause.wait();
  }
}

void MpiLink::end(const std::string& reason) noexcept {
  try {
    const std::lock_guard lock(mutex_);
    if (ended_) return;
    why_ = reason;
    ended_ = true;
    const std::string text = fmt::format("rank {} ended with an error: {}", rank_, reason);
    std::vector<std::byte> note(kNoteBytes);
    note[0] = static_cast<std::byte>(kEnded);
    std::memcpy(note.data() + 1, text.data(), std::min(text.size(), kNoteBytes - 2));
    for (int to = 0; to < size_; ++to) {
      if (to == rank_) continue;
      away_.push_back({note, MPI_REQUEST_NULL});
      Away& one = away_.back();
      MPI_Isend(one.bytes.data(), static_cast<int>(kNoteBytes), MPI_BYTE, to, kNoteTag, notes_,
                &one.request);
    }
  } catch (...) {
    // There is no memory left even for this: the others learn it from whoever started the ranks.
    ended_ = true;
  }
}

void MpiLink::say_goodbye() noexcept {
  try {
    std::vector<std::byte> note(kNoteBytes);
    note[0] = static_cast<std::byte>(kGoodbye);
    const std::lock_guard lock(mutex_);
    for (int to = 0; to < size_; ++to) {
      if (to == rank_) continue;
      away_.push_back({note, MPI_REQUEST_NULL});
      Away& one = away_.back();
      MPI_Isend(one.bytes.data(), static_cast<int>(kNoteBytes), MPI_BYTE, to, kNoteTag, notes_,
                &one.request);
    }
  } catch (...) {
    ended_ = true;  // without a goodbye the others wait for some seconds
  }
}

/// To be called with the lock, or before there are others.
void MpiLink::listen() {
  check(MPI_Irecv(note_text_.data(), static_cast<int>(kNoteBytes), MPI_BYTE, MPI_ANY_SOURCE,
                  kNoteTag, notes_, &note_),
        "cannot listen to notes");
}

void MpiLink::look_for_notes() {
  const std::lock_guard lock(mutex_);
  for (;;) {
    int there = 0;
    if (note_ == MPI_REQUEST_NULL) return;
    if (MPI_Test(&note_, &there, MPI_STATUS_IGNORE) != MPI_SUCCESS || !there) return;
    if (note_text_[0] == kGoodbye) {
      ++goodbyes_;
    } else if (!ended_) {
      why_ = std::string(note_text_.data() + 1);
      ended_ = true;
    }
    listen();
  }
}

void MpiLink::throw_if_ended() {
  const std::lock_guard lock(mutex_);
  throw Error("ranks", why_);
}

/// Takes back what nobody waits for any more, so that nothing is written to memory that is freed.
void MpiLink::forget(std::span<MPI_Request> requests) noexcept {
  for (MPI_Request& request : requests) {
    if (request != MPI_REQUEST_NULL) MPI_Cancel(&request);
  }
  const Clock::time_point start = Clock::now();
  int done = 0;
  while (!done && seconds_since(start) < 0.5) {
    if (MPI_Testall(static_cast<int>(requests.size()), requests.data(), &done,
                    MPI_STATUSES_IGNORE) != MPI_SUCCESS) {
      return;
    }
    ::sched_yield();
  }
}

}  // namespace tessera
