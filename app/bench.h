// SPDX-License-Identifier: MIT
// What the bench commands share.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/profile.h"
#include "core/base/tensor.h"

namespace tessera::app {

/// Where the time went, by operation, largest first; `seconds` is the whole.
void print_shares(const Profile& profile, double seconds);

struct ShapeBench {
  std::string shape = "small";  ///< "small", "medium": the presets numbers-small, numbers-medium
  std::string precision = "bf16";
  Device device = Device::Cuda;
  std::int64_t sequences = 8, length = 4096;  ///< the batch of one step
  std::int64_t steps = 8, warmup = 3;
  bool deterministic = true;            ///< sums in an order that does not differ from run to run
  bool graphs = true;                   ///< forward and backward as one launch, a CUDA graph
  bool forced_routing = false;          ///< experts in turn instead of by the router's scores
  std::vector<std::string> settings{};  ///< "key=value"; they win over all of the above
};

/// Whole optimiser steps on random tokens with natural routing: forward, backward, norm, clip,
/// AdamW with FP32 master weights and gradients, bias update. Prints rate, share of the product
/// ceiling, memory as planned and as used, and then the shares of operations in two more steps.
/// Where this process is one of several ranks, each takes such a batch, and rank 0 prints.
void bench_shape(const ShapeBench& options);

/// Rates of the benchmark cases of `op` (all where it is empty), each beside the machine's ceiling
/// and the library's dense product of as much work, measured in the same run. Prints and stores.
void bench_kernels(const std::string& op, Device device);

/// `bench infer-gpu`.
void add_bench_infer_gpu(CLI::App& bench);

/// `bench schedule`.
void add_bench_schedule(CLI::App& bench);

/// `bench infer`.
void add_bench_infer(CLI::App& bench);

}  // namespace tessera::app
