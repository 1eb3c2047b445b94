// SPDX-License-Identifier: MIT
// Private to core/gguf: vocabulary and chat template as keys of tokenizer.ggml, and back.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/checkpoint/hf_config.h"
#include "core/gguf/gguf_values.h"
#include "core/gguf/gguf_writer.h"

namespace tessera {

/// Adds the vocabulary of the folder `from`, with a token for every row of the model, and the chat
/// template as it stands in the folder. Where the folder has no vocabulary, the file says so, and a
/// note too. Throws Error where the vocabulary has more tokens than the model, or llama.cpp would
/// make other tokens of the same text.
void add_vocabulary_keys(const std::filesystem::path& from, const HfConfig& config,
                         GgufMetadata& metadata, std::vector<std::string>& notes);

/// The files of the vocabulary and of the chat template, by name; none where the file holds no
/// vocabulary. Sets the token ids of `config` and adds notes. Throws Error for kinds that are not
/// read, naming them.
std::map<std::string, std::string> read_vocabulary_keys(const GgufValues& values, HfConfig& config);

}  // namespace tessera
