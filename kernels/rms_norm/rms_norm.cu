// SPDX-License-Identifier: MIT
// RMSNorm on the GPU: one y of a block per row, its first kHeld packs per thread in registers, so
// that rows of up to 2048 packs are read once. Longer rows are right and slower.
#include "kernels/rms_norm/rms_norm.h"

#include "kernels/cuda/pack.cuh"
#include "kernels/cuda/reduce.cuh"
#include "kernels/rms_norm/rms_norm_contract.h"

namespace tessera::kernels::cuda {

namespace {
constexpr int kMostThreads = 512;
constexpr int kManyHeld = 4;
constexpr int kMostWarps = 16;
constexpr std::int64_t kMostChunks = 1024;

/// Threads (x along a row, y rows of a block) for rows of `packs`.
struct RowBlock {
  dim3 block;
  bool holds_one;  ///< one pack per thread is enough

  /// One pack per thread for rows of up to `alone` packs.
  RowBlock(std::int64_t packs, std::int64_t alone) : holds_one(packs <= alone) {
    const std::int64_t across = holds_one ? packs : (packs + kManyHeld - 1) / kManyHeld;
    const std::int64_t warps = std::clamp<std::int64_t>((across + 31) / 32, 1, kMostThreads / 32);
    const auto threads = static_cast<unsigned>(warps * 32);
    block = dim3(threads, threads < 256 ? 256 / threads : 1);
  }
};

template <int kHeld, int N, class X, class Y>
__global__ void __launch_bounds__(kMostThreads)
    forward_kernel(Rows<const X> x, const float* weight, std::int64_t rows, std::int64_t packs,
                   float eps, Rows<Y> y, float* rstd) {
  __shared__ float shared[kMostWarps];
  const std::int64_t row = grid_row();
  const bool live = row < rows;
  float held[kHeld][N];
  float sum = 0;
#pragma unroll
  for (int h = 0; h < kHeld; ++h) {
    const std::int64_t pack = threadIdx.x + h * static_cast<std::int64_t>(blockDim.x);
    if (live && pack < packs) {
      load<N>(x[row] + pack * N, held[h]);
#pragma unroll
      for (int i = 0; i < N; ++i) sum += held[h][i] * held[h][i];
    }
  }
  const std::int64_t beyond = threadIdx.x + kHeld * static_cast<std::int64_t>(blockDim.x);
  for (std::int64_t pack = beyond; live && pack < packs; pack += blockDim.x) {
    float v[N];
    load<N>(x[row] + pack * N, v);
#pragma unroll
    for (int i = 0; i < N; ++i) sum += v[i] * v[i];
  }
  sum = row_sum(sum, shared);
  if (!live) return;
  const float r = 1.0f / sqrtf(sum / static_cast<float>(packs * N) + eps);
  if (threadIdx.x == 0) rstd[row] = r;
  const auto finish = [&](std::int64_t pack, const float(&v)[N]) {
    float w[N], out[N];
    load<N>(weight + pack * N, w);
#pragma unroll
    for (int i = 0; i < N; ++i) out[i] = v[i] * r * w[i];
    save<N>(y[row] + pack * N, out);
  };
#pragma unroll
  for (int h = 0; h < kHeld; ++h) {
    const std::int64_t pack = threadIdx.x + h * static_cast<std::int64_t>(blockDim.x);
    if (pack < packs) finish(pack, held[h]);
  }
  for (std::int64_t pack = beyond; pack < packs; pack += blockDim.x) {
    float v[N];
    load<N>(x[row] + pack * N, v);
    finish(pack, v);
  }
}

/// Operands of backward. With n = x rstd: dx = rstd (dy w - n mean(dy w n)); d_weight = sum dy n.
template <class G, class X>
struct Backward {
  Rows<const G> dy;
  Rows<const X> x;
  const float *weight, *rstd;
  Rows<G> dx;
  float* partial;  ///< (chunks, packs * N): d_weight of each chunk of rows
  std::int64_t rows, rows_per_chunk, packs;
  bool accumulate;

  /// Adds to `sum` the inner product of dy w and x over one pack.
  template <int N>
  __device__ void load_pack_of(std::int64_t row, std::int64_t pack, const float (&w)[N],
                               float (&g)[N], float (&v)[N], float& sum) const {
    load<N>(dy[row] + pack * N, g);
    load<N>(x[row] + pack * N, v);
#pragma unroll
    for (int i = 0; i < N; ++i) sum += g[i] * w[i] * v[i];
  }

  /// What dx is added to.
  template <int N>
  __device__ void load_old(std::int64_t row, std::int64_t pack, float (&old)[N]) const {
    if (accumulate) {
      load<N>(dx[row] + pack * N, old);
    } else {
#pragma unroll
      for (int i = 0; i < N; ++i) old[i] = 0;
    }
  }

  /// `out` comes as what dx is added to.
  template <int N>
  __device__ void finish(std::int64_t row, std::int64_t pack, const float (&w)[N],
                         const float (&g)[N], const float (&v)[N], float r, float mean,
                         float (&out)[N], float (&d_weight)[N]) const {
#pragma unroll
    for (int i = 0; i < N; ++i) {
      const float n = v[i] * r;
      d_weight[i] += g[i] * n;
      out[i] += r * (g[i] * w[i] - n * mean);
    }
    save<N>(dx[row] + pack * N, out);
  }
};

/// Every y of a block adds d_weight over rows y, y + blockDim.y, ... of the block's chunk.
template <int kHeld, int N, class G, class X>
__global__ void __launch_bounds__(kMostThreads) backward_kernel(const Backward<G, X> b) {
  __shared__ float shared[kMostWarps];
  __shared__ float of_rows[kHeld == 1 ? 256 * N : 1];
  const std::int64_t first = blockIdx.x * b.rows_per_chunk;
  const std::int64_t last = min(b.rows, first + b.rows_per_chunk);
  const std::int64_t beyond = threadIdx.x + kHeld * static_cast<std::int64_t>(blockDim.x);
  float* partial = b.partial + static_cast<std::int64_t>(blockIdx.x) * b.packs * N;
  float d_weight[kHeld][N] = {};
  // With one pack per thread there are registers for the weight, which stays, and for what dx is
  // added to, which then comes with the other loads and not after the sum.
  float kept_w[N] = {}, old[N] = {};
  if (kHeld == 1 && threadIdx.x < b.packs) load<N>(b.weight + threadIdx.x * N, kept_w);
  const auto load_weight = [&](std::int64_t pack, float(&w)[N]) {
    if constexpr (kHeld == 1) {
#pragma unroll
      for (int i = 0; i < N; ++i) w[i] = kept_w[i];
    } else {
      load<N>(b.weight + pack * N, w);
    }
  };
  for (std::int64_t pack = beyond; pack < b.packs; pack += blockDim.x) {
    const float zero[N] = {};
    save<N>(partial + pack * N, zero);
  }
  for (std::int64_t top = first; top < last; top += blockDim.y) {
    const std::int64_t row = top + threadIdx.y;
    const bool live = row < last;
    float g[kHeld][N], v[kHeld][N], sum = 0;
#pragma unroll
    for (int h = 0; h < kHeld; ++h) {
      const std::int64_t pack = threadIdx.x + h * static_cast<std::int64_t>(blockDim.x);
      if (live && pack < b.packs) {
        float w[N];
        load_weight(pack, w);
        if constexpr (kHeld == 1) b.template load_old<N>(row, pack, old);
        b.template load_pack_of<N>(row, pack, w, g[h], v[h], sum);
      }
    }
    for (std::int64_t pack = beyond; live && pack < b.packs; pack += blockDim.x) {
      float w[N], more_g[N], more_v[N];
      load<N>(b.weight + pack * N, w);
      b.template load_pack_of<N>(row, pack, w, more_g, more_v, sum);
    }
    const float r = live ? b.rstd[row] : 0.0f;
    sum = row_sum(sum, shared);
    if (!live) continue;
    const float mean = sum * r / static_cast<float>(b.packs * N);
#pragma unroll
    for (int h = 0; h < kHeld; ++h) {
      const std::int64_t pack = threadIdx.x + h * static_cast<std::int64_t>(blockDim.x);
      if (pack < b.packs) {
        float w[N];
        load_weight(pack, w);
        if constexpr (kHeld > 1) b.template load_old<N>(row, pack, old);
        b.template finish<N>(row, pack, w, g[h], v[h], r, mean, old, d_weight[h]);
      }
    }
    for (std::int64_t pack = beyond; pack < b.packs; pack += blockDim.x) {
      float w[N], more_g[N], more_v[N], more_d[N], more_old[N], unused = 0;
      load<N>(b.weight + pack * N, w);
      b.template load_old<N>(row, pack, more_old);
      b.template load_pack_of<N>(row, pack, w, more_g, more_v, unused);
      load<N>(partial + pack * N, more_d);
      b.template finish<N>(row, pack, w, more_g, more_v, r, mean, more_old, more_d);
      save<N>(partial + pack * N, more_d);
    }
  }
  if constexpr (kHeld == 1) {
    // The rows of the block into one, in the order of y.
    float* mine = of_rows + (threadIdx.y * blockDim.x + threadIdx.x) * N;
    if (blockDim.y > 1) {
#pragma unroll
      for (int i = 0; i < N; ++i) mine[i] = d_weight[0][i];
      __syncthreads();
      if (threadIdx.y > 0) return;
      for (unsigned y = 1; y < blockDim.y; ++y) {
#pragma unroll
        for (int i = 0; i < N; ++i) d_weight[0][i] += mine[y * blockDim.x * N + i];
      }
    }
  }
#pragma unroll
  for (int h = 0; h < kHeld; ++h) {
    const std::int64_t pack = threadIdx.x + h * static_cast<std::int64_t>(blockDim.x);
    if (pack < b.packs) save<N>(partial + pack * N, d_weight[h]);
  }
}

constexpr int kColumns = 32, kSlices = 32;

/// d_weight += the sum of `partial` over chunks: slices of the chunks side by side, then in order.
__global__ void __launch_bounds__(kColumns* kSlices)
    sum_chunks_kernel(const float* partial, int chunks, std::int64_t d, float* d_weight) {
  __shared__ float slices[kSlices][kColumns];
  const std::int64_t column = static_cast<std::int64_t>(blockIdx.x) * kColumns + threadIdx.x;
  float sum = 0;
  if (column < d) {
#pragma unroll 4
    for (int chunk = threadIdx.y; chunk < chunks; chunk += kSlices) {
      sum += partial[chunk * d + column];
    }
  }
  slices[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y > 0 || column >= d) return;
  for (int slice = 1; slice < kSlices; ++slice) sum += slices[slice][threadIdx.x];
  d_weight[column] += sum;
}

template <class Body>
void with_held(const RowBlock& block, Body&& body) {
  if (block.holds_one) {
    body(PackSize<1>{});
  } else {
    body(PackSize<kManyHeld>{});
  }
}
}  // namespace

void rms_norm_forward(Context& context, const Tensor& x, const Tensor& weight, float eps,
                      const Tensor& y, const Tensor& rstd) {
  const char* where = "rms_norm_forward";
  contract::rms_norm_forward(where, x, weight, y, rstd);
  const std::int64_t rows = x.size(0), d = x.size(1);
  if (rows == 0 || d == 0) return;
  with_real(where, "x", x, [&]<class T>(T) {
    with_result_of<T>(where, "y", y, [&]<class O>(O) {
      with_packs<kPack<T, O>>({&x, &weight, &y}, [&](auto n) {
        constexpr int N = decltype(n)::value;
        const RowBlock block(d / N, kWarp);
        with_held(block, [&](auto held) {
          forward_kernel<decltype(held)::value, N>
              <<<blocks_for(rows, static_cast<int>(block.block.y)), block.block, 0,
                 stream_of(context)>>>(read_rows<T>(x), weight.data<float>(), rows, d / N, eps,
                                       rows_of<O>(y), rstd.data<float>());
        });
      });
    });
  });
  check_launch(where);
}
TESSERA_CUDA_OPERATION(rms_norm_forward)

void rms_norm_backward(Context& context, const Tensor& dy, const Tensor& x, const Tensor& weight,
                       const Tensor& rstd, bool accumulate, const Tensor& dx,
                       const Tensor& d_weight) {
  const char* where = "rms_norm_backward";
  contract::rms_norm_backward(where, dy, x, weight, rstd, dx, d_weight);
  const std::int64_t rows = dy.size(0), d = dy.size(1);
  if (rows == 0 || d == 0) return;
  with_real(where, "dy", dy, [&]<class G>(G) {
    with_real(where, "x", x, [&]<class T>(T) {
      with_packs<kPack<G, T>>({&dy, &x, &weight, &dx}, [&](auto n) {
        constexpr int N = decltype(n)::value;
        const RowBlock block(d / N, kMostThreads);
        // Chunks follow from the shape alone, and so does the order of the sum.
        const std::int64_t across = block.block.y;
        const std::int64_t most = block.holds_one ? kMostChunks : kMostChunks / 2;
        const std::int64_t per_chunk = ((rows + most - 1) / most + across - 1) / across * across;
        const std::int64_t chunks = (rows + per_chunk - 1) / per_chunk;
        const auto bytes = static_cast<std::size_t>(chunks * d) * sizeof(float);
        auto* partial = static_cast<float*>(workspace(context, bytes));
        const Backward<device_t<G>, device_t<T>> operands{read_rows<G>(dy),
                                                          read_rows<T>(x),
                                                          weight.data<float>(),
                                                          rstd.data<float>(),
                                                          rows_of<G>(dx),
                                                          partial,
                                                          rows,
                                                          per_chunk,
                                                          d / N,
                                                          accumulate};
        with_held(block, [&](auto held) {
          backward_kernel<decltype(held)::value, N>
              <<<static_cast<unsigned>(chunks), block.block, 0, stream_of(context)>>>(operands);
        });
        check_launch(where);
        sum_chunks_kernel<<<blocks_for(d, kColumns), dim3(kColumns, kSlices), 0,
                            stream_of(context)>>>(partial, static_cast<int>(chunks), d,
                                                  d_weight.data<float>());
        check_launch(where);
      });
    });
  });
}
TESSERA_CUDA_OPERATION(rms_norm_backward)

}  // namespace tessera::kernels::cuda
