// SPDX-License-Identifier: MIT
// Dispatch with quantisation on the CPU: gathered rows are written as kernels/quantise does.
#include <algorithm>

#include "kernels/permute/permute_contract.h"
#include "kernels/quantise/quantise_strip.h"

namespace tessera::kernels::cpu {

namespace {
/// Rows that the permutation uses.
std::int64_t used_rows(const char* where, const Permutation& p, std::int64_t rows) {
  const std::int64_t used = p.offsets.data<std::int32_t>()[p.offsets.size(0) - 1];
  require(used <= rows && used <= p.slot_of_row.size(0), where,
          "{} rows are used but the tensors have {}", used, rows);
  return used;
}

/// Rows of what a permutation fills; values_t may have more columns than there are rows.
std::int64_t rows_of(const Permutation& p, const Quantised& out) {
  return out.values ? out.values.size(0) : p.slot_of_row.size(0);
}
}  // namespace

void permute_quantise(Context&, const Tensor& x, const Permutation& p, const Quantised& out) {
  const char* where = "permute_quantise";
  const std::int64_t rows = rows_of(p, out);
  contract::permute_quantise(where, x, p, out, rows);
  const std::int64_t cols = x.size(1), used = used_rows(where, p, rows),
                     top_k = p.row_of_slot.size(1);
  const auto* slots = p.slot_of_row.data<std::int32_t>();
  with_element(where, "x", x, [&]<class T>(T) {
    quantise_rows(used, cols, out, [&](std::int64_t row, float* to) {
      if (slots[row] < 0) {
        std::fill_n(to, cols, 0.0f);
        return;
      }
      const T* from = row_of<T>(x, slots[row] / top_k);
      std::transform(from, from + cols, to, to_float<T>);
    });
  });
}

void permute_tiles(Context&, const Quantised& x, const Permutation& p, const Quantised& out) {
  const char* where = "permute_tiles";
  const std::int64_t rows = rows_of(p, out);
  contract::permute_tiles(where, x, p, out, rows);
  const std::int64_t top_k = p.row_of_slot.size(1), cols = out.values.size(1);
  const Quantised from{x.values, x.scales, {}, {}}, to{out.values, out.scales, {}, {}};
  const std::int64_t used = used_rows(where, p, rows), tiles = scale_tiles(cols);
  const auto* slots = p.slot_of_row.data<std::int32_t>();
  parallel_for(used, 64, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t token = slots[row] < 0 ? -1 : slots[row] / top_k;
      auto* values = row_of<f8e4m3>(to.values, row);
      if (token < 0) {
        std::fill_n(values, cols, f8e4m3(0.0f));
      } else {
        std::copy_n(row_of<f8e4m3>(from.values, token), cols, values);
      }
      for (std::int64_t tile = 0; tile < tiles; ++tile) {
        row_of<float>(to.scales, tile)[row] =
            token < 0 ? scale_of(0) : row_of<float>(from.scales, tile)[token];
      }
    }
  });
}

}  // namespace tessera::kernels::cpu
