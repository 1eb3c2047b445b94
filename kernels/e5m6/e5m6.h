// SPDX-License-Identifier: MIT
// Storage of activations in 12 bits: E5M6 in tiles of 1 x 128 with scales that are powers of two.
// The recipe `blockwise` keeps the input of the attention's output projection so (DeepSeek-V3
// report, section 3.3.3: that input is also read by the attention's own backward, which needs more
// than E4M3).
//
// A value is s eeeee mmmmmm, bias 15, as binary16 with 6 bits behind the point: subnormals in steps
// of 2^-20, exponent 31 for infinity and NaN. It stands for value * 2^(scale - 127), where with E
// the BF16 exponent field of the tile's largest finite |x|
//   scale = max(E - 14, 16)
// so that the largest lies in [2^14, 2^15) before it is rounded. Every x is rounded to BF16 first,
// whatever type it comes in, then to nearest even: within 2^-7 of |x|, or 2^-35 of the tile's
// largest where that is more (and 2^-132, for tiles under 2^-97). Zeros keep their sign, an
// infinity stays one, a NaN becomes the quiet one without a sign; a finite value never becomes an
// infinity: in tiles that reach 2^127 it is cut off at (2 - 2^-6) 2^127.
//
// Bytes of a tile: 128 lower bytes, byte j of value j; then 64 bytes, the upper four bits of value
// j in the lower half of byte j and those of value j + 64 in its upper half. Columns past C are
// zeros. CPU and GPU agree in every bit, and unpacking is exact: every packed value is a BF16
// number.
#pragma once

#include "core/base/op.h"
#include "kernels/quantise/quantise.h"

namespace tessera::kernels {

inline constexpr std::int64_t kE5m6Tile = 128, kE5m6TileBytes = 192;

constexpr std::int64_t e5m6_tiles(std::int64_t cols) {
  return (cols + kE5m6Tile - 1) / kE5m6Tile;
}

/// A matrix (R, C), C a multiple of 8.
struct PackedE5m6 {
  Tensor values;  ///< (R, e5m6_tiles(C), 192) U8, contiguous
  Tensor scales;  ///< (R, e5m6_tiles(C)) U8, contiguous: `scale` above
};

namespace cpu {
/// x (R, C) F32, BF16 or (on the CPU) F64, contiguous.
void pack_e5m6(Context& context, const Tensor& x, const PackedE5m6& out);

/// y (R, C) F32, BF16 or (on the CPU) F64, contiguous.
void unpack_e5m6(Context& context, const PackedE5m6& packed, const Tensor& y);

/// pack_e5m6 and quantise of the same x, in one pass on the GPU: every bit is as those two make it.
/// x as for pack_e5m6; `out` has the layout by rows alone.
void quantise_pack_e5m6(Context& context, const Tensor& x, const PackedE5m6& packed,
                        const Quantised& out);

/// unpack_e5m6 and quantise of its y, in one pass on the GPU: every bit is as those two make it.
/// y as for unpack_e5m6; `out` has either layout or both.
void unpack_quantise_e5m6(Context& context, const PackedE5m6& packed, const Tensor& y,
                          const Quantised& out);
}  // namespace cpu

inline const Op<decltype(cpu::pack_e5m6)> pack_e5m6{"pack_e5m6", cpu::pack_e5m6};
inline const Op<decltype(cpu::unpack_e5m6)> unpack_e5m6{"unpack_e5m6", cpu::unpack_e5m6};
inline const Op<decltype(cpu::quantise_pack_e5m6)> quantise_pack_e5m6{"quantise_pack_e5m6",
                                                                      cpu::quantise_pack_e5m6};
inline const Op<decltype(cpu::unpack_quantise_e5m6)> unpack_quantise_e5m6{
    "unpack_quantise_e5m6", cpu::unpack_quantise_e5m6};

}  // namespace tessera::kernels
