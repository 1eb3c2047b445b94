// SPDX-License-Identifier: MIT
// What `tessera data`, `tessera spec` and the first lines of `tessera train` tell about text and
// settings, as a person in a terminal sees it.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/build_paths.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;

constexpr const char* kModel = R"([run]
name = "tiny"
[model]
vocab_size = 512
hidden_size = 32
num_hidden_layers = 2
max_position_embeddings = 64
num_attention_heads = 2
kv_lora_rank = 16
qk_nope_head_dim = 16
qk_rope_head_dim = 8
v_head_dim = 16
first_k_dense_replace = 1
intermediate_size = 64
moe_intermediate_size = 32
n_routed_experts = 8
n_shared_experts = 1
num_experts_per_tok = 2
n_group = 4
topk_group = 2
[tokenizer]
vocab_size = 512
[data]
held_out_fraction = 0.1
[data.filters]
on = false
deduplicate = false
deduplicate_near = false
[[curriculum]]
steps = 2
sequence_length = 32
batch_sequences = 2
learning_rate = 1e-3
[host]
threads = 1
[[data.sources]]
name = "words"
paths = ["text"]
)";

struct Outcome {
  int status = -1;
  std::string output;  ///< standard output and standard error
};

class DataCommands : public testing::Test {
 protected:
  DataCommands() {
    std::string name = (fs::temp_directory_path() / "tessera-commands-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
    fs::create_directory(path_ / "text");
    write("spec.toml", kModel);
    write_lines("text/a.jsonl", 0, 40);
  }
  ~DataCommands() override { fs::remove_all(path_); }

  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name, std::ios::binary) << text;
  }
  /// Lines with text of their own, then lines without any.
  void write_lines(const std::string& name, int wrong, int right) const {
    std::string lines;
    for (int i = 0; i < right; ++i) {
      std::string words;
      for (int w = 0; w < 60; ++w) words += fmt::format("w{}x{} ", (i * 7 + w * 13) % 97, w % 5);
      lines += nlohmann::json{{"text", words}}.dump() + "\n";
    }
    for (int i = 0; i < wrong; ++i) lines += "{\"body\": \"none\"}\n";
    write(name, lines);
  }

  Outcome run(const std::string& arguments, const std::string& before = "") const {
    const std::string command =
        fmt::format("cd '{}' && {} TESSERA_HOME='{}/home' '{}' {} 2>&1 </dev/null", path_.string(),
                    before, path_.string(), TESSERA_PROGRAM, arguments);
    FILE* pipe = ::popen(command.c_str(), "r");
    if (!pipe) return {};
    Outcome outcome;
    std::array<char, 4096> buffer;
    while (std::size_t n = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
      outcome.output.append(buffer.data(), n);
    }
    const int status = ::pclose(pipe);
    outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return outcome;
  }

  static std::size_t times(const std::string& text, const std::string& part) {
    std::size_t count = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
      ++count;
    return count;
  }

  fs::path path_;
};

TEST_F(DataCommands, TrainAndBuildTellOnceWhatIsDropped) {
  write_lines("text/b.jsonl", 30, 2);
  const std::string told = "30 of 72 documents were dropped as no_text_field";
  const Outcome built = run("data build spec.toml --out out");
  EXPECT_EQ(built.status, 0) << built.output;
  EXPECT_EQ(times(built.output, told), 1u) << built.output;
  EXPECT_NE(built.output.find("text/b.jsonl:3 (its fields are body)"), std::string::npos)
      << built.output;
  const Outcome trained = run("train spec.toml");
  EXPECT_EQ(trained.status, 0) << trained.output;
  EXPECT_EQ(times(trained.output, told), 1u) << trained.output;
}

TEST_F(DataCommands, TheSecondRunStartsFromTheCache) {
  EXPECT_EQ(run("data build spec.toml --out one").status, 0);
  const Outcome second = run("data build spec.toml --out two");
  EXPECT_EQ(times(second.output, "vocabulary and shards from the cache"), 1u) << second.output;
  const Outcome list = run("data cache list");
  EXPECT_NE(list.output.find("2 entries"), std::string::npos) << list.output;
  EXPECT_NE(list.output.find("words"), std::string::npos) << list.output;
  EXPECT_EQ(run("data cache clear").status, 0);
  EXPECT_NE(run("data cache list").output.find("0 entries"), std::string::npos);
  // Text that changed is an error for a folder that has shards, and --rebuild is what it says.
  write_lines("text/b.jsonl", 0, 3);
  const Outcome changed = run("data build spec.toml --out one");
  EXPECT_NE(changed.status, 0);
  EXPECT_NE(changed.output.find("--rebuild"), std::string::npos) << changed.output;
  EXPECT_EQ(run("data build spec.toml --out one --rebuild").status, 0);
  EXPECT_EQ(run("data build spec.toml --out one").status, 0);
}

TEST_F(DataCommands, LookShowsDocumentsBeforeAnythingIsBuilt) {
  write_lines("text/b.jsonl", 3, 1);
  const auto looks = nlohmann::json::parse(run("data look spec.toml --json --documents 42").output);
  ASSERT_EQ(looks.size(), 1u);
  EXPECT_EQ(looks[0].at("read"), 44);
  EXPECT_EQ(looks[0].at("kept"), 41);
  EXPECT_EQ(looks[0].at("whole"), true);
  EXPECT_EQ(looks[0].at("dropped").at("no_text_field"), 3);
  EXPECT_EQ(looks[0].at("documents").size(), 42u);
  EXPECT_EQ(looks[0].at("documents")[41].at("dropped"), "no_text_field");
  EXPECT_EQ(looks[0].at("documents")[41].at("line"), 2);
  const Outcome shown = run("data look spec.toml --documents 1 --read 10");
  EXPECT_NE(shown.output.find("of the first 10 documents 10 are kept"), std::string::npos)
      << shown.output;
  EXPECT_FALSE(fs::exists(path_ / "home/cache"));
}

TEST_F(DataCommands, WhatThisVersionDoesNotDoIsRefusedBeforeAnythingStarts) {
  for (const char* setting : {"parallel.expert=2", "host.kind=slurm",
                              "tokenizer.byte_fallback=false"}) {
    const std::string key = std::string(setting).substr(0, std::string(setting).find('='));
    for (const char* command : {"spec check", "plan", "train"}) {
      const Outcome outcome = run(fmt::format("{} spec.toml --set {}", command, setting));
      EXPECT_NE(outcome.status, 0) << command << " " << setting;
      EXPECT_NE(outcome.output.find(key + ": "), std::string::npos) << outcome.output;
    }
  }
  const Outcome pipeline = run("train spec.toml --set parallel.pipeline=2");
  EXPECT_NE(pipeline.status, 0);
  EXPECT_NE(pipeline.output.find("2 stages take as many ranks"), std::string::npos)
      << pipeline.output;
  EXPECT_FALSE(fs::exists(path_ / "home/runs") && !fs::is_empty(path_ / "home/runs"));
  // A preset for thousands of GPUs can still be shown.
  EXPECT_EQ(run("spec show v3").status, 0);
}

TEST_F(DataCommands, PathsInAHomeThatIsNotSetAreNamed) {
  const Outcome outcome = run(
      "data build spec.toml --out out --set 'data.sources[0].paths=[\"~/text\"]'", "env -u HOME");
  EXPECT_NE(outcome.status, 0);
  EXPECT_NE(outcome.output.find("HOME is not set"), std::string::npos) << outcome.output;
}

TEST_F(DataCommands, ValidationThatCannotBeIsToldOnce) {
  const Outcome checked = run("spec check spec.toml --set data.held_out_fraction=0");
  EXPECT_EQ(checked.status, 0);
  EXPECT_EQ(times(checked.output, "no text is held out"), 1u) << checked.output;
  const Outcome trained = run("train spec.toml --set data.held_out_fraction=0");
  EXPECT_EQ(trained.status, 0) << trained.output;
  EXPECT_EQ(times(trained.output, "no text is held out"), 1u) << trained.output;
  EXPECT_EQ(trained.output.find("nan"), std::string::npos) << trained.output;
}

}  // namespace
}  // namespace tessera
