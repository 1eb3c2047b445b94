// SPDX-License-Identifier: MIT
#include "core/plan/measurements.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <chrono>
#include <fstream>

#include "core/base/error.h"
#include "core/events/events.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;

struct Folder {
  fs::path path;
  Folder() {
    std::string name = (fs::temp_directory_path() / "tessera-plan-XXXXXX").string();
    path = ::mkdtemp(name.data());
    ::setenv("TESSERA_HOME", (path / "home").c_str(), 1);
  }
  ~Folder() {
    ::unsetenv("TESSERA_HOME");
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
};

TEST(Measurements, SurviveWritingAndTheNewestStay) {
  const Folder folder;
  const fs::path file = folder.path / "measurements.json";
  EXPECT_TRUE(read_measurements(file).empty());
  for (int i = 1; i <= 5; ++i) {
    add_measurement({.name = "demo", .model = "m", .tokens_per_second = double(i)}, file);
  }
  add_measurement({.kind = "product", .operand = DType::BF16, .product_flops = 7e9}, file);
  const std::vector<Measurement> all = read_measurements(file);
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(all[0].tokens_per_second, 3);
  EXPECT_EQ(all[2].tokens_per_second, 5);
  EXPECT_EQ(all[3].kind, "product");
  EXPECT_EQ(all[3].operand, DType::BF16);
  EXPECT_EQ(all[3].product_flops, 7e9);
}

TEST(Measurements, OfADamagedFileAreAnErrorThatNamesIt) {
  const Folder folder;
  const fs::path file = folder.path / "measurements.json";
  std::ofstream(file) << "{\"measurements\": [{\"kind\": 3";
  try {
    read_measurements(file);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.where(), file.string());
  }
}

TEST(Fingerprint, IsOfTheShapeAlone) {
  const RunSpec demo = read_preset("demo").spec;
  ModelConfig other = demo.model;
  other.yarn.factor = 4;
  other.max_position_embeddings = 4096;
  EXPECT_EQ(model_fingerprint(demo.model), model_fingerprint(other));
  other.num_experts_per_tok = 2;
  EXPECT_NE(model_fingerprint(demo.model), model_fingerprint(other));
}

/// A run of the demo with a log of these speeds.
std::string make_run(const fs::path& runs, const RunSpec& spec, double tokens_per_second) {
  fs::create_directories(runs);
  const RunFolder folder = RunFolder::create(runs, spec);
  EventWriter writer(folder.events_path());
  for (std::int64_t step = 0; step < 20; ++step) {
    StepEvent event;
    event.step = step;
    event.tokens = (step + 1) * 2048;
    event.loss = 5;
    event.tokens_per_second = step == 10 ? 1 : tokens_per_second;  // one slow step
    event.mfu = 0.5;
    writer.append(event);
  }
  return folder.id();
}

TEST(MeasuredRun, IsTheNewestOfTheSameModel) {
  const Folder folder;
  const RunSpec demo = read_preset("demo").spec;
  const std::string id = make_run(folder.path / "home" / "runs", demo, 9000);
  RunSpec other = demo;
  other.model.hidden_size = 64;
  make_run(folder.path / "home" / "runs", other, 5000);
  Library library(folder.path / "library.db");
  library.refresh();
  const auto found = measured_run(demo, library);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->name, id);
  EXPECT_NEAR(found->tokens_per_second, 9000, 1e-3);
  EXPECT_NEAR(found->product_flops, 9000 * found->flops_per_token / 0.5, 1);
  RunSpec third = demo;
  third.model.hidden_size = 96;
  EXPECT_FALSE(measured_run(third, library));
}

}  // namespace
}  // namespace tessera
