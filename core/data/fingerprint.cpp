// SPDX-License-Identifier: MIT
#include "core/data/fingerprint.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <string>
#include <system_error>

#include "core/base/progress.h"
#include "core/data/manifest.h"

namespace tessera::data {

namespace fs = std::filesystem;

namespace {
/// Raised when what is built from the same inputs changes.
constexpr int kFormat = 1;

nlohmann::json times_of(const std::vector<fs::path>& files) {
  nlohmann::json times = nlohmann::json::array();
  for (const fs::path& file : files) {
    std::error_code failed;
    const auto time = fs::last_write_time(file, failed);
    times.push_back(failed ? 0 : static_cast<std::int64_t>(time.time_since_epoch().count()));
  }
  return times;
}
}  // namespace

std::string fingerprint_of(const BuildOptions& options, std::string_view more) {
  ReaderOptions reading = options.reader;
  reading.stop = options.stop;
  std::vector<SourceReader> readers;
  nlohmann::json times = nlohmann::json::array();
  for (const Source& source : options.sources) {
    readers.emplace_back(source, reading);
    times.push_back(times_of(readers.back().files()));
  }
  const nlohmann::json inputs = {{"format", kFormat},
                                 {"settings", settings_of(options, readers)},
                                 {"times", times},
                                 {"more", more}};
  throw_if_stopped(options.stop, "data build");  // the settings may not be whole
  const std::string text = inputs.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

std::vector<std::string> files_of(const fs::path& folder) {
  std::vector<std::string> files = {"tokenizer.model"};
  for (const ManifestSource& source : read_manifest(folder).sources) {
    for (const ManifestShard& shard : source.shards) files.push_back(shard.file);
  }
  files.push_back("manifest.json");
  return files;
}

}  // namespace tessera::data
