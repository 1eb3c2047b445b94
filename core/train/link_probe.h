// SPDX-License-Identifier: MIT
// How fast ranks send each other bytes, measured over the very transport that they train with.
#pragma once

#include <string>
#include <vector>

#include "core/base/communicator.h"

namespace tessera {

/// From one host to another, by their first ranks.
struct LinkSpeed {
  std::string from{}, to{};
  double bytes_per_s = 0;
};

/// Measures each ordered pair of hosts, one after the other, for `seconds` each, with tensors on
/// the host. `hosts`: that of every rank. A collective call; the same answer on all ranks. Empty
/// where all ranks are on one host.
std::vector<LinkSpeed> probe_links(Communicator& ranks, const std::vector<std::string>& hosts,
                                   double seconds);

}  // namespace tessera
