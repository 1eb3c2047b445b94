// SPDX-License-Identifier: MIT
#include "distributed/nccl/nccl_hub.h"

#include <memory>
#include <thread>

#include "core/base/error.h"
#include "core/base/log.h"

namespace tessera {

using State = NcclLibrary::State;
using namespace std::chrono_literals;

namespace {
using Clock = std::chrono::steady_clock;

/// Waits a little longer each time: at first without sleeping, as most things are done soon.
class Backoff {
 public:
  void wait() {
    if (++turns_ < 2000) return std::this_thread::yield();
    std::this_thread::sleep_for(turns_ < 20000 ? 20us : 500us);
  }

 private:
  int turns_ = 0;
};
}  // namespace

NcclHub::NcclHub(const NcclPlace& place, const NcclOptions& options)
    : options_(options),
      library_(options.library ? *options.library : load_nccl_library()),
      last_resort_(options.end_after) {
  Endpoint at{place.master_address, place.master_port};
  if (place.rank == 0) {
    server_.emplace(at, place.size);
    at.port = server_->port();
  }
  client_.emplace(at, place.rank, place.size, options.join_limit);
  client_->on_abort([this] { abort_all(); });
}

NcclHub::~NcclHub() {
  last_resort_.call_off();
  client_.reset();  // takes leave before its server ends
}

void NcclHub::throw_if_aborted() {
  const std::string reason = client_->aborted();
  if (reason.empty()) return;
  last_resort_.put_off();
  throw Error("ranks", reason);
}

namespace {
/// A group that NCCL is making in a thread of its own.
struct Making {
  std::mutex mutex;
  bool done = false;
  void* group = nullptr;
  std::string failure;
};
}  // namespace

/// NOTE: NCCL waits for the other ranks in it. The thread is left to itself where they are lost, as
/// it cannot be called back.
void* NcclHub::begin_group(const NcclLibrary::Id& id, int rank, int size) {
  throw_if_aborted();
  const auto making = std::make_shared<Making>();
  std::thread([making, id, rank, size, begin = library_.begin_group] {
    void* group = nullptr;
    std::string failure;
    try {
      group = begin(id, rank, size);
    } catch (const std::exception& error) {
      failure = error.what();
    }
    const std::lock_guard lock(making->mutex);
    making->group = group;
    making->failure = failure;
    making->done = true;
  }).detach();
  const Deadline deadline = deadline_in(options_.hang_limit);
  for (;; std::this_thread::sleep_for(1ms)) {
    throw_if_aborted();
    const std::lock_guard lock(making->mutex);
    if (making->done) break;
    if (Clock::now() >= deadline) throw_late("the start of NCCL");
  }
  if (!making->group) throw_failed("the start of NCCL", making->failure);
  with_nccl([&] { groups_.push_back(making->group); });
  wait_until_ready(making->group, "the start of NCCL");
  return making->group;
}

void NcclHub::enqueue(void* group, const Communication& call, void* stream) {
  with_nccl([&] { library_.enqueue(group, call, stream); });
  wait_until_ready(group, call.describe());
}

/// NOTE: the other ranks are needed for it at the first calls only.
void NcclHub::wait_until_ready(void* group, const std::string& what) {
  const Deadline deadline = deadline_in(options_.hang_limit);
  for (Backoff backoff;; backoff.wait()) {
    std::string failure;
    const State state = with_nccl([&] { return library_.state(group, failure); });
    if (state == State::Ready) return;
    if (state == State::Failed) throw_failed(what, failure);
    if (Clock::now() >= deadline) throw_late(what);
  }
}

void NcclHub::wait_for_stream(void* stream) {
  const Deadline deadline = deadline_in(options_.hang_limit);
  for (Backoff backoff;; backoff.wait()) {
    throw_if_aborted();
    if (library_.is_stream_done(stream)) break;
    if (Clock::now() >= deadline) throw_late(last_call_);
  }
  throw_if_aborted();  // what ended the waiting may have been the abort
}

void NcclHub::doing(const std::string& what) {
  last_call_ = what;
  client_->doing(what);
}

void NcclHub::close(void* group) noexcept {
  try {
    const auto forget = [&](auto how) {
      with_nccl([&] {
        std::erase(groups_, group);
        how(group);
      });
    };
    const Deadline deadline = deadline_in(10s);
    with_nccl([&] { library_.begin_close(group); });
    for (Backoff backoff;; backoff.wait()) {
      std::string failure;
      const State state = with_nccl([&] { return library_.state(group, failure); });
      if (state == State::Ready) return forget(library_.release);
      if (state == State::Failed || Clock::now() >= deadline) return forget(library_.abort);
    }
  } catch (const std::exception& error) {
    log::info("NCCL was not closed: {}", error.what());
  }
}

void NcclHub::throw_failed(const std::string& what, const std::string& failure) {
  // Whoever was lost is named by the store, a moment later.
  for (int i = 0; i < 20; ++i) {
    throw_if_aborted();
    std::this_thread::sleep_for(100ms);
  }
  throw Error("ranks", fmt::format("{}: NCCL: {}", what, failure),
              "NCCL_DEBUG=INFO in the environment makes NCCL say more");
}

void NcclHub::throw_late(const std::string& what) {
  std::vector<std::string> others;
  for (int rank = 0; rank < client_->size(); ++rank) {
    if (rank != client_->rank()) others.push_back(client_->about(rank));
  }
  throw Error("ranks", fmt::format("{} was not done after {:.0f} s; {}", what,
                                   std::chrono::duration<double>(options_.hang_limit).count(),
                                   fmt::join(others, "; ")));
}

/// In the client's own thread. A main thread that is inside NCCL may not let go of it: then the
/// last resort is what ends the process.
void NcclHub::abort_all() {
  last_resort_.begin(client_->aborted());
  const std::unique_lock lock(nccl_, 2s);
  if (!lock) return;
  for (void* group : groups_) library_.abort(group);
  groups_.clear();
}

}  // namespace tessera
