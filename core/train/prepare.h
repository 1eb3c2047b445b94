// SPDX-License-Identifier: MIT
// Before the first step: the vocabulary and the token shards that a spec asks for.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/data/build.h"
#include "core/data/dataset.h"
#include "core/run/run_folder.h"
#include "core/run/spec.h"
#include "core/tokenizer/tokenizer.h"

namespace tessera {

struct PreparedData {
  std::shared_ptr<const Tokenizer> tokenizer;
  std::shared_ptr<const data::Dataset> dataset;
};

struct PrepareOptions {
  std::filesystem::path tokenizer_file;  ///< where a trained vocabulary is kept between starts
  std::filesystem::path shards;          ///< folder of the shards when the spec names none
  std::function<void(const std::string&)> message;
  std::function<void(const data::BuildProgress&)> progress;
  const std::atomic<bool>* stop = nullptr;
};

/// Loads or trains the vocabulary, then opens the shards or builds them; what an earlier start has
/// finished is used again. Throws Error naming the key or the file.
PreparedData prepare_data(const RunSpec& spec, const PrepareOptions& options);

/// The sources of a spec as core/data reads them.
std::vector<data::Source> data_sources(const RunSpec& spec);
/// Its filters by domain.
std::map<data::Domain, data::FilterOptions> data_filters(const RunSpec& spec);

}  // namespace tessera
