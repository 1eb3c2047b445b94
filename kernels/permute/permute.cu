// SPDX-License-Identifier: MIT
// Dispatch to experts and combine on the GPU. By tokens, so that a token's row is read once; the
// plan is in permute_plan.cu.
#include "kernels/permute/permute.h"

#include "kernels/cuda/pack.cuh"
#include "kernels/permute/permute_contract.h"

namespace tessera::kernels::cuda {

namespace {
constexpr int kPicksAtOnce = 8;

/// What the copies need of a permutation.
struct Routes {
  std::int64_t tokens;
  int top_k, experts;
  const std::int64_t* counts;
  const std::int32_t *offsets, *row_of_slot;

  /// The rows of the token's picks from `first` on; -1 where there is none.
  __device__ void load_rows(std::int64_t token, int first,
                            std::int32_t (&rows)[kPicksAtOnce]) const {
#pragma unroll
    for (int i = 0; i < kPicksAtOnce; ++i) {
      rows[i] = first + i < top_k ? row_of_slot[token * top_k + first + i] : -1;
    }
  }
};

constexpr int kPaddingBlocks = 16;  // blocks that clear the padding of one expert

template <int N, class Y>
__global__ void __launch_bounds__(256)
    pad_kernel(const Routes routes, std::int64_t packs, Rows<Y> y) {
  const std::int64_t item = grid_row(), pack = grid_pack(), expert = item / kPaddingBlocks;
  if (expert >= routes.experts || pack >= packs) return;
  const float zero[N] = {};
  const std::int64_t from = routes.offsets[expert] + routes.counts[expert];
  const std::int64_t to = routes.offsets[expert + 1];
  for (std::int64_t row = from + item % kPaddingBlocks; row < to; row += kPaddingBlocks) {
    save<N>(y[row] + pack * N, zero);
  }
}

template <int N, class X, class Y>
__global__ void __launch_bounds__(256)
    dispatch_kernel(Rows<const X> x, const Routes routes, std::int64_t packs, Rows<Y> y) {
  const std::int64_t token = grid_row(), pack = grid_pack();
  if (token >= routes.tokens || pack >= packs) return;
  float v[N];
  load<N>(x[token] + pack * N, v);
  for (int first = 0; first < routes.top_k; first += kPicksAtOnce) {
    std::int32_t rows[kPicksAtOnce];
    routes.load_rows(token, first, rows);
#pragma unroll
    for (int i = 0; i < kPicksAtOnce; ++i) {
      if (rows[i] >= 0) save<N>(y[rows[i]] + pack * N, v);
    }
  }
}

/// out[token] += sum_i y[row_i], in the order of i.
template <int N, class S, class O>
__global__ void __launch_bounds__(256)
    combine_kernel(Rows<const S> y, const Routes routes, std::int64_t packs, Rows<O> out) {
  const std::int64_t token = grid_row(), pack = grid_pack();
  if (token >= routes.tokens || pack >= packs) return;
  float sum[N];
  load<N>(out[token] + pack * N, sum);
  for (int first = 0; first < routes.top_k; first += kPicksAtOnce) {
    std::int32_t rows[kPicksAtOnce];
    Pack<S, N> loaded[kPicksAtOnce];
    routes.load_rows(token, first, rows);
#pragma unroll
    for (int i = 0; i < kPicksAtOnce; ++i) {
      if (rows[i] < 0) continue;
      loaded[i] = load_pack<N>(y[rows[i]] + pack * N);
    }
#pragma unroll
    for (int i = 0; i < kPicksAtOnce; ++i) {
      if (rows[i] < 0) continue;
#pragma unroll
      for (int c = 0; c < N; ++c) sum[c] += to_float(loaded[i].values[c]);
    }
  }
  save<N>(out[token] + pack * N, sum);
}

Routes routes_of(const char* where, const Permutation& p, const Tensor& rows) {
  require(rows.size(0) >= p.slot_of_row.size(0), where,
          "{} rows may be used but the tensors have {}", p.slot_of_row.size(0), rows.size(0));
  return {p.row_of_slot.size(0),
          static_cast<int>(p.row_of_slot.size(1)),
          static_cast<int>(p.counts.size(0)),
          p.counts.data<std::int64_t>(),
          p.offsets.data<std::int32_t>(),
          p.row_of_slot.data<std::int32_t>()};
}

template <int N, class Y>
void pad(Context& context, const char* where, const Routes& routes, std::int64_t packs, Rows<Y> y) {
  const RowGrid grid(std::int64_t{routes.experts} * kPaddingBlocks, packs);
  pad_kernel<N><<<grid.grid, grid.block, 0, stream_of(context)>>>(routes, packs, y);
  check_launch(where);
}
}  // namespace

void permute_forward(Context& context, const Tensor& x, const Permutation& permutation,
                     const Tensor& y) {
  const char* where = "permute_forward";
  contract::permute_forward(where, x, permutation, y);
  const std::int64_t tokens = x.size(0), d = x.size(1);
  const Routes routes = routes_of(where, permutation, y);
  if (x.numel() == 0) return;
  with_real(where, "x", x, [&]<class T>(T) {
    with_result_of<T>(where, "y", y, [&]<class Y>(Y) {
      with_packs<kPack<T, Y>>({&x, &y}, [&](auto n) {
        constexpr int N = decltype(n)::value;
        const RowGrid grid(tokens, d / N);
        dispatch_kernel<N><<<grid.grid, grid.block, 0, stream_of(context)>>>(
            read_rows<T>(x), routes, d / N, rows_of<Y>(y));
        check_launch(where);
        pad<N>(context, where, routes, d / N, rows_of<Y>(y));
      });
    });
  });
}
TESSERA_CUDA_OPERATION(permute_forward)

void combine(Context& context, const Tensor& y, const Permutation& permutation, const Tensor& out) {
  const char* where = "combine";
  contract::combine(where, y, permutation, out);
  const std::int64_t tokens = out.size(0), d = out.size(1);
  const Routes routes = routes_of(where, permutation, y);
  if (out.numel() == 0) return;
  with_real(where, "y", y, [&]<class S>(S) {
    with_real(where, "out", out, [&]<class O>(O) {
      // Packs of 16 bytes of y, which is top_k times as many: two or one of `out`.
      with_packs<kPack<S>>({&y, &out}, [&](auto n) {
        constexpr int N = decltype(n)::value;
        const RowGrid grid(tokens, d / N);
        combine_kernel<N><<<grid.grid, grid.block, 0, stream_of(context)>>>(read_rows<S>(y), routes,
                                                                            d / N, rows_of<O>(out));
      });
    });
  });
  check_launch(where);
}
TESSERA_CUDA_OPERATION(combine)

namespace {
__global__ void __launch_bounds__(256)
    row_weights_kernel(Rows<const float> weights, int top_k, const std::int32_t* slot_of_row,
                       std::int64_t rows, float* row_weights) {
  const std::int64_t row = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (row >= rows) return;
  const std::int32_t slot = slot_of_row[row];
  row_weights[row] = slot < 0 ? 0.0f : weights[slot / top_k][slot % top_k];
}

__global__ void __launch_bounds__(256)
    slot_weights_kernel(const float* d_row_weights, const std::int32_t* row_of_slot,
                        std::int64_t slots, int top_k, Rows<float> d_weights) {
  const std::int64_t slot = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (slot >= slots) return;
  const std::int32_t row = row_of_slot[slot];
  d_weights[slot / top_k][slot % top_k] = row < 0 ? 0.0f : d_row_weights[row];
}
}  // namespace

void permute_weights(Context& context, const Tensor& weights, const Permutation& permutation,
                     const Tensor& row_weights) {
  const char* where = "permute_weights";
  contract::permute_weights(where, weights, permutation, row_weights);
  const std::int64_t rows = permutation.slot_of_row.size(0);
  const std::int64_t top_k = permutation.row_of_slot.size(1);
  if (rows == 0) return;
  row_weights_kernel<<<blocks_for(rows, 256), 256, 0, stream_of(context)>>>(
      read_rows<float>(weights), static_cast<int>(top_k),
      permutation.slot_of_row.data<std::int32_t>(), rows, row_weights.data<float>());
  check_launch(where);
}
TESSERA_CUDA_OPERATION(permute_weights)

void permute_weights_backward(Context& context, const Tensor& d_row_weights,
                              const Permutation& permutation, const Tensor& d_weights) {
  const char* where = "permute_weights_backward";
  contract::permute_weights_backward(where, d_row_weights, permutation, d_weights);
  const std::int64_t top_k = permutation.row_of_slot.size(1);
  const std::int64_t slots = permutation.row_of_slot.numel();
  if (slots == 0) return;
  slot_weights_kernel<<<blocks_for(slots, 256), 256, 0, stream_of(context)>>>(
      d_row_weights.data<float>(), permutation.row_of_slot.data<std::int32_t>(), slots,
      static_cast<int>(top_k), rows_of<float>(d_weights));
  check_launch(where);
}
TESSERA_CUDA_OPERATION(permute_weights_backward)

}  // namespace tessera::kernels::cuda
