// SPDX-License-Identifier: MIT
#include "core/checkpoint/convert.h"

#include <cstring>
#include <vector>

namespace tessera::checkpoint_internal {

namespace {
/// All values of a small float by their bits: its own conversion is exact and slow.
template <class Small>
const float* table() {
  static const std::vector<float> values = [] {
    std::vector<float> all(std::size_t{1} << (8 * sizeof(Small)));
    for (std::size_t bits = 0; bits < all.size(); ++bits) {
      Small small;
      small.bits = static_cast<decltype(small.bits)>(bits);
      all[bits] = static_cast<float>(small);
    }
    return all;
  }();
  return values.data();
}

template <class From>
struct Decoder {  // F32, F64, BF16
  float operator()(const From& value) const { return static_cast<float>(value); }
};
template <class Small>
struct TableDecoder {
  const float* values = table<Small>();
  float operator()(const Small& value) const { return values[value.bits]; }
};
template <>
struct Decoder<f16> : TableDecoder<f16> {};
template <>
struct Decoder<f8e4m3> : TableDecoder<f8e4m3> {};
template <>
struct Decoder<f8e5m2> : TableDecoder<f8e5m2> {};
template <>
struct Decoder<f8e8m0> : TableDecoder<f8e8m0> {};

template <class From, class To>
void convert(const std::byte* from, std::byte* to, std::int64_t count, float scale) {
  const Decoder<From> decode;
  auto* results = reinterpret_cast<To*>(to);
  for (std::int64_t i = 0; i < count; ++i) {
    From value;
    std::memcpy(&value, from + i * static_cast<std::int64_t>(sizeof(From)), sizeof(From));
    results[i] = static_cast<To>(decode(value) * scale);
  }
}

template <class Same>
void copy_or_scale(const std::byte* from, std::byte* to, std::int64_t count, float scale) {
  if (scale != 1.f) return convert<Same, Same>(from, to, count, scale);
  std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(Same));
}

template <class To>
Converter converter_to(DType from) {
  if (from == dtype_of<To>()) return copy_or_scale<To>;
  switch (from) {
    case DType::F64:
      return convert<double, To>;
    case DType::F32:
      return convert<float, To>;
    case DType::BF16:
      return convert<bf16, To>;
    case DType::F16:
      return convert<f16, To>;
    case DType::F8E4M3:
      return convert<f8e4m3, To>;
    case DType::F8E5M2:
      return convert<f8e5m2, To>;
    case DType::F8E8M0:
      return convert<f8e8m0, To>;
    default:
      return nullptr;
  }
}
}  // namespace

Converter converter(DType from, DType to) {
  switch (to) {
    case DType::F32:
      return converter_to<float>(from);
    case DType::BF16:
      return converter_to<bf16>(from);
    case DType::F64:
      return converter_to<double>(from);
    default:
      return nullptr;
  }
}

}  // namespace tessera::checkpoint_internal
