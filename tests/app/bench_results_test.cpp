// SPDX-License-Identifier: MIT
// The file of measured results: lines are added, never changed, and each says where it comes from.
#include "app/bench_results.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "core/base/error.h"

namespace tessera::app {
namespace {

namespace fs = std::filesystem;

fs::path fresh_file() {
  const fs::path folder = fs::path(testing::TempDir()) / "bench-results-test";
  fs::remove_all(folder);
  return folder / "below" / "results.jsonl";
}

std::vector<nlohmann::json> lines_of(const fs::path& file) {
  std::vector<nlohmann::json> all;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) all.push_back(nlohmann::json::parse(line));
  return all;
}

TEST(BenchResults, AreAppendedWithWhereTheyComeFrom) {
  const fs::path file = fresh_file();
  store_result({{"bench", "kernels"}, {"op", "rope"}, {"seconds", 0.25}}, Device::Cpu, file);
  store_result({{"bench", "train"}, {"tokens_per_s", 10}}, Device::Cpu, file);
  const std::vector<nlohmann::json> lines = lines_of(file);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].at("op"), "rope");
  EXPECT_EQ(lines[0].at("seconds"), 0.25);
  EXPECT_EQ(lines[1].at("tokens_per_s"), 10);
  for (const nlohmann::json& line : lines) {
    EXPECT_EQ(line.at("device"), "cpu");
    EXPECT_EQ(line.at("commit"), built_from_commit());
    for (const char* field : {"date", "host", "cpu"}) {
      EXPECT_FALSE(line.at(field).get<std::string>().empty()) << field;
    }
  }
}

TEST(BenchResults, AFileThatCannotBeWrittenIsAnError) {
  const fs::path file = fresh_file();
  fs::create_directories(file);  // a folder lies where the file should
  try {
    store_result({{"op", "rope"}}, Device::Cpu, file);
    FAIL() << "did not throw";
  } catch (const Error& error) {
    EXPECT_EQ(error.where(), file.string());
  }
}

TEST(BenchResults, VersionsOfDrivers) {
  EXPECT_EQ(driver_version("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.159.04  "
                           "Release Build  (dvs-builder)  Tue\nGCC version: gcc 13.3.0"),
            "580.159.04");
  EXPECT_EQ(driver_version("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.54.03  Tue"),
            "535.54.03");
  EXPECT_EQ(driver_version(""), "");
}

}  // namespace
}  // namespace tessera::app
