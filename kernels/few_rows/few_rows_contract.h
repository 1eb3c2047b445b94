// SPDX-License-Identifier: MIT
// What the operations of few_rows.h refuse, on every device.
// What one device alone does not take, it checks itself.
#pragma once

#include "kernels/arguments.h"
#include "kernels/few_rows/few_rows.h"

namespace tessera::kernels::contract {

inline void rows_products(const char* where, const Tensor& x, const Tensor& norm,
                          const Tensor& normed, const RowsProduct& first,
                          const RowsProduct& second) {
  const bool many = x.rank() == 3;
  require(many || x.rank() == 2, where, "expected x of rank 2 or 3, got {}", x.describe());
  require(!many || (!norm && !normed && !second.w), where,
          "several products at a time take no norm and no second weight");
  const std::int64_t rows = x.size(-2), k = x.size(-1);
  if (norm) {
    expect_shape(where, "norm", norm, {k});
    expect_dtype(where, "norm", norm, x.dtype() == DType::F64 ? DType::F64 : DType::F32);
  }
  require(norm || !normed, where, "without a norm there is nothing normed");
  if (normed) expect_shape(where, "normed", normed, {rows, k});
  if (many) {
    expect_shape(where, "x", x, {-1, -1, -1});
    expect_shape(where, "w", first.w, {x.size(0), -1, k});
    expect_shape(where, "y", first.y, {x.size(0), rows, first.w.size(1)});
    return;
  }
  expect_shape(where, "x", x, {-1, -1});
  for (const RowsProduct* product : {&first, &second}) {
    if (product == &second && !product->w) continue;
    expect_shape(where, "w", product->w, {-1, k});
    expect_shape(where, "y", product->y, {rows, product->w.size(0)});
  }
}

inline void latent_step(const char* where, const Tensor& q, const Tensor& kv_a, const Tensor& norm,
                        const Tensor& positions, const Tensor& cos, const Tensor& sin,
                        const Tensor& slots, const Tensor& up, const Tensor& cache,
                        const Tensor& absorbed) {
  expect_shape(where, "q", q, {-1, -1, -1});
  const std::int64_t rows = q.size(0), width = kv_a.size(-1);
  expect_shape(where, "kv_a", kv_a, {rows, -1});
  expect_shape(where, "norm", norm, {-1});
  const std::int64_t rotary = width - norm.size(0);
  require(rotary > 0 && rotary % 2 == 0 && rotary <= q.size(2), where,
          "kv_a {} with a latent of {} and queries {} leave no pairs to rotate", kv_a.describe(),
          norm.size(0), q.describe());
  expect_shape(where, "positions", positions, {rows});
  expect_shape(where, "slots", slots, {rows});
  expect_shape(where, "cos", cos, {-1, rotary / 2});
  expect_shape(where, "sin", sin, {cos.size(0), rotary / 2});
  expect_shape(where, "up", up, {q.size(1), q.size(2) - rotary, norm.size(0)});
  expect_dtype(where, "up", up, q.dtype());
  expect_shape(where, "cache", cache, {-1, -1, width});
  expect_contiguous(where, "cache", cache);
  expect_shape(where, "absorbed", absorbed, {rows, q.size(1), width});
  expect_dtype(where, "absorbed", absorbed, q.dtype());
  expect_dtype(where, "norm", norm, kv_a.dtype());
}

inline void few_experts(const char* where, const Tensor& h, const Tensor& picks,
                        const Tensor& weights, const ExpertWeights& experts,
                        const Tensor& activated, const Tensor& y) {
  expect_shape(where, "h", h, {-1, -1});
  const std::int64_t rows = h.size(0), hidden = h.size(1);
  expect_shape(where, "picks", picks, {rows, -1});
  expect_dtype(where, "picks", picks, DType::I32);
  expect_shape(where, "weights", weights, {rows, picks.size(1)});
  expect_shape(where, "down", experts.down, {-1, hidden, -1});
  expect_shape(where, "gate_up", experts.gate_up,
               {experts.down.size(0), 2 * experts.width(), hidden});
  expect_contiguous(where, "gate_up", experts.gate_up);
  expect_contiguous(where, "down", experts.down);
  require(bool(experts.shared_gate_up) == bool(experts.shared_down), where,
          "the shared expert has one of its two weights");
  if (experts.shared_down) {
    expect_shape(where, "shared_down", experts.shared_down, {hidden, -1});
    expect_shape(where, "shared_gate_up", experts.shared_gate_up,
                 {2 * experts.shared_width(), hidden});
    expect_contiguous(where, "shared_gate_up", experts.shared_gate_up);
    expect_contiguous(where, "shared_down", experts.shared_down);
  }
  expect_shape(where, "activated", activated,
               {rows, experts.slots(picks.size(1)), experts.widest()});
  expect_contiguous(where, "activated", activated);
  expect_dtype(where, "activated", activated, h.dtype());
  expect_shape(where, "y", y, {rows, hidden});
}

}  // namespace tessera::kernels::contract
