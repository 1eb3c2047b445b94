// SPDX-License-Identifier: MIT
// How many ranks a spec has, and whether it fits to another number of them.
#pragma once

#include <cstdint>

#include "core/spec/spec.h"

namespace tessera {

/// As many as the spec's mesh has.
std::int64_t ranks_of(const RunSpec& spec);

/// The value of parallel.data for `ranks` ranks: what is left of them where the spec leaves it
/// at 1. 0 ranks: as many as the spec says. Throws Error with both numbers where they do not fit.
std::int64_t data_for_ranks(const RunSpec& spec, std::int64_t ranks);

/// Throws Error with both numbers where a run of this spec cannot go on with `ranks` ranks.
void check_ranks(const RunSpec& spec, std::int64_t ranks);

}  // namespace tessera
