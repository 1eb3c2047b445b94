// SPDX-License-Identifier: MIT
// Which tokens end an answer, as a model's folder says it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace tessera::app {

/// `eos_token_id` of config.json and of generation_config.json, each one number or a list of them;
/// the other programs of the field stop at every one. A file or key that is not there, or null,
/// says nothing. Throws Error naming file and key for any other value.
std::vector<std::int32_t> end_tokens(const std::filesystem::path& folder);

}  // namespace tessera::app
