// SPDX-License-Identifier: MIT
// Names of the files of a checkpoint, for those who write and who read them.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "core/checkpoint/checkpoint.h"

namespace tessera::checkpoint_internal {

inline constexpr const char* kManifest = "manifest.json";
inline constexpr const char* kState = "state.json";
inline constexpr const char* kConfig = "config.json";
inline constexpr const char* kOptimiser = "optimiser.safetensors";
inline constexpr const char* kPinned = "pinned";

/// Of the manifest. An optimiser state in several files came with the second one: a version of the
/// program that does not know it must not take such a checkpoint for one without a state.
inline constexpr int kManifestFormat = 1, kPartsFormat = 2;

std::string step_name(std::int64_t step);

/// "optimiser.safetensors", or with `count` files of several ranks
/// "optimiser-00001-of-00004.safetensors".
std::string optimiser_file(std::int64_t index, std::int64_t count);
bool is_optimiser_file(const std::string& name);

/// The checkpoints of a folder, oldest first, not verified.
std::vector<CheckpointInfo> scan_checkpoints(const std::filesystem::path& folder);

/// Throws Error unless a stored tensor has the type and the shape of the one that it is read into.
void require_alike(const std::filesystem::path& checkpoint, const StoredTensor& stored,
                   const NamedTensor& into);
/// Throws Error naming one of the tensors that nobody asked for, where there are any.
void refuse_left_over(const std::filesystem::path& checkpoint,
                      const std::set<std::string, std::less<>>& left);

/// Fills each view with its run of its array, from the runs that the files hold.
void read_states(const std::filesystem::path& checkpoint, std::span<const SafetensorsFile> files,
                 std::span<const NamedTensor> into, const std::atomic<bool>* stop,
                 std::span<const std::string> others);

}  // namespace tessera::checkpoint_internal
