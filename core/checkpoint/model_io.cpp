// SPDX-License-Identifier: MIT
#include "core/checkpoint/model_io.h"

#include "core/base/error.h"

namespace tessera {

std::vector<NamedTensor> named_weights(const Model& model) {
  std::vector<NamedTensor> weights;
  for (const Parameter& parameter : model.parameters().all()) {
    for (const Parameter::Part& part : parameter.parts) {
      weights.push_back({part.released_name, part.value});
    }
  }
  return weights;
}

namespace {
std::string mtp_prefix(const ModelConfig& config) {
  return "model.layers." + std::to_string(config.num_hidden_layers) + ".";
}

const Tensor& weight_named(const std::vector<NamedTensor>& weights, const std::string& name) {
  for (const NamedTensor& weight : weights) {
    if (weight.name == name) return weight.data;
  }
  throw Error("weights", fmt::format("the model has no {}", name));
}
}  // namespace

std::vector<NamedTensor> released_weights(const Model& model) {
  std::vector<NamedTensor> weights = named_weights(model);
  const ModelConfig& config = model.config();
  if (config.num_nextn_predict_layers == 0) return weights;
  const std::string prefix = mtp_prefix(config);
  const Tensor embedding = weight_named(weights, "model.embed_tokens.weight");
  const Tensor head =
      config.tie_word_embeddings ? embedding : weight_named(weights, "lm_head.weight");
  weights.push_back({prefix + "embed_tokens.weight", embedding});
  weights.push_back({prefix + "shared_head.head.weight", head});
  return weights;
}

namespace {
/// What a folder may hold beyond the model's own tensors without being another model's.
void forgive(const Model& model, WeightSource& source) {
  const std::string mtp = mtp_prefix(model.config());
  const bool without_mtp = model.config().num_nextn_predict_layers == 0;
  for (const std::string& name : source.unused()) {
    const bool repeated =
        name == mtp + "embed_tokens.weight" || name == mtp + "shared_head.head.weight";
    const bool tied = name == "lm_head.weight" && model.config().tie_word_embeddings;
    if (repeated || tied || (without_mtp && name.starts_with(mtp))) source.mark_used(name);
  }
}
}  // namespace

void load_weights(Model& model, WeightSource& source, Context& context) {
  for (const NamedTensor& weight : named_weights(model)) source.read(weight.name, weight.data);
  forgive(model, source);
  source.require_all_used();
  model.parameters().refresh_operands(context);
}

LoadedModel load_model(const std::filesystem::path& folder, const Precision& precision,
                       bool for_training, Context& context) {
  LoadedModel loaded;
  loaded.config = read_hf_config(folder);
  WeightSource source(folder, loaded.config.fp8_block);
  ModelConfig& config = loaded.config.model;
  if (!for_training || !source.has_prefix(mtp_prefix(config))) config.num_nextn_predict_layers = 0;
  loaded.model = std::make_unique<Model>(config, precision, for_training, context.device);
  load_weights(*loaded.model, source, context);
  return loaded;
}

}  // namespace tessera
