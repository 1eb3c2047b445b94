// SPDX-License-Identifier: MIT
#include "core/events/step_fold.h"

#include <algorithm>

namespace tessera {

std::optional<std::int64_t> StepFold::undo_after(std::int64_t step) {
  for (std::int64_t* last : {&step_, &experts_, &validation_}) *last = std::min(*last, step);
  return step;
}

std::optional<std::int64_t> StepFold::take(const Event& event) {
  std::optional<std::int64_t> stands;
  if (const auto* resume = std::get_if<ResumeEvent>(&event.body)) {
    stands = undo_after(resume->step);
  } else if (const auto* rollback = std::get_if<RollbackEvent>(&event.body)) {
    stands = undo_after(rollback->to_step);
  } else if (const auto* step = std::get_if<StepEvent>(&event.body)) {
    if (step->step <= step_) stands = undo_after(step->step - 1);
    step_ = step->step;
  } else if (const auto* experts = std::get_if<ExpertsEvent>(&event.body)) {
    // Logged once a step, beside its StepEvent and in either order.
    if (experts->step <= experts_ || experts->step < step_) stands = undo_after(experts->step - 1);
    experts_ = experts->step;
  } else if (const auto* validation = std::get_if<ValidationEvent>(&event.body)) {
    // Its own step is trained already, and stands.
    if (validation->step < std::max(step_, validation_)) stands = undo_after(validation->step);
    validation_ = validation->step;
  }
  return stands;
}

}  // namespace tessera
