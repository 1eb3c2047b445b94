// SPDX-License-Identifier: MIT
#include "kernels/router/router.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "core/base/threads.h"
#include "kernels/router/router_contract.h"
#include "kernels/top_k.h"
#include "kernels/vector_math.h"

namespace tessera::kernels::cpu {

namespace {
constexpr double kTransformersEpsilon = 1e-20;

/// Temporaries of one thread.
template <class T>
struct Workspace {
  Workspace(std::int64_t experts, const RouterConfig& config)
      : choice(static_cast<std::size_t>(experts)),
        top_values(static_cast<std::size_t>(config.top_k)),
        group_values(static_cast<std::size_t>(config.kept_groups)),
        group_picks(static_cast<std::size_t>(config.kept_groups)),
        kept(static_cast<std::size_t>(config.groups)) {}
  std::vector<T> choice;  // s + b
  std::vector<T> top_values, group_values;
  std::vector<std::int32_t> group_picks;
  std::vector<char> kept;
};

template <class T>
void score(Scoring scoring, const T* logits, std::int64_t experts, T* scores) {
  if (scoring == Scoring::Sigmoid) {
#pragma omp simd
    for (std::int64_t e = 0; e < experts; ++e) scores[e] = sigmoid(logits[e]);
    return;
  }
  const T highest = *std::max_element(logits, logits + experts);
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t e = 0; e < experts; ++e) {
    scores[e] = vector_exp(logits[e] - highest);
    sum += scores[e];
  }
  for (std::int64_t e = 0; e < experts; ++e) scores[e] /= sum;
}

template <class T>
T score_of_group(GroupScore rule, const T* choice, std::int64_t size) {
  constexpr T kLowest = -std::numeric_limits<T>::infinity();
  T first = kLowest, second = kLowest;
  for (std::int64_t e = 0; e < size; ++e) {
    const T value = choice[e];
    second = std::max(second, std::min(first, value));
    first = std::max(first, value);
  }
  return rule == GroupScore::TopTwoSum && size > 1 ? first + second : first;
}

/// Marks the best groups in work.kept.
template <class T>
void keep_groups(const RouterConfig& config, std::int64_t group_size, Workspace<T>& work) {
  TopK<T> best(config.kept_groups, work.group_values.data(), work.group_picks.data());
  for (int group = 0; group < config.groups; ++group) {
    best.offer(
        score_of_group(config.group_score, work.choice.data() + group * group_size, group_size),
        group);
  }
  std::fill(work.kept.begin(), work.kept.end(), char{0});
  for (std::int32_t group : work.group_picks) work.kept[static_cast<std::size_t>(group)] = 1;
}

template <class T>
void pick(const RouterConfig& config, const T* scores, const float* bias, std::int64_t experts,
          Workspace<T>& work, std::int32_t* picks) {
  for (std::int64_t e = 0; e < experts; ++e) {
    work.choice[static_cast<std::size_t>(e)] = scores[e] + static_cast<T>(bias[e]);
  }
  const std::int64_t group_size = experts / config.groups;
  keep_groups(config, group_size, work);
  TopK<T> best(config.top_k, work.top_values.data(), picks);
  for (int group = 0; group < config.groups; ++group) {
    const bool kept = work.kept[static_cast<std::size_t>(group)];
    if (!kept && !config.transformers_masking) continue;
    for (std::int64_t e = group * group_size; e < (group + 1) * group_size; ++e) {
      best.offer(kept ? work.choice[static_cast<std::size_t>(e)] : T(0),
                 static_cast<std::int32_t>(e));
    }
  }
}

/// What the picked scores are divided by; 0 when all have underflowed.
template <class T>
T sum_of_picked(const RouterConfig& config, const T* scores, const std::int32_t* picks) {
  T sum = 0;
  for (int i = 0; i < config.top_k; ++i) sum += scores[picks[i]];
  return config.transformers_masking ? sum + static_cast<T>(kTransformersEpsilon) : sum;
}

template <class T>
void weigh(const RouterConfig& config, const T* scores, const std::int32_t* picks, T* weights) {
  const T sum = config.normalise ? sum_of_picked(config, scores, picks) : T(1);
  // NOTE: sigmoid underflows to 0 below about -104; such a token then gets weights of 0, not NaN.
  const T factor = sum > 0 ? static_cast<T>(config.scale) / sum : T(0);
  for (int i = 0; i < config.top_k; ++i) weights[i] = scores[picks[i]] * factor;
}

/// d_scores (experts) += the gradient that comes through the gate weights.
template <class T>
void unweigh(const RouterConfig& config, const T* d_weights, const T* scores,
             const std::int32_t* picks, T* d_scores) {
  const T scale = static_cast<T>(config.scale);
  if (!config.normalise) {
    for (int i = 0; i < config.top_k; ++i) d_scores[picks[i]] += scale * d_weights[i];
    return;
  }
  const T sum = sum_of_picked(config, scores, picks);
  if (!(sum > 0)) return;
  T inner = 0;
  for (int i = 0; i < config.top_k; ++i) inner += d_weights[i] * scores[picks[i]];
  inner /= sum;
  for (int i = 0; i < config.top_k; ++i) d_scores[picks[i]] += scale / sum * (d_weights[i] - inner);
}

template <class T>
void unscore(Scoring scoring, const T* scores, std::int64_t experts, T* d) {
  if (scoring == Scoring::Sigmoid) {
#pragma omp simd
    for (std::int64_t e = 0; e < experts; ++e) d[e] *= scores[e] * (T(1) - scores[e]);
    return;
  }
  T inner = 0;
#pragma omp simd reduction(+ : inner)
  for (std::int64_t e = 0; e < experts; ++e) inner += d[e] * scores[e];
#pragma omp simd
  for (std::int64_t e = 0; e < experts; ++e) d[e] = scores[e] * (d[e] - inner);
}

template <class T>
bool all_finite(const T* values, std::int64_t count) {
  T zero = 0;
#pragma omp simd reduction(+ : zero)
  for (std::int64_t i = 0; i < count; ++i) zero += T(0) * values[i];  // NaN from NaN or infinity
  return zero == T(0);
}

}  // namespace

void router_forward(Context&, const Tensor& logits, const Tensor& bias, const RouterConfig& config,
                    const Tensor& scores, const Tensor& picks, const Tensor& weights) {
  const char* where = "router_forward";
  contract::router_forward(where, logits, bias, config, scores, picks, weights);
  const std::int64_t tokens = logits.size(0), experts = logits.size(1);
  const float* b = bias.data<float>();
  require(all_finite(b, experts), where, "the selection bias of an expert is not finite");
  with_float(where, "logits", logits, [&]<class T>(T) {
    parallel_for(tokens, rows_per_piece(8 * experts), [&](std::int64_t begin, std::int64_t end) {
      Workspace<T> work(experts, config);
      for (std::int64_t t = begin; t < end; ++t) {
        const T* row = row_of<T>(logits, t);
        if (!all_finite(row, experts)) {
          throw Error(
              where, fmt::format("a logit of token {} is not finite", t),
              "the model has diverged: lower the learning rate, or go back to a checkpoint");
        }
        T* s = row_of<T>(scores, t);
        auto* chosen = row_of<std::int32_t>(picks, t);
        score(config.scoring, row, experts, s);
        if (config.in_turn) {
          for (int i = 0; i < config.top_k; ++i) {
            chosen[i] = pick_in_turn(t, i, config.top_k, experts);
          }
        } else {
          pick(config, s, b, experts, work, chosen);
        }
        weigh(config, s, chosen, row_of<T>(weights, t));
      }
    });
  });
}

void router_backward(Context&, const Tensor& d_weights, const Tensor& d_scores,
                     const Tensor& scores, const Tensor& picks, const RouterConfig& config,
                     const Tensor& d_logits) {
  const char* where = "router_backward";
  contract::router_backward(where, d_weights, d_scores, scores, picks, config, d_logits);
  const std::int64_t tokens = scores.size(0), experts = scores.size(1);
  with_float(where, "scores", scores, [&]<class T>(T) {
    parallel_for(tokens, rows_per_piece(experts), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t t = begin; t < end; ++t) {
        T* d = row_of<T>(d_logits, t);
        const T* s = row_of<T>(scores, t);
        if (d_scores) {
          const T* given = row_of<T>(d_scores, t);
          for (std::int64_t e = 0; e < experts; ++e) d[e] = given[e];
        } else {
          std::fill_n(d, experts, T(0));
        }
        unweigh(config, row_of<T>(d_weights, t), s, row_of<std::int32_t>(picks, t), d);
        unscore(config.scoring, s, experts, d);
      }
    });
  });
}

}  // namespace tessera::kernels::cpu
