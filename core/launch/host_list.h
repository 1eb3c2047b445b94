// SPDX-License-Identifier: MIT
// Hosts and how many ranks each of them gets, as people write them: "a:4,b:4", "node[01-04]:8", and
// files of Open MPI's form.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tessera {

/// A host as ssh knows it (a name, an alias, user@name, an address); empty: this machine.
struct HostSlots {
  std::string host{};
  int ranks = 1;

  /// The host, or "this machine".
  std::string name() const { return host.empty() ? "this machine" : host; }
  bool operator==(const HostSlots&) const = default;
};

/// "a:4,b:4,node[01-04,7]:8,user@c,[fd00::1]:2"; a host without a number gets one rank. Throws
/// Error naming the item that is wrong, and a host that is named twice.
std::vector<HostSlots> parse_host_list(std::string_view text);

/// Lines "HOST slots=4" ("max_slots=" is read and means nothing here) or "HOST:4", with comments
/// behind '#'. Throws Error naming `file` and the line.
std::vector<HostSlots> parse_host_file(std::string_view text, const std::string& file);

int count_ranks(const std::vector<HostSlots>& hosts);

}  // namespace tessera
