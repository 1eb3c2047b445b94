// SPDX-License-Identifier: MIT
// Shared by the files of the run folder; not for others.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "core/run/run_folder.h"

namespace tessera::run_folder {

nlohmann::json process_to_json(const ProcessId& process);
/// Nothing when there is no such file. `rest` gets the whole object.
std::optional<ProcessId> read_process(const std::filesystem::path& path, nlohmann::json* rest);
/// A signal has stopped it, as Ctrl+Z does; it is there, and does nothing.
bool is_suspended(const ProcessId& process);
/// Why a process that is gone left no last word.
std::string exit_reason(const std::filesystem::path& folder, const ProcessId& process);

}  // namespace tessera::run_folder
