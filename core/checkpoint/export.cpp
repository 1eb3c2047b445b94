// SPDX-License-Identifier: MIT
// Folders in the released format: from a model in memory, and from another folder.
#include <algorithm>
#include <array>

#include "core/base/memory.h"
#include "core/checkpoint/checkpoint.h"
#include "core/checkpoint/internal.h"
#include "core/checkpoint/staged_folder.h"

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
  fs::path target = fs::absolute(folder).lexically_normal();
  if (!target.has_filename()) target = target.parent_path();
  if (fs::exists(target) && (!fs::is_directory(target) || !fs::is_empty(target))) {
    throw Error(target.string(), "is there already, and not an empty folder",
                "name a new folder, or empty this one first");
  }
  return target;
}

void check_space(const fs::path& target, const ShardPlan& plan) {
  fs::path parent = target.parent_path();
  while (!fs::exists(parent)) parent = parent.parent_path();
  require_free_space(parent, plan.total_bytes + (1u << 20));
}

void add_config_and_files(StagedFolder& folder, HfConfig config, const ExportOptions& options) {
  config.dtype = options.dtype;
  config.fp8 = false;
  folder.add_text("config.json", hf_config_json(config).dump(2) + "\n");
  for (const fs::path& file : options.files) folder.add_copy(file);
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
    if (ours && entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

bool is_scale(const WeightSource& source, const std::string& name) {
  constexpr std::string_view kSuffix = "_scale_inv";
  return name.ends_with(kSuffix) && source.has(name.substr(0, name.size() - kSuffix.size()));
}

std::vector<TensorPlan> converted_plan(const WeightSource& source, DType dtype) {
  std::vector<TensorPlan> plan;
  for (const std::string& name : source.folder().names()) {
    if (is_scale(source, name)) continue;
    const StoredTensor& stored = source.folder().at(name);
    plan.push_back({name, exported_dtype(name, stored.dtype, dtype), stored.shape});
  }
  return plan;
}

/// Reads, converts and writes a tensor some rows at a time.
void stream_tensor(WeightSource& source, const TensorPlan& tensor, SafetensorsWriter& writer) {
  const auto element = static_cast<std::int64_t>(size_of(tensor.dtype));
  const std::int64_t columns = tensor.shape.empty() ? 1 : tensor.shape.back();
  const std::int64_t total = static_cast<std::int64_t>(tensor.bytes()) / element;
  if (total == 0) return;
  if (tensor.shape.size() < 2) {
    const Buffer buffer(static_cast<std::size_t>(total * element));
    const Tensor whole = buffer.view(tensor.dtype, {total});
    source.read_part(tensor.name, 0, 0, whole);
    return writer.append(whole);
  }
  const std::int64_t rows = total / columns;
  const std::int64_t step = std::clamp<std::int64_t>(kChunkBytes / (columns * element), 1, rows);
  const Buffer buffer(static_cast<std::size_t>(step * columns * element));
  for (std::int64_t row = 0; row < rows; row += step) {
    const Tensor part = buffer.view(tensor.dtype, {std::min(step, rows - row), columns});
    source.read_part(tensor.name, row, 0, part);
    writer.append(part);
  }
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
  const HfConfig config = read_hf_config(from);
  WeightSource source(from, config.fp8_block);
  const ShardPlan plan = plan_shards(converted_plan(source, options.dtype), options.shard_bytes);
  check_space(target, plan);
  ExportOptions with_files = options;
  for (const fs::path& file : companions(from)) with_files.files.push_back(file);
  StagedFolder staged(target);
  for (std::size_t shard = 0; shard < plan.files.size(); ++shard) {
    SafetensorsWriter writer(staged.path() / plan.files[shard], plan.shards[shard],
                             kFormatMetadata);
    for (const TensorPlan& tensor : plan.shards[shard]) stream_tensor(source, tensor, writer);
    staged.add({plan.files[shard], writer.finish()});
  }
  staged.add(write_shard_index(staged.path(), plan));
  add_config_and_files(staged, config, with_files);
  staged.publish();
}

}  // namespace tessera
