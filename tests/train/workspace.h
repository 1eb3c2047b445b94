// SPDX-License-Identifier: MIT
// A folder for the runs of a test, with text to train on and shards that they share.
#pragma once

#include <stdlib.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "core/base/log.h"
#include "core/events/events.h"
#include "core/train/train_run.h"
#include "distributed/single/single_process.h"
#include "tests/train/tiny_run.h"

namespace tessera::tiny_run {

/// A folder that goes with the test, with text to train on.
struct Workspace {
  std::filesystem::path path;

  Workspace() {
    log::set_console_level(log::Level::Error);
    std::string name = (std::filesystem::temp_directory_path() / "tessera-train-XXXXXX").string();
    path = ::mkdtemp(name.data());
    write_words(path / "text.jsonl");
  }
  ~Workspace() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }

  RunSpec spec() const {
    RunSpec s = tiny_spec(path / "text.jsonl");
    s.run.name = "test";
    s.run.seed = 5;
    s.model.num_nextn_predict_layers = 1;
    s.model.initializer_range = 0.02;
    CurriculumStage stage;
    stage.steps = 12;
    stage.sequence_length = 32;
    stage.batch_sequences = 8;
    stage.bias_speed = 0.01;
    stage.balance_alpha = 1e-3;
    stage.learning_rate = {{.kind = RateKind::Warmup, .steps = 4, .to = 3e-3},
                           {.kind = RateKind::Cosine, .steps = 8, .to = 3e-4}};
    s.curriculum = {stage};
    s.parallel.micro_batch_sequences = 4;
    s.checkpoint.every_steps = 0;
    s.validation.every_steps = 0;
    s.events.experts_every = 1;
    s.data.shards = (path / "shards").string();
    s.tokenizer.path = (path / "shards").string();
    return s;
  }

  /// The vocabulary and shards that all runs of the workspace share.
  void build() const {
    RunSpec s = spec();
    s.data.shards.clear();
    s.tokenizer.path.clear();
    const RunFolder folder = RunFolder::create(path / "build", s);
    train(folder, 1);
    std::filesystem::rename(folder.shards_path(), path / "shards");
  }

  static RunState train(const RunFolder& folder, std::int64_t most_steps = 0) {
    SingleProcess ranks;
    TrainRunOptions options;
    options.most_steps = most_steps;
    return train_run(folder, ranks, options);
  }
  RunFolder run(const RunSpec& s) const { return RunFolder::create(path / "runs", s); }
};

inline std::map<std::int64_t, double> losses(const RunFolder& folder) {
  std::map<std::int64_t, double> all;
  for (const Event& event : read_events(folder.events_path())) {
    if (const auto* step = std::get_if<StepEvent>(&event.body)) all[step->step] = step->loss;
  }
  return all;
}

}  // namespace tessera::tiny_run
