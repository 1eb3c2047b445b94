// SPDX-License-Identifier: MIT
// Options of the commands that work on hosts.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "app/host_meeting.h"

namespace tessera::app {

void add_host_options(CLI::App& command, HostOptions& options);

/// --ssh, else TESSERA_SSH, else "ssh".
std::string ssh_command(const HostOptions& options);

}  // namespace tessera::app
