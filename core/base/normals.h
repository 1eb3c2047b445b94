// SPDX-License-Identifier: MIT
// Many normal numbers at once: those of Random::normal(), as F32 and equal to the last bit, made by
// vector code.
#pragma once

#include <cstdint>
#include <span>

namespace tessera {

/// to[i] = float(sigma * Random(seed, stream).normal(from + i)).
void fill_normals(std::uint64_t seed, std::uint64_t stream, double sigma, std::uint64_t from,
                  std::span<float> to);

}  // namespace tessera
