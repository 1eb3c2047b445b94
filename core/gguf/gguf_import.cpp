// SPDX-License-Identifier: MIT
#include "core/gguf/gguf_import.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "core/base/error.h"
#include "core/checkpoint/model_io.h"
#include "core/checkpoint/staged_folder.h"
#include "core/gguf/gguf_config.h"
#include "core/gguf/gguf_file.h"
#include "core/gguf/gguf_tensors.h"
#include "core/gguf/gguf_vocabulary.h"
#include "core/model/model.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {
constexpr std::int64_t kRowsNumbers = 4 << 20;

/// Where a GGUF file holds one released tensor.
struct StoredPart {
  const GgufTensor* tensor = nullptr;  ///< Plain; of kv_b_proj the keys' half; null: zeros
  const GgufTensor* values = nullptr;  ///< the values' half of kv_b_proj
  std::int64_t first_row = 0;
};

class GgufModel {
 public:
  explicit GgufModel(const GgufFile& file) : file_(file) {
    const GgufValues values(file);
    config = read_model_keys(values, has_any(".exp_probs_b.bias"), file.find("output.weight"));
    has_bias_ =
        config.model.n_routed_experts > 0 &&
        (has_any(".exp_probs_b.bias") || config.model.group_score != kernels::GroupScore::Max);
    find_parts();
    refuse_the_rest();
  }

  HfConfig config;
  std::map<std::string, StoredPart> parts;  ///< by released name

 private:
  bool has_any(std::string_view ending) const {
    const auto& tensors = file_.contents().tensors;
    return std::any_of(tensors.begin(), tensors.end(),
                       [&](const auto& entry) { return entry.first.ends_with(ending); });
  }

  const GgufTensor& use(const std::string& name, const std::vector<std::int64_t>& shape) {
    const GgufTensor* tensor = file_.find(name);
    if (!tensor) {
      throw Error(file_.path().string(), fmt::format("holds no tensor \"{}\"", name),
                  "the file is incomplete, or its keys are of another model");
    }
    if (tensor->shape != shape) {
      throw Error(file_.path().string(),
                  fmt::format("the tensor \"{}\" is {}, expected the shape ({})", name,
                              tensor->describe(), fmt::join(shape, ", ")),
                  "the keys and the tensors are of different models");
    }
    used_.insert(name);
    return *tensor;
  }

  /// Files from before attention was absorbed hold kv_b_proj as it is released.
  bool place_whole_up(const GgufPlace& place) {
    std::string whole = place.name;
    whole.replace(whole.rfind("attn_"), std::string::npos, "attn_kv_b.weight");
    if (file_.find(place.name) || !file_.find(whole)) return false;
    const ModelConfig& c = config.model;
    parts[place.released[0]].tensor =
        &use(whole, {c.num_attention_heads * (c.qk_nope_head_dim + c.v_head_dim), c.kv_lora_rank});
    return true;
  }

  void find_parts() {
    for (const GgufPlace& place : gguf_places(config.model, has_bias_)) {
      const bool bias = place.name.ends_with("exp_probs_b.bias");
      if (bias && !file_.find(place.name)) {
        parts[place.released[0]] = {};  // llama.cpp computes without one
        continue;
      }
      if (place.layout != GgufPlace::Layout::Plain && place_whole_up(place)) continue;
      const GgufTensor& tensor = use(place.name, place.shape);
      if (place.layout == GgufPlace::Layout::ValueUp) {
        parts[place.released[0]].values = &tensor;
        continue;
      }
      const std::int64_t rows = tensor.rows() / static_cast<std::int64_t>(place.released.size());
      for (std::size_t i = 0; i < place.released.size(); ++i) {
        StoredPart& part = parts[place.released[i]];
        part.tensor = &tensor;
        part.first_row = static_cast<std::int64_t>(i) * rows;
      }
    }
  }

  /// What the model has no place for changes what llama.cpp computes, but for MTP layers and
  /// tables.
  void refuse_the_rest() {
    for (const auto& [name, tensor] : file_.contents().tensors) {
      if (used_.contains(name) || name.starts_with("rope_freqs.") || is_mtp(name)) continue;
      throw Error(
          file_.path().string(),
          fmt::format("the tensor \"{}\" ({}) has no place in the model", name, tensor.describe()),
          "the keys and the tensors are of different models");
    }
  }

  bool is_mtp(const std::string& name) const {
    if (!name.starts_with("blk.")) return false;
    return std::atoll(name.c_str() + 4) >= config.model.num_hidden_layers;
  }

  const GgufFile& file_;
  bool has_bias_ = false;
  std::set<std::string> used_;
};

/// The selection bias decides by differences of 0.001: never rounded.
DType imported_dtype(const std::string& name, DType wanted) {
  return name.ends_with("e_score_correction_bias") ? DType::F32 : wanted;
}

std::vector<TensorPlan> plan_import(const GgufModel& model, DType dtype) {
  constexpr bool kForTraining = false, kMeasuring = true;
  const Model shapes(model.config.model, Precision{}, kForTraining, Device::Cpu, kMeasuring);
  std::vector<TensorPlan> plan;
  for (const NamedTensor& weight : named_weights(shapes)) {
    if (!model.parts.contains(weight.name)) {
      // The gate of DeepSeek-V2 is released without a selection bias.
      require(weight.name.ends_with("e_score_correction_bias"), "gguf",
              "no place is known for the tensor \"{}\"", weight.name);
      continue;
    }
    std::vector<std::int64_t> shape;
    for (int dim = 0; dim < weight.data.rank(); ++dim) shape.push_back(weight.data.size(dim));
    plan.push_back({weight.name, imported_dtype(weight.name, dtype), std::move(shape)});
  }
  return plan;
}

class TensorImport {
 public:
  TensorImport(const ModelConfig& config, SafetensorsWriter& writer)
      : c_(config), writer_(writer) {}

  void run(const TensorPlan& plan, const StoredPart& part) {
    if (part.values) return write_up(part);
    const std::int64_t columns = plan.shape.back();
    const std::int64_t rows = plan.shape.size() < 2 ? 1 : plan.shape.front();
    if (!part.tensor) {
      numbers_.assign(static_cast<std::size_t>(columns), 0.f);
      return writer_.append(Tensor(numbers_.data(), DType::F32, {columns}));
    }
    const std::int64_t step = std::clamp<std::int64_t>(kRowsNumbers / columns, 1, rows);
    for (std::int64_t row = 0; row < rows; row += step) {
      const std::int64_t count = std::min(step, rows - row);
      numbers_.resize(static_cast<std::size_t>(count * columns));
      part.tensor->read_rows(part.first_row + row, count, numbers_.data());
      writer_.append(Tensor(numbers_.data(), DType::F32, {count, columns}));
    }
  }

 private:
  /// kv_b_proj: for each head its keys' rows, which the file has transposed, and its values'.
  void write_up(const StoredPart& part) {
    const std::int64_t nope = c_.qk_nope_head_dim, v = c_.v_head_dim, latent = c_.kv_lora_rank;
    std::vector<float> turned(static_cast<std::size_t>(nope * latent));
    for (std::int64_t head = 0; head < c_.num_attention_heads; ++head) {
      numbers_.resize(turned.size());
      part.tensor->read_rows(head * latent, latent, numbers_.data());
      for (std::int64_t i = 0; i < nope; ++i) {
        for (std::int64_t j = 0; j < latent; ++j) {
          turned[static_cast<std::size_t>(i * latent + j)] =
              numbers_[static_cast<std::size_t>(j * nope + i)];
        }
      }
      writer_.append(Tensor(turned.data(), DType::F32, {nope, latent}));
      numbers_.resize(static_cast<std::size_t>(v * latent));
      part.values->read_rows(head * v, v, numbers_.data());
      writer_.append(Tensor(numbers_.data(), DType::F32, {v, latent}));
    }
  }

  const ModelConfig& c_;
  SafetensorsWriter& writer_;
  std::vector<float> numbers_;
};

fs::path check_import_target(const fs::path& folder, const ExportOptions& options) {
  require(options.dtype == DType::F32 || options.dtype == DType::BF16, "import",
          "weights are written as F32 or BF16, not as {}", name_of(options.dtype));
  return name_of_new_folder(folder);
}

void check_import_space(const fs::path& target, const ShardPlan& plan) {
  require_space_for(target, plan.total_bytes + (16u << 20));
}
}  // namespace

void import_gguf(const fs::path& path, const fs::path& to, const ExportOptions& options) {
  const fs::path target = check_import_target(to, options);
  const GgufFile file(path);
  GgufModel model(file);
  const GgufValues values(file);
  const auto vocabulary = read_vocabulary_keys(values, model.config);
  const ShardPlan plan = plan_shards(plan_import(model, options.dtype), options.shard_bytes);
  check_import_space(target, plan);
  log_notes(path, model.config.notes);
  StagedFolder staged(target);
  for (std::size_t shard = 0; shard < plan.files.size(); ++shard) {
    SafetensorsWriter writer(staged.path() / plan.files[shard], plan.shards[shard],
                             kFormatMetadata);
    TensorImport tensors(model.config.model, writer);
    for (const TensorPlan& tensor : plan.shards[shard]) {
      tensors.run(tensor, model.parts.at(tensor.name));
    }
    staged.add({plan.files[shard], writer.finish()});
  }
  staged.add(write_shard_index(staged.path(), plan));
  model.config.dtype = options.dtype;
  staged.add_text("config.json", hf_config_json(model.config).dump(2) + "\n");
  for (const auto& [name, text] : vocabulary) staged.add_text(name, text);
  for (const fs::path& companion : options.files) staged.add_copy(companion);
  staged.publish();
}

}  // namespace tessera
