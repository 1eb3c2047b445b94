// SPDX-License-Identifier: MIT
// Folders of safetensors files and their index.
#include <nlohmann/json.hpp>
#include <set>

#include "core/base/log.h"
#include "core/checkpoint/internal.h"
#include "core/checkpoint/safetensors.h"

namespace tessera {

using nlohmann::json;

namespace {
constexpr const char* kIndexName = "model.safetensors.index.json";
constexpr const char* kSingleName = "model.safetensors";

/// {tensor name: shard} of an index. A shard must be a plain file name: an index from elsewhere
/// must not make us open other files.
std::map<std::string, std::string> read_index(const std::filesystem::path& file) {
  const std::string where = file.string();
  const json index = json::parse(read_text_file(file), nullptr, false);
  if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object()) {
    throw Error(where, "is not a safetensors index: expected an object with a \"weight_map\"",
                "the file is damaged or incomplete: fetch or copy it again");
  }
  std::map<std::string, std::string> shards;
  for (const auto& [name, shard] : index["weight_map"].items()) {
    const std::string shard_name = shard.is_string() ? shard.get<std::string>() : std::string{};
    if (shard_name.empty() || shard_name == "." || shard_name == ".." ||
        shard_name.find_first_of(std::string_view("/\\\0", 3)) != std::string::npos) {
      throw Error(where, fmt::format("tensor \"{}\": {} is not the name of a file beside the index",
                                     name, shard.dump()));
    }
    shards.emplace(name, shard_name);
  }
  return shards;
}
}  // namespace

SafetensorsFolder::SafetensorsFolder(std::filesystem::path path) : path_(std::move(path)) {
  std::filesystem::path file = path_;
  if (std::filesystem::is_directory(path_)) {
    if (std::filesystem::exists(path_ / kIndexName)) {
      open_shards(path_ / kIndexName);
      return;
    }
    file = path_ / kSingleName;
    if (!std::filesystem::exists(file)) {
      throw Error(path_.string(), fmt::format("holds neither {} nor {}", kSingleName, kIndexName),
                  "name a folder with a model in the released format");
    }
  } else if (!std::filesystem::exists(path_)) {
    throw Error(path_.string(), "there is no such folder");
  }
  files_.push_back(std::make_unique<SafetensorsFile>(file));
  for (const StoredTensor& tensor : files_[0]->tensors()) tensors_.emplace(tensor.name, &tensor);
}

void SafetensorsFolder::open_shards(const std::filesystem::path& index_file) {
  const std::map<std::string, std::string> index = read_index(index_file);
  std::map<std::string, const SafetensorsFile*> shards;
  for (const auto& [name, shard] : index) {
    const SafetensorsFile*& file = shards[shard];
    if (!file) {
      if (!std::filesystem::exists(path_ / shard)) {
        throw Error(index_file.string(), fmt::format("the shard {} is missing", shard),
                    "fetch or copy all files of the folder");
      }
      file = files_.emplace_back(std::make_unique<SafetensorsFile>(path_ / shard)).get();
    }
    tensors_.emplace(name, &file->at(name));
  }
  for (const auto& file : files_) {
    for (const StoredTensor& tensor : file->tensors()) {
      if (!index.contains(tensor.name)) {
        log::warning("{}: tensor \"{}\" is not in the index, and is left out",
                     file->path().string(), tensor.name);
      }
    }
  }
}

const StoredTensor* SafetensorsFolder::find(std::string_view name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : found->second;
}

const StoredTensor& SafetensorsFolder::at(std::string_view name) const {
  if (const StoredTensor* tensor = find(name)) return *tensor;
  throw Error(path_.string(), fmt::format("holds no tensor \"{}\"", name),
              checkpoint_internal::nearest_hint(name, names()));
}

bool SafetensorsFolder::has_prefix(std::string_view prefix) const {
  const auto found = tensors_.lower_bound(prefix);
  return found != tensors_.end() && found->first.starts_with(prefix);
}

std::vector<std::string> SafetensorsFolder::names() const {
  std::vector<std::string> names;
  names.reserve(tensors_.size());
  for (const auto& [name, tensor] : tensors_) names.push_back(name);
  return names;
}

std::uint64_t SafetensorsFolder::total_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& [name, tensor] : tensors_) bytes += tensor->bytes.size();
  return bytes;
}

namespace {
json shard_index(const ShardPlan& plan) {
  std::uint64_t bytes = 0;
  json weights = json::object();
  for (std::size_t shard = 0; shard < plan.shards.size(); ++shard) {
    for (const TensorPlan& tensor : plan.shards[shard]) {
      weights[tensor.name] = plan.files[shard];
      bytes += tensor.bytes();
    }
  }
  return {{"metadata", {{"total_size", bytes}}}, {"weight_map", weights}};
}
}  // namespace

ShardPlan plan_shards(std::vector<TensorPlan> tensors, std::uint64_t shard_bytes) {
  ShardPlan plan;
  plan.shards.emplace_back();
  std::uint64_t filled = 0;
  for (TensorPlan& tensor : tensors) {
    const std::uint64_t bytes = tensor.bytes();
    if (!plan.shards.back().empty() && filled + bytes > shard_bytes) {
      plan.shards.emplace_back();
      filled = 0;
    }
    filled += bytes;
    plan.shards.back().push_back(std::move(tensor));
  }
  const std::size_t count = plan.shards.size();
  for (std::size_t shard = 0; shard < count; ++shard) {
    plan.files.push_back(count == 1
                             ? kSingleName
                             : fmt::format("model-{:05}-of-{:05}.safetensors", shard + 1, count));
    plan.total_bytes += SafetensorsWriter::file_bytes(plan.shards[shard], kFormatMetadata);
  }
  if (count > 1) plan.total_bytes += shard_index(plan).dump(1).size();
  return plan;
}

std::vector<FolderFile> write_shard_index(const std::filesystem::path& folder,
                                          const ShardPlan& plan) {
  if (plan.shards.size() == 1) return {};
  FileWriter file(folder / kIndexName);
  file.write(shard_index(plan).dump(1));
  return {{kIndexName, file.finish()}};
}

std::vector<FolderFile> write_safetensors_folder(const std::filesystem::path& folder,
                                                 std::span<const NamedTensor> tensors,
                                                 std::uint64_t shard_bytes) {
  const ShardPlan plan = plan_shards(plan_of(tensors), shard_bytes);
  std::vector<FolderFile> files;
  for (std::size_t shard = 0; shard < plan.shards.size(); ++shard) {
    SafetensorsWriter writer(folder / plan.files[shard], plan.shards[shard], kFormatMetadata);
    const std::size_t count = plan.shards[shard].size();
    for (const NamedTensor& tensor : tensors.first(count)) writer.append(tensor.data);
    tensors = tensors.subspan(count);
    files.push_back({plan.files[shard], writer.finish()});
  }
  for (FolderFile& file : write_shard_index(folder, plan)) files.push_back(std::move(file));
  return files;
}

}  // namespace tessera
