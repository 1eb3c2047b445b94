// SPDX-License-Identifier: MIT
// devices: the GPUs of this machine and how they run each operation.
#include <fmt/format.h>
#include <omp.h>

#include <cstdio>

#include "app/commands.h"
#include "app/devices.h"
#include "core/base/error.h"
#include "kernels/capability.h"

namespace tessera::app {

namespace {
constexpr double kGiB = 1073741824.0;

void print_table(kernels::Generation generation) {
  for (const std::string& line : kernels::describe_capabilities(generation)) {
    std::printf("  %s\n", line.c_str());
  }
}

/// For people who choose a GPU, or read about one that is elsewhere.
void print_all_generations() {
  using kernels::Generation;
  for (const Generation one : {Generation::Ampere, Generation::Ada, Generation::Hopper,
                               Generation::BlackwellConsumer, Generation::Other}) {
    std::printf("%s%s\n", std::string(kernels::name_of(one)).c_str(),
                kernels::was_run(one) ? "" : ": compiled for, never run");
    print_table(one);
  }
}

void devices_command(bool all) {
  if (all) return print_all_generations();
  std::printf("CPU: %d threads; every operation and recipe, FP8 as quantise and dequantise\n",
              omp_get_max_threads());
  try {
    load_cuda_backend();
  } catch (const Error& error) {
    std::printf("GPU: none: %s\n", error.what());
    return;
  }
  print_devices();
}
}  // namespace

std::string describe(const DeviceInfo& gpu) {
  return fmt::format("{}, {:.1f} GiB ({:.1f} free), {} ({}.{}), {} multiprocessors, CUDA {}",
                     gpu.name, static_cast<double>(gpu.memory_bytes) / kGiB,
                     static_cast<double>(gpu.free_bytes) / kGiB,
                     kernels::name_of(kernels::generation_of(gpu.major, gpu.minor)), gpu.major,
                     gpu.minor, gpu.multiprocessors, gpu.driver);
}

void print_devices() {
  for (const DeviceInfo& gpu : devices()) {
    const kernels::Generation generation = kernels::generation_of(gpu.major, gpu.minor);
    std::printf("GPU %d: %s\n", gpu.index, describe(gpu).c_str());
    if (!kernels::is_supported(gpu.major, gpu.minor)) {
      std::printf("  not supported: compute capability 8.0 (Ampere) is the least\n");
      continue;
    }
    if (!kernels::was_run(generation)) {
      std::printf("  nothing was ever run on this generation: `tessera selftest` first\n");
    }
    print_table(generation);
  }
}

void add_devices(CLI::App& app) {
  auto* command = app.add_subcommand("devices", "What this machine has, and what runs how on it");
  auto all = std::make_shared<bool>(false);
  command->add_flag("--all-generations", *all, "The table of every GPU generation instead");
  command->callback([all] { devices_command(*all); });
}

}  // namespace tessera::app
