// SPDX-License-Identifier: MIT
// Private to core/tokenizer: names for the ways in which byte pairs split a text, as llama.cpp has
// them (tokenizer.ggml.pre; src/llama-vocab.cpp as of llama-cpp-python 0.3.36).
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "core/tokenizer/bpe_file.h"

namespace tessera {

/// Empty: there is no name for what the file does.
std::string split_name(const BpeFile& file);

/// The pre_tokenizer of a tokenizer.json of this name, and whether `ignore_merges` is set with it.
/// Null: the name is not known.
nlohmann::json pre_tokenizer_named(const std::string& name, bool& ignore_merges);

/// "deepseek-v3, gpt-2, ...", for messages.
std::string known_split_names();

}  // namespace tessera
