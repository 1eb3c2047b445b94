// SPDX-License-Identifier: MIT
// Run folders as tests of the studio need them: real ones, with logs that were never trained for.
#pragma once

#include <cmath>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>

#include "core/run/run_folder.h"

namespace tessera::ui::test {

inline RunSpec smallSpec(const std::string& name) {
  static const RunSpec preset = read_preset("demo").spec;
  RunSpec spec = preset;
  spec.run.name = name;
  return spec;
}

inline StepEvent stepEvent(std::int64_t step, double loss) {
  StepEvent e;
  e.step = step;
  e.tokens = (step + 1) * 2048;
  e.sequence_length = 256;
  e.batch_sequences = 8;
  e.loss = loss;
  e.learning_rate = 1e-3;
  e.grad_norm = 1;
  e.tokens_per_second = 5000;
  e.mfu = 0.41;
  e.memory_bytes = 1 << 28;
  e.max_vio = {0.5f, 0.25f, 0.75f};
  return e;
}

/// A load that is told apart by step, layer and expert.
inline ExpertsEvent expertsEvent(std::int64_t step, int layers, int experts) {
  ExpertsEvent e;
  e.step = step;
  e.tokens = (step + 1) * 2048;
  e.layers = layers;
  e.experts = experts;
  for (int l = 0; l < layers; ++l) {
    for (int x = 0; x < experts; ++x) {
      e.counts.push_back(step * 1000 + l * experts + x);
      e.biases.push_back(0.001f * static_cast<float>(step) + 0.01f * static_cast<float>(l));
    }
  }
  return e;
}

/// A run that another process might write: made in the folder of runs, with its log open.
struct WrittenRun {
  RunFolder folder;
  std::unique_ptr<EventWriter> log;

  explicit WrittenRun(const std::filesystem::path& runs, const std::string& name = "small",
                      const std::optional<Lineage>& lineage = {})
      : WrittenRun(runs, smallSpec(name), lineage) {}
  WrittenRun(const std::filesystem::path& runs, const RunSpec& spec,
             const std::optional<Lineage>& lineage = {})
      : folder(RunFolder::create(runs, spec, lineage)),
        log(std::make_unique<EventWriter>(folder.events_path())) {}

  QString id() const { return QString::fromStdString(folder.id()); }
  void state(RunState state, const std::string& reason = {}) {
    StateEvent e;
    e.state = state;
    e.reason = reason;
    log->append(e);
  }
  /// Written at another time than now.
  void at(double time, const EventBody& body) {
    const std::uint64_t sequence = log->last_sequence() + 1;
    log->append_raw({sequence, encode_payload(time, body)});
  }
  void stateAt(double time, RunState state) { at(time, StateEvent{.state = state}); }
  void stepAt(double time, std::int64_t step) { at(time, stepEvent(step, 3)); }
  void steps(std::int64_t from, std::int64_t to) {
    for (std::int64_t s = from; s < to; ++s) {
      log->append(stepEvent(s, 8.0 * std::exp(-0.002 * static_cast<double>(s)) + 2));
    }
  }
  void experts(std::int64_t step, int layers = 3, int experts = 16) {
    log->append(expertsEvent(step, layers, experts));
  }
};

/// With steps, a checkpoint, a validation and a sample, and ended.
inline WrittenRun finishedRun(const std::filesystem::path& runs, const std::string& name,
                              std::int64_t steps = 20) {
  WrittenRun run(runs, name);
  run.state(RunState::Running);
  run.steps(0, steps);
  ValidationEvent validation;
  validation.step = steps - 1;
  validation.tokens = steps * 2048;
  validation.loss = 4.5;
  validation.sources = {{"web", 4.25}, {"code", 4.75}};
  run.log->append(validation);
  CheckpointEvent checkpoint;
  checkpoint.step = steps - 1;
  checkpoint.path = "checkpoints/step-" + std::to_string(steps);
  checkpoint.bytes = 1'500'000;
  run.log->append(checkpoint);
  SampleEvent sample;
  sample.step = steps - 1;
  sample.prompt = "Once";
  sample.text = " upon\na time";
  run.log->append(sample);
  run.state(RunState::Finished);
  return run;
}

}  // namespace tessera::ui::test
