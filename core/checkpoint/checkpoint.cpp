// SPDX-License-Identifier: MIT
#include "core/checkpoint/checkpoint.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <set>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/log.h"
#include "core/base/progress.h"
#include "core/checkpoint/internal.h"
#include "core/checkpoint/staged_folder.h"

namespace tessera {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {
constexpr const char* kManifest = "manifest.json";
constexpr const char* kState = "state.json";
constexpr const char* kConfig = "config.json";
constexpr const char* kOptimiser = "optimiser.safetensors";
constexpr const char* kPinned = "pinned";
constexpr int kManifestFormat = 1;

std::string step_name(std::int64_t step) {
  return fmt::format("step-{}", step);
}

/// N of "step-N"; nothing for other names.
std::optional<std::int64_t> step_of(const std::string& name) {
  if (!name.starts_with("step-")) return std::nullopt;
  std::int64_t step = 0;
  const char *from = name.data() + 5, *end = name.data() + name.size();
  const auto result = std::from_chars(from, end, step);
  if (from == end || result.ptr != end || result.ec != std::errc{} || step < 0) return std::nullopt;
  return step;
}

std::string manifest_text(std::int64_t step, const std::vector<FolderFile>& files) {
  json list = json::array();
  for (const FolderFile& file : files) {
    list.push_back({{"name", file.name},
                    {"bytes", file.written.bytes},
                    {"xxh3", fmt::format("{:016x}", file.written.xxh3)}});
  }
  return json{{"format", kManifestFormat}, {"step", step}, {"files", list}}.dump(1) + "\n";
}

struct Manifest {
  std::int64_t step = 0;
  std::vector<FolderFile> files;
};

/// Throws Error, or json::exception for a manifest of another form.
Manifest read_manifest(const fs::path& checkpoint) {
  const fs::path path = checkpoint / kManifest;
  const json object = json::parse(read_file(path, 256u << 20));
  if (object.at("format").get<int>() != kManifestFormat) {
    throw Error(path.string(), "was written by a newer version", "use that version");
  }
  Manifest manifest{object.at("step").get<std::int64_t>(), {}};
  for (const json& file : object.at("files")) {
    const std::string name = file.at("name").get<std::string>(),
                      hash = file.at("xxh3").get<std::string>();
    std::uint64_t xxh3 = 0;
    const auto result = std::from_chars(hash.data(), hash.data() + hash.size(), xxh3, 16);
    if (result.ec != std::errc{} || result.ptr != hash.data() + hash.size() ||
        name != fs::path(name).filename()) {
      throw Error(path.string(), fmt::format("the entry of \"{}\" is damaged", name));
    }
    manifest.files.push_back({name, {file.at("bytes").get<std::uint64_t>(), xxh3}});
  }
  return manifest;
}

/// What is wrong with a file of a checkpoint; empty when nothing.
std::string check_file(const fs::path& checkpoint, const FolderFile& file, Verify verify,
                       const std::atomic<bool>* stop) {
  const fs::path path = checkpoint / file.name;
  std::error_code code;
  const std::uintmax_t bytes = fs::file_size(path, code);
  if (code) return fmt::format("{} is missing", file.name);
  if (bytes != file.written.bytes) {
    return fmt::format("{} has {} bytes, and was written with {}", file.name, bytes,
                       file.written.bytes);
  }
  if (verify == Verify::Hashes && hash_file(path, stop).xxh3 != file.written.xxh3) {
    return fmt::format("{} does not hold the bytes that were written (its hash differs)",
                       file.name);
  }
  return {};
}

/// The checkpoints of a folder, oldest first, not verified.
std::vector<CheckpointInfo> scan(const fs::path& folder) {
  std::vector<CheckpointInfo> found;
  std::error_code code;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, code)) {
    const std::string name = entry.path().filename().string();
    // One that was being replaced when the process died counts as long as its successor is missing.
    const std::string replaced = replaced_name(name);
    if (!replaced.empty() && fs::exists(folder / replaced)) continue;
    const auto step = step_of(replaced.empty() ? name : replaced);
    if (!step || !entry.is_directory(code)) continue;
    CheckpointInfo info{entry.path(), *step, 0, fs::exists(entry.path() / kPinned, code), {}};
    for (const fs::directory_entry& file : fs::directory_iterator(entry.path(), code)) {
      const std::uintmax_t bytes = file.file_size(code);
      if (!code) info.bytes += bytes;
    }
    found.push_back(std::move(info));
  }
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return a.step < b.step; });
  return found;
}

std::string other_checkpoint_hint(const fs::path& damaged, const std::atomic<bool>* stop) {
  std::vector<CheckpointInfo> others = scan(damaged.parent_path());
  std::reverse(others.begin(), others.end());
  for (const CheckpointInfo& other : others) {
    if (other.path.filename() != damaged.filename() &&
        check_checkpoint(other.path, Verify::Hashes, stop).empty()) {
      return fmt::format("use {}, which is whole", other.path.string());
    }
  }
  return "there is no other whole checkpoint beside it";
}

fs::path verified(fs::path path, Verify verify, const std::atomic<bool>* stop) {
  if (!fs::is_directory(path)) throw Error(path.string(), "there is no such checkpoint");
  const std::string damage = check_checkpoint(path, verify, stop);
  if (!damage.empty()) {
    throw Error(path.string(), "the checkpoint is damaged: " + damage,
                other_checkpoint_hint(path, stop));
  }
  return path;
}

/// Throws before anything is written when two files of a checkpoint would have one name.
void check_file_names(const CheckpointContents& contents) {
  std::set<std::string> names{kManifest, kState, kConfig, kOptimiser, kPinned};
  for (const fs::path& file : contents.files) {
    const std::string name = file.filename().string();
    if (!names.insert(name).second || name.ends_with(".safetensors")) {
      throw Error(file.string(), fmt::format("a checkpoint has its own file \"{}\"", name));
    }
    if (!fs::is_regular_file(file)) throw Error(file.string(), "there is no such file");
  }
}

std::uint64_t bytes_needed(const CheckpointContents& contents, const std::string& state,
                           const SaveOptions& options) {
  // Small files, names and the rounding up to whole blocks of the disk.
  std::uint64_t bytes = 65536 + state.size();
  const ShardPlan plan = plan_shards(plan_of(contents.weights), options.shard_bytes);
  bytes += plan.total_bytes + 4096 * plan.files.size();
  if (!contents.optimiser.empty()) {
    bytes += SafetensorsWriter::file_bytes(plan_of(contents.optimiser));
  }
  for (const fs::path& file : contents.files) bytes += fs::file_size(file) + 4096;
  return bytes;
}

void write_contents(StagedFolder& folder, const CheckpointContents& contents,
                    const std::string& state, const SaveOptions& options, bool pin) {
  folder.add(write_safetensors_folder(folder.path(), contents.weights, options.shard_bytes,
                                      options.between));
  if (!contents.optimiser.empty()) {
    folder.add({kOptimiser, write_safetensors(folder.path() / kOptimiser, contents.optimiser, {},
                                              options.between)});
  }
  folder.add_text(kConfig, hf_config_json(contents.config).dump(2) + "\n");
  folder.add_text(kState, state);
  for (const fs::path& file : contents.files) folder.add_copy(file);
  if (pin) FileWriter(folder.path() / kPinned).finish();
  // Last, so that it names what is there.
  folder.add_text(kManifest, manifest_text(contents.step, folder.files()));
}

/// Deletes the oldest but `keep` whole ones, counting `written`. A failure is no failure of the
/// save.
void delete_old(const fs::path& checkpoints, const fs::path& written, int keep) {
  std::vector<fs::path> old;
  for (const CheckpointInfo& info : scan(checkpoints)) {
    if (info.pinned || info.path == written) continue;
    if (check_checkpoint(info.path, Verify::Sizes).empty()) old.push_back(info.path);
  }
  for (std::size_t at = 0; at + static_cast<std::size_t>(keep) <= old.size(); ++at) {
    try {
      StagedFolder::remove(old[at]);
    } catch (const Error& error) {
      log::warning("{}", error.what());
    }
  }
}
}  // namespace

std::uint64_t checkpoint_bytes(const CheckpointContents& contents, const SaveOptions& options) {
  check_file_names(contents);
  return bytes_needed(contents, contents.state.dump(1), options);
}

fs::path save_checkpoint(const fs::path& run_folder, const CheckpointContents& contents,
                         const SaveOptions& options) {
  require(contents.step >= 0 && options.keep_last >= 0, "checkpoint",
          "step {} and keep_last {} must not be negative", contents.step, options.keep_last);
  check_file_names(contents);
  if (!fs::is_directory(run_folder)) throw Error(run_folder.string(), "there is no such run");
  const fs::path checkpoints = run_folder / "checkpoints";
  std::error_code code;
  if (fs::create_directory(checkpoints, code)) sync_folder(run_folder);
  if (code) throw Error(checkpoints.string(), "cannot create the folder: " + code.message());
  StagedFolder::remove_leftovers(checkpoints);
  const std::string state = contents.state.dump(1) + "\n";
  require_free_space(checkpoints, bytes_needed(contents, state, options));

  const fs::path target = checkpoints / step_name(contents.step);
  {
    StagedFolder folder(target);
    const bool pin = options.pin || fs::exists(target / kPinned);  // a replaced one stays pinned
    write_contents(folder, contents, state, options, pin);
    folder.publish();
  }
  if (options.keep_last > 0) delete_old(checkpoints, target, options.keep_last);
  return target;
}

std::string check_checkpoint(const fs::path& checkpoint, Verify verify,
                             const std::atomic<bool>* stop) {
  std::error_code code;
  if (!fs::exists(checkpoint / kManifest, code)) return "manifest.json is missing";
  try {
    const Manifest manifest = read_manifest(checkpoint);
    const auto lists = [&](const char* name) {
      return std::any_of(manifest.files.begin(), manifest.files.end(),
                         [&](const FolderFile& file) { return file.name == name; });
    };
    if (!lists(kConfig) || !lists(kState)) return "manifest.json is incomplete";
    for (const FolderFile& file : manifest.files) {
      const std::string damage = check_file(checkpoint, file, verify, stop);
      if (!damage.empty()) return damage;
    }
    return {};
  } catch (const Stopped&) {
    throw;
  } catch (const json::exception& error) {
    return fmt::format("manifest.json is damaged: {}", error.what());
  } catch (const Error& error) {
    return error.what_failed();
  }
}

std::vector<CheckpointInfo> list_checkpoints(const fs::path& run_folder, Verify verify) {
  std::vector<CheckpointInfo> found = scan(run_folder / "checkpoints");
  for (CheckpointInfo& info : found) info.damage = check_checkpoint(info.path, verify);
  return found;
}

std::optional<CheckpointInfo> find_latest_checkpoint(const fs::path& run_folder, Verify verify) {
  std::vector<CheckpointInfo> found = scan(run_folder / "checkpoints");
  for (auto info = found.rbegin(); info != found.rend(); ++info) {
    const std::string damage = check_checkpoint(info->path, verify);
    if (damage.empty()) return *info;
    log::warning("{} is passed over: {}", info->path.string(), damage);
  }
  return std::nullopt;
}

void remove_checkpoint(const fs::path& checkpoint) {
  if (!fs::is_directory(checkpoint)) {
    throw Error(checkpoint.string(), "there is no such checkpoint");
  }
  StagedFolder::remove(checkpoint);
}

void pin_checkpoint(const fs::path& checkpoint, bool pinned) {
  const fs::path mark = checkpoint / kPinned;
  std::error_code code;
  if (!pinned) {
    fs::remove(mark, code);
  } else if (!fs::exists(mark)) {
    FileWriter(mark).finish();
  }
  if (code) throw Error(mark.string(), "cannot remove the file: " + code.message());
  sync_folder(checkpoint);
}

namespace {
json read_state(const fs::path& checkpoint) {
  json state = json::parse(read_file(checkpoint / kState, 256u << 20), nullptr, false);
  if (state.is_discarded()) throw Error((checkpoint / kState).string(), "is not JSON");
  return state;
}

/// `at(name)` gives the stored tensor; `names` are all that are stored.
template <class At>
void read_all(const fs::path& where, std::span<const NamedTensor> into,
              std::vector<std::string> names, const std::atomic<bool>* stop, At&& at) {
  std::set<std::string, std::less<>> left(names.begin(), names.end());
  for (const NamedTensor& tensor : into) {
    throw_if_stopped(stop, "checkpoint");
    const StoredTensor& stored = at(tensor.name);
    if (stored.dtype != tensor.data.dtype() ||
        !checkpoint_internal::same_shape(stored.shape, tensor.data)) {
      throw Error(where.string(),
                  fmt::format("tensor \"{}\" is {}, expected {}", tensor.name, stored.describe(),
                              tensor.data.describe()),
                  "the checkpoint is of another model or precision");
    }
    stored.copy_to(tensor.data);
    left.erase(tensor.name);
  }
  if (left.empty()) return;
  throw Error(where.string(),
              fmt::format("holds {} tensors that nobody asked for, such as \"{}\"", left.size(),
                          *left.begin()),
              "the checkpoint is of another model");
}
}  // namespace

Checkpoint::Checkpoint(fs::path path, Verify verify, const std::atomic<bool>* stop)
    : path_(verified(std::move(path), verify, stop)),
      step_(read_manifest(path_).step),
      config_(read_hf_config(path_)),
      state_(read_state(path_)),
      weights_(path_) {
  if (fs::exists(path_ / kOptimiser)) optimiser_.emplace(path_ / kOptimiser);
}

const SafetensorsFile& Checkpoint::optimiser() const {
  if (!optimiser_) throw Error(path_.string(), "the checkpoint holds no optimiser state");
  return *optimiser_;
}

void Checkpoint::read_weights(std::span<const NamedTensor> into,
                              const std::atomic<bool>* stop) const {
  read_all(path_, into, weights_.names(), stop,
           [&](const std::string& name) -> const StoredTensor& { return weights_.at(name); });
}

void Checkpoint::read_optimiser(std::span<const NamedTensor> into,
                                const std::atomic<bool>* stop) const {
  std::vector<std::string> names;
  for (const StoredTensor& tensor : optimiser().tensors()) names.push_back(tensor.name);
  read_all(path_, into, std::move(names), stop,
           [&](const std::string& name) -> const StoredTensor& { return optimiser_->at(name); });
}

}  // namespace tessera
