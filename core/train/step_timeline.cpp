// SPDX-License-Identifier: MIT
#include "core/train/step_timeline.h"

namespace tessera {

StepTimeline::StepTimeline(Communicator& ranks, TimelineRequest request, Timeline timeline)
    : ranks_(ranks),
      request_(std::move(request)),
      timeline_(std::move(timeline)),
      clock_(measure_clock(ranks, timeline_)) {
  write_timeline(ranks_, timeline_, clock_, request_.file);
}

void StepTimeline::end_step() {
  if (++steps_ >= request_.steps) finish();
}

void StepTimeline::finish() {
  if (is_written_) return;
  is_written_ = true;
  write_timeline(ranks_, timeline_, clock_, request_.file);
}

}  // namespace tessera
