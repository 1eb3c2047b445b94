// SPDX-License-Identifier: MIT
#include "core/train/step_timeline.h"

#include <system_error>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/log.h"

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
  if (ranks_.rank() == 0 && !request_.kept.empty()) keep();
}

/// A copy of what was written. Without it training goes on as well. An older copy does not stay in
/// its place: it would be taken for what was recorded last.
void StepTimeline::keep() const {
  try {
    std::error_code error;
    if (std::filesystem::equivalent(request_.file, request_.kept, error)) return;
    std::filesystem::remove(request_.kept);
    const std::uintmax_t bytes = std::filesystem::file_size(request_.file);
    if (bytes > request_.most_kept) {
      log::warning(
          "the timeline has {:.0f} MB, more than the {:.0f} MB that are kept in the run's "
          "folder: it is at {} alone",
          static_cast<double>(bytes) / 1e6, static_cast<double>(request_.most_kept) / 1e6,
          request_.file.string());
      return;
    }
    write_file_atomically(request_.kept, read_file(request_.file, request_.most_kept));
  } catch (const std::exception& problem) {
    log::warning("no copy of the timeline is kept in the run's folder: {}", problem.what());
  }
}

}  // namespace tessera
