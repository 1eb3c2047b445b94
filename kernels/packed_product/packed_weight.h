// SPDX-License-Identifier: MIT
// Weights in blocks of 32 numbers that share a scale, as ggml's Q8_0 and Q4_0 have them
// (github.com/ggml-org/ggml, docs/gguf.md), but with the numbers of all blocks in one array and the
// scales in another, so that rows are read in whole vectors.
//   Q8_0: the value is q d with q in -127 to 127, one byte each.
//   Q4_0: the value is (q - 8) d with q in 0 to 15. A block is 16 bytes: numbers 0 to 15 are the
//         low halves, 16 to 31 the upper ones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/base/tensor.h"

namespace tessera::kernels {

enum class Packing : std::uint8_t { Q8_0, Q4_0 };

/// Numbers that share a scale: the length of rows is a multiple of it.
inline constexpr std::int64_t kPackedBlock = 32;

/// "q8_0", "q4_0".
std::string_view name_of(Packing packing);

/// `batch` matrices (n, k), one under another: the weights of linear layers as y = x W^T reads
/// them.
struct PackedWeight {
  Tensor values;  ///< Q8_0: (batch, n, k) I8; Q4_0: (batch, n, k / 2) U8
  Tensor scales;  ///< (batch, n, k / 32) F16

  explicit operator bool() const { return static_cast<bool>(values); }
  Packing packing() const { return values.dtype() == DType::I8 ? Packing::Q8_0 : Packing::Q4_0; }
  std::int64_t batch() const { return values.size(0); }
  std::int64_t n() const { return values.size(1); }
  std::int64_t k() const { return scales.size(2) * kPackedBlock; }
  std::size_t bytes() const { return values.bytes() + scales.bytes(); }
  /// Rows [from, to) of all matrices one under another, as one matrix; this one is contiguous.
  PackedWeight rows(std::int64_t from, std::int64_t to) const;
  /// One contiguous matrix as `count` of equal size, of each of which rows [from, to).
  PackedWeight parts(std::int64_t count, std::int64_t from, std::int64_t to) const;
};

/// Views of such a weight from `take(DType, batch, n, columns)`. k must be a multiple of 32.
template <class Take>
PackedWeight packed_layout(Packing packing, std::int64_t batch, std::int64_t n, std::int64_t k,
                           const Take& take) {
  PackedWeight w;
  w.values =
      packing == Packing::Q8_0 ? take(DType::I8, batch, n, k) : take(DType::U8, batch, n, k / 2);
  w.scales = take(DType::F16, batch, n, k / kPackedBlock);
  return w;
}

/// Rounds w, (n, k) or (batch, n, k) contiguous, F32 or F64 on the CPU, to the blocks of `to`. The
/// numbers and scales are those that core/gguf writes. Returns the index of a number that the
/// packing cannot hold (not finite, or so large that a scale passes F16), and -1 when there is
/// none.
std::int64_t pack_weight(const Tensor& w, const PackedWeight& to);

/// The numbers that a packed weight stands for; `to` as w above.
void unpack_weight(const PackedWeight& w, const Tensor& to);

}  // namespace tessera::kernels
