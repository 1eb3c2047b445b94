// SPDX-License-Identifier: MIT
// What the operations of router.h refuse, on every device.
// What one device alone does not take, it checks itself.
#pragma once

#include "kernels/arguments.h"
#include "kernels/router/router.h"

namespace tessera::kernels::contract {

/// What was picked of `scores` or logits, and with which weights, or their gradients.
inline void picked(const char* where, const RouterConfig& config, const Tensor& scores,
                   const Tensor& picks, const Tensor& weights) {
  expect_shape(where, "scores", scores, {-1, -1});
  const std::int64_t tokens = scores.size(0), experts = scores.size(1);
  require(config.groups >= 1 && experts % config.groups == 0, where,
          "{} experts cannot be split into {} equal groups", experts, config.groups);
  require(config.kept_groups >= 1 && config.kept_groups <= config.groups, where,
          "cannot keep {} of {} groups", config.kept_groups, config.groups);
  const std::int64_t open =
      config.transformers_masking ? experts : experts / config.groups * config.kept_groups;
  require(config.top_k >= 1 && config.top_k <= open, where,
          "cannot choose {} of {} experts in the groups kept", config.top_k, open);
  expect_shape(where, "picks", picks, {tokens, config.top_k});
  expect_dtype(where, "picks", picks, DType::I32);
  expect_shape(where, "weights", weights, {tokens, config.top_k});
}

inline void router_forward(const char* where, const Tensor& logits, const Tensor& bias,
                           const RouterConfig& config, const Tensor& scores, const Tensor& picks,
                           const Tensor& weights) {
  picked(where, config, logits, picks, weights);
  expect_shape(where, "bias", bias, {logits.size(1)});
  expect_shape(where, "scores", scores, {logits.size(0), logits.size(1)});
}

/// d_scores may be absent.
inline void router_backward(const char* where, const Tensor& d_weights, const Tensor& d_scores,
                            const Tensor& scores, const Tensor& picks, const RouterConfig& config,
                            const Tensor& d_logits) {
  picked(where, config, scores, picks, d_weights);
  const std::int64_t tokens = scores.size(0), experts = scores.size(1);
  if (d_scores) expect_shape(where, "d_scores", d_scores, {tokens, experts});
  expect_shape(where, "d_logits", d_logits, {tokens, experts});
}

}  // namespace tessera::kernels::contract
