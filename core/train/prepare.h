// SPDX-License-Identifier: MIT
// Before the first step: the vocabulary and the token shards that a spec asks for.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/data/build.h"
#include "core/data/dataset.h"
#include "core/run/run_folder.h"
#include "core/spec/spec.h"
#include "core/tokenizer/tokenizer.h"

namespace tessera {

struct PreparedData {
  std::shared_ptr<const Tokenizer> tokenizer;
  std::shared_ptr<const data::Dataset> dataset;
};

/// For people: `level` is "info" (for the log), "note" (shown, too) or "warning", as in events.
using Tell = std::function<void(const std::string& level, const std::string& text)>;

struct PrepareOptions {
  std::filesystem::path tokenizer_file;  ///< where a trained vocabulary is kept between starts
  std::filesystem::path shards;          ///< folder of the shards when the spec names none
  /// True for a run: shards that are complete are used whatever became of the text since; what
  /// changed is told. False: other text or settings than those of the folder are an Error.
  bool keep_built = false;
  /// Where vocabularies and shards are kept for other runs on the same text; see data_cache.h.
  /// Empty: nowhere.
  std::filesystem::path cache;
  bool rebuild = false;  ///< with keep_built off: build anew where text or settings are others
  Tell tell;
  /// Phases "reading" (of the text that the vocabulary is trained on), "vocabulary" and "shards", a
  /// few times a second.
  ReportPhase progress;
  /// When it becomes true, prepare_data() throws Stopped within seconds, whatever it is doing.
  const std::atomic<bool>* stop = nullptr;
};

/// Loads or trains the vocabulary, then opens the shards or builds them; what an earlier start has
/// finished is used again. Throws Error naming the key or the file.
PreparedData prepare_data(const RunSpec& spec, const PrepareOptions& options);

/// The sources with held-out text, in the order of data.sources, with the weights of the stage that
/// `step` belongs to; those that the stage does not read have 0, or all of them 1 where none is
/// left.
Mixture validation_mixture(const RunSpec& spec, const data::Dataset& dataset, std::int64_t step);

/// The sources of a spec as core/data reads them, with their weights over the whole run; those that
/// no stage reads are left out.
std::vector<data::Source> data_sources(const RunSpec& spec);
/// Its filters by domain.
std::map<data::Domain, data::FilterOptions> data_filters(const RunSpec& spec);
/// Which duplicates it leaves out: none where data.filters.on is false.
data::DedupOptions data_dedup(const RunSpec& spec);

}  // namespace tessera
