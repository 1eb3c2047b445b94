// SPDX-License-Identifier: MIT
// What the hardware is and how it runs the program's operations.
#pragma once

#include <string>

#include "core/base/backend.h"

namespace tessera::app {

/// One line: name, memory, generation, driver.
std::string describe(const DeviceInfo& gpu);

/// The GPUs of this machine, each with the table of kernels/capability.h.
void print_devices();

}  // namespace tessera::app
