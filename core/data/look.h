// SPDX-License-Identifier: MIT
// The first documents of each source as a data build would see them, before anything is built.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/data/build.h"

namespace tessera::data {

struct LookOptions {
  std::int64_t documents = 20;    ///< documents shown for each source, dropped ones included
  std::int64_t read = 1000;       ///< documents read from each source, for the counts
  std::int64_t text_bytes = 300;  ///< bytes shown of each document, whole characters
  const std::atomic<bool>* stop = nullptr;
};

struct SeenDocument {
  std::string file;
  std::int64_t line = 0;   ///< line of the JSON record, counted from 1; 0: a whole file
  std::int64_t bytes = 0;  ///< length of the text in UTF-8; 0 when it could not be read
  std::string text;        ///< its beginning
  std::string dropped;     ///< the reason; empty: it is kept
  std::string note;        ///< more on the reason
};

struct SourceLook {
  SourceReport report;     ///< report on what was read
  std::int64_t bytes = 0;  ///< size of all its files on disk
  bool whole = false;      ///< every document was read
  std::vector<SeenDocument> documents;
};

/// Duplicates are told among what is read. Throws Error as build() does where a source has no
/// files, and Stopped.
std::vector<SourceLook> look(const std::vector<Source>& sources,
                             const std::map<Domain, FilterOptions>& filters,
                             const DedupOptions& dedup, const LookOptions& options = {});

/// One object a source: name, files, bytes, read, kept, dropped (reason: count), warnings,
/// documents.
nlohmann::json to_json(const std::vector<SourceLook>& sources);

}  // namespace tessera::data
