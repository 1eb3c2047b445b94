// SPDX-License-Identifier: MIT
// quantization_config of config.json. We read weights and compute in our own precision, so only
// what says how weights are stored counts: how activations would be quantised does not.
#include "core/base/error.h"
#include "core/checkpoint/hf_read.h"

namespace tessera::checkpoint_internal {

using nlohmann::json;

namespace {
constexpr const char* kOtherRelease =
    "use the model's release in BF16 or FP8, or save it unquantised with transformers "
    "(dequantize())";

[[noreturn]] void refuse_format(const HfKeys& keys, const std::string& key, const json& value) {
  throw Error(keys.where(),
              fmt::format("the weights are quantised in a way that is not read: {}{} is {}",
                          keys.prefix(), key, value.dump()),
              kOtherRelease);
}

/// [rows, columns] of the weight that share a scale.
void read_block(HfKeys& keys, const char* key, HfConfig& config) {
  const json* block = keys.find(key);
  if (!block) return;  // one scale for a whole tensor, or one for each row: its shape tells
  constexpr const char* kExpected = "two whole numbers above 0";
  if (!block->is_array() || block->size() != 2) keys.unsupported(key, *block, kExpected);
  config.fp8_block = {keys.as_integer(key, (*block)[0], kExpected),
                      keys.as_integer(key, (*block)[1], kExpected)};
  if (config.fp8_block.rows < 1 || config.fp8_block.columns < 1) {
    keys.unsupported(key, *block, kExpected);
  }
}

/// Values that say how activations are quantised at run time, and which layers are left alone: the
/// tensors' own types say the latter.
void pass_over_run_time(HfKeys& keys) {
  for (const char* key :
       {"activation_scheme", "modules_to_not_convert", "modules_to_convert", "ignored_layers",
        "ignore", "dequantize", "kv_cache_scheme", "kv_cache_quant_method", "expert_dtype",
        "quant_method", "is_checkpoint_fp8_serialized", "version", "quantization_status",
        "global_compression_ratio", "sparsity_config", "transform_config", "weight_per_tensor",
        "activation_block_size"}) {
    keys.ignore(key);
  }
}

void read_fp8(HfKeys& keys, HfConfig& config) {
  if (const json* format = keys.find("fmt")) {
    if (*format != "e4m3" && *format != "e5m2" && *format != "float8_e4m3fn") {
      refuse_format(keys, "fmt", *format);
    }
  }
  if (const json* format = keys.find("scale_fmt")) {
    if (*format != "float" && *format != "ue8m0") refuse_format(keys, "scale_fmt", *format);
  }
  if (const json* experts = keys.find("expert_dtype")) {
    if (*experts != "fp8") refuse_format(keys, "expert_dtype", *experts);
  }
  read_block(keys, "weight_block_size", config);
  config.fp8 = true;
}

void check_group(HfKeys& weights, HfConfig& config) {
  if (weights.need("type") != "float" || weights.need("num_bits") != 8) {
    refuse_format(weights, "num_bits", weights.object());
  }
  weights.only("symmetric", true);
  const std::string strategy = weights.text("strategy", "tensor");
  if (strategy != "tensor" && strategy != "channel" && strategy != "block") {
    refuse_format(weights, "strategy", strategy);
  }
  read_block(weights, "block_structure", config);
}

/// llm-compressor's form: groups of layers, each with how its weights are stored.
void read_compressed_tensors(HfKeys& keys, HfConfig& config) {
  const json format = keys.text("format", "dense");
  if (format != "float-quantized" && format != "naive-quantized" && format != "dense") {
    refuse_format(keys, "format", format);
  }
  const json* groups = keys.find("config_groups");
  if (!groups) return;
  const std::string all = keys.prefix() + "config_groups.";
  HfKeys group_keys(*groups, keys.where(), all);
  for (const auto& [name, group] : groups->items()) {
    HfKeys group_of(group, keys.where(), all + name + ".");
    HfKeys weights(group_of.need("weights"), keys.where(), all + name + ".weights.");
    check_group(weights, config);
  }
  config.fp8 = true;
}
}  // namespace

void read_quantisation(HfKeys& keys, HfConfig& config) {
  const json* object = keys.find("quantization_config");
  if (!object) object = keys.find("compression_config");  // its older name
  if (!object) return;
  HfKeys inner(*object, keys.where(), keys.prefix() + "quantization_config.");
  const std::string method = inner.text("quant_method", "");
  if (method == "fp8" || method == "finegrained_fp8") {
    read_fp8(inner, config);
  } else if (method == "compressed-tensors") {
    read_compressed_tensors(inner, config);
  } else {
    refuse_format(inner, "quant_method", inner.need("quant_method"));
  }
  pass_over_run_time(inner);
  for (const std::string& key : inner.others()) {
    config.notes.push_back(fmt::format("the unknown key {} is passed over", inner.described(key)));
  }
}

}  // namespace tessera::checkpoint_internal
