// SPDX-License-Identifier: MIT
#include "kernels/permute/permute.h"

#include <algorithm>
#include <vector>

#include "core/base/threads.h"
#include "kernels/permute/permute_contract.h"

namespace tessera::kernels {

namespace cpu {

namespace {
constexpr std::int64_t kSlotsPerChunk = 8192;
constexpr std::int64_t kColumnsPerBlock =
    1024;  // columns of a row that several others are added to

/// Slots per expert in [from, to). Throws Error for a pick that is neither an expert nor kNoPick.
void count_slots(const std::int32_t* picks, std::int64_t from, std::int64_t to,
                 std::int64_t experts, std::int64_t* counts) {
  for (std::int64_t slot = from; slot < to; ++slot) {
    if (picks[slot] == kNoPick) continue;
    require(picks[slot] >= 0 && picks[slot] < experts, "permute_plan",
            "slot {} picks expert {} of {}", slot, picks[slot], experts);
    ++counts[picks[slot]];
  }
}

/// Turns counts (chunks, experts) into the first row of each chunk's slots of each expert, and
/// writes the totals and the aligned first row of each expert.
void place_chunks(std::int64_t chunks, std::int64_t experts, std::int64_t alignment,
                  std::int64_t* counts, std::int64_t* totals, std::int32_t* offsets) {
  std::int64_t row = 0;
  for (std::int64_t e = 0; e < experts; ++e) {
    offsets[e] = static_cast<std::int32_t>(row);
    std::int64_t next = row;
    for (std::int64_t chunk = 0; chunk < chunks; ++chunk) {
      std::int64_t& count = counts[chunk * experts + e];
      next += std::exchange(count, next);
    }
    totals[e] = next - row;
    row += (next - row + alignment - 1) / alignment * alignment;
  }
  offsets[experts] = static_cast<std::int32_t>(row);
}

struct Plan {
  std::int64_t tokens, top_k, used_rows;
  const std::int32_t *row_of_slot, *slot_of_row;
};

/// Reads `permutation` on the host, and checks that it fits `rows`.
Plan read_plan(const char* where, const Permutation& permutation, std::int64_t rows) {
  Plan plan{permutation.row_of_slot.size(0), permutation.row_of_slot.size(1),
            permutation.offsets.data<std::int32_t>()[permutation.offsets.size(0) - 1],
            permutation.row_of_slot.data<std::int32_t>(),
            permutation.slot_of_row.data<std::int32_t>()};
  require(plan.used_rows <= rows && plan.used_rows <= permutation.slot_of_row.size(0), where,
          "{} rows are used but the tensors have {}", plan.used_rows, rows);
  return plan;
}

/// out[0, d) += sum_i y[rows[i]], in the order of i; -1 adds nothing.
template <class T>
void add_rows(const Tensor& y, const std::int32_t* rows, std::int64_t top_k, std::int64_t d,
              T* out) {
  for (std::int64_t from = 0; from < d; from += kColumnsPerBlock) {
    const std::int64_t to = std::min(d, from + kColumnsPerBlock);
    for (std::int64_t i = 0; i < top_k; ++i) {
      if (rows[i] < 0) continue;
      const T* row = row_of<T>(y, rows[i]);
#pragma omp simd
      for (std::int64_t c = from; c < to; ++c) out[c] += row[c];
    }
  }
}

template <class T, class Y>
void copy_rows(const Tensor& x, const Plan& plan, const Tensor& y) {
  const std::int64_t d = x.size(1);
  parallel_for(plan.used_rows, rows_per_piece(d), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      Y* to = row_of<Y>(y, row);
      const std::int32_t slot = plan.slot_of_row[row];
      if (slot < 0) {
        std::fill_n(to, d, Y());
        continue;
      }
      const T* from = row_of<T>(x, slot / plan.top_k);
      if constexpr (std::is_same_v<T, Y>) {
        std::copy_n(from, d, to);
      } else {
#pragma omp simd
        for (std::int64_t c = 0; c < d; ++c) store(to[c], from[c]);
      }
    }
  });
}
}  // namespace

void permute_plan(Context&, const Tensor& picks, const Permutation& permutation) {
  const char* where = "permute_plan";
  contract::permute_plan(where, picks, permutation);
  const std::int64_t slots = picks.numel(), experts = permutation.counts.size(0);
  const std::int64_t rows = permutation.slot_of_row.size(0);
  const std::int32_t* pick = picks.data<std::int32_t>();
  auto* row_of_slot = permutation.row_of_slot.data<std::int32_t>();
  auto* slot_of_row = permutation.slot_of_row.data<std::int32_t>();
  auto* offsets = permutation.offsets.data<std::int32_t>();
  auto* totals = permutation.counts.data<std::int64_t>();

  // A counting sort in chunks: where a slot goes follows from the slots before it alone, so the
  // number of chunks changes nothing.
  const std::int64_t most = std::max<std::int64_t>(1, slots / std::max(experts, kSlotsPerChunk));
  const std::int64_t chunks = std::min<std::int64_t>(omp_get_max_threads(), most);
  std::vector<std::int64_t> counts(static_cast<std::size_t>(chunks * experts));
  const auto for_chunks = [&](const auto& body) {
    parallel_for(chunks, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t chunk = begin; chunk < end; ++chunk) {
        body(slots * chunk / chunks, slots * (chunk + 1) / chunks, counts.data() + chunk * experts);
      }
    });
  };
  for_chunks([&](std::int64_t from, std::int64_t to, std::int64_t* count) {
    count_slots(pick, from, to, experts, count);
  });
  place_chunks(chunks, experts, permutation.alignment, counts.data(), totals, offsets);
  require(offsets[experts] <= rows, where, "{} rows are needed but slot_of_row has {}",
          offsets[experts], rows);
  for_chunks([&](std::int64_t from, std::int64_t to, std::int64_t* next) {
    for (std::int64_t slot = from; slot < to; ++slot) {
      if (pick[slot] == kNoPick) {
        row_of_slot[slot] = -1;
        continue;
      }
      const auto row = static_cast<std::int32_t>(next[pick[slot]]++);
      row_of_slot[slot] = row;
      slot_of_row[row] = static_cast<std::int32_t>(slot);
    }
  });
  for (std::int64_t e = 0; e < experts; ++e) {
    std::fill(slot_of_row + offsets[e] + totals[e], slot_of_row + offsets[e + 1], -1);
  }
  std::fill(slot_of_row + offsets[experts], slot_of_row + rows, -1);
}

void permute_forward(Context&, const Tensor& x, const Permutation& permutation, const Tensor& y) {
  const char* where = "permute_forward";
  contract::permute_forward(where, x, permutation, y);
  const Plan plan = read_plan(where, permutation, y.size(0));
  if (x.dtype() == DType::BF16) {
    expect_dtype(where, "y", y, DType::BF16);
    return copy_rows<bf16, bf16>(x, plan, y);
  }
  with_float(where, "x", x, [&]<class T>(T) {
    with_output_of<T>(where, "y", y, [&]<class Y>(Y) { copy_rows<T, Y>(x, plan, y); });
  });
}

void combine(Context&, const Tensor& y, const Permutation& permutation, const Tensor& out) {
  const char* where = "combine";
  contract::combine(where, y, permutation, out);
  const std::int64_t tokens = out.size(0), d = out.size(1);
  const Plan plan = read_plan(where, permutation, y.size(0));
  with_float(where, "y", y, [&]<class T>(T) {
    const std::int64_t grain = rows_per_piece(d * plan.top_k);
    parallel_for(tokens, grain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t t = begin; t < end; ++t) {
        add_rows(y, plan.row_of_slot + t * plan.top_k, plan.top_k, d, row_of<T>(out, t));
      }
    });
  });
}

void permute_weights(Context&, const Tensor& weights, const Permutation& permutation,
                     const Tensor& row_weights) {
  const char* where = "permute_weights";
  contract::permute_weights(where, weights, permutation, row_weights);
  const std::int64_t rows = permutation.slot_of_row.size(0);
  const std::int64_t top_k = permutation.row_of_slot.size(1);
  const auto* slots = permutation.slot_of_row.data<std::int32_t>();
  with_float(where, "weights", weights, [&]<class T>(T) {
    T* to = row_weights.data<T>();
    for (std::int64_t row = 0; row < rows; ++row) {
      to[row] = slots[row] < 0 ? T(0) : row_of<T>(weights, slots[row] / top_k)[slots[row] % top_k];
    }
  });
}

void permute_weights_backward(Context&, const Tensor& d_row_weights, const Permutation& permutation,
                              const Tensor& d_weights) {
  const char* where = "permute_weights_backward";
  contract::permute_weights_backward(where, d_row_weights, permutation, d_weights);
  const Plan plan = read_plan(where, permutation, d_row_weights.size(0));
  with_float(where, "d_row_weights", d_row_weights, [&]<class T>(T) {
    const T* from = d_row_weights.data<T>();
    for (std::int64_t slot = 0; slot < plan.tokens * plan.top_k; ++slot) {
      const std::int32_t row = plan.row_of_slot[slot];
      row_of<T>(d_weights, slot / plan.top_k)[slot % plan.top_k] = row < 0 ? T(0) : from[row];
    }
  });
}

}  // namespace cpu
}  // namespace tessera::kernels
