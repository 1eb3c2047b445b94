// SPDX-License-Identifier: MIT
// The last steps of a log, without reading all of it.
#pragma once

#include <filesystem>
#include <vector>

#include "core/events/events.h"

namespace tessera {

/// At most `most` step events that still count, the newest last. Throws Error as EventReader does.
std::vector<StepEvent> recent_steps(const std::filesystem::path& log, std::size_t most);

}  // namespace tessera
