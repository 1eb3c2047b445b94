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
#include "core/checkpoint/checkpoint_files.h"
#include "core/checkpoint/internal.h"
#include "core/checkpoint/staged_folder.h"

namespace tessera {

namespace fs = std::filesystem;
using namespace checkpoint_internal;
using nlohmann::json;

std::string checkpoint_internal::step_name(std::int64_t step) {
  return fmt::format("step-{}", step);
}

std::string checkpoint_internal::optimiser_file(std::int64_t index, std::int64_t count) {
  return count == 1 ? kOptimiser
                    : fmt::format("optimiser-{:05}-of-{:05}.safetensors", index + 1, count);
}

bool checkpoint_internal::is_optimiser_file(const std::string& name) {
  return name == kOptimiser || (name.starts_with("optimiser-") && name.ends_with(".safetensors"));
}

namespace {
/// N of "step-N"; nothing for other names.
std::optional<std::int64_t> step_of(const std::string& name) {
  if (!name.starts_with("step-")) return std::nullopt;
  std::int64_t step = 0;
  const char *from = name.data() + 5, *end = name.data() + name.size();
  const auto result = std::from_chars(from, end, step);
  if (from == end || result.ptr != end || result.ec != std::errc{} || step < 0) return std::nullopt;
  return step;
}

struct Manifest {
  std::int64_t step = 0;
  std::vector<FolderFile> files;
};

/// Throws Error, or json::exception for a manifest of another form.
Manifest read_manifest(const fs::path& checkpoint) {
  const fs::path path = checkpoint / kManifest;
  const json object = json::parse(read_file(path, 256u << 20));
  if (const int format = object.at("format"); format < 1 || format > kPartsFormat) {
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

std::string other_checkpoint_hint(const fs::path& damaged, const std::atomic<bool>* stop) {
  std::vector<CheckpointInfo> others = scan_checkpoints(damaged.parent_path());
  std::reverse(others.begin(), others.end());
  for (const CheckpointInfo& other : others) {
    if (other.path.filename() != damaged.filename() &&
        check_checkpoint(other.path, Verify::Hashes, stop).empty()) {
      return fmt::format("use {}, which is whole", other.path.string());
    }
  }
  return "there is no other whole checkpoint beside it";
}

}  // namespace

std::vector<CheckpointInfo> checkpoint_internal::scan_checkpoints(const fs::path& folder) {
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

std::string check_checkpoint(const fs::path& checkpoint, Verify verify,
                             const std::atomic<bool>* stop, const FileShare& share) {
  std::error_code code;
  if (!fs::exists(checkpoint / kManifest, code)) return "manifest.json is missing";
  try {
    const Manifest manifest = read_manifest(checkpoint);
    const auto lists = [&](const char* name) {
      return std::any_of(manifest.files.begin(), manifest.files.end(),
                         [&](const FolderFile& file) { return file.name == name; });
    };
    if (!lists(kConfig) || !lists(kState)) return "manifest.json is incomplete";
    for (std::size_t i = 0; i < manifest.files.size(); ++i) {
      const Verify how = i % share.count == share.index ? verify : Verify::Sizes;
      const std::string damage = check_file(checkpoint, manifest.files[i], how, stop);
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

void require_whole(const fs::path& checkpoint, Verify verify, const std::atomic<bool>* stop,
                   const FileShare& share) {
  if (!fs::is_directory(checkpoint)) {
    throw Error(checkpoint.string(), "there is no such checkpoint");
  }
  const std::string damage = check_checkpoint(checkpoint, verify, stop, share);
  if (damage.empty()) return;
  throw Error(checkpoint.string(), "the checkpoint is damaged: " + damage,
              other_checkpoint_hint(checkpoint, stop));
}

std::vector<CheckpointInfo> list_checkpoints(const fs::path& run_folder, Verify verify) {
  std::vector<CheckpointInfo> found = scan_checkpoints(run_folder / "checkpoints");
  for (CheckpointInfo& info : found) info.damage = check_checkpoint(info.path, verify);
  return found;
}

std::optional<CheckpointInfo> find_latest_checkpoint(const fs::path& run_folder, Verify verify) {
  std::vector<CheckpointInfo> found = scan_checkpoints(run_folder / "checkpoints");
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

fs::path verified(fs::path path, Verify verify, const std::atomic<bool>* stop) {
  require_whole(path, verify, stop);
  return path;
}
}  // namespace

Checkpoint::Checkpoint(fs::path path, Verify verify, const std::atomic<bool>* stop)
    : path_(verified(std::move(path), verify, stop)),
      config_(read_hf_config(path_)),
      state_(read_state(path_)),
      weights_(path_) {
  const Manifest manifest = read_manifest(path_);
  step_ = manifest.step;
  for (const FolderFile& file : manifest.files) {
    if (is_optimiser_file(file.name)) optimiser_.emplace_back(path_ / file.name);
  }
}

void Checkpoint::read_weights(std::span<const NamedTensor> into, const std::atomic<bool>* stop,
                              std::span<const std::string> others) const {
  const std::vector<std::string> names = weights_.names();
  std::set<std::string, std::less<>> left(names.begin(), names.end());
  for (const NamedTensor& tensor : into) {
    throw_if_stopped(stop, "checkpoint");
    const StoredTensor& stored = weights_.at(tensor.name);
    require_alike(path_, stored, tensor);
    stored.copy_to(tensor.data);
    left.erase(tensor.name);
  }
  for (const std::string& name : others) left.erase(name);
  refuse_left_over(path_, left);
}

void Checkpoint::read_optimiser(std::span<const NamedTensor> into, const std::atomic<bool>* stop,
                                std::span<const std::string> others) const {
  if (!has_optimiser()) throw Error(path_.string(), "the checkpoint holds no optimiser state");
  read_states(path_, optimiser_, into, stop, others);
}

}  // namespace tessera
