// SPDX-License-Identifier: MIT
// From text to token shards: read, filter, de-duplicate, tokenise, write. Also the text sample that
// a vocabulary is trained on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/progress.h"
#include "core/data/dedup.h"
#include "core/data/filter.h"
#include "core/data/source.h"
#include "core/tokenizer/tokenizer.h"

namespace tessera::data {

struct BuildOptions {
  std::vector<Source> sources;
  std::filesystem::path folder;  ///< made when missing
  std::shared_ptr<const Tokenizer> tokenizer;

  /// By domain; missing ones take FilterOptions::for_domain().
  std::map<Domain, FilterOptions> filters;
  DedupOptions dedup;
  ReaderOptions reader;
  /// Share of the documents of each source that is never trained on, by the hash of their text: the
  /// same ones in every build. Where that is less than held_out_min_tokens (a small source), the
  /// documents with the next hashes follow until it is, or a twentieth of the source. 0: none.
  double held_out = 0.01;
  std::int64_t held_out_min_tokens = 16384;
  /// A pair of shards (train and held out) is closed when both together have so many tokens.
  std::int64_t shard_tokens = std::int64_t{1} << 25;
  /// 0: as many as OpenMP has. The result does not depend on it.
  int threads = 0;

  /// When the folder holds a build with other settings or inputs: start over instead of an Error.
  bool rebuild = false;

  /// Called from the calling thread a few times a second: phase "shards", bytes of the files of all
  /// sources, as on disk.
  ReportPhase progress;
  /// When it becomes true the build throws Stopped within seconds; it can go on later.
  const std::atomic<bool>* stop = nullptr;
};

struct SourceReport {
  std::string name;
  std::int64_t files = 0;
  std::int64_t documents_read = 0;  ///< kept and dropped; a split text counts once a part
  std::int64_t documents_kept = 0, documents_held_out = 0;
  std::int64_t tokens = 0, tokens_held_out = 0;  ///< `tokens` are those to train on
  std::int64_t text_bytes = 0;                   ///< kept documents as UTF-8
  std::int64_t from_latin1 = 0, from_utf16 = 0;
  DropCounts dropped;
  /// The first documents dropped for each reason: "text/part-01.jsonl:12 (its fields are body,
  /// id)".
  std::map<Drop, Examples> places;
  Examples passed_over;     ///< files and folders; see FileList
  std::int64_t hidden = 0;  ///< files and folders whose names begin with '.'
  Examples remarks;         ///< what was passed over inside files, though no document was lost

  /// Counts a dropped document of that file.
  void drop(const Document& document, const std::filesystem::path& file);
  /// For people, a line each: documents that could not be read and why, and what was passed over.
  std::vector<std::string> warnings() const;
};

struct BuildReport {
  std::vector<SourceReport> sources;
  std::int64_t fingerprints_forgotten = 0;
  std::vector<std::string> warnings;  ///< for people: documents that could not be read, files that
                                      ///< were passed over, a source without held-out text, ...
  bool was_complete = false;          ///< the folder already held the result; nothing was done

  std::string table() const;  ///< for the terminal, about 100 columns; without the warnings
};

/// Builds into options.folder. A build that was interrupted in any way goes on behind the last
/// finished pair of shards and ends with the same bytes as one that was not. Memory is bounded by
/// the options, whatever the size of the input.
/// Throws Error when the folder holds a build with other settings or other input files (weights may
/// differ: they are only noted), when another build is at work in it, when a source has no file,
/// when nothing is kept, or when the disk is full.
BuildReport build(const BuildOptions& options);

/// True when the folder holds a complete build.
bool is_built(const std::filesystem::path& folder);
/// The report of a complete build. Throws Error when the folder holds none.
BuildReport report_of(const std::filesystem::path& folder);
/// In which of these options the complete build in options.folder differs from what they would
/// give:
/// "/sources/0/files"; empty: in none. Throws Error as build() does where the sources have no
/// files.
std::string difference_from(const BuildOptions& options);

/// A text sample, and what became of the documents it was chosen from.
struct Sample {
  std::vector<std::string> texts;
  std::vector<SourceReport> sources;  ///< files, documents read and dropped; no tokens
  std::int64_t bytes() const;
};

/// About `bytes` of text of the sources, in shares of their weights (a source with less gives all
/// it has), as parts of at most 16 KiB chosen by hash: the same input gives the same sample.
/// Filters apply as in build(). `progress` (phase "reading", bytes) is called from the calling
/// thread a few times a second. Throws Stopped when `reader.stop` becomes true.
Sample sample_text(const std::vector<Source>& sources, std::int64_t bytes,
                   const std::map<Domain, FilterOptions>& filters = {},
                   const ReaderOptions& reader = {}, const ReportPhase& progress = {});

}  // namespace tessera::data
