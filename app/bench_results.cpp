// SPDX-License-Identifier: MIT
#include "app/bench_results.h"

#include <fmt/chrono.h>
#include <omp.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "app/commit.h"
#include "core/base/backend.h"
#include "core/base/call_record.h"
#include "core/base/error.h"
#include "core/config/paths.h"
#include "core/plan/measurements.h"

namespace tessera::app {

namespace fs = std::filesystem;

namespace {
/// All of a small file; empty where it cannot be read.
std::string text_of(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

std::string processor() {
  std::istringstream lines(text_of("/proc/cpuinfo"));
  for (std::string line; std::getline(lines, line);) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

nlohmann::json hardware(Device device) {
  if (device == Device::Cpu) return {{"cpu", processor()}, {"threads", omp_get_max_threads()}};
  const DeviceInfo gpu = devices().at(0);
  return {{"gpu", gpu.name},
          {"driver", driver_version(text_of("/proc/driver/nvidia/version"))},
          {"cuda", gpu.driver}};
}
}  // namespace

std::string built_from_commit() {
  return TESSERA_COMMIT;
}

std::string driver_version(const std::string& text) {
  std::istringstream words(text);
  // "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.159.04  Release Build ..."
  for (std::string word; words >> word;) {
    const bool numbers = word.find_first_not_of("0123456789.") == std::string::npos;
    if (numbers && word.find('.') != std::string::npos) return word;
  }
  return {};
}

void store_result(const nlohmann::json& fields, Device device, const fs::path& file) {
  const fs::path path = file.empty() ? home_folder() / "bench" / "results.jsonl" : file;
  nlohmann::json line = fields;
  line["date"] = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
  line["host"] = host_name();
  line["device"] = device == Device::Cuda ? "cuda" : "cpu";
  line["commit"] = built_from_commit();
  line.update(hardware(device));
  std::error_code unmade;
  fs::create_directories(path.parent_path(), unmade);
  std::ofstream out(path, std::ios::app);
  out << line.dump() + "\n";  // in one piece: several programs may append
  out.flush();
  if (!out) {
    throw Error(path.string(), fmt::format("cannot be appended to: {}", std::strerror(errno)),
                "the numbers are on the terminal; TESSERA_HOME names another data folder");
  }
}

}  // namespace tessera::app
