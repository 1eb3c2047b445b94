// SPDX-License-Identifier: MIT
//
// The standard library's logarithm and cosine are calls that make one number. Here loops that the
// compiler vectorises make the same number with a relative error below kError. Where everything
// within that error rounds to one F32, the library's number does so too. Elsewhere (about one
// number in a million) the library is asked.
#include "core/base/normals.h"

#include <algorithm>
#include <array>
#include <bit>
#ifdef __AVX2__
#include <immintrin.h>
#endif

#include "core/base/random.h"

namespace tessera {

namespace {
constexpr std::size_t kBlock = 256;
/// The polynomials and the library each err by less than a tenth of it.
constexpr double kError = 0x1p-46;

using Words = std::array<std::uint32_t, kBlock>;

/// Counters in the low halves of 64 bits: what is in the high halves is not read.
#ifdef __AVX2__
using Lanes = __m256i;
constexpr std::size_t kLanes = 4;
inline Lanes all(std::uint64_t x) {
  return _mm256_set1_epi64x(static_cast<long long>(x));
}
inline Lanes counting(std::uint64_t first) {
  return _mm256_add_epi64(all(first), _mm256_set_epi64x(3, 2, 1, 0));
}
inline Lanes times(Lanes a, std::uint32_t b) {
  return _mm256_mul_epu32(a, all(b));
}
inline Lanes high_half(Lanes a) {
  return _mm256_srli_epi64(a, 32);
}
inline void store_low_halves(Lanes a, std::uint32_t* to) {
  const Lanes packed = _mm256_permutevar8x32_epi32(a, _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm256_castsi256_si128(packed));
}
#else
typedef std::uint64_t Lanes __attribute__((vector_size(16)));
constexpr std::size_t kLanes = 2;
inline Lanes all(std::uint64_t x) {
  return Lanes{x, x};
}
inline Lanes counting(std::uint64_t first) {
  return first + Lanes{0, 1};
}
inline Lanes times(Lanes a, std::uint32_t b) {
  return (a & 0xFFFFFFFFu) * b;
}
inline Lanes high_half(Lanes a) {
  return a >> 32;
}
inline void store_low_halves(Lanes a, std::uint32_t* to) {
  for (std::size_t i = 0; i < kLanes; ++i) to[i] = static_cast<std::uint32_t>(a[i]);
}
#endif

/// The first two words of philox() in random.h, for kBlock counters.
void draw(std::uint64_t seed, std::uint64_t stream, std::uint64_t index, Words& first,
          Words& second) {
  for (std::size_t i = 0; i < kBlock; i += kLanes) {
    Lanes c0 = counting(index + i), c1 = high_half(c0);
    Lanes c2 = all(stream), c3 = high_half(c2);
    auto k0 = static_cast<std::uint32_t>(seed), k1 = static_cast<std::uint32_t>(seed >> 32);
#pragma GCC unroll 10
    for (int round = 0; round < 10; ++round) {
      const Lanes a = times(c0, 0xD2511F53u), b = times(c2, 0xCD9E8D57u);
      c0 = high_half(b) ^ c1 ^ all(k0);
      c1 = b;
      c2 = high_half(a) ^ c3 ^ all(k1);
      c3 = a;
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    store_low_halves(c0, &first[i]);
    store_low_halves(c1, &second[i]);
  }
}

/// An integer below 2^32 as a double without a conversion, which AVX2 does not have: 2^52 and the
/// integer in its low bits, less 2^52.
inline double exact(std::uint64_t word) {
  return std::bit_cast<double>(word | 0x4330000000000000u) - 0x1p52;
}

/// The logarithm of a normal x in (0, 1]: x = 2^n m, m in [sqrt(1/2), sqrt(2)), ln m = 2 artanh s.
inline double logarithm(double x) {
  constexpr std::uint64_t kRootOfHalf = 0x3FE6A09E667F3BCDu, kOne = 0x3FF0000000000000u;
  constexpr std::uint64_t kMantissa = 0x000FFFFFFFFFFFFFu;
  const std::uint64_t shifted = std::bit_cast<std::uint64_t>(x) + (kOne - kRootOfHalf);
  const double n = exact(shifted >> 52) - 1023.0;
  const double m = std::bit_cast<double>((shifted & kMantissa) + kRootOfHalf);
  const double s = (m - 1.0) / (m + 1.0), q = s * s;
  double p = 1.0 / 19;  // the series of artanh; the terms left out are below 2^-50
  p = p * q + 1.0 / 17;
  p = p * q + 1.0 / 15;
  p = p * q + 1.0 / 13;
  p = p * q + 1.0 / 11;
  p = p * q + 1.0 / 9;
  p = p * q + 1.0 / 7;
  p = p * q + 1.0 / 5;
  p = p * q + 1.0 / 3;
  return n * std::numbers::ln2 + 2.0 * (s + s * q * p);
}

/// The cosine of x in [0, 2 pi]: x = n pi / 2 + r. pi / 2 is in three parts and n times the first
/// two is exact, so that r is right where the cosine is nearly 0.
inline double cosine(double x) {
  constexpr double kShift = 0x1.8p52;  // added, it rounds to an integer, which the low bits are
  const double shifted = x * (2.0 / std::numbers::pi) + kShift;
  const double n = shifted - kShift;
  const double r = ((x - n * 0x1.921FB544p+0) - n * 0x1.0B4611A6p-34) - n * 0x1.3198A2E037073p-69;
  const double q = r * r;
  double s = -1.0 / 1307674368000.0;  // Taylor's series; what is left out is below 2^-52
  s = s * q + 1.0 / 6227020800.0;
  s = s * q - 1.0 / 39916800.0;
  s = s * q + 1.0 / 362880.0;
  s = s * q - 1.0 / 5040.0;
  s = s * q + 1.0 / 120.0;
  s = s * q - 1.0 / 6.0;
  s = r + r * q * s;
  double c = 1.0 / 20922789888000.0;
  c = c * q - 1.0 / 87178291200.0;
  c = c * q + 1.0 / 479001600.0;
  c = c * q - 1.0 / 3628800.0;
  c = c * q + 1.0 / 40320.0;
  c = c * q - 1.0 / 720.0;
  c = c * q + 1.0 / 24.0;
  c = 1.0 - 0.5 * q + q * q * c;
  // By n modulo 4: cos r, -sin r, -cos r, sin r.
  const std::uint64_t quarter = std::bit_cast<std::uint64_t>(shifted);
  const std::uint64_t is_odd = 0 - (quarter & 1);  // all bits or none
  const std::uint64_t magnitude =
      (std::bit_cast<std::uint64_t>(s) & is_odd) | (std::bit_cast<std::uint64_t>(c) & ~is_odd);
  return std::bit_cast<double>(magnitude ^ (((quarter + 1) & 2) << 62));
}

/// Both ends of what the number may be.
void bounds(const Words& first, const Words& second, double sigma, std::array<float, kBlock>& low,
            std::array<float, kBlock>& high) {
#pragma omp simd
  for (std::size_t i = 0; i < kBlock; ++i) {
    const double u = (exact(first[i]) + 1.0) * 0x1p-32, v = exact(second[i]) * 0x1p-32;
    // NOTE: the angle is rounded as in Random::normal(): where the cosine is nearly 0, all depends
    // on that rounding.
    const double y = sigma * (std::sqrt(-2.0 * logarithm(u)) * cosine(2.0 * std::numbers::pi * v));
    low[i] = static_cast<float>(y * (1.0 - kError));
    high[i] = static_cast<float>(y * (1.0 + kError));
  }
}
}  // namespace

void fill_normals(std::uint64_t seed, std::uint64_t stream, double sigma, std::uint64_t from,
                  std::span<float> to) {
  const Random random(seed, stream);
  Words first, second;
  std::array<float, kBlock> low, high;
  for (std::size_t at = 0; at < to.size(); at += kBlock) {
    draw(seed, stream, from + at, first, second);
    bounds(first, second, sigma, low, high);
    const std::size_t count = std::min(kBlock, to.size() - at);
    for (std::size_t i = 0; i < count; ++i) {
      to[at + i] =
          low[i] == high[i] ? low[i] : static_cast<float>(sigma * random.normal(from + at + i));
    }
  }
}

}  // namespace tessera
