// SPDX-License-Identifier: MIT
// bench infer, quantise, and --weights of generate, as a user types them.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>
#include <string>

#include "tests/build_paths.h"
#include "tests/infer/tiny_model.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;

struct Ran {
  int status = -1;
  std::string output;
};

/// The program with its data folder under `home`; both outputs together.
Ran run(const fs::path& home, const std::string& arguments) {
  const std::string command = fmt::format(
      "TESSERA_HOME='{}' OMP_NUM_THREADS=2 OMP_WAIT_POLICY=passive '{}' {} 2>&1 "
      "</dev/null",
      home.string(), TESSERA_PROGRAM, arguments);
  FILE* pipe = ::popen(command.c_str(), "r");
  if (!pipe) return {};
  Ran ran;
  std::array<char, 4096> buffer;
  while (const std::size_t n = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
    ran.output.append(buffer.data(), n);
  }
  const int status = ::pclose(pipe);
  ran.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return ran;
}

ModelConfig blocks_config() {
  ModelConfig c = test::tiny_config();
  c.hidden_size = 64;
  c.kv_lora_rank = 32;
  c.qk_nope_head_dim = 32;
  c.v_head_dim = 32;
  c.intermediate_size = 96;
  c.moe_intermediate_size = 32;
  return c;
}

struct Scene {
  test::ScratchFolder scratch;
  fs::path home = scratch.path / "home", model = scratch.path / "model";
  Scene() {
    fs::create_directories(home);
    test::write_released_model(model, 5, blocks_config());
  }
  Ran operator()(const std::string& arguments) const { return run(home, arguments); }
};

TEST(BenchInfer, PrintsAndKeepsWhatItMeasured) {
  const Scene scene;
  std::map<std::string, double> bytes;
  for (const char* precision : {"fp32", "bf16", "q8_0", "q4_0"}) {
    const Ran ran = scene(fmt::format(
        "bench infer --shape demo --precision {} --prompt 40 --context 70 --batch 2 --steps 3 "
        "--repeats 1 --json",
        precision));
    ASSERT_EQ(ran.status, 0) << ran.output;
    const auto result = nlohmann::json::parse(ran.output);
    for (const char* key : {"read_tokens_per_s", "write_tokens_per_s", "read_bandwidth",
                            "share_of_bandwidth", "used_bytes", "make_seconds"}) {
      EXPECT_GT(result.at(key).get<double>(), 0) << key;
    }
    bytes[precision] = result.at("weight_bytes").get<double>();
    // Four layers, a latent of 32 and a rotary key of 16 in F32; room for two whole pages each.
    EXPECT_EQ(result.at("cache_bytes_per_position"), 4 * (32 + 16) * 4);
    EXPECT_EQ(result.at("cache_bytes"), 4 * (32 + 16) * 4 * 256);
    EXPECT_EQ(result.at("cache_bytes_per_step"), 4 * (32 + 16) * 4 * 70 * 2);
    EXPECT_LT(result.at("weight_bytes_per_step").get<double>(), bytes[precision]);
  }
  EXPECT_GT(bytes["fp32"], 1.4 * bytes["bf16"]);
  EXPECT_GT(bytes["bf16"], 1.2 * bytes["q8_0"]);
  EXPECT_GT(bytes["q8_0"], bytes["q4_0"]);
  std::ifstream kept(scene.home / "bench" / "results.jsonl");
  int rows = 0;
  for (std::string line; std::getline(kept, line); ++rows) {
    EXPECT_EQ(nlohmann::json::parse(line).at("bench"), "infer");
  }
  EXPECT_EQ(rows, 4);
}

TEST(BenchInfer, TakesTheFolderOfAModelAndRefusesWhatIsTooLong) {
  const Scene scene;
  const std::string of_folder = "bench infer --shape '" + scene.model.string() + "' --prompt 20 ";
  const Ran ran = scene(of_folder + "--context 30 --steps 2 --repeats 1");
  EXPECT_EQ(ran.status, 0) << ran.output;
  EXPECT_TRUE(std::regex_search(ran.output, std::regex("loaded in [0-9.]+ s"))) << ran.output;
  const Ran longer = scene(of_folder + "--context 5000");
  EXPECT_EQ(longer.status, 1);
  EXPECT_NE(longer.output.find("more than the model's 1024 positions"), std::string::npos)
      << longer.output;
}

TEST(Quantise, TellsMemoryAndPerplexityBeforeAndAfterAndWritesTheFile) {
  const Scene scene;
  const fs::path text = scene.scratch.path / "text", file = scene.scratch.path / "model.gguf";
  std::ofstream(text) << "The quick brown fox jumps over the lazy dog, and then it rests.\n";
  for (const char* to : {"q8_0", "q4_0"}) {
    fs::remove(file);
    const Ran ran = scene(fmt::format("quantise '{}' '{}' --to {} --text '{}'",
                                      scene.model.string(), file.string(), to, text.string()));
    ASSERT_EQ(ran.status, 0) << ran.output;
    std::smatch found;
    const std::regex row(std::string(to) + R"( +([0-9.]+ \w+) +([0-9.]+) +([+-][0-9.]+) %)");
    ASSERT_TRUE(std::regex_search(ran.output, found, row)) << ran.output;
    EXPECT_NE(found[3].str(), "+0.000") << "nothing was rounded";
    EXPECT_NE(ran.output.find("fp32"), std::string::npos);
    EXPECT_GT(fs::file_size(file), 1000u);
  }
  const Ran without = scene("quantise '" + scene.model.string() + "'");
  EXPECT_EQ(without.status, 0) << without.output;
  EXPECT_EQ(without.output.find("perplexity"), std::string::npos) << without.output;
  EXPECT_EQ(scene("quantise '" + scene.model.string() + "' --text /nowhere/text").status, 1);
}

TEST(GenerateWeights, RoundsThemAsTheyAreLoadedAndRefusesBothWays) {
  const Scene scene;
  const std::string generate =
      "generate '" + scene.model.string() + "' --prompt The --max-tokens 5 ";
  EXPECT_EQ(scene(generate + "--weights q8_0 --temperature 0").status, 0);
  EXPECT_EQ(scene(generate + "--weights q4_0 --stats").status, 0);
  const Ran both = scene(generate + "--weights q8_0 --precision bf16");
  EXPECT_EQ(both.status, 1);
  EXPECT_NE(both.output.find("q8_0 is computed with at precision fp32, not bf16"),
            std::string::npos)
      << both.output;
  EXPECT_EQ(scene(generate + "--weights q5_0").status, 2);
}

}  // namespace
}  // namespace tessera
