// SPDX-License-Identifier: MIT
// Token embedding on the GPU. Backward sorts the tokens by id (stable), then sums windows of sorted
// tokens: no atomics, and an order of summation that the tokens alone decide.
#include "kernels/embedding/embedding.h"

#include <bit>
#include <cub/device/device_radix_sort.cuh>

#include "kernels/cuda/pack.cuh"
#include "kernels/cuda/pieces.cuh"
#include "kernels/embedding/embedding_contract.h"

namespace tessera::kernels::cuda {

namespace {
constexpr int kWindow = 32;      // sorted tokens that one thread adds one after the other
constexpr int kLoadsAtOnce = 8;  // loads that are in flight together

template <int N, class T, class Y>
__global__ void __launch_bounds__(256)
    gather_kernel(const std::int32_t* tokens, std::int64_t count, Rows<const T> table,
                  std::int64_t vocabulary, std::int64_t packs, Rows<Y> y,
                  tessera::cuda::Fault fault) {
  const std::int64_t t = grid_row(), pack = grid_pack();
  if (t >= count || pack >= packs) return;
  const std::int32_t id = tokens[t];
  float v[N] = {};
  if (id >= 0 && id < vocabulary) {
    load<N>(table[id] + pack * N, v);
  } else if (pack == 0) {
    fault.raise(static_cast<unsigned>(t));
  }
  save<N>(y[t] + pack * N, v);
}

/// Keys of the sort: the id, or `vocabulary` (which sorts last and is left out) where it is wrong.
__global__ void __launch_bounds__(256)
    keys_kernel(const std::int32_t* tokens, int count, std::uint32_t vocabulary,
                std::uint32_t* keys, std::int32_t* positions, tessera::cuda::Fault fault) {
  const int t = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (t >= count) return;
  const auto id = static_cast<std::uint32_t>(tokens[t]);
  if (id >= vocabulary) fault.raise(static_cast<unsigned>(t));
  keys[t] = min(id, vocabulary);
  positions[t] = t;
}

/// Tokens in the order of their ids, and sums that a window has for ids that it shares with its
/// neighbours.
struct Sorted {
  const std::uint32_t* keys;
  const std::int32_t* positions;
  int count;
  std::uint32_t vocabulary;
  float *heads, *tails;  ///< (windows, d)

  __device__ int begin(std::int64_t window) const { return static_cast<int>(window) * kWindow; }
  __device__ int end(std::int64_t window) const { return min(count, begin(window) + kWindow); }
  /// Whether the window's first id goes on from the window before, or its last into the one after.
  __device__ bool continues(std::int64_t window) const {
    return window > 0 && keys[begin(window)] == keys[begin(window) - 1];
  }
  __device__ bool goes_on(std::int64_t window) const {
    return end(window) < count && keys[end(window) - 1] == keys[end(window)];
  }
};

template <int N, class T>
__device__ inline void add_pack(T* to, const float (&sum)[N]) {
  float v[N];
  load<N>(to, v);
#pragma unroll
  for (int i = 0; i < N; ++i) v[i] += sum[i];
  save<N>(to, v);
}

/// One window and one pack of columns per thread. Sums of ids that lie within the window go to the
/// table, those of ids that it shares to `heads` (from the window before) and `tails`.
template <int N, class T>
__global__ void __launch_bounds__(256)
    windows_kernel(Sorted s, std::int64_t windows, Rows<const T> dy, std::int64_t packs,
                   Rows<float> d_table) {
  const std::int64_t window = grid_row(), pack = grid_pack();
  if (window >= windows || pack >= packs) return;
  const int begin = s.begin(window), end = s.end(window);
  bool is_head = s.continues(window);
  std::uint32_t id = s.keys[begin];
  float sum[N] = {};
  const auto flush = [&](bool is_last) {
    const std::int64_t at = (window * packs + pack) * N;
    if (is_head) {
      save<N>(s.heads + at, sum);
    } else if (is_last && s.goes_on(window)) {
      save<N>(s.tails + at, sum);
    } else if (id < s.vocabulary) {
      add_pack<N>(d_table[id] + pack * N, sum);
    }
    is_head = false;
  };
  for (int first = begin; first < end; first += kLoadsAtOnce) {
    float v[kLoadsAtOnce][N];
#pragma unroll
    for (int i = 0; i < kLoadsAtOnce; ++i) {
      if (first + i < end) load<N>(dy[s.positions[first + i]] + pack * N, v[i]);
    }
#pragma unroll
    for (int i = 0; i < kLoadsAtOnce; ++i) {
      if (first + i >= end) break;
      const std::uint32_t key = s.keys[first + i];
      if (key != id) {
        flush(false);
        id = key;
#pragma unroll
        for (int c = 0; c < N; ++c) sum[c] = 0;
      }
#pragma unroll
      for (int c = 0; c < N; ++c) sum[c] += v[i][c];
    }
  }
  flush(true);
}

/// For the window in which an id that spans several begins: its tail and the heads that follow.
template <int N>
__global__ void __launch_bounds__(256)
    spans_kernel(Sorted s, std::int64_t windows, std::int64_t packs, Rows<float> d_table) {
  std::int64_t window = grid_row();
  const std::int64_t pack = grid_pack();
  if (window >= windows || pack >= packs || !s.goes_on(window)) return;
  const std::uint32_t id = s.keys[s.end(window) - 1];
  // An id that fills the window from the one before began earlier.
  if (s.continues(window) && s.keys[s.begin(window)] == id) return;
  if (id >= s.vocabulary) return;
  float sum[N];
  load<N>(s.tails + (window * packs + pack) * N, sum);
  do {
    ++window;
    float v[N];
    load<N>(s.heads + (window * packs + pack) * N, v);
#pragma unroll
    for (int i = 0; i < N; ++i) sum[i] += v[i];
  } while (s.goes_on(window) && s.keys[s.end(window) - 1] == id);
  add_pack<N>(d_table[id] + pack * N, sum);
}
}  // namespace

void embedding_forward(Context& context, const Tensor& tokens, const Tensor& table,
                       const Tensor& y) {
  const char* where = "embedding_forward";
  contract::embedding(where, tokens, table, y);
  if (y.numel() == 0) return;
  const auto fault =
      tessera::cuda::fault(where, "the token at position {} is outside the embedding table");
  with_real(where, "table", table, [&]<class T>(T) {
    with_result_of<T>(where, "y", y, [&]<class Y>(Y) {
      with_packs<kPack<T, Y>>({&table, &y}, [&](auto n) {
        constexpr int N = decltype(n)::value;
        const std::int64_t packs = table.size(1) / N;
        const RowGrid grid(tokens.size(0), packs);
        gather_kernel<N><<<grid.grid, grid.block, 0, stream_of(context)>>>(
            tokens.data<std::int32_t>(), tokens.size(0), read_rows<T>(table), table.size(0), packs,
            rows_of<Y>(y), fault);
      });
    });
  });
  check_launch(where);
}
TESSERA_CUDA_OPERATION(embedding_forward)

void embedding_backward(Context& context, const Tensor& tokens, const Tensor& dy,
                        const Tensor& d_table) {
  const char* where = "embedding_backward";
  contract::embedding(where, tokens, d_table, dy);
  if (dy.numel() == 0) return;
  require(tokens.size(0) < (std::int64_t{1} << 30), where, "{} tokens are too many at once",
          tokens.size(0));
  const int count = static_cast<int>(tokens.size(0));
  const auto vocabulary = static_cast<std::uint32_t>(d_table.size(0));
  const std::int64_t d = d_table.size(1), windows = (count + kWindow - 1) / kWindow;
  const int bits = std::bit_width(vocabulary);
  const cudaStream_t stream = stream_of(context);

  std::uint32_t* no_keys = nullptr;
  std::int32_t* no_positions = nullptr;
  std::size_t sort_bytes = 0;
  check(cub::DeviceRadixSort::SortPairs(nullptr, sort_bytes, no_keys, no_keys, no_positions,
                                        no_positions, count, 0, bits, stream),
        where);
  Pieces pieces;
  const auto keys = pieces.reserve<std::uint32_t>(count);
  const auto sorted_keys = pieces.reserve<std::uint32_t>(count);
  const auto positions = pieces.reserve<std::int32_t>(count);
  const auto sorted_positions = pieces.reserve<std::int32_t>(count);
  const auto heads = pieces.reserve<float>(windows * d);
  const auto tails = pieces.reserve<float>(windows * d);
  const auto sort_memory = pieces.reserve<std::byte>(static_cast<std::int64_t>(sort_bytes));
  pieces.take(context);

  keys_kernel<<<blocks_for(count, 256), 256, 0, stream>>>(
      tokens.data<std::int32_t>(), count, vocabulary, pieces.at(keys), pieces.at(positions),
      tessera::cuda::fault(where, "the token at position {} is outside the embedding table"));
  check_launch(where);
  check(cub::DeviceRadixSort::SortPairs(pieces.at(sort_memory), sort_bytes, pieces.at(keys),
                                        pieces.at(sorted_keys), pieces.at(positions),
                                        pieces.at(sorted_positions), count, 0, bits, stream),
        where);
  const Sorted sorted{
      pieces.at(sorted_keys), pieces.at(sorted_positions), count, vocabulary, pieces.at(heads),
      pieces.at(tails)};
  with_real(where, "dy", dy, [&]<class T>(T) {
    with_packs<4>({&dy, &d_table}, [&](auto n) {
      constexpr int N = decltype(n)::value;
      const RowGrid grid(windows, d / N);
      windows_kernel<N><<<grid.grid, grid.block, 0, stream>>>(sorted, windows, read_rows<T>(dy),
                                                              d / N, rows_of<float>(d_table));
      check_launch(where);
      spans_kernel<N>
          <<<grid.grid, grid.block, 0, stream>>>(sorted, windows, d / N, rows_of<float>(d_table));
    });
  });
  check_launch(where);
}
TESSERA_CUDA_OPERATION(embedding_backward)

}  // namespace tessera::kernels::cuda
