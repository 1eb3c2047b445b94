// SPDX-License-Identifier: MIT
// Putting runs into the queue.
#pragma once

#include <string>
#include <vector>

#include "core/launch/queue_file.h"
#include "core/spec/spec.h"

namespace tessera::app {

/// The user's.
QueueFile queue_file();

/// Has what waits started, where nobody looks after it.
void begin_holder(const QueueFile& queue);

/// A spec that means the same wherever it is read. Throws Error with its problems.
RunSpec spec_for_queue(const std::string& file_or_preset, const std::vector<std::string>& settings);
QueueEntry entry_of_spec(const RunSpec& spec);
QueueEntry entry_to_resume(const std::string& run);

}  // namespace tessera::app
