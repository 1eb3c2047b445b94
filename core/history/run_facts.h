// SPDX-License-Identifier: MIT
// What the library keeps of a run for columns that are asked for: settings and metrics, each as
// lines "name=value" in one text, in which a few of them are found without reading the rest.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/history/library.h"

namespace tessera::library {

/// Every plain key of the spec. Empty: there is no spec.
std::string settings_text(const std::optional<RunSpec>& spec);
/// Every metric that the step has a value of.
std::string metrics_text(const StepEvent& step);

std::vector<RunCell> cells_of(const RunColumns& columns, std::string_view metrics,
                              std::string_view settings);

/// The names in several texts, each once. One that an earlier text lacks comes behind the name that
/// it follows in its own text.
std::vector<std::string> names_in(const std::vector<std::string>& texts);

}  // namespace tessera::library
