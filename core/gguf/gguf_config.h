// SPDX-License-Identifier: MIT
// Private to core/gguf: the shape of a model as keys of llama.cpp's architecture deepseek2, and
// back. Read against llama.cpp as of llama-cpp-python 0.3.36 (src/models/deepseek2.cpp,
// src/llama-graph.cpp, build_moe_ffn).
#pragma once

#include <string>
#include <vector>

#include "core/checkpoint/hf_config.h"
#include "core/gguf/gguf_values.h"
#include "core/gguf/gguf_writer.h"

namespace tessera {

/// Throws Error naming `where` and the reason where llama.cpp computes something else than this
/// model, or does not load it.
void refuse_what_llama_cpp_cannot(const ModelConfig& model, const std::string& where);

/// Differences that are small and told rather than refused, one sentence each.
std::vector<std::string> notes_for_llama_cpp(const HfConfig& config);

/// Adds general.architecture and the keys of deepseek2.
void add_model_keys(const ModelConfig& model, GgufMetadata& metadata);

/// What the file says of the model; `has_bias`: it holds selection biases, `has_head`: an output
/// head of its own. MTP layers are counted out. The result passed ModelConfig::validate(). Throws
/// Error for another architecture, and for keys that would compute something else than ours.
HfConfig read_model_keys(const GgufValues& values, bool has_bias, bool has_head);

}  // namespace tessera
