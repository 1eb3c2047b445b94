// SPDX-License-Identifier: MIT
// SwiGLU and its backward with operands in E4M3. Forward reads gate and up once and writes what is
// kept of them and the weighted result; backward reads what was kept and writes the gradients in
// both layouts. Where a tile of the gradients would hold both gate and up (width not a multiple of
// 128), backward goes through BF16 in memory.
#include "kernels/quantise/quantise_operands.cuh"
#include "kernels/swiglu/swiglu_contract.h"
#include "kernels/swiglu/swiglu_quantise_launch.h"

namespace tessera::kernels::cuda {

using namespace e4m3;

namespace {
/// A quarter of 1 + exp(-x), inverted. Scaled so that nothing is denormal where the sum is large:
/// flushing then changes no result.
__device__ inline float four_sigmoid(float x) {
  float e, y;
  asm("ex2.approx.ftz.f32 %0, %1;\n" : "=f"(e) : "f"(x * -1.4426950408889634f));
  asm("rcp.approx.ftz.f32 %0, %1;\n" : "=f"(y) : "f"(fmaf(0.25f, e, 0.25f)));
  return y;
}
__device__ inline float swiglu(float gate, float up, float weight) {
  return 0.25f * gate * four_sigmoid(gate) * up * weight;
}
__device__ inline uint32_t swiglu_pair(uint32_t gate, uint32_t up, float weight) {
  return pack_bf16(swiglu(low_float(gate), low_float(up), weight),
                   swiglu(high_float(gate), high_float(up), weight));
}
__device__ inline uint4 swiglu_eight(const uint4& gate, const uint4& up, float weight) {
  return make_uint4(swiglu_pair(gate.x, up.x, weight), swiglu_pair(gate.y, up.y, weight),
                    swiglu_pair(gate.z, up.z, weight), swiglu_pair(gate.w, up.w, weight));
}

struct Forward {
  const uint8_t* gate_up;  ///< (rows, 2 width) BF16
  int64_t rows;
  int width;
  const int32_t* live_rows;
  const float* row_weights;
  uint8_t* y;

  __device__ const uint8_t* first(const Place& place) const {
    return gate_up + (place.row * 2 * width + place.column) * 2;
  }
  __device__ int64_t row_bytes() const { return int64_t{4} * width; }
  template <class P>
  __device__ float weight(const P& place, int r) const {
    return row_weights == nullptr || !place.has_row(r) ? 1.0f : row_weights[place.row + r];
  }
  template <class P>
  __device__ void write_y(const P& place, int r, const uint4& v) const {
    if (y == nullptr || !place.has_row(r) || !place.has_columns()) return;
    *reinterpret_cast<uint4*>(y + ((place.row + r) * width + place.column) * 2) = v;
  }
};

template <class P>
__device__ inline void swiglu_tile(const P& place, int64_t row0, const Forward& f,
                                   const QuantisedActivation& out, ActivationShared& shared) {
  PairBlock block;
  const uint8_t* from = f.first(place);
  // Four rows at a time: eight loads in flight, and registers for no more.
#pragma unroll
  for (int first = 0; first < 8; first += 4) {
    uint4 gate[4], up[4];
#pragma unroll
    for (int r = 0; r < 4; ++r, from += f.row_bytes()) {
      gate[r] = up[r] = make_uint4(0, 0, 0, 0);
      if (place.has_row(first + r) && place.has_columns()) {
        gate[r] = load_stream(from);
        up[r] = load_stream(from + f.row_bytes() / 2);
      }
    }
#pragma unroll
    for (int r = 0; r < 4; ++r) {
      const uint4 v = swiglu_eight(gate[r], up[r], f.weight(place, first + r));
      block.set_row(first + r, v);
      f.write_y(place, first + r, v);
    }
  }
  quantise_tile(block, place, row0, blockIdx.x * kTile, out, shared);
}

__global__ void __launch_bounds__(kThreads, 3)
    swiglu_kernel(const Forward f, const QuantisedActivation out) {
  __shared__ ActivationShared shared;
  const Place place = place_of(live(f.rows, f.live_rows), f.width);
  const int64_t row0 = static_cast<int64_t>(blockIdx.y) * kTile;
  if (row0 >= place.rows) return;
  with_place(place, row0, blockIdx.x * kTile,
             [&](const auto& here) { swiglu_tile(here, row0, f, out, shared); });
}

/// The same, and gate and up themselves by rows.
template <class P>
__device__ inline void swiglu_keep_tile(const P& place, int64_t row0, const Forward& f,
                                        const QuantisedActivation& gate_out,
                                        const QuantisedActivation& up_out,
                                        const QuantisedActivation& out, ActivationShared& shared) {
  PairBlock gate, up;
  const uint8_t* from = f.first(place);
#pragma unroll
  for (int r = 0; r < 8; ++r, from += f.row_bytes()) {
    uint4 g = make_uint4(0, 0, 0, 0), u = g;
    if (place.has_row(r) && place.has_columns()) {
      g = load_stream(from);
      u = load_stream(from + f.row_bytes() / 2);
    }
    gate.set_row(r, g);
    up.set_row(r, u);
  }
  const int column0 = blockIdx.x * kTile;
  quantise_tile(gate, place, row0, column0, gate_out, shared);
  quantise_tile(up, place, row0, column0, up_out, shared);
#pragma unroll
  for (int r = 0; r < 8; ++r) {
    const float weight = f.weight(place, r);
#pragma unroll
    for (int c = 0; c < 4; ++c) {
      up.pairs[r][c] = swiglu_pair(gate.pairs[r][c], up.pairs[r][c], weight);
    }
    f.write_y(place, r, make_uint4(up.pairs[r][0], up.pairs[r][1], up.pairs[r][2], up.pairs[r][3]));
  }
  quantise_tile(up, place, row0, column0, out, shared);
}

__global__ void __launch_bounds__(kThreads, 2)
    swiglu_keep_kernel(const Forward f, const QuantisedActivation gate_out,
                       const QuantisedActivation up_out, const QuantisedActivation out) {
  __shared__ ActivationShared shared;
  const Place place = place_of(live(f.rows, f.live_rows), f.width);
  const int64_t row0 = static_cast<int64_t>(blockIdx.y) * kTile;
  if (row0 >= place.rows) return;
  with_place(place, row0, blockIdx.x * kTile, [&](const auto& here) {
    swiglu_keep_tile(here, row0, f, gate_out, up_out, out, shared);
  });
}

// ---- backward

struct Backward {
  const __nv_bfloat16* dy;  ///< (rows, width)
  QuantisedHalves kept;
  int64_t rows;
  int width;
  const int32_t* live_rows;
  const float* row_weights;
};

/// Eight neighbours of dy and of what was kept, as they are in memory; zeros where there are none.
struct BackwardInput {
  uint4 dy = {};
  uint2 gate = {}, up = {};
  float gate_scale = 0, up_scale = 0, weight = 1;
};

/// Where they are, for a first row and those that follow it.
struct BackwardPlace {
  const __nv_bfloat16* dy;
  const uint8_t *gate, *up;
  const float *gate_scale, *up_scale, *weight;
  int width;

  __device__ BackwardPlace(const Backward& b, int64_t row, int column) : width(b.width) {
    const int tiles = (width + kTile - 1) / kTile;
    const int64_t at = row * width + column;
    dy = b.dy + at;
    gate = static_cast<const uint8_t*>(b.kept.values) + at;
    up = gate + b.rows * width;
    gate_scale = b.kept.scales + column / kTile * b.kept.scale_stride + row;
    up_scale = gate_scale + tiles * b.kept.scale_stride;
    weight = b.row_weights == nullptr ? nullptr : b.row_weights + row;
  }
  __device__ BackwardInput input(int r) const {
    const int64_t at = int64_t{r} * width;
    const auto load_eight = [&](const uint8_t* from) {
      return __ldg(reinterpret_cast<const uint2*>(from + at));
    };
    return {load_stream(dy + at), load_eight(gate),
            load_eight(up),       __ldg(gate_scale + r),
            __ldg(up_scale + r),  weight == nullptr ? 1.0f : __ldg(weight + r)};
  }
};

__device__ inline float2 e4m3_pair(uint32_t two) {
  const __half2_raw raw =
      __nv_cvt_fp8x2_to_halfraw2(static_cast<__nv_fp8x2_storage_t>(two & 0xffffu), __NV_E4M3);
  return __half22float2(__half2(raw));
}
/// Eight neighbours of E4M3 times their scale.
__device__ inline void dequantise(uint2 bytes, float scale, float (&to)[8]) {
  const uint32_t words[4] = {bytes.x, bytes.x >> 16, bytes.y, bytes.y >> 16};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float2 pair = e4m3_pair(words[i]);
    to[2 * i] = pair.x * scale;
    to[2 * i + 1] = pair.y * scale;
  }
}

__device__ inline void unpack(const uint4& v, float (&to)[8]) {
  const uint32_t words[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    to[2 * i] = low_float(words[i]);
    to[2 * i + 1] = high_float(words[i]);
  }
}
__device__ inline uint4 packed(const float (&v)[8]) {
  return make_uint4(pack_bf16(v[0], v[1]), pack_bf16(v[2], v[3]), pack_bf16(v[4], v[5]),
                    pack_bf16(v[6], v[7]));
}

__device__ inline float sigmoid(float x) {
  // NOTE: flushing what is denormal changes nothing: 1 + e is 1 there, and 1 / e is 0.
  float e, y;
  asm("ex2.approx.ftz.f32 %0, %1;\n" : "=f"(e) : "f"(x * -1.4426950408889634f));
  asm("rcp.approx.ftz.f32 %0, %1;\n" : "=f"(y) : "f"(1.0f + e));
  return y;
}

/// Eight neighbours of the gradients of gate and up, and of the weighted result.
struct BackwardResult {
  float gate[8], up[8], y[8];
  float dot = 0;  ///< share of dy . swiglu
  __device__ explicit BackwardResult(const BackwardInput& in);
};
__device__ inline BackwardResult::BackwardResult(const BackwardInput& in) {
  unpack(in.dy, y);
  dequantise(in.gate, in.gate_scale, gate);
  dequantise(in.up, in.up_scale, up);
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    const float g = gate[i], u = up[i], d = y[i], s = sigmoid(g);
    const float activated = g * s, result = activated * u, dw = in.weight * d;
    dot += d * result;
    gate[i] = dw * u * (s * (1.0f + g * (1.0f - s)));
    up[i] = dw * activated;
    y[i] = in.weight * result;
  }
}

/// dots (tiles of columns, rows): the shares of the row's tiles; null where there are no weights.
__global__ void __launch_bounds__(kThreads, 2)
    swiglu_backward_kernel(const Backward b, const QuantisedActivation d_gate_up,
                           const QuantisedActivation y, float* dots) {
  __shared__ ActivationShared shared;
  const Place place = place_of(live(b.rows, b.live_rows), b.width);
  const int64_t row0 = static_cast<int64_t>(blockIdx.y) * kTile;
  if (row0 >= place.rows) return;
  PairBlock gates, ups, ys;
  const BackwardPlace from(b, place.row, place.column);
  // Four rows at a time: their loads in flight together, and registers for no more.
#pragma unroll
  for (int first = 0; first < 8; first += 4) {
    BackwardInput in[4];
#pragma unroll
    for (int r = 0; r < 4; ++r) {
      if (place.has_row(first + r) && place.has_columns()) {
        in[r] = from.input(first + r);
      }
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int r = first + i;
      const BackwardResult made(in[i]);
      gates.set_row(r, packed(made.gate));
      ups.set_row(r, packed(made.up));
      ys.set_row(r, packed(made.y));
      if (dots == nullptr) continue;
      // The 16 threads of a row are half a warp.
      float dot = made.dot;
#pragma unroll
      for (int step = 8; step > 0; step /= 2) dot += __shfl_xor_sync(0xffffffff, dot, step);
      if (threadIdx.x % 16 == 0 && place.has_row(r)) {
        dots[static_cast<int64_t>(blockIdx.x) * b.rows + place.row + r] = dot;
      }
    }
  }
  const int column0 = blockIdx.x * kTile;
  quantise_tile(gates, Place{place.row, place.column, place.rows, 2 * b.width}, row0, column0,
                d_gate_up, shared);
  quantise_tile(ups, Place{place.row, place.column + b.width, place.rows, 2 * b.width}, row0,
                column0 + b.width, d_gate_up, shared);
  quantise_tile(ys, place, row0, column0, y, shared);
}

/// Any width that is a multiple of 8: gradients and result in BF16. A warp per row.
__global__ void __launch_bounds__(256)
    swiglu_backward_rows(const Backward b, uint8_t* d_gate_up, uint8_t* y, float* d_row_weights) {
  const int64_t row = static_cast<int64_t>(blockIdx.x) * 8 + threadIdx.x / 32;
  if (row >= live(b.rows, b.live_rows)) return;
  float dot = 0;
  for (int column = 8 * static_cast<int>(threadIdx.x % 32); column < b.width; column += 256) {
    const BackwardResult made(BackwardPlace(b, row, column).input(0));
    dot += made.dot;
    uint8_t* to = d_gate_up + (row * 2 * b.width + column) * 2;
    *reinterpret_cast<uint4*>(to) = packed(made.gate);
    *reinterpret_cast<uint4*>(to + 2 * b.width) = packed(made.up);
    *reinterpret_cast<uint4*>(y + (row * b.width + column) * 2) = packed(made.y);
  }
  if (d_row_weights == nullptr) return;
#pragma unroll
  for (int step = 16; step > 0; step /= 2) dot += __shfl_xor_sync(0xffffffff, dot, step);
  if (threadIdx.x % 32 == 0) d_row_weights[row] = dot;
}

/// d_row_weights from the dots, tiles in order.
__global__ void __launch_bounds__(256)
    sum_row_dots(const float* dots, int tiles, int64_t rows, const int32_t* live_rows,
                 float* d_row_weights) {
  const int64_t row = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (row >= live(rows, live_rows)) return;
  float sum = 0;
  for (int tile = 0; tile < tiles; ++tile) sum += dots[tile * rows + row];
  d_row_weights[row] = sum;
}

/// Null pointers where `kept` is absent.
QuantisedHalves halves_of(const kernels::QuantisedHalves& kept) {
  if (!kept.values) return {};
  return {kept.values.data<f8e4m3>(), kept.scales.data<float>(), kept.scales.size(2)};
}

const float* weights_pointer(const Tensor& row_weights) {
  return row_weights ? row_weights.data<float>() : nullptr;
}

/// One half as a layout by rows.
QuantisedActivation half(const QuantisedHalves& kept, int which, int64_t rows, int width) {
  QuantisedActivation to;
  to.values = static_cast<uint8_t*>(kept.values) + which * rows * width;
  to.scales = kept.scales + which * scale_tiles(width) * kept.scale_stride;
  to.scale_stride = kept.scale_stride;
  return to;
}
}  // namespace

namespace e4m3 {
void swiglu_quantise(CUstream_st* stream, const void* gate_up, int64_t rows, int width,
                     const int32_t* live_rows, const float* row_weights, void* y,
                     const QuantisedHalves& kept, const QuantisedActivation& out) {
  const char* where = "swiglu_quantise";
  check_activation(rows, width, out, where);
  if (rows == 0 || width == 0) return;
  const Forward f{static_cast<const uint8_t*>(gate_up),
                  rows,
                  width,
                  live_rows,
                  row_weights,
                  static_cast<uint8_t*>(y)};
  const dim3 grid = tiles(rows, width, 1, where);
  if (kept.values == nullptr) {
    swiglu_kernel<<<grid, kThreads, 0, stream>>>(f, out);
  } else {
    swiglu_keep_kernel<<<grid, kThreads, 0, stream>>>(f, half(kept, 0, rows, width),
                                                      half(kept, 1, rows, width), out);
  }
  check_launch(where);
}
}  // namespace e4m3

void swiglu_quantise(Context& context, const Tensor& gate_up, const Tensor& live_rows,
                     const Tensor& row_weights, const Tensor& y,
                     const kernels::QuantisedHalves& kept, const Quantised& out) {
  const char* where = "swiglu_quantise";
  contract::swiglu_quantise(where, gate_up, live_rows, row_weights, y, kept, out);
  expect_dtype(where, "gate_up", gate_up, DType::BF16);
  const std::int64_t rows = gate_up.size(0), width = gate_up.size(1) / 2;
  if (y) {
    expect_dtype(where, "y", y, DType::BF16);
    expect_contiguous(where, "y", y);
  }
  e4m3::swiglu_quantise(stream_of(context), gate_up.raw(), rows, static_cast<int>(width),
                        live_pointer(live_rows), weights_pointer(row_weights),
                        y ? y.raw() : nullptr, halves_of(kept),
                        layouts_of(where, out, rows, width));
}
TESSERA_CUDA_OPERATION(swiglu_quantise)

void swiglu_backward_quantise(Context& context, const Tensor& dy,
                              const kernels::QuantisedHalves& kept, const Tensor& live_rows,
                              const Tensor& row_weights, const Quantised& d_gate_up,
                              const Quantised& y, const Tensor& d_row_weights) {
  const char* where = "swiglu_backward_quantise";
  contract::swiglu_backward_quantise(where, dy, kept, live_rows, row_weights, d_gate_up, y,
                                     d_row_weights);
  expect_dtype(where, "dy", dy, DType::BF16);
  const std::int64_t rows = dy.size(0), width = dy.size(1);
  const Backward b{static_cast<const __nv_bfloat16*>(dy.raw()),
                   halves_of(kept),
                   rows,
                   static_cast<int>(width),
                   live_pointer(live_rows),
                   weights_pointer(row_weights)};
  const QuantisedActivation to = layouts_of(where, d_gate_up, rows, 2 * width);
  const QuantisedActivation to_y = layouts_of(where, y, rows, width);
  if (rows == 0 || width == 0) return;
  const cudaStream_t stream = stream_of(context);
  float* d_weights = d_row_weights ? d_row_weights.data<float>() : nullptr;
  if (width % kTile != 0) {
    auto* made = static_cast<uint8_t*>(
        workspace(context, static_cast<std::size_t>(rows * width * 3) * sizeof(bf16)));
    uint8_t* made_y = made + rows * width * 2 * 2;
    swiglu_backward_rows<<<blocks_for(rows, 8), 256, 0, stream>>>(b, made, made_y, d_weights);
    check_launch(where);
    quantise_activation(stream, made, rows, static_cast<int>(2 * width), b.live_rows, to);
    quantise_activation(stream, made_y, rows, static_cast<int>(width), b.live_rows, to_y);
    return;
  }
  const dim3 grid = tiles(rows, static_cast<int>(width), 1, where);
  float* dots = nullptr;
  if (d_weights != nullptr) {
    dots = static_cast<float*>(
        workspace(context, static_cast<std::size_t>(grid.x * rows) * sizeof(float)));
  }
  swiglu_backward_kernel<<<grid, kThreads, 0, stream>>>(b, to, to_y, dots);
  check_launch(where);
  if (d_weights == nullptr) return;
  sum_row_dots<<<blocks_for(rows, 256), 256, 0, stream>>>(dots, static_cast<int>(grid.x), rows,
                                                          b.live_rows, d_weights);
  check_launch(where);
}
TESSERA_CUDA_OPERATION(swiglu_backward_quantise)

}  // namespace tessera::kernels::cuda
