// SPDX-License-Identifier: MIT
#include "core/base/rank_watch.h"

#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>

#include "core/base/log.h"
#include "core/base/progress.h"

namespace tessera {

namespace {
constexpr auto kBeat = std::chrono::milliseconds(100);
constexpr int kBeatsOfLook = 5;
/// A machine that stood still makes every rank look silent for a moment: a hang is one that is seen
/// again.
constexpr int kSeenBefore = 3;
constexpr int kGraceBeats = 50;
}  // namespace

RankWatch::RankWatch(std::shared_ptr<CallRecord> record, Communicator& ranks, Options options)
    : record_(std::move(record)), ranks_(ranks), options_(std::move(options)) {
  thread_ = std::jthread([this](const std::stop_token& end) { watch(end); });
}

void RankWatch::watch(const std::stop_token& end) {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock(mutex);
  int beats = 0, grace = 0;
  while (!end.stop_requested()) {
    record_->beat();
    if (is_set(options_.asked_to_end)) record_->asked_to_end();
    if (!told_ && ++beats % kBeatsOfLook == 0) look(end);
    if (told_ && ++grace == kGraceBeats) {
      std::fprintf(stderr, "rank %d does not come to its end, and is ended\n", ranks_.rank());
      ::_exit(1);
    }
    wake.wait_for(lock, end, kBeat, [] { return false; });
  }
}

void RankWatch::look(const std::stop_token& end) {
  const auto trouble =
      find_hang(read_all_calls(options_.records), monotonic_ns(), options_.hang_limit_s);
  seen_ = trouble && trouble->rank == hanging_rank_ ? seen_ + 1 : 1;
  hanging_rank_ = trouble ? trouble->rank : -1;
  if (!trouble || seen_ < kSeenBefore || end.stop_requested()) return;
  told_ = true;
  log::error("{}", trouble->text);
  ranks_.abort(trouble->text);
}

}  // namespace tessera
