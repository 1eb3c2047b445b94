// SPDX-License-Identifier: MIT
#include "distributed/nccl/last_resort.h"

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>

namespace tessera {

using Clock = std::chrono::steady_clock;

struct LastResort::State {
  std::mutex mutex;
  std::condition_variable changed;
  std::chrono::milliseconds patience{};
  Clock::time_point until{};
  bool began = false, put_off = false, off = false;
  std::string reason;
};

namespace {
constexpr int kStatus = 70;  // sysexits' EX_SOFTWARE

template <class State>
void wait_and_end(const std::shared_ptr<State>& state) {
  std::unique_lock lock(state->mutex);
  while (!state->off && Clock::now() < state->until) state->changed.wait_until(lock, state->until);
  if (state->off) return;
  std::fprintf(stderr, "error: [ranks] %s; this process did not end by itself and is ended now\n",
               state->reason.c_str());
  std::fflush(stderr);
  std::_Exit(kStatus);
}
}  // namespace

LastResort::LastResort(std::chrono::milliseconds patience) : state_(std::make_shared<State>()) {
  state_->patience = patience;
}

LastResort::~LastResort() {
  call_off();
}

void LastResort::begin(const std::string& reason) {
  const std::lock_guard lock(state_->mutex);
  if (state_->began || state_->patience.count() == 0) return;
  state_->began = true;
  state_->reason = reason;
  state_->until = Clock::now() + state_->patience;
  std::thread([state = state_] { wait_and_end(state); }).detach();
}

void LastResort::put_off() {
  const std::lock_guard lock(state_->mutex);
  if (!state_->began || state_->put_off) return;
  state_->put_off = true;
  state_->until = Clock::now() + 2 * state_->patience;
  state_->changed.notify_all();
}

void LastResort::call_off() {
  const std::lock_guard lock(state_->mutex);
  state_->off = true;
  state_->changed.notify_all();
}

}  // namespace tessera
