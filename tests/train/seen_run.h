// SPDX-License-Identifier: MIT
// What ranks see of a run that a trainer makes without a folder: to be compared between layouts.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/transfer.h"
#include "core/train/trainer.h"
#include "tests/train/rank_runs.h"

namespace tessera::tiny_run {

struct Seen {
  std::vector<double> losses, mtp_losses, balance_losses, norms;
  std::vector<std::vector<float>> max_vio;
  std::vector<std::int64_t> loads;  ///< all steps, one behind the other
  std::vector<ExchangeReport> exchanges;
  std::vector<float> biases;       ///< after the last step, like what follows
  std::vector<float> token_table;  ///< empty where the rank has none
  std::vector<float> weights;      ///< empty where the rank has a part of the model
  double validation = 0;
  std::size_t keep_bytes = 0;  ///< for backward
};

/// Trains to the end of the curriculum, and validates on `validation_batches` of "words".
inline Seen train_and_see(const RunSpec& s, Communicator& ranks,
                          std::int64_t validation_batches = 6) {
  Seen seen;
  const auto dataset = data::Dataset::open(s.data.shards);
  const SpecialTokens specials = Tokenizer::load(s.tokenizer.path)->specials();
  Trainer trainer(s, pretraining_source(s, dataset, specials, ranks), specials, ranks);
  while (!trainer.finished()) {
    const StepReport report = trainer.step();
    seen.losses.push_back(report.loss);
    seen.mtp_losses.push_back(report.mtp_loss);
    seen.balance_losses.push_back(report.balance_loss);
    seen.norms.push_back(report.optimiser.grad_norm);
    seen.max_vio.push_back(report.max_vio);
    seen.exchanges.push_back(report.exchange);
    const Tensor& loads = trainer.loads();
    seen.loads.insert(seen.loads.end(), loads.data<std::int64_t>(),
                      loads.data<std::int64_t>() + loads.numel());
  }
  seen.biases = trainer.biases();
  seen.validation = trainer.validate("words", validation_batches);
  seen.keep_bytes = trainer.step_memory().keep_bytes;
  const Model& model = trainer.model();
  for (const Parameter& p : model.parameters().all()) {
    if (p.name == "model.embed_tokens.weight") seen.token_table = host_values<float>(p.value);
  }
  if (model.layout().is_whole(model.config())) {
    seen.weights = host_values<float>(model.parameters().flat_values());
  }
  return seen;
}

/// The same on `count` ranks of one process, none of which may fail: what each has seen.
inline std::vector<Seen> train_and_see_on(int count, const RunSpec& s,
                                          std::int64_t validation_batches = 6) {
  std::vector<Seen> all(static_cast<std::size_t>(count));
  const std::vector<std::string> errors = on_ranks(count, [&](Communicator& ranks) {
    all[static_cast<std::size_t>(ranks.rank())] = train_and_see(s, ranks, validation_batches);
  });
  for (const std::string& error : errors) EXPECT_EQ(error, "");
  return all;
}

}  // namespace tessera::tiny_run
