// SPDX-License-Identifier: MIT
// Quantisation fused with dispatch, of tokens and of the gradient of what experts make. A tile's
// rows are rows in expert order; their tokens' rows are gathered, so that BF16 in expert order
// never exists.
#include "kernels/permute/permute_contract.h"
#include "kernels/permute/tile_order.cuh"
#include "kernels/quantise/quantise_operands.cuh"

namespace tessera::kernels::cuda {

using namespace e4m3;

namespace {
/// Division by a number that the compiler does not know, as one multiplication: exact for
/// dividends below 2^32 / divisor.
struct Divisor {
  std::uint32_t inverse;  ///< 2^32 / divisor, rounded up; 0: by one
  Divisor(const char* where, std::int64_t divisor, std::int64_t dividends)
      : inverse(divisor == 1 ? 0
                             : static_cast<std::uint32_t>(((std::int64_t{1} << 32) + divisor - 1) /
                                                          divisor)) {
    require(dividends * divisor < std::int64_t{1} << 32, where, "{} picks of top {} are too many",
            dividends, divisor);
  }
  __device__ std::int32_t divide(std::int32_t value) const {
    return inverse == 0 ? value : static_cast<std::int32_t>(__umulhi(value, inverse));
  }
};

/// Where the rows of a tile come from.
struct Routes {
  const std::int32_t *slot_of_row, *used;
  Divisor top_k;
  TileOrder order;

  /// The tokens of eight rows, or -1 where a row is padding or not in use.
  template <class P>
  __device__ void load_tokens(const P& place, std::int32_t (&tokens)[8]) const {
    const std::int32_t* from = slot_of_row + place.row;
    if (place.has_row(7)) {
      *reinterpret_cast<int4*>(tokens) = *reinterpret_cast<const int4*>(from);
      *reinterpret_cast<int4*>(tokens + 4) = *reinterpret_cast<const int4*>(from + 4);
    } else {
#pragma unroll
      for (int r = 0; r < 8; ++r) tokens[r] = place.has_row(r) ? from[r] : -1;
    }
#pragma unroll
    for (int r = 0; r < 8; ++r) {
      if (tokens[r] >= 0) tokens[r] = top_k.divide(tokens[r]);
    }
  }
};

template <class X>
__global__ void __launch_bounds__(kThreads, 4)
    permute_kernel(const X* x, int cols, const Routes routes, const QuantisedActivation out) {
  __shared__ ActivationShared shared;
  const TileOrder::Tile tile = routes.order.tile(*routes.used);
  if (!tile.is_used) return;
  const int column0 = tile.column * kTile, thread = static_cast<int>(threadIdx.x);
  const Place place{tile.row0 + thread / 16 * 8, column0 + thread % 16 * 8, *routes.used, cols};
  with_place(place, tile.row0, column0, [&](const auto& here) {
    alignas(16) std::int32_t tokens[8];
    routes.load_tokens(here, tokens);
    PairBlock block;
    const X* from = x + here.column;
#pragma unroll
    for (int r = 0; r < 8; ++r) {
      uint4 v = make_uint4(0, 0, 0, 0);
      if (tokens[r] >= 0 && here.has_columns()) {
        v = load_pairs(from + static_cast<int64_t>(tokens[r]) * cols);
      }
      block.set_row(r, v);
    }
    quantise_tile<Written::streamed>(block, here, tile.row0, column0, out, shared);
  });
}

// ---- rows that are in tiles already

constexpr int kCopyColumns = 256;  // bytes of a row, of a block
static_assert(kCopyColumns % kTile == 0 && kTile <= kThreads);

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
__device__ inline void load_tokens(const Routes& routes, int64_t first, int (&tokens)[kTile]) {
  const int64_t row = first + threadIdx.x;
  if (threadIdx.x < kTile) {
    const std::int32_t slot = row < *routes.used ? routes.slot_of_row[row] : -2;
    tokens[threadIdx.x] = slot < 0 ? slot : routes.top_k.divide(slot);
  }
  __syncthreads();
}

template <class V>
__global__ void __launch_bounds__(kThreads)
    permute_tiles_kernel(const TiledRows<V> p, const Routes routes) {
  constexpr int kUnits = kCopyColumns / static_cast<int>(sizeof(V)), kAtOnce = 8;
  static_assert(kTile * kUnits % (kAtOnce * kThreads) == 0);
  __shared__ int tokens[kTile];
  const TileOrder::Tile place = routes.order.tile(*routes.used);
  if (!place.is_used) return;
  const int64_t first = place.row0;
  load_tokens(routes, first, tokens);
  const int thread = static_cast<int>(threadIdx.x), unit = place.column * kUnits + thread % kUnits;
  const bool has_unit = unit < p.units;
  for (int at = thread; at < kTile * kUnits; at += kAtOnce * kThreads) {
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
  for (int at = thread; at < kTile * (kCopyColumns / kTile); at += kThreads) {
    const int r = at % kTile, token = tokens[r];
    const int tile = place.column * (kCopyColumns / kTile) + at / kTile;
    if (tile >= p.tiles || token < -1) continue;
    p.to_scales[tile * p.to_scale_stride + first + r] =
        token < 0 ? scale_of(0) : __ldg(p.scales + tile * p.scale_stride + token);
  }
}

/// With the order of tiles of `width` columns each of a matrix that has `cols`.
Routes routes_of(Context& context, const char* where, const Permutation& p, std::int64_t cols,
                 int width) {
  const std::int32_t* slots = p.slot_of_row.data<std::int32_t>();
  require(reinterpret_cast<std::uintptr_t>(slots) % 16 == 0, where,
          "expected slot_of_row at a multiple of 16 bytes");
  return {slots, p.offsets.data<std::int32_t>() + (p.offsets.size(0) - 1),
          Divisor(where, p.row_of_slot.size(1), p.row_of_slot.numel()),
          order_tiles(context, where, p, static_cast<int>(blocks_for(cols, width)))};
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
  const std::int64_t rows = permutation.slot_of_row.size(0);
  contract::permute_quantise(where, x, permutation, out, rows);
  const std::int64_t cols = x.size(1);
  const QuantisedActivation layouts = layouts_of(where, out, rows, cols);
  if (rows == 0 || cols == 0) return;
  const Routes routes = routes_of(context, where, permutation, cols, kTile);
  with_type(where, "x", x, [&]<class X>(X) {
    permute_kernel<<<routes.order.blocks(), kThreads, 0, stream_of(context)>>>(
        pointer<X>(x), static_cast<int>(cols), routes, layouts);
  });
  check_launch(where);
}
TESSERA_CUDA_OPERATION(permute_quantise)

void permute_tiles(Context& context, const Quantised& x, const Permutation& permutation,
                   const Quantised& out) {
  const char* where = "permute_tiles";
  const std::int64_t rows = permutation.slot_of_row.size(0);
  contract::permute_tiles(where, x, permutation, out, rows);
  const Quantised by_rows{out.values, out.scales, {}, {}};
  const std::int64_t cols = out.values.size(1);
  const QuantisedActivation to = layouts_of(where, by_rows, rows, cols);
  const QuantisedActivation from =
      layouts_of(where, {x.values, x.scales, {}, {}}, permutation.row_of_slot.size(0), cols);
  if (rows == 0 || cols == 0) return;
  const Routes routes = routes_of(context, where, permutation, cols, kCopyColumns);
  const auto launch = [&]<class V>(V) {
    const TiledRows<V> p{static_cast<const V*>(from.values),
                         from.scales,
                         from.scale_stride,
                         static_cast<V*>(to.values),
                         to.scales,
                         to.scale_stride,
                         static_cast<int>(cols / static_cast<std::int64_t>(sizeof(V))),
                         static_cast<int>(scale_tiles(cols))};
    permute_tiles_kernel<<<routes.order.blocks(), kThreads, 0, stream_of(context)>>>(p, routes);
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
