// SPDX-License-Identifier: MIT
// Folders of safetensors files and their index.
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "core/base/files.h"
#include "core/base/mistaken_file.h"
#include "core/checkpoint/internal.h"
#include "core/checkpoint/safetensors.h"

namespace tessera {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {
constexpr const char* kIndexName = kShardIndex;
constexpr const char* kSingleName = "model.safetensors";

/// {tensor name: shard} of an index. A shard must be a plain file name: an index from elsewhere
/// must not make us open other files.
std::map<std::string, std::string> read_index(const std::filesystem::path& file) {
  const std::string where = file.string();
  refuse_dangling_link(file);
  const std::string text = read_file(file, 256u << 20);
  refuse_mistaken_content(file, text);
  const json index = json::parse(text, nullptr, false);
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

std::vector<std::string> file_names(const fs::path& folder) {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// "a, b and 3 more".
std::string some_of(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 3;
  if (names.size() <= kShown + 1) return fmt::format("{}", fmt::join(names, ", "));
  return fmt::format("{} and {} more", fmt::join(names.begin(), names.begin() + kShown, ", "),
                     names.size() - kShown);
}

void require_shards(const fs::path& where, const std::vector<std::string>& missing) {
  if (missing.empty()) return;
  throw Error(where.string(),
              missing.size() == 1
                  ? fmt::format("the shard {} is missing", missing.front())
                  : fmt::format("{} shards are missing: {}", missing.size(), some_of(missing)),
              "fetch or copy all files of the folder");
}

/// Shards that name their number, where no index tells of them. Empty: there are none.
std::vector<std::string> loose_shards(const fs::path& folder) {
  static const std::regex pattern("model-([0-9]{5})-of-([0-9]{5})\\.safetensors");
  std::vector<std::string> found;
  std::string total;
  for (const std::string& name : file_names(folder)) {
    std::smatch match;
    if (!std::regex_match(name, match, pattern)) continue;
    if (!total.empty() && total != match[2]) {
      throw Error(folder.string(),
                  fmt::format("holds shards of two sets, of {} and of {}, and no {}", total,
                              match[2].str(), kIndexName),
                  "keep the shards of one set");
    }
    total = match[2];
    found.push_back(name);
  }
  std::vector<std::string> missing;
  for (int shard = 1; !total.empty() && shard <= std::stoi(total); ++shard) {
    const std::string name = fmt::format("model-{:05}-of-{}.safetensors", shard, total);
    if (std::find(found.begin(), found.end(), name) == found.end()) missing.push_back(name);
  }
  require_shards(folder, missing);
  return found;
}

/// Kinds of files that people take for a model in safetensors.
struct OtherKind {
  const char* ending;
  const char* hint;
};
constexpr std::array<OtherKind, 8> kOtherKinds{{
    {".bin",
     "load it with transformers and save it with save_pretrained(), which writes safetensors"},
    {".pt",
     "load it with transformers and save it with save_pretrained(), which writes safetensors"},
    {".pth",
     "load it with transformers and save it with save_pretrained(), which writes safetensors"},
    {".ckpt",
     "load it with transformers and save it with save_pretrained(), which writes safetensors"},
    {".gguf", "tessera import FILE NEW_FOLDER makes a folder in safetensors of it"},
    {".incomplete", "the download has not ended: run it again"},
    {".part", "the download has not ended: run it again"},
    {".safetensors", "name the file itself, or rename it to model.safetensors"},
}};

/// Throws Error that says what the folder holds instead of a model.
[[noreturn]] void refuse_folder(const fs::path& folder) {
  const std::vector<std::string> names = file_names(folder);
  for (const std::string& name : names) {
    if (name.find(".safetensors") != std::string::npos) refuse_dangling_link(folder / name);
  }
  const std::string absent = fmt::format("holds neither {} nor {}", kSingleName, kIndexName);
  if (std::find(names.begin(), names.end(), "adapter_config.json") != names.end()) {
    throw Error(folder.string(), absent + ": it is a LoRA adapter, and not a whole model",
                "merge it into its base model with PEFT's merge_and_unload()");
  }
  for (const OtherKind& kind : kOtherKinds) {
    std::vector<std::string> of_kind;
    for (const std::string& name : names) {
      if (name.ends_with(kind.ending)) of_kind.push_back(name);
    }
    if (of_kind.empty()) continue;
    throw Error(folder.string(), fmt::format("{}, but {}", absent, some_of(of_kind)), kind.hint);
  }
  throw Error(folder.string(), absent, "name a folder with a model in the released format");
}
}  // namespace

SafetensorsFolder::SafetensorsFolder(fs::path path) : path_(std::move(path)) {
  refuse_dangling_link(path_);
  if (!fs::exists(path_)) throw Error(path_.string(), "there is no such folder");
  if (!fs::is_directory(path_)) {
    files_.push_back(std::make_unique<SafetensorsFile>(path_));
    for (const StoredTensor& tensor : files_[0]->tensors()) tensors_.emplace(tensor.name, &tensor);
    return;
  }
  refuse_dangling_link(path_ / kIndexName);
  refuse_dangling_link(path_ / kSingleName);
  if (fs::exists(path_ / kIndexName)) {
    open_indexed(path_ / kIndexName);
  } else if (fs::exists(path_ / kSingleName)) {
    add_file(kSingleName, nullptr);
  } else {
    const std::vector<std::string> shards = loose_shards(path_);
    if (shards.empty()) refuse_folder(path_);
    for (const std::string& shard : shards) add_file(shard, nullptr);
  }
}

void SafetensorsFolder::open_indexed(const fs::path& index_file) {
  const Index index = read_index(index_file);
  std::set<std::string> shards;
  for (const auto& [name, shard] : index) shards.insert(shard);
  std::vector<std::string> missing;
  for (const std::string& shard : shards) {
    refuse_dangling_link(path_ / shard);
    if (!fs::exists(path_ / shard)) missing.push_back(shard);
  }
  require_shards(index_file, missing);
  for (const std::string& shard : shards) add_file(shard, &index);
  for (const auto& [name, shard] : index) {
    if (find(name)) continue;
    throw Error((path_ / shard).string(),
                fmt::format("holds no tensor \"{}\", which {} places there", name, kIndexName),
                "fetch or copy the index and all shards again: they are of different versions");
  }
  if (!shards.contains(kSingleName) && fs::exists(path_ / kSingleName)) {
    notes_.push_back(fmt::format("{} is not read: {} names other files", kSingleName, kIndexName));
  }
}

void SafetensorsFolder::add_file(const std::string& name, const Index* index) {
  const SafetensorsFile& file =
      *files_.emplace_back(std::make_unique<SafetensorsFile>(path_ / name));
  std::vector<std::string> unlisted;
  for (const StoredTensor& tensor : file.tensors()) {
    if (index && !index->contains(tensor.name)) {
      unlisted.push_back(tensor.name);
    } else {
      add_tensor(tensor, name);
    }
  }
  if (unlisted.empty()) return;
  notes_.push_back(fmt::format("{} tensors of {} are not in {}, and are left out: {}",
                               unlisted.size(), name, kIndexName, some_of(unlisted)));
}

/// Two files may hold the same tensor twice: one copy is enough. Where the copies differ, it is an
/// error, since programs do not agree on which one they take.
void SafetensorsFolder::add_tensor(const StoredTensor& tensor, const std::string& file) {
  const auto [place, added] = tensors_.emplace(tensor.name, &tensor);
  if (added) return;
  const StoredTensor& other = *place->second;
  if (other.dtype == tensor.dtype && other.shape == tensor.shape &&
      std::equal(other.bytes.begin(), other.bytes.end(), tensor.bytes.begin(),
                 tensor.bytes.end())) {
    return;
  }
  throw Error(path_.string(),
              fmt::format("the tensor \"{}\" is in {} and in another shard, and the two differ",
                          tensor.name, file),
              "keep the shards of one version of the model");
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

std::string shard_file(std::int64_t index, std::int64_t count) {
  return count == 1 ? kSingleName
                    : fmt::format("model-{:05}-of-{:05}.safetensors", index + 1, count);
}

std::string shard_index(const std::map<std::string, std::string>& files,
                        std::uint64_t total_bytes) {
  const json index{{"metadata", {{"total_size", total_bytes}}}, {"weight_map", files}};
  return index.dump(1);
}

namespace {
std::string shard_index(const ShardPlan& plan) {
  std::uint64_t bytes = 0;
  std::map<std::string, std::string> files;
  for (std::size_t shard = 0; shard < plan.shards.size(); ++shard) {
    for (const TensorPlan& tensor : plan.shards[shard]) {
      files[tensor.name] = plan.files[shard];
      bytes += tensor.bytes();
    }
  }
  return tessera::shard_index(files, bytes);
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
  const std::int64_t count = std::ssize(plan.shards);
  for (std::int64_t shard = 0; shard < count; ++shard) {
    plan.files.push_back(shard_file(shard, count));
    plan.total_bytes += SafetensorsWriter::file_bytes(plan.shards[static_cast<std::size_t>(shard)],
                                                      kFormatMetadata);
  }
  if (count > 1) plan.total_bytes += shard_index(plan).size();
  return plan;
}

std::vector<FolderFile> write_shard_index(const std::filesystem::path& folder,
                                          const ShardPlan& plan) {
  if (plan.shards.size() == 1) return {};
  FileWriter file(folder / kIndexName);
  file.write(shard_index(plan));
  return {{kIndexName, file.finish()}};
}

std::vector<FolderFile> write_safetensors_shards(const std::filesystem::path& folder,
                                                 std::span<const NamedTensor> tensors,
                                                 const ShardPlan& plan, const Between& between) {
  std::vector<FolderFile> files;
  for (std::size_t shard = 0; shard < plan.shards.size(); ++shard) {
    SafetensorsWriter writer(folder / plan.files[shard], plan.shards[shard], kFormatMetadata);
    const std::size_t count = plan.shards[shard].size();
    for (const NamedTensor& tensor : tensors.first(count)) {
      if (between) between();
      writer.append(tensor.data);
    }
    tensors = tensors.subspan(count);
    files.push_back({plan.files[shard], writer.finish()});
  }
  return files;
}

std::vector<FolderFile> write_safetensors_folder(const std::filesystem::path& folder,
                                                 std::span<const NamedTensor> tensors,
                                                 std::uint64_t shard_bytes,
                                                 const Between& between) {
  const ShardPlan plan = plan_shards(plan_of(tensors), shard_bytes);
  std::vector<FolderFile> files = write_safetensors_shards(folder, tensors, plan, between);
  for (FolderFile& file : write_shard_index(folder, plan)) files.push_back(std::move(file));
  return files;
}

}  // namespace tessera
