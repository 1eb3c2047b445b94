// SPDX-License-Identifier: MIT
// Which numbers of ranks a spec can be spread over, and why not the others.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "core/spec/spec.h"

namespace tessera {

struct LayoutChoice {
  std::int64_t value = 1;
  std::optional<Problem> refusal{};  ///< what setting it would make wrong; none: it can be set
};

/// The powers of two up to `most` and the value that is set, in their order, for a key of a number
/// of ranks: "parallel.pipeline", "parallel.data", "parallel.context", "parallel.expert". All else
/// stays as it is. A problem that is there already refuses nothing. Throws Error for another key.
std::vector<LayoutChoice> layout_choices(const RunSpec& spec, std::string_view key,
                                         std::int64_t most = 64);

}  // namespace tessera
