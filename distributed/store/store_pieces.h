// SPDX-License-Identifier: MIT
// Calls with large tensors as several calls with small ones: what the store keeps of a call, and
// hands to every rank, stays within a few megabytes a rank. Sums are those of the whole call to the
// last bit, as each element is summed by itself.
#pragma once

#include <cstddef>
#include <functional>

#include "core/base/communicator.h"

namespace tessera {

/// The most of a rank's part of one call that goes at once.
inline constexpr std::size_t kMostBytesOfPiece = std::size_t{4} << 20;

/// Makes the call by `one`, which is called as often on every rank of a group of `size`. Sends,
/// receives and all-to-all are one call as they are.
void carry_out_in_pieces(const Communication& call, int size,
                         const std::function<void(const Communication&)>& one,
                         std::size_t most_bytes = kMostBytesOfPiece);

}  // namespace tessera
