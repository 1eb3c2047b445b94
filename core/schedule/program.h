// SPDX-License-Identifier: MIT
// A schedule with its messages: for each rank the list of what it works on, sends and receives.
#pragma once

#include "core/schedule/schedule.h"

namespace tessera {

struct ProgramStep {
  enum class Kind : std::uint8_t {
    Work,
    Send,     ///< to rank `peer`
    Receive,  ///< from rank `peer`; what comes waits in the rank's inbox
    Keep      ///< put into the own inbox: the next stage is the rank's own
  };
  Kind kind = Kind::Work;
  /// The work; of a message the work whose output it is: the activations of a forward, the gradient
  /// of the input of a backward.
  PipelineAction action;
  std::int32_t peer = -1;
  bool operator==(const ProgramStep&) const = default;
};
using Program = std::vector<ProgramStep>;

/// What a transport does in a send.
enum class Sends : std::uint8_t {
  DoNotWait,  ///< goes on at once: a rank receives when it needs a message, and not before
  Wait,       ///< waits for the receiver: all ranks treat messages in one common order
};

/// By rank. Between two ranks messages are received in the order in which they are sent. Throws
/// Error where the schedule is not sound.
std::vector<Program> programs_of(const Schedule& schedule, Sends sends);

/// Carries the programs out without doing anything. Returns the most messages in each rank's inbox.
/// Throws Error naming what does not fit: work before its input is there, a message that is taken
/// for another one or by nobody, ranks that wait for each other.
std::vector<std::int32_t> check_programs(const Schedule& schedule,
                                         const std::vector<Program>& programs, Sends sends);

}  // namespace tessera
