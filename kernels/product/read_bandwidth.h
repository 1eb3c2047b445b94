// SPDX-License-Identifier: MIT
#pragma once

namespace tessera::kernels {

/// Bytes per second that all threads together read of memory here, measured now: the ceiling of
/// products with few rows, which read every weight once. The best of several passes, in which each
/// thread adds up a part of its own of 512 MiB.
double measure_read_bandwidth();

}  // namespace tessera::kernels
