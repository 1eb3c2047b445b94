// SPDX-License-Identifier: MIT
// Where the trainer's rows come from. Pre-training text is one source and random tokens are
// another; fine-tuning and rollouts are further ones.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/base/communicator.h"
#include "core/data/dataset.h"
#include "core/spec/curriculum.h"
#include "core/spec/spec.h"
#include "core/tokenizer/tokenizer.h"
#include "core/train/microbatch.h"

namespace tessera {

/// One entry for each sequence of the batch.
using StepRows = std::vector<TokenColumns>;

class StepSource {
 public:
  virtual ~StepSource() = default;

  /// This rank's rows of a step: at.batch_sequences / ranks of data of them, none longer than
  /// at.sequence_length.
  virtual StepRows next(const CurriculumStep& at) = 0;
  /// The first `sequences` held-out rows of a source, or as many as there are: the same whenever
  /// they are asked for. Changes nothing that next() depends on. Throws Error where there are none.
  virtual StepRows held_out(const std::string& source, std::int64_t sequences,
                            std::int64_t length) const = 0;

  /// Where the source stands: the same on every rank, good for any other number of ranks.
  virtual nlohmann::json state() const = 0;
  /// Goes on from `state`, after step `last` was trained. Throws Error when the state is malformed
  /// or of other data.
  virtual void restore(const nlohmann::json& state, const CurriculumStep& last) = 0;

  /// Tokens have ids below this.
  virtual std::int64_t vocab_size() const = 0;
  /// What a checkpoint takes along, so that it can be used without the data: the vocabulary.
  virtual std::vector<std::filesystem::path> files() const = 0;
};

/// Token shards, by the mixture, seed, packing, MTP depth and FIM rate of the spec.
std::unique_ptr<StepSource> pretraining_source(const RunSpec& spec,
                                               std::shared_ptr<const data::Dataset> dataset,
                                               const SpecialTokens& specials,
                                               const Communicator& ranks);

/// Tokens of which each is as likely as any other, for measurements: `batches` different batches in
/// turn, by the model, batch and length of the spec's first stage.
std::unique_ptr<StepSource> random_source(const RunSpec& spec, const Communicator& ranks,
                                          std::int64_t batches = 4);

}  // namespace tessera
