// SPDX-License-Identifier: MIT
// What one rank did and when, in the order in which it ended. Ranks' timelines are put together by
// core/train/timeline_file.h.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "core/base/context.h"

namespace tessera {

class Timeline {
 public:
  /// Nanoseconds from any fixed moment.
  using Clock = std::function<std::int64_t()>;

  struct Span {
    const char* what = "";
    std::int32_t stage = -1, micro_batch = -1;  ///< -1: it is of none
    std::int64_t bytes = -1;                    ///< of a message; -1: it is none
    std::int64_t step = 0;
    std::int64_t from = 0, to = 0;
  };

  Timeline();
  explicit Timeline(Clock clock) : clock_(std::move(clock)) {}

  std::int64_t now() const { return clock_(); }
  /// What follows is of this step.
  void begin_step(std::int64_t step) { step_ = step; }
  void add(Span span);
  const std::vector<Span>& spans() const { return spans_; }

  /// From its making to its end. On a GPU the end waits for the work that was given out: what is
  /// seen is what it took, and work on several streams is not seen side by side.
  class Scope {
   public:
    Scope(Timeline* timeline, const Context& context, Span span);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Timeline* timeline_;
    bool on_gpu_;
    Span span_;
  };

 private:
  Clock clock_;
  std::int64_t step_ = 0;
  std::vector<Span> spans_;
};

}  // namespace tessera
