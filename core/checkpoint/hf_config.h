// SPDX-License-Identifier: MIT
// config.json of the released models and of the transformers library <-> ModelConfig.
//
// Read: model_type deepseek_v3, deepseek_v2 (V2-Lite too), kimi_k2 and glm4_moe_lite, and the text
// half of models that read pictures too; rotary settings as rope_theta with rope_scaling, or as the
// rope_parameters object of transformers 5. A value that would compute something else than ours is
// an error that names the key; an unknown key is a note.
//
// Written: model_type deepseek_v3 for the sigmoid gate and deepseek_v2 for the softmax gate, with
// rope_theta and rope_scaling. transformers loads sigmoid with TopTwoSum, and softmax with Max
// (greedy, or by groups); the other two combinations it cannot express, and only we read them back.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/base/dtype.h"
#include "core/config/model_config.h"

namespace tessera {

/// The part of an FP8 weight that shares one scale.
struct ScaleBlock {
  std::int64_t rows = 128, columns = 128;
  friend bool operator==(const ScaleBlock&, const ScaleBlock&) = default;
};

struct HfConfig {
  ModelConfig model;
  std::optional<std::int64_t> bos_token_id, pad_token_id;
  std::vector<std::int64_t> eos_token_ids;  ///< every token that ends an answer; empty: not said
  DType dtype = DType::F32;                 ///< what the file says its weights are (FP8 aside)
  bool fp8 = false;                         ///< quantization_config says so
  ScaleBlock fp8_block;                     ///< where scales are per block
  /// num_nextn_predict_layers as the file says it. model.num_nextn_predict_layers is at most 1.
  std::int64_t mtp_layers = 0;
  /// What was passed over, one sentence each. Who loads the model shows them once.
  std::vector<std::string> notes;
};

/// Throws Error naming `where`, the key, what was found and what is supported. The result passed
/// ModelConfig::validate().
/// NOTE: files often say num_nextn_predict_layers 1 and hold no such layer (transformers drops it):
/// the caller decides by the names of the folder's tensors.
HfConfig parse_hf_config(const nlohmann::json& json, const std::string& where);

/// config.json of a folder, or the file itself.
HfConfig read_hf_config(const std::filesystem::path& path);

/// The tokens that end an answer of the model in `folder`: those of its config.json, which was read
/// into `config`, and those of generation_config.json where there is one, as the other programs of
/// the field stop at every one of them. Throws Error as read_hf_config() does.
std::vector<std::int32_t> end_tokens(const std::filesystem::path& folder, const HfConfig& config);

/// Never writes quantization_config: what we write is not quantised.
nlohmann::json hf_config_json(const HfConfig& config);

}  // namespace tessera
