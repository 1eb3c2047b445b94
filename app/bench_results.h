// SPDX-License-Identifier: MIT
// What `tessera bench` measured, for good: one JSON object a line, appended to
// home_folder()/bench/results.jsonl, with what a number means nothing without: date, host, GPU,
// driver, commit.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "core/base/tensor.h"

namespace tessera::app {

/// The commit that the program was built from, "-changed" behind it where files differed from it;
/// "unknown" where there was no repository.
std::string built_from_commit();

/// Version of the driver, "580.159.04", from the text of /proc/driver/nvidia/version; empty where
/// it names none.
std::string driver_version(const std::string& text);

/// Appends `fields` and where and with what they were measured. Throws Error naming the file when
/// it cannot be written. `file` empty: the one above.
void store_result(const nlohmann::json& fields, Device device,
                  const std::filesystem::path& file = {});

}  // namespace tessera::app
