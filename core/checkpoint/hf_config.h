// SPDX-License-Identifier: MIT
// config.json of the released models and of the transformers library <-> ModelConfig.
//
// Read: model_type deepseek_v3 and deepseek_v2 (V2-Lite too); rotary settings as rope_theta with
// rope_scaling, or as the rope_parameters object of transformers 5. Values that would compute
// something else than ours, and unknown keys, are errors that name the key.
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

#include "core/base/dtype.h"
#include "core/model/config.h"

namespace tessera {

struct HfConfig {
  ModelConfig model;
  std::optional<std::int64_t> bos_token_id, eos_token_id, pad_token_id;
  DType dtype = DType::F32;  ///< what the file says its weights are (FP8 weights aside)
  bool fp8 = false;          ///< quantization_config with FP8 blocks of `fp8_block`
  std::int64_t fp8_block = 128;
};

/// Throws Error naming `where`, the key, what was found and what is supported. The result passed
/// ModelConfig::validate().
/// NOTE: files often say num_nextn_predict_layers 1 and hold no such layer (transformers drops it):
/// the caller decides by WeightSource::has_prefix("model.layers.<num_hidden_layers>.").
HfConfig parse_hf_config(const nlohmann::json& json, const std::string& where);

/// config.json of a folder, or the file itself.
HfConfig read_hf_config(const std::filesystem::path& path);

/// Never writes quantization_config: what we write is not quantised.
nlohmann::json hf_config_json(const HfConfig& config);

}  // namespace tessera
