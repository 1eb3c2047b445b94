// SPDX-License-Identifier: MIT
#include "kernels/embedding/embedding.h"

#include <algorithm>

#include "core/base/threads.h"
#include "kernels/embedding/embedding_contract.h"

namespace tessera::kernels::cpu {

namespace {
constexpr std::int64_t kColumnsPerBlock = 16;  // whole cache lines of F32

/// The contract, types of the CPU, and that every token is in the table.
void check(const char* where, const Tensor& tokens, const Tensor& table, const Tensor& rows) {
  contract::embedding(where, tokens, table, rows);
  expect_dtype(where, "rows", rows, table.dtype());
  const std::int32_t* ids = tokens.data<std::int32_t>();
  for (std::int64_t t = 0; t < tokens.size(0); ++t) {
    require(ids[t] >= 0 && ids[t] < table.size(0), where,
            "token {} at position {} is outside the table of {} rows", ids[t], t, table.size(0));
  }
}
}  // namespace

void embedding_forward(Context&, const Tensor& tokens, const Tensor& table, const Tensor& y) {
  const char* where = "embedding_forward";
  check(where, tokens, table, y);
  const std::int32_t* ids = tokens.data<std::int32_t>();
  const std::int64_t d = table.size(1);
  with_float(where, "table", table, [&]<class T>(T) {
    parallel_for(tokens.size(0), rows_per_piece(d), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t t = begin; t < end; ++t) {
        std::copy_n(row_of<T>(table, ids[t]), d, row_of<T>(y, t));
      }
    });
  });
}

void embedding_backward(Context&, const Tensor& tokens, const Tensor& dy, const Tensor& d_table) {
  const char* where = "embedding_backward";
  check(where, tokens, d_table, dy);
  const std::int32_t* ids = tokens.data<std::int32_t>();
  const std::int64_t n = tokens.size(0), d = d_table.size(1);
  const std::int64_t blocks = (d + kColumnsPerBlock - 1) / kColumnsPerBlock;
  with_float(where, "dy", dy, [&]<class T>(T) {
    // Threads share the columns: each adds all tokens in order, so no row has two writers.
    const std::int64_t grain = std::max<std::int64_t>(1, rows_per_piece(n * kColumnsPerBlock));
    parallel_for(blocks, grain, [&](std::int64_t begin, std::int64_t end) {
      const std::int64_t from = begin * kColumnsPerBlock, to = std::min(d, end * kColumnsPerBlock);
      for (std::int64_t t = 0; t < n; ++t) {
        const T* source = row_of<T>(dy, t);
        T* row = row_of<T>(d_table, ids[t]);
#pragma omp simd
        for (std::int64_t i = from; i < to; ++i) row[i] += source[i];
      }
    });
  });
}

}  // namespace tessera::kernels::cpu
