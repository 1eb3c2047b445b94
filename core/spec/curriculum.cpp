// SPDX-License-Identifier: MIT
#include "core/spec/curriculum.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numbers>

#include "core/base/error.h"

namespace tessera {

namespace {
using Wide = __int128;  // products of tokens and sequences pass 2^63

std::int64_t ceil_div(Wide a, Wide b) {
  return static_cast<std::int64_t>((a + b - 1) / b);
}

bool has_ramp(const CurriculumStage& stage) {
  return stage.batch_ramp_from > 0 && stage.batch_ramp_tokens > 0 &&
         stage.batch_ramp_from < stage.batch_sequences;
}

std::int64_t round_down(std::int64_t batch, const BatchUnit& unit) {
  return std::max(unit.least, batch / unit.multiple * unit.multiple);
}

/// The token of the stage from which the ramp gives at least `batch` sequences.
std::int64_t ramp_reaches(const CurriculumStage& s, std::int64_t batch) {
  return ceil_div(Wide(batch - s.batch_ramp_from) * s.batch_ramp_tokens,
                  s.batch_sequences - s.batch_ramp_from);
}
}  // namespace

std::int64_t batch_at(const CurriculumStage& s, std::int64_t tokens, const BatchUnit& unit) {
  if (!has_ramp(s) || tokens >= s.batch_ramp_tokens) return round_down(s.batch_sequences, unit);
  const Wide grown = Wide(s.batch_sequences - s.batch_ramp_from) * tokens / s.batch_ramp_tokens;
  return round_down(s.batch_ramp_from + static_cast<std::int64_t>(grown), unit);
}

Curriculum::Curriculum(const RunSpec& spec) : stages_(spec.curriculum) {
  require(!stages_.empty(), "curriculum", "has no stages");
  const BatchUnit unit = batch_unit(spec.parallel);
  for (int i = 0; i < stages(); ++i) {
    yarn_factors_.push_back(stages_[i].yarn_factor.value_or(spec.model.yarn.factor));
    first_steps_.push_back(total_steps_);
    add_segments(i, unit);
    add_pieces(i);
  }
  first_steps_.push_back(total_steps_);
}

std::int64_t Curriculum::first_step(int stage) const {
  return first_steps_.at(static_cast<std::size_t>(stage));
}

void Curriculum::add_segment(int stage, std::int64_t batch, std::int64_t steps) {
  const std::int64_t step_tokens = batch * stages_[stage].sequence_length;
  const Wide end = Wide(steps) * step_tokens + total_tokens_;
  if (end > std::numeric_limits<std::int64_t>::max() / 4) {
    throw Error("curriculum", fmt::format("stage {} is too long to count its tokens", stage));
  }
  // A ramp of the report has some hundred; this bounds time and memory for any spec.
  if (segments_.size() >= 1u << 20) throw Error("curriculum", "its batch ramps are too fine");
  segments_.push_back({stage, total_steps_, steps, total_tokens_, batch, step_tokens});
  total_steps_ += steps;
  total_tokens_ = static_cast<std::int64_t>(end);
}

void Curriculum::add_segments(int stage, const BatchUnit& unit) {
  const CurriculumStage& s = stages_[stage];
  const auto where = fmt::format("curriculum[{}]", stage);
  require((s.tokens > 0) != (s.steps > 0), where.c_str(),
          "needs a length: either tokens or steps, above 0");
  require(s.sequence_length > 0 && s.batch_sequences > 0, where.c_str(),
          "sequence_length {} and batch_sequences {} must be above 0", s.sequence_length,
          s.batch_sequences);
  std::int64_t steps_done = 0, tokens_done = 0;
  while (s.steps > 0 ? steps_done < s.steps : tokens_done < s.tokens) {
    const std::int64_t batch = batch_at(s, tokens_done, unit);
    const std::int64_t step_tokens = batch * s.sequence_length;
    std::int64_t steps =
        s.steps > 0 ? s.steps - steps_done : ceil_div(s.tokens - tokens_done, step_tokens);
    if (has_ramp(s) && tokens_done < s.batch_ramp_tokens) {
      const std::int64_t next =
          std::min(ramp_reaches(s, batch + unit.multiple), s.batch_ramp_tokens);
      steps = std::clamp<std::int64_t>(ceil_div(next - tokens_done, step_tokens), 1, steps);
    }
    add_segment(stage, batch, steps);
    steps_done += steps;
    tokens_done += steps * step_tokens;
  }
}

void Curriculum::add_pieces(int stage) {
  const CurriculumStage& s = stages_[stage];
  std::int64_t step = first_steps_.back();
  double rate = step > 0 ? learning_rate(step - 1) : 0;
  for (const RatePiece& p : s.learning_rate) {
    if (step >= total_steps_) break;
    Piece piece{.kind = p.kind,
                .by_tokens = p.tokens > 0 || (p.steps == 0 && s.tokens > 0),
                .from = p.from.value_or(rate),
                .to = p.to,
                .first_step = step,
                .first_token = tokens_before(step)};
    piece.end_step = p.steps > 0    ? step + p.steps
                     : p.tokens > 0 ? step_reaching(piece.first_token + p.tokens)
                                    : total_steps_;
    // A piece cut off by the end of its stage keeps its slope.
    piece.end_token = p.tokens > 0 ? piece.first_token + p.tokens : tokens_before(piece.end_step);
    step = std::min(piece.end_step, total_steps_);
    piece.last_step = step - 1;
    pieces_.push_back(piece);
    rate = learning_rate(piece.last_step);
  }
}

const Curriculum::Segment& Curriculum::segment_of(std::int64_t step) const {
  auto after = std::upper_bound(segments_.begin(), segments_.end(), step,
                                [](std::int64_t x, const Segment& s) { return x < s.first_step; });
  return *std::prev(after);
}

/// Also for the step after the last.
std::int64_t Curriculum::tokens_before(std::int64_t step) const {
  const Segment& s = segment_of(step);
  return s.first_token + (step - s.first_step) * s.step_tokens;
}

/// The end (exclusive) of the steps that together train at least `tokens`.
std::int64_t Curriculum::step_reaching(std::int64_t tokens) const {
  if (tokens >= total_tokens_) return total_steps_;
  auto after =
      std::upper_bound(segments_.begin(), segments_.end(), tokens,
                       [](std::int64_t x, const Segment& s) { return x <= s.first_token; });
  const Segment& s = *std::prev(after);
  return s.first_step + ceil_div(tokens - s.first_token, s.step_tokens);
}

double Curriculum::learning_rate(std::int64_t step) const {
  auto after = std::upper_bound(pieces_.begin(), pieces_.end(), step,
                                [](std::int64_t x, const Piece& p) { return x < p.first_step; });
  if (after == pieces_.begin()) return 0;
  const Piece& p = *std::prev(after);
  if (p.kind == RateKind::Constant) return p.to;
  step = std::min(step, p.last_step);
  const auto done = static_cast<double>(p.by_tokens ? tokens_before(step + 1) - p.first_token
                                                    : step + 1 - p.first_step);
  const auto whole =
      static_cast<double>(p.by_tokens ? p.end_token - p.first_token : p.end_step - p.first_step);
  const double x = std::min(1.0, done / whole);
  if (p.kind == RateKind::Warmup) return p.from + (p.to - p.from) * x;
  return p.to + (p.from - p.to) * 0.5 * (1 + std::cos(std::numbers::pi * x));
}

CurriculumStep Curriculum::at_step(std::int64_t step) const {
  step = std::clamp<std::int64_t>(step, 0, total_steps_ - 1);
  const Segment& segment = segment_of(step);
  const CurriculumStage& s = stages_[segment.stage];
  return {.stage = segment.stage,
          .step = step,
          .step_in_stage = step - first_steps_[segment.stage],
          .tokens = tokens_before(step),
          .sequence_length = s.sequence_length,
          .batch_sequences = segment.batch,
          .learning_rate = learning_rate(step),
          .bias_speed = s.bias_speed,
          .bias_rule = s.bias_rule,
          .mtp_lambda = s.mtp_lambda,
          .balance_alpha = s.balance_alpha,
          .yarn_factor = yarn_factors_[segment.stage]};
}

ModelConfig stage_model(const RunSpec& spec, const CurriculumStage& stage) {
  ModelConfig model = spec.model;
  model.yarn.factor = stage.yarn_factor.value_or(model.yarn.factor);
  if (stage.yarn_original_length > 0) model.yarn.original_length = stage.yarn_original_length;
  return model;
}

ModelConfig run_model(const RunSpec& spec) {
  ModelConfig model =
      spec.curriculum.empty() ? spec.model : stage_model(spec, spec.curriculum.front());
  for (const CurriculumStage& stage : spec.curriculum) {
    model.max_position_embeddings = std::max(model.max_position_embeddings, stage.sequence_length);
  }
  return model;
}

Mixture stage_mixture(const RunSpec& spec, const CurriculumStage& stage) {
  if (spec.data.sources.empty()) {
    Mixture mixture;
    for (const auto& part : stage.mixture) {
      if (part.second > 0) mixture.push_back(part);
    }
    return mixture;
  }
  Mixture mixture;
  for (const DataSource& source : spec.data.sources) {
    const auto own = std::find_if(stage.mixture.begin(), stage.mixture.end(),
                                  [&](const auto& part) { return part.first == source.name; });
    const double left_out = 0;
    const double weight = stage.mixture.empty()        ? source.weight
                          : own == stage.mixture.end() ? left_out
                                                       : own->second;
    if (weight > 0) mixture.emplace_back(source.name, weight);
  }
  return mixture;
}

Mixture run_mixture(const RunSpec& spec) {
  const bool any = std::any_of(spec.curriculum.begin(), spec.curriculum.end(),
                               [](const CurriculumStage& s) { return !s.mixture.empty(); });
  if (!any) return stage_mixture(spec, {});
  const Curriculum curriculum(spec);
  std::map<std::string, double> tokens;
  for (int i = 0; i < curriculum.stages(); ++i) {
    const std::int64_t end = curriculum.first_step(i + 1);
    const std::int64_t after =
        end < curriculum.total_steps() ? curriculum.at_step(end).tokens : curriculum.total_tokens();
    const auto of_stage =
        static_cast<double>(after - curriculum.at_step(curriculum.first_step(i)).tokens);
    const Mixture mixture = stage_mixture(spec, spec.curriculum[static_cast<std::size_t>(i)]);
    double sum = 0;
    for (const auto& part : mixture) sum += part.second;
    for (const auto& part : mixture) tokens[part.first] += of_stage * part.second / sum;
  }
  Mixture shares;
  for (const DataSource& source : spec.data.sources) {
    if (tokens.count(source.name)) {
      shares.emplace_back(source.name,
                          tokens[source.name] / static_cast<double>(curriculum.total_tokens()));
    }
  }
  if (spec.data.sources.empty()) shares.assign(tokens.begin(), tokens.end());
  return shares;
}

CurriculumStep Curriculum::at_tokens(std::int64_t tokens) const {
  return at_step(step_reaching(std::max<std::int64_t>(tokens, 0) + 1) - 1);
}

}  // namespace tessera
