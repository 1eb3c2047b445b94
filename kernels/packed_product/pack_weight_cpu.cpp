// SPDX-License-Identifier: MIT
// To blocks and back. The arithmetic is that of core/gguf/blocks.cpp, whose bytes equal those of
// the `gguf` package; a test compares the two.
#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "core/base/error.h"
#include "core/base/threads.h"
#include "kernels/packed_product/packed_weight.h"

namespace tessera::kernels {

namespace {
constexpr const char* kWhere = "pack_weight";
constexpr int kBlock = static_cast<int>(kPackedBlock);
constexpr std::int64_t kBlocksPerPiece = 512;

/// IEEE binary16 of a finite number that is not negative, rounded to nearest even; infinite past
/// its largest number.
std::uint16_t half_of(float value) {
  const std::uint32_t magnitude = std::bit_cast<std::uint32_t>(value);
  if (magnitude >= 0x47800000u) return 0x7c00u;
  if (magnitude < 0x38800000u) {  // below 2^-14: multiples of 2^-24
    return static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(value + 0.5f) - 0x3f000000u);
  }
  return static_cast<std::uint16_t>(
      (magnitude - (112u << 23) + 0xfffu + ((magnitude >> 13) & 1u)) >> 13);
}

/// The first of the largest magnitude, with its sign.
float extreme_of(const float* from) {
  float extreme = from[0];
  for (int i = 1; i < kBlock; ++i) {
    if (std::fabs(from[i]) > std::fabs(extreme)) extreme = from[i];
  }
  return extreme;
}

/// 1 / d, and 0 where that is no finite number: the block is zero then.
float inverse_of(float d) {
  const float inverse = d == 0.f ? 0.f : 1.f / d;
  return std::isfinite(inverse) ? inverse : 0.f;
}

/// The scale may be negative: the number of the largest magnitude has its sign.
std::uint16_t signed_half(float d) {
  return static_cast<std::uint16_t>(half_of(std::fabs(d)) | (std::signbit(d) ? 0x8000u : 0u));
}

std::uint16_t pack_bytes(const float* from, std::int8_t* to) {
  const float d = std::fabs(extreme_of(from)) / 127.f;
  const float inverse = inverse_of(d);
  for (int i = 0; i < kBlock; ++i) {
    to[i] = static_cast<std::int8_t>(std::round(from[i] * inverse));  // halves away from zero
  }
  return signed_half(d);
}

/// NOTE: product and sum are rounded one by one, as ggml's are: this file is compiled without
/// fused operations (kernels/CMakeLists.txt).
std::uint8_t level_of(float value, float inverse) {
  return static_cast<std::uint8_t>(std::clamp(static_cast<int>(value * inverse + 8.5f), 0, 15));
}

std::uint16_t pack_halves(const float* from, std::uint8_t* to) {
  const float d = extreme_of(from) / -8.f;
  const float inverse = inverse_of(d);
  for (int i = 0; i < kBlock / 2; ++i) {
    const unsigned low = level_of(from[i], inverse);
    const unsigned high = level_of(from[i + kBlock / 2], inverse);
    to[i] = static_cast<std::uint8_t>(low | (high << 4));
  }
  return signed_half(d);
}

/// The place in a block of what it cannot hold; -1: it holds all of it.
int first_not_finite(const float* from) {
  for (int i = 0; i < kBlock; ++i) {
    if (!std::isfinite(from[i])) return i;
  }
  return -1;
}
int place_of_largest(const float* from) {
  const auto smaller = [](float a, float b) { return std::fabs(a) < std::fabs(b); };
  return static_cast<int>(std::max_element(from, from + kBlock, smaller) - from);
}

void check_shapes(const Tensor& w, const PackedWeight& p) {
  const bool fits = w.rank() == 3 ? w.size(0) == p.batch() && w.size(1) == p.n()
                                  : w.rank() == 2 && w.size(0) == p.batch() * p.n();
  require(fits && w.size(-1) == p.k() && w.is_contiguous() && p.values.is_contiguous() &&
              p.scales.is_contiguous(),
          kWhere, "{} and {} with scales {} do not go together", w.describe(), p.values.describe(),
          p.scales.describe());
}

/// One block as floats, whatever the type it lies in.
const float* block_of(const Tensor& w, std::int64_t block, float* room) {
  if (w.dtype() == DType::F32) return w.data<float>() + block * kBlock;
  const double* from = w.data<double>() + block * kBlock;
  for (int i = 0; i < kBlock; ++i) room[i] = static_cast<float>(from[i]);
  return room;
}

/// Packs one block; returns the place of what it cannot hold, or -1.
int pack_block(const float* from, std::int64_t block, const PackedWeight& to) {
  if (const int at = first_not_finite(from); at >= 0) return at;
  const std::uint16_t scale =
      to.packing() == Packing::Q8_0
          ? pack_bytes(from, to.values.data<std::int8_t>() + block * kBlock)
          : pack_halves(from, to.values.data<std::uint8_t>() + block * (kBlock / 2));
  to.scales.data<f16>()[block].bits = scale;
  return (scale & 0x7fffu) == 0x7c00u ? place_of_largest(from) : -1;
}
}  // namespace

std::string_view name_of(Packing packing) {
  return packing == Packing::Q8_0 ? "q8_0" : "q4_0";
}

PackedWeight PackedWeight::rows(std::int64_t from, std::int64_t to) const {
  const auto part = [&](const Tensor& all) {
    const std::int64_t count = batch() * n(), columns = all.size(2);
    return all.reshape({count, columns}).slice(0, from, to).reshape({1, to - from, columns});
  };
  return {part(values), part(scales)};
}

PackedWeight PackedWeight::parts(std::int64_t count, std::int64_t from, std::int64_t to) const {
  const auto part = [&](const Tensor& all) {
    return all.reshape({count, batch() * n() / count, all.size(2)}).slice(1, from, to);
  };
  return {part(values), part(scales)};
}

std::int64_t pack_weight(const Tensor& w, const PackedWeight& to) {
  check_shapes(w, to);
  constexpr std::int64_t kNone = std::numeric_limits<std::int64_t>::max();
  std::atomic<std::int64_t> refused{kNone};
  parallel_for(w.numel() / kBlock, kBlocksPerPiece, [&](std::int64_t from, std::int64_t end) {
    float room[kBlock];
    for (std::int64_t block = from; block < end; ++block) {
      const int at = pack_block(block_of(w, block, room), block, to);
      if (at < 0) continue;
      std::int64_t least = refused;
      const std::int64_t here = block * kBlock + at;
      while (here < least && !refused.compare_exchange_weak(least, here)) {
      }
      return;
    }
  });
  return refused == kNone ? -1 : refused.load();
}

void unpack_weight(const PackedWeight& w, const Tensor& to) {
  check_shapes(to, w);
  const auto number = [&](std::int64_t i) {
    const auto scale = static_cast<float>(w.scales.data<f16>()[i / kBlock]);
    if (w.packing() == Packing::Q8_0) {
      return static_cast<float>(w.values.data<std::int8_t>()[i]) * scale;
    }
    const std::int64_t place = i % kBlock, half = kBlock / 2;
    const unsigned both = w.values.data<std::uint8_t>()[i / kBlock * half + place % half];
    return static_cast<float>(static_cast<int>(place < half ? both & 15u : both >> 4) - 8) * scale;
  };
  parallel_for(to.numel(), kBlocksPerPiece * kBlock, [&](std::int64_t from, std::int64_t end) {
    for (std::int64_t i = from; i < end; ++i) {
      if (to.dtype() == DType::F32) {
        to.data<float>()[i] = number(i);
      } else {
        to.data<double>()[i] = static_cast<double>(number(i));
      }
    }
  });
}

}  // namespace tessera::kernels
