// SPDX-License-Identifier: MIT
#include <type_traits>

#include "core/base/error.h"
#include "kernels/cache_write/cache_write.h"

#include "kernels/cache_write/cache_write_contract.h"

namespace tessera::kernels::cpu {

namespace {
template <class To, class From>
To cast(From value) {
  if constexpr (std::is_same_v<From, To>) {
    return value;
  } else if constexpr (std::is_same_v<From, bf16> || std::is_same_v<To, bf16>) {
    return static_cast<To>(static_cast<float>(value));
  } else {
    return static_cast<To>(value);
  }
}

template <class From, class To>
void copy_row(const From* from, std::int64_t count, To* to) {
  for (std::int64_t i = 0; i < count; ++i) to[i] = cast<To>(from[i]);
}

template <class To>
void copy_any(const Tensor& from, std::int64_t row, To* to) {
  const std::int64_t at = row * from.stride(0), count = from.size(1);
  if (from.dtype() == DType::F64) {
    copy_row(from.data<double>() + at, count, to);
  } else if (from.dtype() == DType::BF16) {
    copy_row(from.data<bf16>() + at, count, to);
  } else {
    copy_row(from.data<float>() + at, count, to);
  }
}

template <class To>
void write_rows(const Tensor& latent, const Tensor& k_rope, const Tensor& slots,
                const Tensor& cache) {
  const std::int64_t rows = cache.size(0) * cache.size(1), width = cache.size(2);
  const std::int32_t* slot = slots.data<std::int32_t>();
  for (std::int64_t t = 0; t < slots.size(0); ++t) {
    require(slot[t] >= 0 && slot[t] < rows, "cache_write", "slot {} of token {} is outside 0..{}",
            slot[t], t, rows - 1);
    To* row = cache.data<To>() + slot[t] * width;
    copy_any(latent, t, row);
    copy_any(k_rope, t, row + latent.size(1));
  }
}
}  // namespace

void cache_write(Context&, const Tensor& latent, const Tensor& k_rope, const Tensor& slots,
                 const Tensor& cache) {
  contract::cache_write("cache_write", latent, k_rope, slots, cache);
  if (cache.dtype() == DType::F64) return write_rows<double>(latent, k_rope, slots, cache);
  if (cache.dtype() == DType::BF16) return write_rows<bf16>(latent, k_rope, slots, cache);
  write_rows<float>(latent, k_rope, slots, cache);
}

}  // namespace tessera::kernels::cpu
