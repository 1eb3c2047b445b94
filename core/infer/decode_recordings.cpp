// SPDX-License-Identifier: MIT
#include "core/infer/decode_recordings.h"

#include <algorithm>

#include "core/base/backend.h"
#include "core/base/log.h"

namespace tessera {

void DecodeRecordings::run(Context& context, const Key& key, const std::function<void()>& work) {
  if (!enabled_ || context.device != Device::Cuda || !context.stream || context.profile) {
    ++launches_.plain;
    return work();
  }
  const std::size_t workspaces = cuda_backend()->workspace_bytes();
  if (workspaces != workspace_bytes_) clear();
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const Entry& entry) { return entry.key == key; });
  if (found != entries_.end()) {
    entries_.splice(entries_.begin(), entries_, found);
    return run_entry(context, entries_.front(), work);
  }
  work();
  ++launches_.plain;
  workspace_bytes_ = cuda_backend()->workspace_bytes();
  if (workspace_bytes_ != workspaces) clear();
  entries_.push_front({key, {}});
  if (entries_.size() > most_) entries_.pop_back();
}

void DecodeRecordings::run_entry(Context& context, Entry& entry,
                                 const std::function<void()>& work) {
  if (!entry.recording) {
    std::string failure;
    entry.recording = Recording::of(context, work, failure);
    if (!entry.recording) {
      log::warning("decoding steps are launched piece by piece, CUDA cannot record them: {}",
                   failure);
      enabled_ = false;
      ++launches_.plain;
      ++launches_.refused;
      return work();
    }
    ++launches_.recorded;
  }
  entry.recording.run(context);
  ++launches_.replayed;
}

}  // namespace tessera
