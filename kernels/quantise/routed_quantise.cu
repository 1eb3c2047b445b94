// SPDX-License-Identifier: MIT
// Quantisation fused with dispatch, of tokens and of the gradient of what experts make. A tile's
// rows are rows in expert order; their tokens' rows are gathered, so that BF16 in expert order
// never exists.
#include "kernels/quantise/quantise_operands.cuh"

namespace tessera::kernels::cuda {

using namespace e4m3;

namespace {
/// Where the rows of a tile come from.
struct Routes {
  const std::int32_t *slot_of_row, *used;
  int top_k;

  /// The slot of a row, or -1 where it is padding or not in use.
  __device__ std::int32_t slot(const Place& place, int r) const {
    return place.has_row(r) ? slot_of_row[place.row + r] : -1;
  }
};

template <class X>
__global__ void __launch_bounds__(kThreads, 3)
    permute_kernel(const X* x, int cols, const Routes routes, const QuantisedActivation out) {
  __shared__ ActivationShared shared;
  const int64_t row0 = static_cast<int64_t>(blockIdx.x) * kTile;
  const int column0 = static_cast<int>(blockIdx.y) * kTile;
  const int thread = static_cast<int>(threadIdx.x);
  const Place place{row0 + thread / 16 * 8, column0 + thread % 16 * 8, *routes.used, cols};
  if (row0 >= place.rows) return;
  std::int32_t slots[8];
#pragma unroll
  for (int r = 0; r < 8; ++r) slots[r] = routes.slot(place, r);
  PairBlock block;
#pragma unroll
  for (int r = 0; r < 8; ++r) {
    uint4 v = make_uint4(0, 0, 0, 0);
    if (slots[r] >= 0 && place.has_columns()) {
      const int64_t token = slots[r] / routes.top_k;
      v = load_pairs(x + token * cols + place.column);
    }
    block.set_row(r, v);
  }
  quantise_tile<Written::streamed>(block, place, row0, column0, out, shared);
}

// ---- rows that are in tiles already

constexpr int kCopyRows = 128;     // of a block
constexpr int kCopyColumns = 256;  // bytes of a row
static_assert(kCopyColumns % kTile == 0 && kCopyRows <= kThreads);

/// Rows of `units` parts of type V; `tiles` scales each.
template <class V>
struct TiledRows {
  const V* values;
  const float* scales;
  int64_t scale_stride;
  V* to_values;
  float* to_scales;
  int64_t to_scale_stride;
  int units, tiles;
};

/// The token of every row of the block, -1 for padding, -2 past the rows in use.
__device__ inline void load_tokens(const Routes& routes, int64_t first, int (&tokens)[kCopyRows]) {
  const int64_t row = first + threadIdx.x;
  if (threadIdx.x < kCopyRows) {
    const std::int32_t slot = row < *routes.used ? routes.slot_of_row[row] : -2;
    tokens[threadIdx.x] = slot < 0 ? slot : slot / routes.top_k;
  }
  __syncthreads();
}

template <class V>
__global__ void __launch_bounds__(kThreads)
    permute_tiles_kernel(const TiledRows<V> p, const Routes routes) {
  constexpr int kUnits = kCopyColumns / static_cast<int>(sizeof(V)), kAtOnce = 8;
  static_assert(kCopyRows * kUnits % (kAtOnce * kThreads) == 0);
  __shared__ int tokens[kCopyRows];
  const int64_t first = static_cast<int64_t>(blockIdx.x) * kCopyRows;
  load_tokens(routes, first, tokens);
  const int thread = static_cast<int>(threadIdx.x), unit = blockIdx.y * kUnits + thread % kUnits;
  const bool has_unit = unit < p.units;
  for (int at = thread; at < kCopyRows * kUnits; at += kAtOnce * kThreads) {
    V held[kAtOnce];
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) {
      const int token = tokens[(at + i * kThreads) / kUnits];
      held[i] = V{};
      if (has_unit && token >= 0) {
        held[i] = __ldg(p.values + static_cast<int64_t>(token) * p.units + unit);
      }
    }
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) {
      const int r = (at + i * kThreads) / kUnits;
      if (has_unit && tokens[r] >= -1) {
        __stcs(p.to_values + (first + r) * p.units + unit, held[i]);
      }
    }
  }
  for (int at = thread; at < kCopyRows * (kCopyColumns / kTile); at += kThreads) {
    const int r = at % kCopyRows, token = tokens[r];
    const int tile = blockIdx.y * (kCopyColumns / kTile) + at / kCopyRows;
    if (tile >= p.tiles || token < -1) continue;
    p.to_scales[tile * p.to_scale_stride + first + r] =
        token < 0 ? scale_of(0) : __ldg(p.scales + tile * p.scale_stride + token);
  }
}

Routes routes_of(const char* where, const Permutation& p, const Quantised& out) {
  require(!out.values_t || p.alignment % kScaleTile == 0, where,
          "expected groups of rows in multiples of {}, got {}", kScaleTile, p.alignment);
  expect_shape(where, "row_of_slot", p.row_of_slot, {-1, -1});
  return {p.slot_of_row.data<std::int32_t>(),
          p.offsets.data<std::int32_t>() + (p.offsets.size(0) - 1),
          static_cast<int>(p.row_of_slot.size(1))};
}

/// Calls body(X{}) with the device type of an operand of F32 or BF16.
template <class Body>
void with_type(const char* where, const char* name, const Tensor& x, Body&& body) {
  if (e4m3::is_bf16(where, name, x)) {
    body(__nv_bfloat16{});
  } else {
    body(float{});
  }
}
template <class X>
const X* pointer(const Tensor& x) {
  return static_cast<const X*>(x.raw());
}
}  // namespace

void permute_quantise(Context& context, const Tensor& x, const Permutation& permutation,
                      const Quantised& out) {
  const char* where = "permute_quantise";
  expect_shape(where, "x", x, {-1, -1});
  const Routes routes = routes_of(where, permutation, out);
  const std::int64_t rows = permutation.slot_of_row.size(0), cols = x.size(1);
  require(x.size(0) == permutation.row_of_slot.size(0), where, "expected x with {} tokens, got {}",
          permutation.row_of_slot.size(0), x.describe());
  const QuantisedActivation layouts = layouts_of(where, out, rows, cols);
  if (rows == 0 || cols == 0) return;
  with_type(where, "x", x, [&]<class X>(X) {
    const dim3 grid(blocks_for(rows, kTile), blocks_for(cols, kTile));
    permute_kernel<<<grid, kThreads, 0, stream_of(context)>>>(pointer<X>(x), static_cast<int>(cols),
                                                              routes, layouts);
  });
  check_launch(where);
}
TESSERA_CUDA_OPERATION(permute_quantise)

void permute_tiles(Context& context, const Quantised& x, const Permutation& permutation,
                   const Quantised& out) {
  const char* where = "permute_tiles";
  require(x.values && out.values, where, "values are absent");
  const Quantised by_rows{out.values, out.scales, {}, {}};
  const Routes routes = routes_of(where, permutation, by_rows);
  const std::int64_t rows = permutation.slot_of_row.size(0), cols = out.values.size(1);
  const QuantisedActivation to = layouts_of(where, by_rows, rows, cols);
  const QuantisedActivation from =
      layouts_of(where, {x.values, x.scales, {}, {}}, permutation.row_of_slot.size(0), cols);
  if (rows == 0 || cols == 0) return;
  const auto launch = [&]<class V>(V) {
    const TiledRows<V> p{static_cast<const V*>(from.values),
                         from.scales,
                         from.scale_stride,
                         static_cast<V*>(to.values),
                         to.scales,
                         to.scale_stride,
                         static_cast<int>(cols / static_cast<std::int64_t>(sizeof(V))),
                         static_cast<int>(scale_tiles(cols))};
    const dim3 grid(blocks_for(rows, kCopyRows), blocks_for(cols, kCopyColumns));
    permute_tiles_kernel<<<grid, kThreads, 0, stream_of(context)>>>(p, routes);
  };
  const auto aligned = [](const void* p) { return reinterpret_cast<std::uintptr_t>(p) % 16 == 0; };
  if (cols % 16 == 0 && aligned(from.values) && aligned(to.values)) {
    launch(uint4{});
  } else {
    launch(uint2{});
  }
  check_launch(where);
}
TESSERA_CUDA_OPERATION(permute_tiles)

}  // namespace tessera::kernels::cuda
