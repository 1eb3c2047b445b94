// SPDX-License-Identifier: MIT
// Numbers to the blocks of GGUF types and back. Layouts are those of ggml (docs/gguf.md of
// github.com/ggml-org/ggml names the types); bytes of Q8_0, Q4_0 and Q5_0 equal those of the `gguf`
// package (tests/peers/gguf_quantise.py).
//   Q8_0: 32 numbers, F16 d, 32 x int8 q; the value is q d.
//   Q4_0: 32 numbers, F16 d, 16 bytes, low halves first; the value is (q - 8) d.
//   Q5_0: as Q4_0 with a fifth bit of each number in 4 bytes; the value is (q - 16) d.
//   Q4_1, Q5_1: F16 d and F16 m; the value is q d + m.
//   Q4_K: 256 numbers in 8 runs of 32; F16 d and F16 dmin, a scale and an offset of 6 bits for each
//         run; the value is q d scale - dmin offset. Q5_K: the same with a fifth bit.
//   Q6_K: 256 numbers in 16 runs of 16, an int8 scale for each; the value is (q - 32) d scale.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/gguf/gguf_types.h"

namespace tessera {

/// Whether encode_blocks() writes the type: F32, F16, BF16, Q8_0, Q4_0, Q5_0 and Q4_K.
bool can_encode(GgufType type);

/// Writes `count` numbers, whole blocks, to `to`. Returns the index of a number that the type
/// cannot hold (too large for F16, or not finite where blocks share a scale), and -1 when there is
/// none; what was written is then whole.
std::int64_t encode_blocks(GgufType type, const float* from, std::int64_t count, std::byte* to);

/// Reads `count` numbers, whole blocks. `from` may have any alignment.
void decode_blocks(GgufType type, const std::byte* from, std::int64_t count, float* to);

/// IEEE binary16, rounded to nearest even; infinite beyond its largest number, NaN stays NaN.
std::uint16_t half_bits(float value);

namespace gguf_internal {
/// One block of Q4_K of 256 finite numbers. False: its scales do not fit F16.
bool encode_q4_k(const float* from, std::byte* to);
/// The scale and the offset, 6 bits each, of run `index` of the eight in Q4_K and Q5_K.
struct KScale {
  std::uint8_t scale, offset;
};
KScale k_scale(const std::uint8_t* packed, int index);
}  // namespace gguf_internal

}  // namespace tessera
