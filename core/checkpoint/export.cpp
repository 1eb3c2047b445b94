// SPDX-License-Identifier: MIT
// Folders in the released format: from a model in memory, and from another folder.
#include <algorithm>
#include <array>
#include <fstream>

#include "core/base/memory.h"
#include "core/base/mistaken_file.h"
#include "core/checkpoint/checkpoint.h"
#include "core/checkpoint/internal.h"
#include "core/checkpoint/model_io.h"
#include "core/checkpoint/model_tensors.h"
#include "core/checkpoint/staged_folder.h"
#include "core/model/model.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {
constexpr std::int64_t kChunkBytes = 16 << 20;

bool is_floating(DType dtype) {
  return dtype <= DType::F8E5M2 || dtype == DType::F8E8M0;
}

/// What a tensor is stored as. The selection bias decides by differences of 0.001: never rounded.
DType exported_dtype(const std::string& name, DType dtype, DType wanted) {
  if (!is_floating(dtype)) return dtype;
  return name.ends_with("e_score_correction_bias") ? DType::F32 : wanted;
}

/// The target as a name beside which a temporary one can stand.
fs::path check_target(const fs::path& folder, const ExportOptions& options) {
  require(options.dtype == DType::F32 || options.dtype == DType::BF16, "export",
          "weights are written as F32 or BF16, not as {}", name_of(options.dtype));
  return name_of_new_folder(folder);
}

void check_space(const fs::path& target, const ShardPlan& plan) {
  require_space_for(target, plan.total_bytes + (1u << 20));
}

void add_config_and_files(StagedFolder& folder, HfConfig config, const ExportOptions& options) {
  config.dtype = options.dtype;
  config.fp8 = false;
  folder.add_text("config.json", hf_config_json(config).dump(2) + "\n");
  for (const fs::path& file : options.files) folder.add_copy(file);
}

/// A file that is not what its name says must not come along.
void check_companion(const fs::path& file) {
  constexpr std::size_t kStart = 512;
  std::ifstream in(file, std::ios::binary);
  std::string start(kStart, '\0');
  in.read(start.data(), static_cast<std::streamsize>(start.size()));
  start.resize(static_cast<std::size_t>(in.gcount()));
  refuse_mistaken_content(file, start);
}

/// Tokenizer and other small files that belong to a model.
std::vector<fs::path> companions(const fs::path& from) {
  constexpr std::array kPrefixes{"tokenizer", "special_tokens",    "added_tokens", "vocab",
                                 "merges",    "generation_config", "chat_template"};
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(from)) {
    const std::string name = entry.path().filename().string();
    const bool ours = std::any_of(kPrefixes.begin(), kPrefixes.end(),
                                  [&](const char* prefix) { return name.starts_with(prefix); });
    if (!ours) continue;
    refuse_dangling_link(entry.path());
    if (!entry.is_regular_file()) continue;
    check_companion(entry.path());
    files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<TensorPlan> converted_plan(const WeightSource& source,
                                       const std::vector<TensorPlace>& places, DType dtype) {
  std::vector<TensorPlan> plan;
  for (const TensorPlace& place : places) {
    const DType stored = source.folder().at(place.stored).dtype;
    plan.push_back({place.name, exported_dtype(place.name, stored, dtype), place.shape});
  }
  return plan;
}

/// Reads, converts and writes a tensor some rows at a time.
void stream_tensor(WeightSource& source, const TensorPlace& place, DType dtype,
                   SafetensorsWriter& writer) {
  const auto element = static_cast<std::int64_t>(size_of(dtype));
  const std::int64_t columns = place.shape.back();
  if (place.shape.size() < 2) {
    const Buffer buffer(static_cast<std::size_t>(columns * element));
    const Tensor whole = buffer.view(dtype, {columns});
    source.read_part(place.stored, 0, 0, whole);
    return writer.append(whole);
  }
  const std::int64_t rows = place.shape.front();
  const std::int64_t step = std::clamp<std::int64_t>(kChunkBytes / (columns * element), 1, rows);
  const Buffer buffer(static_cast<std::size_t>(step * columns * element));
  for (std::int64_t row = 0; row < rows; row += step) {
    const Tensor part = buffer.view(dtype, {std::min(step, rows - row), columns});
    source.read_part(place.stored, place.first_row + row, 0, part);
    writer.append(part);
  }
}

bool all_zero(WeightSource& source, const TensorPlace& bias) {
  const Buffer buffer(static_cast<std::size_t>(bias.shape[0]) * sizeof(float));
  const Tensor values = buffer.view(DType::F32, {bias.shape[0]});
  source.read_part(bias.stored, 0, 0, values);
  return std::all_of(values.data<float>(), values.data<float>() + bias.shape[0],
                     [](float value) { return value == 0.f; });
}

/// The selection bias is no part of the gates that topk_method calls greedy: one of zeros is left
/// out, as other programs would stumble over it, and of another one it is told that they do.
void settle_biases(WeightSource& source, const HfConfig& config, ModelTensors& found) {
  if (config.model.group_score != kernels::GroupScore::Max) return;
  std::size_t kept = 0;
  std::erase_if(found.places, [&](const TensorPlace& place) {
    if (place.stored.empty()) return true;
    const bool bias = place.name.ends_with("e_score_correction_bias");
    if (bias && all_zero(source, place)) return true;
    kept += bias ? 1 : 0;
    return false;
  });
  if (kept == 0) return;
  found.notes.push_back(
      fmt::format("{} selection biases are written; programs that read this topk_method without "
                  "one leave them out, and then pick other experts",
                  kept));
}

/// The whole model is found before anything is written.
ModelTensors tensors_to_convert(const HfConfig& config, WeightSource& source) {
  constexpr bool kForTraining = false, kMeasuring = true;
  const Model shapes(config.model, Precision{}, kForTraining, Device::Cpu, kMeasuring);
  ModelTensors found = match_tensors(shapes, config, source, MtpTensors::All);
  settle_biases(source, config, found);
  return found;
}
}  // namespace

void export_folder(const fs::path& folder, const HfConfig& config,
                   std::span<const NamedTensor> weights, const ExportOptions& options) {
  const fs::path target = check_target(folder, options);
  std::vector<TensorPlan> wanted = plan_of(weights);
  for (TensorPlan& tensor : wanted) {
    tensor.dtype = exported_dtype(tensor.name, tensor.dtype, options.dtype);
  }
  const ShardPlan plan = plan_shards(std::move(wanted), options.shard_bytes);
  check_space(target, plan);
  StagedFolder staged(target);
  for (std::size_t shard = 0; shard < plan.files.size(); ++shard) {
    SafetensorsWriter writer(staged.path() / plan.files[shard], plan.shards[shard],
                             kFormatMetadata);
    const std::size_t count = plan.shards[shard].size();
    for (const NamedTensor& tensor : weights.first(count)) writer.append(tensor.data);
    weights = weights.subspan(count);
    staged.add({plan.files[shard], writer.finish()});
  }
  staged.add(write_shard_index(staged.path(), plan));
  add_config_and_files(staged, config, options);
  staged.publish();
}

void convert_folder(const fs::path& from, const fs::path& to, const ExportOptions& options) {
  const fs::path target = check_target(to, options);
  if (!fs::is_directory(from)) throw Error(from.string(), "there is no such folder");
  if (fs::exists(from / "manifest.json")) Checkpoint(from, Verify::Hashes);
  HfConfig config = read_hf_config(from);
  WeightSource source(from, config.fp8_block);
  settle_config(config, source);
  const ModelTensors found = tensors_to_convert(config, source);
  const ShardPlan plan =
      plan_shards(converted_plan(source, found.places, options.dtype), options.shard_bytes);
  check_space(target, plan);
  ExportOptions with_files = options;
  for (const fs::path& file : companions(from)) with_files.files.push_back(file);
  log_notes(from, config.notes);
  log_notes(from, found.notes);
  StagedFolder staged(target);
  std::size_t at = 0;
  for (std::size_t shard = 0; shard < plan.files.size(); ++shard) {
    SafetensorsWriter writer(staged.path() / plan.files[shard], plan.shards[shard],
                             kFormatMetadata);
    for (const TensorPlan& tensor : plan.shards[shard]) {
      stream_tensor(source, found.places[at++], tensor.dtype, writer);
    }
    staged.add({plan.files[shard], writer.finish()});
  }
  staged.add(write_shard_index(staged.path(), plan));
  add_config_and_files(staged, config, with_files);
  staged.publish();
}

}  // namespace tessera
