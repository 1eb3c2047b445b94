// SPDX-License-Identifier: MIT
// A schedule carried out by ranks that wait instead of computing: what an order of work costs on
// real ranks with real messages, without a model and without cores for all of them.
#pragma once

#include "core/base/communicator.h"
#include "core/base/timeline.h"
#include "core/schedule/program.h"

namespace tessera {

/// This rank's part of the pipeline. A piece of work lasts its cost times `unit_s` seconds; both of
/// an overlapped pair are noted as the whole of it. A message is one number that says whose output
/// it is: throws Error where another one comes than the program expects. `timeline` gets work,
/// sends and receives. A collective call of the pipeline's ranks.
void wait_through(const Program& program, const ActionCosts& costs, double unit_s,
                  Communicator& pipeline, Timeline& timeline);

/// Seconds in which a rank was in no work between the first moment of any rank and the last of any.
struct MeasuredIdle {
  double total_s = 0;
  std::vector<double> idle_s;  ///< by rank
};
MeasuredIdle measure_idle(const std::vector<Timeline>& ranks);

/// A line for each rank, a character for each `unit_s` seconds: F forward, B backward, i gradient
/// of the input, w gradients of the weights, X an overlapped pair, . idle. Work that is shorter
/// than a character may be missed.
std::vector<std::string> draw_work(const std::vector<Timeline>& ranks, double unit_s);

}  // namespace tessera
