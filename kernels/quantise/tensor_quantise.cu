// SPDX-License-Identifier: MIT
// One scale per matrix: a pass for the largest magnitude, and one that quantises. The largest is
// found with atomics on the bits of non-negative floats, whose order is that of the floats.
#include "kernels/quantise/quantise_operands.cuh"

namespace tessera::kernels::cuda {

using namespace e4m3;

namespace {
/// Eight neighbours as floats; activations are rounded to BF16 first.
__device__ inline void load_eight(const __nv_bfloat16* from, bool, float (&to)[8]) {
  const uint4 v = load_stream(from);
  const uint32_t words[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    to[2 * i] = low_float(words[i]);
    to[2 * i + 1] = high_float(words[i]);
  }
}
__device__ inline void load_eight(const float* from, bool rounds, float (&to)[8]) {
  const uint4 a = load_stream(from), b = load_stream(from + 4);
  const uint32_t words[8] = {a.x, a.y, a.z, a.w, b.x, b.y, b.z, b.w};
#pragma unroll
  for (int i = 0; i < 8; i += 2) {
    const float low = __uint_as_float(words[i]), high = __uint_as_float(words[i + 1]);
    const uint32_t pair = pack_bf16(low, high);
    to[i] = rounds ? low_float(pair) : low;
    to[i + 1] = rounds ? high_float(pair) : high;
  }
}

struct Matrices {
  int64_t rows, cols;  ///< size of one tensor; blockIdx.y says which
  const int32_t* live_rows;
  bool rounds;
  __device__ int64_t packs() const { return live(rows, live_rows) * cols / 8; }
};

template <class X>
__global__ void __launch_bounds__(256)
    largest_kernel(const X* x, const Matrices m, unsigned* largest) {
  __shared__ float of_warps[8];
  x += blockIdx.y * m.rows * m.cols;
  float most = 0;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * 256 + threadIdx.x; i < m.packs();
       i += static_cast<int64_t>(gridDim.x) * 256) {
    float v[8];
    load_eight(x + 8 * i, m.rounds, v);
#pragma unroll
    for (float one : v) most = fmaxf(most, fabsf(one));
  }
#pragma unroll
  for (int step = 16; step > 0; step /= 2) {
    most = fmaxf(most, __shfl_xor_sync(0xffffffff, most, step));
  }
  if (threadIdx.x % 32 == 0) of_warps[threadIdx.x / 32] = most;
  __syncthreads();
  if (threadIdx.x != 0) return;
  for (int w = 1; w < 8; ++w) most = fmaxf(most, of_warps[w]);
  atomicMax(largest + blockIdx.y, __float_as_uint(most));
}

/// Scales: `across` rows of `stride` for each matrix, the first `count` of each row written.
struct Scales {
  float* data;
  int64_t across, stride, count;
};

template <class X>
__global__ void __launch_bounds__(256)
    tensor_kernel(const X* x, const Matrices m, const unsigned* largest, uint8_t* values,
                  const Scales scales) {
  const float most = __uint_as_float(largest[blockIdx.y]);
  const float inverse = inverse_of(most);
  const int64_t first = static_cast<int64_t>(blockIdx.x) * 256 + threadIdx.x;
  const int64_t step = static_cast<int64_t>(gridDim.x) * 256;
  const int64_t offset = blockIdx.y * m.rows * m.cols;
  for (int64_t i = first; i < m.packs(); i += step) {
    float v[8];
    load_eight(x + offset + 8 * i, m.rounds, v);
    *reinterpret_cast<uint2*>(values + offset + 8 * i) =
        make_uint2(pack_e4m3(v[0] * inverse, v[1] * inverse, v[2] * inverse, v[3] * inverse),
                   pack_e4m3(v[4] * inverse, v[5] * inverse, v[6] * inverse, v[7] * inverse));
  }
  const int64_t count = min(scales.count, live(scales.count, m.live_rows));
  for (int64_t i = first; i < scales.across * count; i += step) {
    scales.data[(blockIdx.y * scales.across + i / count) * scales.stride + i % count] =
        scale_of(most);
  }
}

void run(Context& context, const char* where, const Tensor& x, std::int64_t batch,
         const Matrices& m, const Tensor& values, const Scales& scales) {
  if (x.numel() == 0) return;
  require(batch <= 65535, where, "{} matrices", batch);
  const cudaStream_t stream = stream_of(context);
  const auto bytes = static_cast<std::size_t>(batch) * sizeof(unsigned);
  auto* largest = static_cast<unsigned*>(workspace(context, bytes));
  check(cudaMemsetAsync(largest, 0, bytes, stream), where);
  const std::int64_t most = std::max<std::int64_t>(1, 8 * tessera::cuda::multiprocessors() / batch);
  const dim3 grid(blocks_for(m.rows * m.cols / 8 + 1, 256, most), static_cast<unsigned>(batch));
  auto* to = reinterpret_cast<uint8_t*>(values.data<f8e4m3>());
  const auto launch = [&](const auto* from) {
    largest_kernel<<<grid, 256, 0, stream>>>(from, m, largest);
    check_launch(where);
    tensor_kernel<<<grid, 256, 0, stream>>>(from, m, largest, to, scales);
    check_launch(where);
  };
  if (is_bf16(where, "x", x)) {
    launch(static_cast<const __nv_bfloat16*>(x.raw()));
  } else {
    launch(x.data<float>());
  }
}
}  // namespace

void quantise_tensor(Context& context, const Tensor& x, const Tensor& live_rows,
                     const Quantised& out) {
  const char* where = "quantise_tensor";
  contract::quantise_tensor(where, x, live_rows, out);
  const std::int64_t rows = x.size(0), cols = x.size(1);
  layouts_of(where, out, rows, cols);
  run(context, where, x, 1, {rows, cols, live_pointer(live_rows), true}, out.values,
      {out.scales.data<float>(), scale_tiles(cols), out.scales.stride(0), rows});
}
TESSERA_CUDA_OPERATION(quantise_tensor)

void quantise_weight_tensor(Context& context, const Tensor& w,
                            const kernels::QuantisedWeight& out) {
  const char* where = "quantise_weight_tensor";
  contract::quantise_weight_tensor(where, w, out);
  const std::int64_t batch = w.size(0), n = w.size(1), k = w.size(2);
  const std::int64_t tiles = scale_tiles(n) * scale_tiles(k);
  run(context, where, w, batch, {n, k, nullptr, false}, out.values,
      {out.scales.data<float>(), 1, tiles, tiles});
}
TESSERA_CUDA_OPERATION(quantise_weight_tensor)

}  // namespace tessera::kernels::cuda
