// SPDX-License-Identifier: MIT
// FP8 products on the CPU: operands are dequantised, a matrix of weights and some rows at a time,
// and multiplied.
#include <algorithm>
#include <vector>

#include "core/base/threads.h"
#include "kernels/product/gemm.h"
#include "kernels/product_fp8/product_fp8_contract.h"

namespace tessera::kernels::cpu {

namespace {
constexpr std::int64_t kRowsAtOnce = 1024;

/// Rows [first, first + count) of expert or matrix rows; scale_of(row, tile).
template <class T, class Scale>
void dequantise(const f8e4m3* values, std::int64_t stride, std::int64_t from, std::int64_t count,
                std::int64_t cols, const Scale& scale_of, std::vector<T>& to) {
  to.resize(static_cast<std::size_t>(count * cols));
  parallel_for(count, rows_per_piece(cols), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const f8e4m3* row = values + (from + r) * stride;
      for (std::int64_t c = 0; c < cols; c += kScaleTile) {
        const float scale = scale_of(from + r, c / kScaleTile);
        const std::int64_t end_of_tile = std::min(cols, c + kScaleTile);
        for (std::int64_t i = c; i < end_of_tile; ++i) {
          to[static_cast<std::size_t>(r * cols + i)] =
              static_cast<T>(static_cast<float>(row[i])) * static_cast<T>(scale);
        }
      }
    }
  });
}

/// The rows of an expert.
struct Group {
  std::int64_t from, to;
};
Group group_of(const char* where, const Tensor& offsets, std::int64_t expert, std::int64_t rows) {
  if (!offsets) return {0, rows};
  const auto* at = offsets.data<std::int32_t>();
  const Group group{at[expert], at[expert + 1]};
  require(
      0 <= group.from && group.from <= group.to && group.to <= rows && group.from % kScaleTile == 0,
      where, "expert {} has rows {} to {} of {}", expert, group.from, group.to, rows);
  return group;
}

template <class T>
void multiply_rows(const fp8::RowsProduct& p) {
  const std::int64_t n = p.n(), k = p.k();
  std::vector<T> a, b;
  for (std::int64_t e = 0; e < p.experts(); ++e) {
    const Group group = group_of(p.where, p.offsets, e, p.rows());
    if (group.from == group.to || n == 0) continue;
    const Tensor of_b = p.weight_scales[e];
    dequantise(
        p.weights[e].template data<f8e4m3>(), k, 0, n, k,
        [&](std::int64_t row, std::int64_t tile) {
          return row_of<float>(of_b, row / kScaleTile)[tile];
        },
        b);
    for (std::int64_t from = group.from; from < group.to; from += kRowsAtOnce) {
      const std::int64_t count = std::min(kRowsAtOnce, group.to - from);
      dequantise(
          p.values.template data<f8e4m3>(), k, from, count, k,
          [&](std::int64_t row, std::int64_t tile) { return row_of<float>(p.scales, tile)[row]; },
          a);
      gemm(Transpose::B, {count, n, k}, T(1), Rows<const T>{a.data(), k},
           Rows<const T>{b.data(), k}, T(p.add ? 1 : 0),
           Rows<T>{p.c.template data<T>() + from * n, n});
    }
  }
}

void multiply(const fp8::RowsProduct& p) {
  with_float(p.where, "result", p.c, [&]<class T>(T) { multiply_rows<T>(p); });
}

/// Tokens of a group, (columns, tokens).
template <class T>
void dequantise_tokens(const Tensor& values_t, const Tensor& scales_t, const Group& group,
                       std::vector<T>& to) {
  const std::int64_t first = group.from / kScaleTile;
  dequantise(
      values_t.data<f8e4m3>() + group.from, values_t.stride(0), 0, values_t.size(0),
      group.to - group.from,
      [&](std::int64_t column, std::int64_t tile) {
        return row_of<float>(scales_t, first + tile)[column];
      },
      to);
}
}  // namespace

void product_fp8(Context&, const Quantised& a, const QuantisedWeight& b, const Tensor& offsets,
                 float beta, const Tensor& c) {
  multiply(fp8::forward_of(a, b, offsets, beta, c));
}

void product_fp8_input_grad(Context&, const Quantised& dc, const QuantisedWeight& b,
                            const Tensor& offsets, float beta, const Tensor& da) {
  multiply(fp8::input_grad_of(dc, b, offsets, beta, da));
}

void product_fp8_weight_grad(Context&, const Quantised& dc, const Quantised& a,
                             const Tensor& offsets, float beta, const Tensor& db) {
  const char* where = "product_fp8_weight_grad";
  const std::int64_t tokens = fp8::check_weight_grad(where, dc, a, offsets, beta, db);
  const std::int64_t n = db.size(1), k = db.size(2);
  with_float(where, "db", db, [&]<class T>(T) {
    std::vector<T> of_dc, of_a;
    for (std::int64_t e = 0; e < db.size(0); ++e) {
      const Group group = group_of(where, offsets, e, tokens);
      const std::int64_t count = group.to - group.from;
      T* to = db.data<T>() + e * n * k;
      if (count == 0) {
        if (beta == 0) std::fill_n(to, n * k, T(0));
        continue;
      }
      dequantise_tokens(dc.values_t, dc.scales_t, group, of_dc);
      dequantise_tokens(a.values_t, a.scales_t, group, of_a);
      gemm(Transpose::B, {n, k, count}, T(1), Rows<const T>{of_dc.data(), count},
           Rows<const T>{of_a.data(), count}, T(beta), Rows<T>{to, k});
    }
  });
}

void library_product_fp8(Context&, const Tensor& a, const Tensor& b, const Tensor& c) {
  const char* where = "library_product_fp8";
  fp8::check_library_product(where, a, b, c);
  const std::int64_t m = a.size(0), k = a.size(1), n = b.size(0);
  with_float(where, "c", c, [&]<class T>(T) {
    std::vector<T> of_a, of_b;
    const auto one = [](std::int64_t, std::int64_t) { return 1.0f; };
    dequantise(a.data<f8e4m3>(), k, 0, m, k, one, of_a);
    dequantise(b.data<f8e4m3>(), k, 0, n, k, one, of_b);
    gemm(Transpose::B, {m, n, k}, T(1), Rows<const T>{of_a.data(), k},
         Rows<const T>{of_b.data(), k}, T(0), Rows<T>{c.data<T>(), n});
  });
}

}  // namespace tessera::kernels::cpu
