// SPDX-License-Identifier: MIT
// Vocabularies and shards kept between runs, by a fingerprint of what they were made from, so that
// a second run on the same text starts at once.
//
//   FOLDER/vocabulary-<fingerprint>/   tokenizer.model, entry.json
//   FOLDER/shards-<fingerprint>/       what a data build writes, entry.json
//
// Any number of processes may use one cache: an entry is made under another name and renamed, and
// one that goes away while it is read is as good as none. Shards are hard links where the file
// system allows it, so that they take no room of their own as long as a run has them; run folders
// stay whole when the cache is cleared.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace tessera {

/// Where the user's cache is: TESSERA_HOME/cache, or XDG_CACHE_HOME/tessera, or ~/.cache/tessera.
/// Empty where none of them is set.
std::filesystem::path data_cache_folder();

struct CacheEntry {
  std::string name;   ///< "shards-0123..."
  std::string label;  ///< for people: the sources
  std::int64_t bytes = 0;
  double last_used = 0;  ///< seconds since 1970
};

class DataCache {
 public:
  static constexpr std::int64_t kMostBytes = 20'000'000'000;

  /// An empty folder: nothing is found and nothing kept. Above `most_bytes` the entries that were
  /// used longest ago go.
  explicit DataCache(std::filesystem::path folder, std::int64_t most_bytes = kMostBytes)
      : folder_(std::move(folder)), most_bytes_(most_bytes) {}

  /// Brings the files of an entry into `target`, manifest.json last. False, with nothing left in
  /// `target`, when there is no such entry or it cannot be read.
  bool fetch(const std::string& name, const std::filesystem::path& target) const;

  /// Keeps the files of `source` named so. Returns why it did not, for people; empty: it did, or
  /// the entry was there already.
  std::string keep(const std::string& name, const std::filesystem::path& source,
                   const std::vector<std::string>& files, const std::string& label) const;

  /// The newest use first.
  std::vector<CacheEntry> entries() const;
  /// Removes all entries; returns their bytes.
  std::int64_t clear() const;

 private:
  void remove(const std::string& name) const;
  void make_room(std::int64_t bytes) const;

  std::filesystem::path folder_;
  std::int64_t most_bytes_;
};

}  // namespace tessera
