// SPDX-License-Identifier: MIT
#include "core/infer/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

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
  if (!(std::abs(presence_penalty) <= kMostRepeatCost)) {
    throw out_of_range("presence_penalty", presence_penalty, "-2 to 2");
  }
  if (!(std::abs(frequency_penalty) <= kMostRepeatCost)) {
    throw out_of_range("frequency_penalty", frequency_penalty, "-2 to 2");
  }
  for (const auto& [id, bias] : logit_bias) {
    if (!(std::abs(bias) <= kMostBias)) throw out_of_range("logit_bias", bias, "-100 to 100");
  }
}

std::optional<DeviceDraw> device_draw(const SamplingOptions& options, std::uint64_t draw) {
  if (options.repetition_penalty != 1.0 || options.presence_penalty != 0 ||
      options.frequency_penalty != 0 || !options.logit_bias.empty()) {
    return {};
  }
  DeviceDraw made;
  if (options.temperature > 0) {
    made.scale = std::min(1.0 / options.temperature, std::numeric_limits<double>::max());
    made.uniform = Random(options.seed, stream_of("sampling")).uniform(draw);
  }
  made.top_k = static_cast<double>(options.top_k);
  made.top_p = options.top_p;
  made.min_p = options.min_p;
  made.vocabulary = options.vocabulary;
  return made;
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

/// Logits of the tokens of the vocabulary, without padding rows.
std::vector<float> real_logits(std::span<const float> logits, std::int32_t vocabulary) {
  const bool padded = vocabulary > 0 && static_cast<std::size_t>(vocabulary) < logits.size();
  const auto count = padded ? static_cast<std::size_t>(vocabulary) : logits.size();
  return {logits.begin(), logits.begin() + static_cast<std::ptrdiff_t>(count)};
}

void penalise_repetition(std::vector<float>& values, double repetition_penalty,
                         std::span<const std::int32_t> seen) {
  const auto penalty = static_cast<float>(repetition_penalty);
  std::vector<bool> done(values.size(), false);
  for (const std::int32_t id : seen) {
    const auto at = static_cast<std::size_t>(id);
    if (id < 0 || at >= values.size() || done[at]) continue;
    done[at] = true;
    values[at] = values[at] > 0 ? values[at] / penalty : values[at] * penalty;
  }
}

void penalise_answer(std::vector<float>& values, const SamplingOptions& options,
                     std::span<const std::int32_t> answer) {
  std::vector<bool> done(values.size(), false);
  for (const std::int32_t id : answer) {
    const auto at = static_cast<std::size_t>(id);
    if (id < 0 || at >= values.size()) continue;
    values[at] -= static_cast<float>(options.frequency_penalty);
    if (!done[at]) values[at] -= static_cast<float>(options.presence_penalty);
    done[at] = true;
  }
}

std::vector<float> penalised(std::span<const float> logits, const SamplingOptions& options,
                             std::uint64_t draw, std::span<const std::int32_t> seen) {
  std::vector<float> values = real_logits(logits, options.vocabulary);
  for (const auto& [id, bias] : options.logit_bias) {
    if (id >= 0 && static_cast<std::size_t>(id) < values.size()) {
      values[static_cast<std::size_t>(id)] += bias;
    }
  }
  if (options.repetition_penalty != 1.0) {
    penalise_repetition(values, options.repetition_penalty, seen);
  }
  if (options.presence_penalty != 0 || options.frequency_penalty != 0) {
    const auto written = std::min<std::uint64_t>(draw, seen.size());
    penalise_answer(values, options, seen.last(static_cast<std::size_t>(written)));
  }
  return values;
}

/// Tokens by falling probability, the lower id first among equals, as far as somebody has looked:
/// a vocabulary has many thousands, of which few are ever chosen from.
class Falling {
 public:
  explicit Falling(std::vector<Candidate> tokens) : tokens_(std::move(tokens)) {}

  std::size_t size() const { return tokens_.size(); }
  const Candidate& operator[](std::size_t index) {
    if (index >= sorted_) sort_up_to(index + 1);
    return tokens_[index];
  }

 private:
  void sort_up_to(std::size_t wanted) {
    constexpr std::size_t kFirst = 64, kGrowth = 8, kMostInParts = 4096;
    const auto at = [&](std::size_t i) { return tokens_.begin() + static_cast<std::ptrdiff_t>(i); };
    const auto before = [](const Candidate& a, const Candidate& b) {
      return a.probability != b.probability ? a.probability > b.probability : a.id < b.id;
    };
    std::size_t count = std::max({wanted, sorted_ * kGrowth, kFirst});
    if (count > kMostInParts) count = tokens_.size();
    count = std::min(count, tokens_.size());
    if (count == tokens_.size()) {
      std::sort(at(sorted_), tokens_.end(), before);
    } else {
      std::partial_sort(at(sorted_), at(count), tokens_.end(), before);
    }
    sorted_ = count;
  }

  std::vector<Candidate> tokens_;
  std::size_t sorted_ = 0;
};

Falling distribution(const std::vector<float>& logits, double temperature, const TokenMask* only) {
  // NOTE: the reciprocal of a denormal temperature is infinite, and infinity times 0 is NaN.
  const double scale =
      temperature > 0 ? std::min(1.0 / temperature, std::numeric_limits<double>::max()) : 1.0;
  std::vector<Candidate> tokens;
  tokens.reserve(logits.size());
  float largest = -std::numeric_limits<float>::infinity();
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const auto id = static_cast<std::int32_t>(i);
    if (only && !only->has(id)) continue;
    tokens.push_back({id, logits[i]});
    largest = std::max(largest, logits[i]);
  }
  require(!tokens.empty(), "sampling", "none of the tokens may be chosen");
  double total = 0;
  for (Candidate& token : tokens) {
    const double weight = std::exp((static_cast<double>(token.probability) - largest) * scale);
    token.probability = static_cast<float>(weight);
    total += weight;
  }
  for (Candidate& token : tokens) token.probability /= static_cast<float>(total);
  return Falling(std::move(tokens));
}

/// How many of the most likely tokens may be chosen.
std::size_t allowed(Falling& tokens, const SamplingOptions& options) {
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
              std::span<const std::int32_t> seen, std::size_t alternatives, const TokenMask* only) {
  require(!logits.empty(), "sampling", "there are no logits");
  require_finite(logits);
  Falling tokens = distribution(penalised(logits, options, draw, seen), options.temperature, only);
  Choice choice;
  for (std::size_t i = 0; i < std::min(alternatives, tokens.size()); ++i) {
    choice.best.push_back(tokens[i]);
  }
  choice.chosen = tokens[0];
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

TokenLogprobs logprobs_of(std::span<const float> logits, std::int32_t id, std::size_t best,
                          std::int32_t vocabulary) {
  require_finite(logits);
  const std::vector<float> values = real_logits(logits, vocabulary);
  require(id >= 0 && static_cast<std::size_t>(id) < values.size(), "sampling",
          "token {} is outside of the vocabulary of {}", id, values.size());
  const double largest = *std::max_element(values.begin(), values.end());
  double total = 0;
  for (const float value : values) total += std::exp(static_cast<double>(value) - largest);
  const double norm = largest + std::log(total);
  const auto logprob = [&](std::int32_t token) {
    return static_cast<float>(static_cast<double>(values[static_cast<std::size_t>(token)]) - norm);
  };
  std::vector<std::int32_t> ids(values.size());
  std::iota(ids.begin(), ids.end(), 0);
  const std::size_t count = std::min(best, ids.size());
  std::partial_sort(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(count), ids.end(),
                    [&](std::int32_t a, std::int32_t b) {
                      const float x = values[static_cast<std::size_t>(a)];
                      const float y = values[static_cast<std::size_t>(b)];
                      return x != y ? x > y : a < b;
                    });
  TokenLogprobs made{id, logprob(id), {}};
  for (std::size_t i = 0; i < count; ++i) made.best.emplace_back(ids[i], logprob(ids[i]));
  return made;
}

}  // namespace tessera
