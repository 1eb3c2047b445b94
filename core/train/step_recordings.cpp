// SPDX-License-Identifier: MIT
#include "core/train/step_recordings.h"

#include <algorithm>

#include "core/base/backend.h"
#include "core/base/log.h"

namespace tessera {

namespace {
/// The first and the later micro-batches of steps with and without documents of their own.
constexpr std::size_t kMostEntries = 4;
}  // namespace

void StepRecordings::run(Context& context, const Key& key, const std::function<void()>& work) {
  if (!enabled_ || context.device != Device::Cuda || !context.stream || context.profile) {
    return work();
  }
  const std::size_t workspaces = cuda_backend()->workspace_bytes();
  std::erase_if(entries_, [&](const Entry& entry) { return entry.workspace_bytes != workspaces; });
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const Entry& entry) { return entry.key == key; });
  if (found == entries_.end()) {
    if (entries_.size() == kMostEntries) entries_.pop_front();
    work();
    entries_.push_back({key, cuda_backend()->workspace_bytes(), {}});
    return;
  }
  if (!found->recording) {
    std::string failure;
    found->recording = Recording::of(context, work, failure);
    if (!found->recording) {
      log::warning("micro-batches are launched piece by piece, CUDA cannot record them: {}",
                   failure);
      enabled_ = false;
      return work();
    }
  }
  found->recording.run(context);
  ++replayed_;
}

}  // namespace tessera
