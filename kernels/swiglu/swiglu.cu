// SPDX-License-Identifier: MIT
// SwiGLU on the GPU: one pack of one row per thread; where a row's dot product is wanted, one y of
// a block per row.
#include "kernels/swiglu/swiglu.h"

#include "kernels/cuda/pack.cuh"
#include "kernels/cuda/reduce.cuh"
#include "kernels/swiglu/swiglu_contract.h"

namespace tessera::kernels::cuda {

namespace {
__device__ inline float sigmoid(float x) {
  return 1.0f / (1.0f + expf(-x));
}

__device__ inline bool is_live(std::int64_t row, std::int64_t rows, const std::int32_t* live_rows) {
  return row < rows && (live_rows == nullptr || row < *live_rows);
}

template <int N, class T, class Y>
__global__ void __launch_bounds__(256)
    forward_kernel(Rows<const T> gate_up, std::int64_t rows, std::int64_t packs,
                   const std::int32_t* live_rows, const float* row_weights, Rows<Y> y) {
  const std::int64_t row = grid_row(), pack = grid_pack();
  if (pack >= packs || !is_live(row, rows, live_rows)) return;
  const T* at = gate_up[row] + pack * N;
  const float weight = row_weights == nullptr ? 1.0f : row_weights[row];
  float gate[N], up[N];
  load<N>(at, gate);
  load<N>(at + packs * N, up);
#pragma unroll
  for (int i = 0; i < N; ++i) up[i] = weight * (up[i] * (gate[i] * sigmoid(gate[i])));
  save<N>(y[row] + pack * N, up);
}

/// d_gate_up may be gate_up: a thread reads its packs before it writes them.
template <class G, class T, class D, class Y>
struct Backward {
  Rows<const G> dy;
  Rows<const T> gate_up;
  std::int64_t rows, packs;
  const std::int32_t* live_rows;
  const float* row_weights;  ///< may be null
  Rows<D> d_gate_up;
  Rows<Y> y;  ///< may be null
  float* d_row_weights;

  /// One pack; returns its part of the gradient of the row's weight.
  template <int N>
  __device__ float run(std::int64_t row, std::int64_t pack, float weight) const {
    const T* at = gate_up[row] + pack * N;
    float d[N], gate[N], up[N], out[N], dot = 0;
    load<N>(dy[row] + pack * N, d);
    load<N>(at, gate);
    load<N>(at + packs * N, up);
#pragma unroll
    for (int i = 0; i < N; ++i) {
      const float g = gate[i], s = sigmoid(g), activated = g * s, of_y = activated * up[i];
      dot += d[i] * of_y;
      d[i] *= weight;
      out[i] = weight * of_y;
      gate[i] = d[i] * up[i] * (s * (1.0f + g * (1.0f - s)));
      up[i] = d[i] * activated;
    }
    D* to = d_gate_up[row] + pack * N;
    save<N>(to, gate);
    save<N>(to + packs * N, up);
    if (y) save<N>(y[row] + pack * N, out);
    return dot;
  }
};

template <int N, class G, class T, class D, class Y>
__global__ void __launch_bounds__(256) backward_kernel(const Backward<G, T, D, Y> b) {
  const std::int64_t row = grid_row(), pack = grid_pack();
  if (pack < b.packs && is_live(row, b.rows, b.live_rows)) b.template run<N>(row, pack, 1.0f);
}

template <int N, class G, class T, class D, class Y>
__global__ void __launch_bounds__(256) weighted_backward_kernel(const Backward<G, T, D, Y> b) {
  __shared__ float shared[256 / kWarp];
  const std::int64_t row = grid_row();
  const bool live = is_live(row, b.rows, b.live_rows);
  const float weight = live ? b.row_weights[row] : 0.0f;
  float dot = 0;
  for (std::int64_t pack = threadIdx.x; live && pack < b.packs; pack += blockDim.x) {
    dot += b.template run<N>(row, pack, weight);
  }
  dot = row_sum(dot, shared);
  if (live && threadIdx.x == 0) b.d_row_weights[row] = dot;
}

/// Threads of a row in whole warps, as many as it has packs but 256 at most.
dim3 weighted_block(std::int64_t packs) {
  unsigned across = kWarp;
  while (across < 256 && across < packs) across *= 2;
  return dim3(across, 256 / across);
}

/// Null where the tensor is absent.
template <class T>
T* pointer(const Tensor& tensor) {
  return tensor ? tensor.data<T>() : nullptr;
}
}  // namespace

void swiglu_forward(Context& context, const Tensor& gate_up, const Tensor& live_rows,
                    const Tensor& row_weights, const Tensor& y) {
  const char* where = "swiglu_forward";
  contract::swiglu_forward(where, gate_up, live_rows, row_weights, y);
  const float* weights = pointer<float>(row_weights);
  const auto* live_pointer = pointer<std::int32_t>(live_rows);
  const std::int64_t rows = y.size(0), width = y.size(1);
  if (y.numel() == 0) return;
  with_real(where, "gate_up", gate_up, [&]<class T>(T) {
    with_result_of<T>(where, "y", y, [&]<class Y>(Y) {
      with_packs<kPack<T, Y>>({&gate_up, &y}, [&](auto n) {
        constexpr int N = decltype(n)::value;
        const RowGrid grid(rows, width / N);
        forward_kernel<N><<<grid.grid, grid.block, 0, stream_of(context)>>>(
            read_rows<T>(gate_up), rows, width / N, live_pointer, weights, rows_of<Y>(y));
      });
    });
  });
  check_launch(where);
}
TESSERA_CUDA_OPERATION(swiglu_forward)

void swiglu_backward(Context& context, const Tensor& dy, const Tensor& gate_up,
                     const Tensor& live_rows, const Tensor& row_weights, const Tensor& d_gate_up,
                     const Tensor& y, const Tensor& d_row_weights) {
  const char* where = "swiglu_backward";
  contract::swiglu_backward(where, dy, gate_up, live_rows, row_weights, d_gate_up, y,
                            d_row_weights);
  const float* weights = pointer<float>(row_weights);
  float* d_weights = pointer<float>(d_row_weights);
  const auto* live_pointer = pointer<std::int32_t>(live_rows);
  const std::int64_t rows = dy.size(0), width = dy.size(1);
  if (dy.numel() == 0) return;
  with_real(where, "dy", dy, [&]<class G>(G) {
    with_real(where, "gate_up", gate_up, [&]<class T>(T) {
      with_result_of<G>(where, "d_gate_up", d_gate_up, [&]<class D>(D) {
        // Without y its type is anything: that of d_gate_up keeps the number of kernels down.
        const auto launch = [&]<class Y>(Y) {
          with_packs<kPack<G, T, D, Y>>({&dy, &gate_up, &d_gate_up, &y}, [&](auto n) {
            constexpr int N = decltype(n)::value;
            const Backward<device_t<G>, device_t<T>, device_t<D>, device_t<Y>> b{
                read_rows<G>(dy), read_rows<T>(gate_up), rows,          width / N, live_pointer,
                weights,          rows_of<D>(d_gate_up), rows_of<Y>(y), d_weights};
            if (weights == nullptr) {
              const RowGrid grid(rows, width / N);
              backward_kernel<N><<<grid.grid, grid.block, 0, stream_of(context)>>>(b);
            } else {
              const dim3 block = weighted_block(width / N);
              weighted_backward_kernel<N>
                  <<<blocks_for(rows, static_cast<int>(block.y)), block, 0, stream_of(context)>>>(
                      b);
            }
          });
        };
        if (!y) return launch(D{});
        with_result_of<T>(where, "y", y, launch);
      });
    });
  });
  check_launch(where);
}
TESSERA_CUDA_OPERATION(swiglu_backward)

}  // namespace tessera::kernels::cuda
