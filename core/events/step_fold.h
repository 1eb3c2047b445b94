// SPDX-License-Identifier: MIT
// The one rule of which steps in a log still count.
#pragma once

#include <cstdint>
#include <optional>

#include "core/events/events.h"

namespace tessera {

/// A resume or a rollback undoes what was logged for later steps. Damage may have cost a log such
/// an event: a step is then told twice, or an earlier one follows, and the later telling counts.
class StepFold {
 public:
  /// To be called with every event of a log (of the kinds that the reader wants), in order. Gives
  /// the last step whose records still stand where `event` undoes those of later steps: they are to
  /// be dropped before the event itself is taken. -1: only what came before the first step stands;
  /// -2: nothing does.
  std::optional<std::int64_t> take(const Event& event);

 private:
  static constexpr std::int64_t kNone = -2;
  std::optional<std::int64_t> undo_after(std::int64_t step);
  std::int64_t step_ = kNone, experts_ = kNone, validation_ = kNone;  ///< the last of each kind
};

}  // namespace tessera
