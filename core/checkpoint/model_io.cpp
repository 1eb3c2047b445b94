// SPDX-License-Identifier: MIT
#include "core/checkpoint/model_io.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string_view>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/checkpoint/internal.h"
#include "core/checkpoint/model_tensors.h"

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
void clear(const Tensor& tensor) {
  const std::vector<std::byte> zeros(tensor.bytes());
  checkpoint_internal::copy_bytes(tensor.device(), tensor.raw(), zeros.data(), zeros.size());
}

/// Fills one part of a parameter whose values are not held: BF16 of the file goes where it stays,
/// anything else through `staging`, in pieces that stay in the processor's cache.
void fill_held(const Parameter& p, const Parameter::Part& part, const TensorPlace& place,
               WeightSource& source, Buffer& staging, Context& context) {
  const std::int64_t columns = p.shape.back(), first = part.first / columns;
  std::int64_t rows = 1;
  for (const std::int64_t extent : p.shape) rows *= extent;
  rows = rows / columns / std::ssize(p.parts);
  if (p.operand && !place.stored.empty()) {
    const Tensor all = p.operand.reshape({p.operand.numel() / columns, columns});
    return source.read_part(place.stored, place.first_row, 0, all.slice(0, first, first + rows));
  }
  const std::int64_t most = ParameterSet::most_rows(p);
  const std::size_t bytes = static_cast<std::size_t>(most * columns) * sizeof(float);
  if (staging.bytes() < bytes) staging = Buffer(bytes);
  for (std::int64_t done = 0; done < rows; done += most) {
    const Tensor piece = staging.view(DType::F32, {std::min(most, rows - done), columns});
    if (place.stored.empty()) {
      clear(piece);
    } else {
      source.read_part(place.stored, place.first_row + done, 0, piece);
    }
    ParameterSet::hold_rows(context, p, first + done, piece, part.released_name);
  }
}

/// Fills every weight from where match_tensors() found it. What is missing or left over is so for
/// the whole model, of which `model` may be a part.
std::vector<std::string> fill_weights(Model& model, const HfConfig& config, WeightSource& source,
                                      MtpTensors mtp, Context& context) {
  std::optional<Model> measured;
  const bool holds_all_values = model.precision().weights == WeightForm::Masters;
  if (!model.layout().is_whole(model.config()) || !holds_all_values) {
    Precision plain = model.precision();
    plain.weights = WeightForm::Masters;
    measured.emplace(model.config(), plain, /*for_training=*/false, model.device(),
                     /*measuring=*/true);
  }
  const ModelTensors found = match_tensors(measured ? *measured : model, config, source, mtp);
  std::map<std::string_view, const TensorPlace*> places;
  for (const TensorPlace& place : found.places) places.emplace(place.name, &place);
  Buffer staging;
  for (const Parameter& parameter : model.parameters().all()) {
    for (const Parameter::Part& part : parameter.parts) {
      const TensorPlace& place = *places.at(part.released_name);
      if (!part.value) {
        fill_held(parameter, part, place, source, staging, context);
      } else if (place.stored.empty()) {
        clear(part.value);
      } else {
        source.read_part(place.stored, place.first_row, 0, part.value);
      }
    }
  }
  model.parameters().refresh_operands(context);
  return found.notes;
}
}  // namespace

void log_notes(const std::filesystem::path& folder, const std::vector<std::string>& notes) {
  for (const std::string& note : notes) log::warning("{}: {}", folder.string(), note);
}

void load_weights(Model& model, WeightSource& source, Context& context) {
  HfConfig config;
  config.model = model.config();
  const std::string folder = source.folder().path().string();
  HfConfig settled = config;
  settle_config(settled, source);
  if (config.model.tie_word_embeddings && !settled.model.tie_word_embeddings) {
    throw Error(folder, "holds an lm_head.weight of its own, and the model's head is its embedding",
                "set model.tie_word_embeddings to false");
  }
  const bool mtp = config.model.num_nextn_predict_layers > 0;
  log_notes(folder, fill_weights(model, config, source,
                                 mtp ? MtpTensors::Repeated : MtpTensors::PassOver, context));
}

LoadedModel load_model(const std::filesystem::path& folder, const Precision& precision,
                       bool for_training, Context& context) {
  LoadedModel loaded;
  loaded.config = read_hf_config(folder);
  WeightSource source(folder, loaded.config.fp8_block);
  settle_config(loaded.config, source);
  ModelConfig& config = loaded.config.model;
  if (!for_training) config.num_nextn_predict_layers = 0;
  loaded.model = std::make_unique<Model>(config, precision, for_training, context.device);
  const bool mtp = config.num_nextn_predict_layers > 0;
  log_notes(folder, loaded.config.notes);
  log_notes(folder, fill_weights(*loaded.model, loaded.config, source,
                                 mtp ? MtpTensors::Repeated : MtpTensors::PassOver, context));
  return loaded;
}

}  // namespace tessera
