// SPDX-License-Identifier: MIT
#include "core/gguf/blocks.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "core/base/dtype.h"
#include "core/base/error.h"

namespace tessera {

namespace {
constexpr int kShort = 32, kLong = 256;

float load_half(const std::byte* from) {
  f16 value;
  std::memcpy(&value.bits, from, sizeof(value.bits));
  return static_cast<float>(value);
}

void store_half(std::byte* to, std::uint16_t bits) {
  std::memcpy(to, &bits, sizeof(bits));
}

bool half_holds(float value) {
  return !std::isfinite(value) || std::isfinite([&] {
    f16 rounded;
    rounded.bits = half_bits(value);
    return static_cast<float>(rounded);
  }());
}

/// 1 / d, and 0 where that is no finite number: the block then is zero.
float inverse_of(float d) {
  const float inverse = d == 0.f ? 0.f : 1.f / d;
  return std::isfinite(inverse) ? inverse : 0.f;
}

/// The first of the largest magnitude, with its sign.
float extreme_of(const float* from) {
  float extreme = from[0];
  for (int i = 1; i < kShort; ++i) {
    if (std::fabs(from[i]) > std::fabs(extreme)) extreme = from[i];
  }
  return extreme;
}

bool encode_q8_0(const float* from, std::byte* to) {
  const float d = std::fabs(extreme_of(from)) / 127.f;
  const float inverse = inverse_of(d);
  store_half(to, half_bits(d));
  for (int i = 0; i < kShort; ++i) {
    const float rounded = std::round(from[i] * inverse);  // halves away from zero
    to[2 + i] = static_cast<std::byte>(static_cast<std::int8_t>(rounded));
  }
  return half_holds(d);
}

/// 0 .. 2 * half - 1, where `half` is 8 or 16.
std::uint8_t shifted_level(float value, float inverse, int half) {
  const float level = value * inverse + (static_cast<float>(half) + 0.5f);
  return static_cast<std::uint8_t>(std::clamp(static_cast<int>(level), 0, 2 * half - 1));
}

bool encode_q4_0(const float* from, std::byte* to) {
  const float d = extreme_of(from) / -8.f;
  const float inverse = inverse_of(d);
  store_half(to, half_bits(d));
  for (int i = 0; i < kShort / 2; ++i) {
    const std::uint8_t low = shifted_level(from[i], inverse, 8);
    const std::uint8_t high = shifted_level(from[i + kShort / 2], inverse, 8);
    to[2 + i] = static_cast<std::byte>(low | (high << 4));
  }
  return half_holds(d);
}

bool encode_q5_0(const float* from, std::byte* to) {
  const float d = extreme_of(from) / -16.f;
  const float inverse = inverse_of(d);
  store_half(to, half_bits(d));
  std::uint32_t fifth = 0;
  for (int i = 0; i < kShort / 2; ++i) {
    const std::uint8_t low = shifted_level(from[i], inverse, 16);
    const std::uint8_t high = shifted_level(from[i + kShort / 2], inverse, 16);
    to[6 + i] = static_cast<std::byte>((low & 15) | ((high & 15) << 4));
    fifth |= static_cast<std::uint32_t>(low >> 4) << i;
    fifth |= static_cast<std::uint32_t>(high >> 4) << (i + kShort / 2);
  }
  std::memcpy(to + 2, &fifth, sizeof(fifth));
  return half_holds(d);
}

using EncodeBlock = bool (*)(const float* from, std::byte* to);

std::int64_t encode_shared(const GgufTypeInfo& info, EncodeBlock encode, const float* from,
                           std::int64_t count, std::byte* to) {
  for (std::int64_t at = 0; at < count; at += info.block, to += info.bytes) {
    const float* block = from + at;
    for (std::int64_t i = 0; i < info.block; ++i) {
      if (!std::isfinite(block[i])) return at + i;
    }
    if (encode(block, to)) continue;
    const auto larger = [](float a, float b) { return std::fabs(a) < std::fabs(b); };
    return at + (std::max_element(block, block + info.block, larger) - block);
  }
  return -1;
}

std::int64_t encode_halves(const float* from, std::int64_t count, std::byte* to) {
  for (std::int64_t i = 0; i < count; ++i) {
    if (!half_holds(from[i])) return i;
    store_half(to + 2 * i, half_bits(from[i]));
  }
  return -1;
}

void encode_bf16(const float* from, std::int64_t count, std::byte* to) {
  for (std::int64_t i = 0; i < count; ++i) store_half(to + 2 * i, bf16(from[i]).bits);
}

// ---- Reading ----

int low_half(std::byte byte) {
  return static_cast<int>(byte) & 15;
}
int high_half(std::byte byte) {
  return static_cast<int>(byte) >> 4;
}

/// Levels of Q4_0, Q4_1 (no fifth bits: null), Q5_0 and Q5_1.
void short_levels(const std::byte* halves, const std::byte* fifths, int* levels) {
  std::uint32_t fifth = 0;
  if (fifths) std::memcpy(&fifth, fifths, sizeof(fifth));
  for (int i = 0; i < kShort / 2; ++i) {
    levels[i] = low_half(halves[i]);
    levels[i + kShort / 2] = high_half(halves[i]);
  }
  for (int i = 0; i < kShort; ++i) levels[i] |= static_cast<int>((fifth >> i) & 1u) << 4;
}

void decode_short(GgufType type, const std::byte* from, float* to) {
  const bool five = type == GgufType::Q5_0 || type == GgufType::Q5_1;
  const bool offset = type == GgufType::Q4_1 || type == GgufType::Q5_1;
  const float d = load_half(from), m = offset ? load_half(from + 2) : 0.f;
  const std::byte* rest = from + (offset ? 4 : 2);
  int levels[kShort];
  short_levels(rest + (five ? 4 : 0), five ? rest : nullptr, levels);
  const int middle = offset ? 0 : five ? 16 : 8;
  for (int i = 0; i < kShort; ++i) {
    const float value = d * static_cast<float>(levels[i] - middle);
    to[i] = offset ? value + m : value;
  }
}

void decode_q8_0(const std::byte* from, float* to) {
  const float d = load_half(from);
  for (int i = 0; i < kShort; ++i) {
    to[i] = static_cast<float>(static_cast<std::int8_t>(from[2 + i])) * d;
  }
}

/// Q4_K and Q5_K. Runs lie in pairs that share their bytes: the even run in the low halves.
void decode_q45_k(const std::byte* from, bool five, float* to) {
  const float d = load_half(from), dmin = load_half(from + 2);
  const auto* packed = reinterpret_cast<const std::uint8_t*>(from + 4);
  const std::byte* fifths = from + 16;
  const std::byte* halves = from + (five ? 48 : 16);
  for (int run = 0; run < 8; ++run) {
    const gguf_internal::KScale k = gguf_internal::k_scale(packed, run);
    const float scale = d * static_cast<float>(k.scale);
    const float offset = dmin * static_cast<float>(k.offset);
    for (int i = 0; i < kShort; ++i) {
      const std::byte both = halves[32 * (run / 2) + i];
      int level = run % 2 == 0 ? low_half(both) : high_half(both);
      if (five) level |= ((static_cast<int>(fifths[i]) >> run) & 1) << 4;
      to[kShort * run + i] = scale * static_cast<float>(level) - offset;
    }
  }
}

/// 128 bytes of low halves, 64 of upper pairs of bits, 16 scales, d. Each half of the block has
/// four runs of 32, whose upper bits lie side by side in one byte.
void decode_q6_k(const std::byte* from, float* to) {
  const float d = load_half(from + 208);
  for (int i = 0; i < kLong; ++i) {
    const int half = i / 128, run = i % 128 / 32, at = i % 32;
    const std::byte both = from[64 * half + 32 * (run % 2) + at];
    const int low = run < 2 ? low_half(both) : high_half(both);
    const int high = (static_cast<int>(from[128 + 32 * half + at]) >> (2 * run)) & 3;
    const auto scale = static_cast<std::int8_t>(from[192 + i / 16]);
    to[i] = d * static_cast<float>(scale) * static_cast<float>((low | (high << 4)) - 32);
  }
}

void decode_block(GgufType type, const std::byte* from, float* to) {
  switch (type) {
    case GgufType::Q8_0:
      return decode_q8_0(from, to);
    case GgufType::Q4_K:
    case GgufType::Q5_K:
      return decode_q45_k(from, type == GgufType::Q5_K, to);
    case GgufType::Q6_K:
      return decode_q6_k(from, to);
    default:
      return decode_short(type, from, to);
  }
}
}  // namespace

std::uint16_t half_bits(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = (bits >> 16) & 0x8000u, magnitude = bits & 0x7fffffffu;
  std::uint32_t half = 0;
  if (magnitude > 0x7f800000u) {
    half = 0x7e00u | ((magnitude >> 13) & 0x3ffu);  // NaN keeps what fits of its payload
  } else if (magnitude >= 0x47800000u) {
    half = 0x7c00u;  // 2^16 and beyond
  } else if (magnitude < 0x38800000u) {
    // Below 2^-14 numbers are multiples of 2^-24, to which adding 2^-1 rounds.
    half = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3f000000u;
  } else {
    // 13 of 23 bits go, and the exponent's bias becomes 15; a carry may make it infinite.
    half = (magnitude - (112u << 23) + 0xfffu + ((magnitude >> 13) & 1u)) >> 13;
  }
  return static_cast<std::uint16_t>(sign | half);
}

bool can_encode(GgufType type) {
  switch (type) {
    case GgufType::F32:
    case GgufType::F16:
    case GgufType::BF16:
    case GgufType::Q8_0:
    case GgufType::Q4_0:
    case GgufType::Q5_0:
    case GgufType::Q4_K:
      return true;
    default:
      return false;
  }
}

std::int64_t encode_blocks(GgufType type, const float* from, std::int64_t count, std::byte* to) {
  const GgufTypeInfo& info = info_of(type);
  require(count % info.block == 0, "gguf", "{} numbers are no whole blocks of {}", count,
          info.name);
  switch (type) {
    case GgufType::F32:
      std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(float));
      return -1;
    case GgufType::F16:
      return encode_halves(from, count, to);
    case GgufType::BF16:
      encode_bf16(from, count, to);
      return -1;
    case GgufType::Q8_0:
      return encode_shared(info, encode_q8_0, from, count, to);
    case GgufType::Q4_0:
      return encode_shared(info, encode_q4_0, from, count, to);
    case GgufType::Q5_0:
      return encode_shared(info, encode_q5_0, from, count, to);
    case GgufType::Q4_K:
      return encode_shared(info, gguf_internal::encode_q4_k, from, count, to);
    default:
      throw Error("gguf", fmt::format("{} is read and not written", info.name));
  }
}

void decode_blocks(GgufType type, const std::byte* from, std::int64_t count, float* to) {
  const GgufTypeInfo& info = info_of(type);
  require(count % info.block == 0, "gguf", "{} numbers are no whole blocks of {}", count,
          info.name);
  if (type == GgufType::F32) {
    std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(float));
  } else if (type == GgufType::F16) {
    for (std::int64_t i = 0; i < count; ++i) to[i] = load_half(from + 2 * i);
  } else if (type == GgufType::BF16) {
    for (std::int64_t i = 0; i < count; ++i) {
      bf16 value;
      std::memcpy(&value.bits, from + 2 * i, sizeof(value.bits));
      to[i] = static_cast<float>(value);
    }
  } else {
    for (std::int64_t at = 0; at < count; at += info.block, from += info.bytes) {
      decode_block(type, from, to + at);
    }
  }
}

}  // namespace tessera
