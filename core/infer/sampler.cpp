// SPDX-License-Identifier: MIT
#include "core/infer/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/error.h"

namespace tessera {

namespace {
/// One action for every option that is out of range.
Error out_of_range(const char* option, double value, const char* expected) {
  return {"sampling", fmt::format("{} is {}, expected {}", option, value, expected),
          fmt::format("give {} a value in that range or leave it out", option)};
}
}  // namespace

void SamplingOptions::validate() const {
  // Written so that NaN fails each test.
  if (!(temperature >= 0 && temperature <= kMostTemperature)) {
    throw out_of_range("temperature", temperature, "0 to 100");
  }
  if (top_k < 0) {
    throw out_of_range("top_k", static_cast<double>(top_k), "0 (all tokens) or more");
  }
  if (!(top_p > 0 && top_p <= 1)) throw out_of_range("top_p", top_p, "more than 0, up to 1");
  if (!(min_p >= 0 && min_p <= 1)) throw out_of_range("min_p", min_p, "0 to 1");
  if (!(repetition_penalty >= kLeastPenalty && repetition_penalty <= kMostPenalty)) {
    throw out_of_range("repetition_penalty", repetition_penalty, "0.01 to 100 (1: none)");
  }
}

namespace {
/// A damaged weight reaches any one of the logits: all are looked at, those of padding rows too.
void require_finite(std::span<const float> logits) {
  std::size_t broken = 0, first = 0;
  for (std::size_t i = logits.size(); i-- > 0;) {
    if (std::isfinite(logits[i])) continue;
    ++broken;
    first = i;
  }
  if (broken == 0) return;
  throw Error("sampling",
              fmt::format("the logits are not finite: {} of {} (the first is that of token {})",
                          broken, logits.size(), first),
              "the model's weights are damaged, or its values are too large for this precision; "
              "use another checkpoint, or fetch the files again");
}

std::vector<float> penalised(std::span<const float> logits, const SamplingOptions& options,
                             std::span<const std::int32_t> seen) {
  std::vector<float> values(logits.begin(), logits.end());
  if (options.vocabulary > 0 && static_cast<std::size_t>(options.vocabulary) < values.size()) {
    values.resize(static_cast<std::size_t>(options.vocabulary));
  }
  if (options.repetition_penalty == 1.0) return values;
  const auto penalty = static_cast<float>(options.repetition_penalty);
  std::vector<bool> done(values.size(), false);
  for (const std::int32_t id : seen) {
    const auto at = static_cast<std::size_t>(id);
    if (id < 0 || at >= values.size() || done[at]) continue;
    done[at] = true;
    values[at] = values[at] > 0 ? values[at] / penalty : values[at] * penalty;
  }
  return values;
}

/// All tokens by falling probability; the lower id first among equals.
std::vector<Candidate> distribution(const std::vector<float>& logits, double temperature) {
  // NOTE: the reciprocal of a denormal temperature is infinite, and infinity times 0 is NaN.
  const double scale =
      temperature > 0 ? std::min(1.0 / temperature, std::numeric_limits<double>::max()) : 1.0;
  const float largest = *std::max_element(logits.begin(), logits.end());
  std::vector<Candidate> tokens(logits.size());
  double total = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const double weight = std::exp((static_cast<double>(logits[i]) - largest) * scale);
    tokens[i] = {static_cast<std::int32_t>(i), static_cast<float>(weight)};
    total += weight;
  }
  for (Candidate& token : tokens) token.probability /= static_cast<float>(total);
  std::stable_sort(tokens.begin(), tokens.end(), [](const Candidate& a, const Candidate& b) {
    return a.probability > b.probability;
  });
  return tokens;
}

/// How many of the most likely tokens may be chosen.
std::size_t allowed(const std::vector<Candidate>& tokens, const SamplingOptions& options) {
  std::size_t count = tokens.size();
  if (options.top_k > 0) count = std::min(count, static_cast<std::size_t>(options.top_k));
  double sum = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (tokens[i].probability < options.min_p * tokens[0].probability) return i;
    sum += tokens[i].probability;
    if (sum >= options.top_p) return i + 1;
  }
  return count;
}
}  // namespace

Choice sample(std::span<const float> logits, const SamplingOptions& options, std::uint64_t draw,
              std::span<const std::int32_t> seen, std::size_t alternatives) {
  require(!logits.empty(), "sampling", "there are no logits");
  require_finite(logits);
  const std::vector<Candidate> tokens =
      distribution(penalised(logits, options, seen), options.temperature);
  Choice choice;
  choice.best.assign(tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(
                                                          std::min(alternatives, tokens.size())));
  choice.chosen = tokens.front();
  if (options.temperature == 0) return choice;
  const std::size_t count = allowed(tokens, options);
  double total = 0;
  for (std::size_t i = 0; i < count; ++i) total += tokens[i].probability;
  double left = Random(options.seed, stream_of("sampling")).uniform(draw) * total;
  for (std::size_t i = 0; i < count; ++i) {
    choice.chosen = tokens[i];
    left -= tokens[i].probability;
    if (left < 0) break;
  }
  return choice;
}

}  // namespace tessera
