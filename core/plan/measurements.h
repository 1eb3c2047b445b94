// SPDX-License-Identifier: MIT
// What was measured on this machine: speeds of training and of products, with date and host, in
// home_folder()/bench/measurements.json. Written by `tessera bench`, read by plans.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/history/library.h"
#include "core/spec/spec.h"

namespace tessera {

struct Measurement {
  std::string kind = "train";  ///< "train": steps of a model; "product": one large product
  std::string date{};          ///< "2026-11-24"
  std::string host{};
  Device device = Device::Cpu;
  DType operand = DType::F32;  ///< what products read

  // The rest up to flops_per_token is set where training was measured.
  std::string name{};   ///< the name of the preset, or the run's id
  std::string model{};  ///< model_fingerprint()
  std::string recipe{};
  std::int64_t sequence_length = 0;
  std::int64_t ranks = 1;        ///< that shared the work
  double tokens_per_second = 0;  ///< of all ranks together
  double flops_per_token = 0;    ///< training_flops_per_token() at that length

  /// Rate of a large product at the time, in operations per second: of one GPU, or of all cores of
  /// the machine.
  double product_flops = 0;

  /// GPUs that were at work, or 1: ranks on processors of one machine share its cores.
  std::int64_t devices() const { return device == Device::Cuda ? ranks : 1; }
};

/// Equal for models that compute the same shapes.
std::string model_fingerprint(const ModelConfig& config);
std::string today();

/// Oldest first. A missing file is no measurements; a damaged one throws Error.
std::vector<Measurement> read_measurements(const std::filesystem::path& file = {});
/// Appends; of equal kind, host, device, model and recipe only the newest three stay.
void add_measurement(const Measurement& measurement, const std::filesystem::path& file = {});

/// The speed of the newest run of the same model, recipe and device in the library: the median of
/// its last steps. Looks at the newest `most_runs` runs.
std::optional<Measurement> measured_run(const RunSpec& spec, Library& library, int most_runs = 40);

}  // namespace tessera
