// SPDX-License-Identifier: MIT
// The rule of the selection bias, as a plain value: read by configurations, which link no kernel.
#pragma once

#include <cstdint>

namespace tessera::kernels {

/// How the bias follows the load.
enum class BiasUpdate : std::uint8_t {
  Sign,         ///< b -= speed * sign(load - mean): the report
  Utilisation,  ///< b -= speed * (load / mean - 1): "bias from utilisation", the article
};

}  // namespace tessera::kernels
