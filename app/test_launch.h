// SPDX-License-Identifier: MIT
// A launch in which every rank says hello and nothing is trained: it shows that a real one would
// start. Speeds between hosts are measured on the same connections.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "app/host_meeting.h"
#include "core/train/link_probe.h"

namespace tessera::app {

/// `spec` empty: one of the program's own, for any number of ranks. `line` gets what rank 0 says.
/// `probe_s`: each direction between two hosts is measured for so long; 0: none is. Throws Error
/// naming the rank or host that stands in the way.
void launch_hello(const HostOptions& hosts, const std::string& spec, double probe_s,
                  const std::function<void(const std::string&)>& line);

/// As rank 0 says it, and back; nothing where a line is another one.
std::string link_line(const LinkSpeed& link);
std::optional<LinkSpeed> link_of_line(const std::string& line);

}  // namespace tessera::app
