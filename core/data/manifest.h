// SPDX-License-Identifier: MIT
// Private to core/data: manifest.json, and the state of a build that is not finished.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/data/build.h"

namespace tessera::data {

inline constexpr const char* kTrainSplit = "train";
inline constexpr const char* kHeldOutSplit = "held_out";

struct ManifestShard {
  std::string file, split;
  std::int64_t documents = 0, tokens = 0;
};

struct ManifestSource {
  std::string name;
  Domain domain = Domain::Web;
  double weight = 1.0;
  std::vector<ManifestShard> shards;
  SourceReport report;
};

struct Manifest {
  std::string tokenizer;
  std::int32_t vocab_size = 0;
  std::vector<ManifestSource> sources;
  std::int64_t forgotten = 0;
  /// All that decides the result, for comparing; see settings_of().
  nlohmann::json settings;
};

/// Throws Error naming the file and what is wrong with it.
Manifest read_manifest(const std::filesystem::path& folder);
void write_manifest(const std::filesystem::path& folder, const Manifest& manifest);

/// Where a build stands after a finished pair of shards.
struct BuildState {
  Manifest manifest;        ///< names what is finished so far
  std::int64_t source = 0;  ///< index of the one at work
  SourcePosition position;
  std::int64_t segment = 0;     ///< number of the next pair of shards of the source
  std::int64_t seen_bytes = 0;  ///< valid length of build-seen.bin
};

BuildState read_state(const std::filesystem::path& folder);
void write_state(const std::filesystem::path& folder, const BuildState& state);

/// Tokenizer (none: ""), sources with a hash of their files, filters, de-duplication, limits.
nlohmann::json settings_of(const BuildOptions& options, const std::vector<SourceReader>& readers);

}  // namespace tessera::data
