// SPDX-License-Identifier: MIT
// E5M6 on the GPU by rows, alone and in one pass with E4M3 by rows: sixteen threads take four rows
// of a tile, eight neighbours of each, so that a load is 16 bytes, four of them are in flight, and
// what is made once per tile (its scales) is made by one thread for one row.
#include "kernels/cuda/pack.cuh"
#include "kernels/cuda/reduce.cuh"
#include "kernels/e5m6/e5m6_contract.h"
#include "kernels/e5m6/e5m6_operands.cuh"
#include "kernels/e5m6/e5m6_tile.cuh"
#include "kernels/quantise/quantise_operands.cuh"

namespace tessera::kernels::cuda {

namespace {
constexpr int kThreads = 256, kRows = 4;
constexpr int kStripsPerBlock = kThreads / kE5m6Threads;

/// The rows and columns of this thread.
struct Strip {
  std::int64_t row;
  int live;                  ///< rows that exist, of kRows
  int tile, column, thread;  ///< thread: which of the tile's sixteen

  /// NOTE: strips are counted in 32 bits, enough for 2^41 values.
  __device__ Strip(std::int64_t rows, int tiles) {
    const unsigned index = blockIdx.x * kStripsPerBlock + threadIdx.x / kE5m6Threads;
    const unsigned across = static_cast<unsigned>(tiles), down = index / across;
    row = static_cast<std::int64_t>(down) * kRows;
    live = static_cast<int>(min(static_cast<std::int64_t>(kRows), rows - row));
    tile = static_cast<int>(index - down * across);
    thread = static_cast<int>(threadIdx.x % kE5m6Threads);
    column = tile * static_cast<int>(kE5m6Tile) + 8 * thread;
  }
};

unsigned strip_blocks(const PackedMatrix& m) {
  return blocks_for((m.rows + kRows - 1) / kRows * m.tiles, kStripsPerBlock);
}

/// A number of 16 bits for each row: row 0 in the lower half of the first word.
struct PerRow {
  std::uint32_t words[kRows / 2];

  __device__ std::uint32_t operator[](int r) const {
    return (r < 2 ? words[0] : words[1]) >> (16 * (r % 2)) & 0xffffu;
  }
};

/// The largest magnitude(pair) of each row's tile, as integers, in all its threads.
template <class Magnitude>
__device__ inline PerRow maxima(const uint4 (&v)[kRows], const Magnitude& magnitude) {
  PerRow largest;
#pragma unroll
  for (int i = 0; i < kRows / 2; ++i) {
    std::uint32_t of[2];
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      const uint4& p = v[2 * i + h];
      of[h] = __vmaxu2(__vmaxu2(magnitude(p.x), magnitude(p.y)),
                       __vmaxu2(magnitude(p.z), magnitude(p.w)));
    }
    std::uint32_t m =
        __vmaxu2(__byte_perm(of[0], of[1], 0x5410), __byte_perm(of[0], of[1], 0x7632));
#pragma unroll
    for (int step = kE5m6Threads / 2; step > 0; step /= 2) {
      m = __vmaxu2(m, __shfl_xor_sync(kAllLanes, m, step));
    }
    largest.words[i] = m;
  }
  return largest;
}

/// What the scales of the four rows are made from.
struct Maxima {
  PerRow of_codes, of_values;
  bool special;  ///< whether encode_eight() would be wrong; the same in the whole warp
};

__device__ inline Maxima maxima_of(const uint4 (&v)[kRows], int thread) {
  const auto any = [](std::uint32_t pair) { return pair & e5m6::kMagnitudes; };
  const PerRow largest = maxima(v, any);
  const bool special = __any_sync(kAllLanes, largest[thread % kRows] >= e5m6::kLeastSpecial) != 0;
  if (!special) return {largest, largest, false};
  // Infinities count in E4M3's scale and not in E5M6's, NaNs in neither.
  const auto up_to = [](std::uint32_t most) {
    return [most](std::uint32_t pair) {
      const std::uint32_t low = pair & 0x7fffu, high = pair >> 16 & 0x7fffu;
      return (low <= most ? low : 0u) | (high <= most ? high : 0u) << 16;
    };
  };
  return {maxima(v, up_to(e5m6::kBf16Infinity - 1)), maxima(v, up_to(e5m6::kBf16Infinity)), true};
}

/// encode_eight() for any tile. Not inlined: tiles that need it are rare, and it is long.
__device__ __noinline__ uint4 encode_special(uint4 v, std::uint32_t scale) {
  const std::uint32_t most = e5m6::largest_code(scale);
  const auto both = [&](std::uint32_t pair) {
    return e5m6::encode(pair & 0xffffu, scale, most) | e5m6::encode(pair >> 16, scale, most) << 16;
  };
  return make_uint4(both(v.x), both(v.y), both(v.z), both(v.w));
}

/// Where a thread's bytes of a tile go.
struct PackedPlace {
  std::uint8_t *lower, *upper;

  __device__ PackedPlace(std::uint8_t* tile, int thread)
      : lower(tile + e5m6::lower_at(thread)), upper(tile + e5m6::upper_at(thread)) {}
  __device__ void move(unsigned bytes) {
    lower += bytes;
    upper += bytes;
  }
  /// Called by all threads, whether the tile `exists` or not.
  __device__ void store(const uint4& codes, int thread, bool exists) const {
    const e5m6::Uppers uppers = upper_bytes(codes);
    const std::uint32_t received = __shfl_xor_sync(kAllLanes, uppers.sent(thread), 8);
    if (!exists) return;
    *reinterpret_cast<uint2*>(lower) = lower_bytes(codes);
    *reinterpret_cast<std::uint32_t*>(upper) = uppers.bytes(thread, received);
  }
};

__device__ inline uint2 e4m3_bytes(const uint4& v, float inverse) {
  const auto four = [&](std::uint32_t a, std::uint32_t b) {
    return e4m3::pack_e4m3(e4m3::low_float(a) * inverse, e4m3::high_float(a) * inverse,
                           e4m3::low_float(b) * inverse, e4m3::high_float(b) * inverse);
  };
  return make_uint2(four(v.x, v.y), four(v.z, v.w));
}

/// With `quantises` also the layout by rows of `out`.
template <bool quantises, class X>
__global__ void __launch_bounds__(kThreads, 4)
    pack_kernel(const X* x, const PackedMatrix packed, const e4m3::QuantisedActivation out) {
  const Strip strip(packed.rows, packed.tiles);
  const unsigned cols = static_cast<unsigned>(packed.cols);
  const bool has_columns = strip.column < packed.cols;
  const std::int64_t first = strip.row * packed.cols + strip.column;
  uint4 v[kRows];
#pragma unroll
  for (int r = 0; r < kRows; ++r) {
    v[r] = make_uint4(0, 0, 0, 0);
    if (has_columns && r < strip.live) v[r] = e4m3::load_pairs(x + first + r * cols);
  }
  const Maxima maxima = maxima_of(v, strip.thread);
  // Each thread makes the scales of one row; they are exchanged below.
  const int own = strip.thread % kRows;
  const std::uint32_t own_scale = e5m6::scale_of(maxima.of_codes[own]);
  const float largest = e4m3::low_float(maxima.of_values[own]);
  const float own_inverse = quantises ? e4m3::inverse_of(largest) : 0.0f;
  const std::int64_t index = strip.row * packed.tiles + strip.tile;
  if (strip.thread < strip.live) {
    packed.scales[index + own * packed.tiles] = static_cast<std::uint8_t>(own_scale);
    if constexpr (quantises) {
      out.scales[strip.tile * out.scale_stride + strip.row + own] = e4m3::scale_of(largest);
    }
  }
  PackedPlace to(packed.values + index * kE5m6TileBytes, strip.thread);
  auto* values = static_cast<std::uint8_t*>(out.values) + first;
#pragma unroll
  for (int r = 0; r < kRows; ++r) {
    const bool exists = r < strip.live;
    const std::uint32_t scale = __shfl_sync(kAllLanes, own_scale, r, kE5m6Threads);
    const uint4 codes = maxima.special ? encode_special(v[r], scale) : encode_eight(v[r], scale);
    to.store(codes, strip.thread, exists);
    to.move(static_cast<unsigned>(packed.tiles * kE5m6TileBytes));
    if constexpr (quantises) {
      const float inverse = __shfl_sync(kAllLanes, own_inverse, r, kE5m6Threads);
      if (exists && has_columns) *reinterpret_cast<uint2*>(values) = e4m3_bytes(v[r], inverse);
      values += cols;
    }
  }
}

template <class Y>
__global__ void __launch_bounds__(kThreads) unpack_kernel(const PackedMatrix packed, Y* y) {
  const Strip strip(packed.rows, packed.tiles);
  if (strip.column >= packed.cols) return;
  const PackedRows from(packed, strip.row, strip.tile, strip.thread);
  PackedEight v[kRows];
#pragma unroll
  for (int r = 0; r < kRows; ++r) {
    if (r < strip.live) v[r] = from[r];
  }
  Y* to = y + strip.row * packed.cols + strip.column;
#pragma unroll
  for (int r = 0; r < kRows; ++r) {
    if (r >= strip.live) continue;
    store_pairs(to + r * static_cast<unsigned>(packed.cols), decode_eight(v[r], strip.thread));
  }
}

template <bool quantises>
void launch_pack(const char* where, Context& context, const Tensor& x, const PackedMatrix& packed,
                 const e4m3::QuantisedActivation& out) {
  if (x.numel() == 0) return;
  with_real(where, "x", x, [&]<class T>(T) {
    pack_kernel<quantises><<<strip_blocks(packed), kThreads, 0, stream_of(context)>>>(
        static_cast<const device_t<T>*>(device_data<T>(x)), packed, out);
  });
  check_launch(where);
}
}  // namespace

void pack_e5m6(Context& context, const Tensor& x, const PackedE5m6& out) {
  const char* where = "pack_e5m6";
  launch_pack<false>(where, context, x, packed_matrix(where, "x", x, out), {});
}
TESSERA_CUDA_OPERATION(pack_e5m6)

void quantise_pack_e5m6(Context& context, const Tensor& x, const PackedE5m6& packed,
                        const Quantised& out) {
  const char* where = "quantise_pack_e5m6";
  contract::rows_alone(where, out);
  const PackedMatrix to = packed_matrix(where, "x", x, packed);
  launch_pack<true>(where, context, x, to, e4m3::layouts_of(where, out, to.rows, to.cols));
}
TESSERA_CUDA_OPERATION(quantise_pack_e5m6)

void unpack_e5m6(Context& context, const PackedE5m6& packed, const Tensor& y) {
  const char* where = "unpack_e5m6";
  const PackedMatrix from = packed_matrix(where, "y", y, packed);
  if (y.numel() == 0) return;
  with_real(where, "y", y, [&]<class T>(T) {
    unpack_kernel<<<strip_blocks(from), kThreads, 0, stream_of(context)>>>(from, device_data<T>(y));
  });
  check_launch(where);
}
TESSERA_CUDA_OPERATION(unpack_e5m6)

}  // namespace tessera::kernels::cuda
