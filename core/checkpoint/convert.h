// SPDX-License-Identifier: MIT
// Runs of stored elements into F32, BF16 or F64.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/base/dtype.h"

namespace tessera::checkpoint_internal {

/// to[i] = from[i] * scale for `count` elements, in F32, rounded to nearest even where `to` is
/// narrower. `from` may have any alignment.
using Converter = void (*)(const std::byte* from, std::byte* to, std::int64_t count, float scale);

/// Null when there is no conversion from one to the other (integers, and to FP8). A conversion from
/// F64 rounds to F32 first, unless `to` is F64 and the scale is 1.
Converter converter(DType from, DType to);

}  // namespace tessera::checkpoint_internal
