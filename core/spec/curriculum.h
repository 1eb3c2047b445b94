// SPDX-License-Identifier: MIT
// What the curriculum says for each step: stage, batch, learning rate, bias speed, lambda. Pure
// functions of the spec; the trainer and the studio's curriculum editor use the same ones.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/spec/batch_unit.h"
#include "core/spec/spec.h"

namespace tessera {

/// One optimiser step. Steps count from 0 over the whole run.
struct CurriculumStep {
  int stage = 0;          ///< index in RunSpec::curriculum
  std::int64_t step = 0;  ///< counted over the whole run
  std::int64_t step_in_stage = 0;
  std::int64_t tokens = 0;  ///< trained before this step
  std::int64_t sequence_length = 0;
  std::int64_t batch_sequences = 0;
  double learning_rate = 0;
  double bias_speed = 0;
  BiasRule bias_rule = BiasRule::Sign;
  double mtp_lambda = 0;
  double balance_alpha = 0;
  double yarn_factor = 1;

  std::int64_t step_tokens() const { return sequence_length * batch_sequences; }
};

/// Rules:
/// - A stage given in tokens ends with the first step that reaches them.
/// - The batch of a step follows from the tokens of the stage before it: on the ramp a straight
///   line, rounded down to what batch_unit() allows, never below its least.
/// - A piece given in tokens ends with the first step that reaches them.
/// - A piece of the learning rate is evaluated at the end of the step: the first of N warm-up steps
///   from 0 has to/N, the last has `to`; the last step of a cosine has its `to`. Past its pieces a
///   stage keeps the last rate; without any it keeps the rate of the stage before.
class Curriculum {
 public:
  /// Throws Error when the curriculum is empty or a stage has no length or an impossible batch.
  explicit Curriculum(const RunSpec& spec);

  /// 0 <= step; from total_steps() on, the last step's values.
  CurriculumStep at_step(std::int64_t step) const;
  /// The step in which token number `tokens` (from 0) is trained.
  CurriculumStep at_tokens(std::int64_t tokens) const;

  std::int64_t total_steps() const { return total_steps_; }
  std::int64_t total_tokens() const { return total_tokens_; }
  /// First step of a stage; of the number of stages: total_steps().
  std::int64_t first_step(int stage) const;
  int stages() const { return static_cast<int>(stages_.size()); }

 private:
  /// Consecutive steps of one stage with the same batch.
  struct Segment {
    int stage = 0;
    std::int64_t first_step = 0, steps = 0, first_token = 0, batch = 0, step_tokens = 0;
  };
  /// A piece of a learning rate, with its ends as steps and tokens of the run.
  struct Piece {
    RateKind kind = RateKind::Constant;
    bool by_tokens = false;
    double from = 0, to = 0;
    std::int64_t first_step = 0, end_step = 0, first_token = 0, end_token = 0;
    std::int64_t last_step = 0;  ///< before its end where the stage is over sooner
  };
  void add_segments(int stage, const BatchUnit& unit);
  void add_segment(int stage, std::int64_t batch, std::int64_t steps);
  void add_pieces(int stage);
  const Segment& segment_of(std::int64_t step) const;
  std::int64_t tokens_before(std::int64_t step) const;
  std::int64_t step_reaching(std::int64_t tokens) const;
  double learning_rate(std::int64_t step) const;

  std::vector<CurriculumStage> stages_;
  std::vector<double> yarn_factors_;
  std::vector<std::int64_t> first_steps_;
  std::vector<Segment> segments_;
  std::vector<Piece> pieces_;
  std::int64_t total_steps_ = 0, total_tokens_ = 0;
};

/// The sources that a stage reads, with weights above 0: the stage's own mixture, or where it has
/// none the weights of data.sources, in the order of data.sources. Empty where neither says
/// anything: shards are then read by the weights they were built with.
Mixture stage_mixture(const RunSpec& spec, const CurriculumStage& stage);

/// As stage_mixture(), for the run as a whole: where a stage has a mixture of its own, each
/// source's share of all tokens. Sources that no stage reads are left out.
Mixture run_mixture(const RunSpec& spec);

/// Sequences of a step that begins `tokens` into its stage.
std::int64_t batch_at(const CurriculumStage& stage, std::int64_t tokens, const BatchUnit& unit);

}  // namespace tessera
