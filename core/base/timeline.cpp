// SPDX-License-Identifier: MIT
#include "core/base/timeline.h"

#include <chrono>

#include "core/base/error.h"
#include "core/base/op.h"

namespace tessera {

Timeline::Timeline()
    : Timeline([] {
        const auto now = std::chrono::steady_clock::now().time_since_epoch();
        return std::int64_t{std::chrono::duration_cast<std::chrono::nanoseconds>(now).count()};
      }) {}

void Timeline::add(Span span) {
  span.step = step_;
  spans_.push_back(span);
}

Timeline::Scope::Scope(Timeline* timeline, const Context& context, Span span)
    : timeline_(timeline), on_gpu_(context.device == Device::Cuda), span_(span) {
  if (timeline_) span_.from = timeline_->now();
}

Timeline::Scope::~Scope() {
  if (!timeline_) return;
  try {
    if (on_gpu_) wait_for_cuda();
  } catch (const Error&) {
    // NOTE: whoever uses the GPU next is told; a timeline is not to end the program here.
  }
  span_.to = timeline_->now();
  timeline_->add(span_);
}

}  // namespace tessera
