// SPDX-License-Identifier: MIT
// The counters of a server in the text form that Prometheus reads (version 0.0.4).
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "core/infer/scheduler.h"

namespace tessera {

/// `responses`: how many answers had each HTTP status.
std::string metrics_text(const SchedulerStats& stats, const std::string& model,
                         const std::map<int, std::int64_t>& responses);

}  // namespace tessera
