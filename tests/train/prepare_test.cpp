// SPDX-License-Identifier: MIT
// Vocabulary, shards and mixtures of a run: what is built, what is used again, what is refused, and
// what is told.
#include "core/train/prepare.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/checkpoint/checkpoint.h"
#include "core/train/train_run.h"
#include "distributed/single/single_process.h"
#include "tests/train/tiny_run.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;

/// Two sources of text, a home for the program, and a spec of two short stages.
class Prepare : public testing::Test {
 protected:
  Prepare() {
    log::set_console_level(log::Level::Error);
    std::string name = (fs::temp_directory_path() / "tessera-prepare-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
    ::setenv("TESSERA_HOME", (path_ / "home").c_str(), 1);
    tiny_run::write_words(path_ / "a.jsonl");
    tiny_run::write_words(path_ / "b.jsonl");
  }
  ~Prepare() override {
    ::unsetenv("TESSERA_HOME");
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }

  RunSpec spec() const {
    RunSpec s = tiny_run::tiny_spec(path_ / "a.jsonl");
    s.run.name = "test";
    s.data.filters.deduplicate = false;
    s.data.sources[0].name = "a";
    s.data.sources.push_back({.name = "b", .paths = {(path_ / "b.jsonl").string()}});
    CurriculumStage stage;
    stage.steps = 4;
    stage.sequence_length = 32;
    stage.batch_sequences = 4;
    stage.learning_rate = {RatePiece{.to = 1e-3}};
    s.curriculum = {stage, stage};
    s.checkpoint.every_steps = 4;
    s.validation.every_steps = 4;
    s.validation.sequences = 2;
    return s;
  }

  PreparedData prepare(const RunSpec& s, const fs::path& folder, bool keep = true) {
    told_.clear();
    PrepareOptions options;
    options.tokenizer_file = folder / "tokenizer.model";
    options.shards = folder / "shards";
    options.keep_built = keep;
    options.cache = cache_;
    options.tell = [this](const std::string& level, const std::string& text) {
      told_ += level + ": " + text + "\n";
    };
    return prepare_data(s, options);
  }
  std::string error_of(const RunSpec& s, const fs::path& folder, bool keep = true) {
    try {
      prepare(s, folder, keep);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }
  bool told(const std::string& text) const { return told_.find(text) != std::string::npos; }

  static RunState train(const RunFolder& folder, std::int64_t most_steps = 0) {
    SingleProcess ranks;
    TrainRunOptions options;
    options.most_steps = most_steps;
    return train_run(folder, ranks, options);
  }
  /// Tokens taken of a source after so many steps.
  static std::int64_t tokens(const RunFolder& folder, int steps, const std::string& source) {
    for (const CheckpointInfo& checkpoint : list_checkpoints(folder.path())) {
      if (checkpoint.step != steps) continue;
      const nlohmann::json state = Checkpoint(checkpoint.path).state();
      const auto& sources = state.at("data").at("sources");
      return sources.contains(source) ? sources.at(source).at("tokens").get<std::int64_t>() : 0;
    }
    ADD_FAILURE() << "no checkpoint after " << steps << " steps";
    return -1;
  }
  static std::vector<double> losses(const RunFolder& folder) {
    std::vector<double> all;
    for (const Event& event : read_events(folder.events_path())) {
      if (const auto* step = std::get_if<StepEvent>(&event.body)) all.push_back(step->loss);
    }
    return all;
  }

  fs::path path_, cache_;
  std::string told_;
};

TEST_F(Prepare, EachStageReadsItsOwnMixture) {
  RunSpec s = spec();
  s.curriculum[0].mixture = {{"a", 1}};
  s.curriculum[1].mixture = {{"b", 1}};
  const RunFolder whole = RunFolder::create(path_ / "runs", s);
  EXPECT_EQ(train(whole), RunState::Finished);
  const std::int64_t stage_tokens = 4 * 4 * 32;
  EXPECT_EQ(tokens(whole, 4, "a"), stage_tokens);
  EXPECT_EQ(tokens(whole, 4, "b"), 0);
  EXPECT_EQ(tokens(whole, 8, "a"), stage_tokens);
  EXPECT_EQ(tokens(whole, 8, "b"), stage_tokens);

  // Stopped in either stage and at the border, it goes on to the last bit.
  const RunFolder parts = RunFolder::create(path_ / "runs", s);
  for (const std::int64_t steps : {2, 2, 2, 2}) train(parts, steps);
  EXPECT_EQ(losses(parts), losses(whole));
  EXPECT_EQ(tokens(parts, 8, "b"), stage_tokens);

  // A fork may mix otherwise from its checkpoint on; what was read stays read.
  RunSpec other = s;
  other.curriculum[1].mixture = {{"a", 1}};
  other.data.shards = whole.shards_path().string();
  other.tokenizer.path = whole.tokenizer_path().string();
  const auto checkpoints = list_checkpoints(whole.path());
  const auto first = std::find_if(checkpoints.begin(), checkpoints.end(),
                                  [](const CheckpointInfo& c) { return c.step == 4; });
  ASSERT_NE(first, checkpoints.end());
  const RunFolder fork = RunFolder::create(
      path_ / "runs", other, Lineage{whole.id(), whole.path().string(), first->path.string(), 4});
  EXPECT_EQ(train(fork), RunState::Finished);
  EXPECT_EQ(tokens(fork, 8, "a"), 2 * stage_tokens);
  EXPECT_EQ(tokens(fork, 8, "b"), 0);
}

TEST_F(Prepare, AMixtureEqualToTheWeightsChangesNothing) {
  RunSpec s = spec();
  s.data.sources[0].weight = 3;
  const RunFolder plain = RunFolder::create(path_ / "runs", s);
  train(plain);
  s.data.shards = plain.shards_path().string();
  s.tokenizer.path = plain.tokenizer_path().string();
  s.curriculum[1].mixture = {{"a", 3}, {"b", 1}};
  const RunFolder same = RunFolder::create(path_ / "runs", s);
  train(same);
  EXPECT_EQ(losses(same), losses(plain));
}

TEST_F(Prepare, ValidationGoesByTheStage) {
  RunSpec s = spec();
  s.data.sources[0].weight = 3;
  s.curriculum[1].mixture = {{"b", 1}};
  const PreparedData data = prepare(s, path_ / "run");
  EXPECT_EQ(validation_mixture(s, *data.dataset, -1), (Mixture{{"a", 3}, {"b", 1}}));
  EXPECT_EQ(validation_mixture(s, *data.dataset, 3), (Mixture{{"a", 3}, {"b", 1}}));
  EXPECT_EQ(validation_mixture(s, *data.dataset, 4), (Mixture{{"a", 0}, {"b", 1}}));
  s.data.sources.clear();  // shards alone
  s.curriculum[1].mixture.clear();
  EXPECT_EQ(validation_mixture(s, *data.dataset, 4).size(), 2u);
}

TEST_F(Prepare, AStageWhoseSourceIsNotInTheShardsIsRefusedAtOnce) {
  RunSpec s = spec();
  s.data.sources[1].weight = 0;
  const PreparedData data = prepare(s, path_ / "run");
  EXPECT_EQ(data.dataset->sources().size(), 1u);  // weight 0: not read
  s.curriculum[1].mixture = {{"b", 1}};
  s.data.shards = (path_ / "run/shards").string();
  const std::string error = error_of(s, path_ / "other");
  EXPECT_NE(error.find("[curriculum[1].mixture] the shards in"), std::string::npos) << error;
  EXPECT_NE(error.find("no source 'b'"), std::string::npos) << error;
}

TEST_F(Prepare, ARunKeepsItsShardsWhateverBecomesOfTheText) {
  const RunSpec s = spec();
  const fs::path folder = path_ / "run";
  const std::string hash = prepare(s, folder).dataset->tokenizer_hash();
  prepare(s, folder);
  EXPECT_EQ(told_, "");  // what was told once is not told again
  std::ofstream(path_ / "a.jsonl", std::ios::app) << "{\"text\": \"more\"}\n";
  EXPECT_EQ(prepare(s, folder).dataset->tokenizer_hash(), hash);
  EXPECT_TRUE(told("warning: the text or its settings changed")) << told_;
  fs::remove(path_ / "a.jsonl");
  EXPECT_EQ(prepare(s, folder).dataset->tokenizer_hash(), hash);
  EXPECT_TRUE(told("warning: the text of the run cannot be found any more")) << told_;
  EXPECT_TRUE(told("a.jsonl")) << told_;
}

TEST_F(Prepare, WhatWasDroppedIsToldOnce) {
  {
    std::ofstream file(path_ / "b.jsonl");
    for (int i = 0; i < 30; ++i) file << "{\"body\": \"x\"}\n";
    for (int i = 0; i < 20; ++i) {
      file << "{\"text\": \"" << std::string(300, static_cast<char>('a' + i)) << " river\"}\n";
    }
  }
  RunSpec s = spec();
  s.data.filters.on = false;
  prepare(s, path_ / "run");
  const std::string text = "source 'b': 30 of 50 documents were dropped as no_text_field";
  EXPECT_TRUE(told("warning: " + text)) << told_;
  EXPECT_EQ(told_.find(text), told_.rfind(text));
}

/// The switch of the filters is one for all of them: where it is off, every document stays.
TEST_F(Prepare, WithTheFiltersOffEveryDocumentIsKept) {
  {
    std::ofstream file(path_ / "b.jsonl");
    for (int i = 0; i < 40; ++i) {
      file << "{\"text\": \"The river ran past the old mill, and nobody counted the boats that "
              "went by on that long and quiet day in the valley";
      if (i >= 20) file << ", number " << i / 2;  // nearly the same, and each of them twice
      file << ".\"}\n";
    }
  }
  RunSpec s = spec();
  s.data.filters.deduplicate = s.data.filters.deduplicate_near = true;
  prepare(s, path_ / "filtered");
  EXPECT_TRUE(told("source 'b': ")) << told_;
  s.data.filters.on = false;
  prepare(s, path_ / "run");
  EXPECT_FALSE(told("left out")) << told_;
  EXPECT_FALSE(told("dropped")) << told_;
}

TEST_F(Prepare, TheVocabularyReachedIsToldWhenSmaller) {
  RunSpec s = spec();
  s.tokenizer.vocab_size = s.model.vocab_size = 5000;
  prepare(s, path_ / "run");
  EXPECT_TRUE(told("warning: the vocabulary has ")) << told_;
  EXPECT_TRUE(told(" tokens, not 5000 (tokenizer.vocab_size)")) << told_;
}

/// A vocabulary that normalises shows a model another text than people wrote: that is told, and not
/// again whenever the run is resumed.
TEST_F(Prepare, WhatTheVocabularyChangesInTheTextIsToldOnce) {
  prepare(spec(), path_ / "first");
  EXPECT_FALSE(told("the vocabulary changes the text")) << told_;
  // Field 3 of the file, the normaliser: field 4 of it, extra spaces are removed.
  const fs::path file = path_ / "spaces.model";
  fs::copy_file(path_ / "first/tokenizer.model", file);
  std::ofstream(file, std::ios::app | std::ios::binary) << "\x1a\x02\x20\x01";

  RunSpec s = spec();
  s.tokenizer.path = file.string();
  prepare(s, path_ / "second");
  const std::string text =
      "note: the vocabulary changes the text before it encodes it: joins runs of spaces";
  EXPECT_TRUE(told(text)) << told_;
  EXPECT_EQ(told_.find(text), told_.rfind(text));
  fs::copy_file(file, path_ / "second/tokenizer.model");  // as a run keeps it
  prepare(s, path_ / "second");
  EXPECT_FALSE(told("the vocabulary changes the text")) << told_;
}

TEST_F(Prepare, TheSecondRunTakesItsDataFromTheCache) {
  cache_ = path_ / "cache";
  std::ofstream(path_ / "b.jsonl", std::ios::app) << "{\"body\": \"x\"}\n";
  RunSpec s = spec();
  const std::string hash = prepare(s, path_ / "one").dataset->tokenizer_hash();
  EXPECT_TRUE(told("info: training a vocabulary")) << told_;
  EXPECT_TRUE(told("info: building token shards")) << told_;
  s.run.seed = 7;  // changes nothing of the data
  s.data.sources[0].weight = 1;
  const PreparedData second = prepare(s, path_ / "two");
  EXPECT_EQ(second.dataset->tokenizer_hash(), hash);
  EXPECT_TRUE(told("note: vocabulary and shards from the cache")) << told_;
  EXPECT_FALSE(told("training a vocabulary")) << told_;
  EXPECT_FALSE(told("building token shards")) << told_;
  // What the text lacks is told to this run, too.
  EXPECT_TRUE(told("dropped as no_text_field")) << told_;
  // The run folder is whole without the cache.
  fs::remove_all(cache_);
  EXPECT_NO_THROW(data::Dataset::open(path_ / "two/shards", true));

  // Other weights make another sample for the vocabulary; the same vocabulary has other weights.
  cache_ = path_ / "cache2";
  prepare(s, path_ / "three");
  RunSpec fixed = s;
  fixed.tokenizer.path = (path_ / "three/tokenizer.model").string();
  fixed.data.sources[0].weight = 5;
  EXPECT_EQ(prepare(fixed, path_ / "four").dataset->source("a").weight, 5);
  EXPECT_TRUE(told("note: shards from the cache")) << told_;
}

TEST_F(Prepare, ChangedInputsAreNotTakenFromTheCache) {
  cache_ = path_ / "cache";
  const RunSpec s = spec();
  prepare(s, path_ / "one");
  const auto fresh = [&](const RunSpec& other, const std::string& name) {
    prepare(other, path_ / name);
    return !told("from the cache");
  };
  RunSpec other = s;
  other.data.held_out_fraction = 0.2;
  EXPECT_FALSE(fresh(other, "held"));  // the vocabulary is the same
  EXPECT_TRUE(told("note: vocabulary from the cache")) << told_;
  EXPECT_TRUE(told("building token shards")) << told_;
  other = s;
  other.data.filters.min_letters = 0.9;
  EXPECT_TRUE(fresh(other, "filters"));
  other = s;
  other.tokenizer.training_bytes = 100000;
  prepare(other, path_ / "less");
  EXPECT_TRUE(told("training a vocabulary")) << told_;
  // The same size, but written anew in the middle.
  std::fstream file(path_ / "a.jsonl", std::ios::in | std::ios::out);
  file.seekp(30000);
  file << "other";
  file.close();
  fs::last_write_time(path_ / "a.jsonl",
                      fs::file_time_type::clock::now() + std::chrono::seconds(5));
  EXPECT_TRUE(fresh(s, "edited"));
}

TEST_F(Prepare, StopIsHeardInEveryPhase) {
  for (const char* phase : {"reading", "vocabulary", "shards"}) {
    std::atomic<bool> stop = false;
    PrepareOptions options;
    const fs::path folder = path_ / phase;
    options.tokenizer_file = folder / "tokenizer.model";
    options.shards = folder / "shards";
    options.stop = &stop;
    bool seen = false;
    options.progress = [&](const PhaseProgress& progress) {
      if (progress.phase != phase) return;
      seen = true;
      stop = true;
    };
    try {
      prepare_data(spec(), options);
      // So small a text may be over between two looks; but each phase shows at least once.
      EXPECT_TRUE(seen) << phase;
    } catch (const Stopped&) {
      EXPECT_TRUE(seen) << phase;
    }
    EXPECT_TRUE(seen) << phase;
  }
}

TEST_F(Prepare, TextThatCannotBeReadIsNamedBeforeAVocabularyIsTrained) {
  std::ofstream(path_ / "a.jsonl") << "{\"body\": \"x\"}\n";
  fs::remove(path_ / "b.jsonl");
  std::ofstream(path_ / "b.jsonl") << "{\"content\": \"x\"}\n";
  const std::string error = error_of(spec(), path_ / "run");
  EXPECT_NE(error.find("0 bytes of text are left to train a vocabulary on"), std::string::npos)
      << error;
  EXPECT_NE(error.find("a.jsonl:1 (its fields are body)"), std::string::npos) << error;
}

/// Told at once, and not after a vocabulary was trained on the other source.
TEST_F(Prepare, ASourceWithoutFilesIsNamedBeforeAVocabularyIsTrained) {
  RunSpec s = spec();
  fs::create_directories(path_ / "empty");
  s.data.sources[1].paths = {(path_ / "empty").string()};
  const std::string error = error_of(s, path_ / "run");
  EXPECT_NE(error.find("source 'b' has no files"), std::string::npos) << error;
  EXPECT_FALSE(fs::exists(path_ / "run/tokenizer.model"));
}

TEST_F(Prepare, WeightsOfAnotherVocabularyAreRefused) {
  RunSpec s = spec();
  prepare(s, path_ / "first");
  {
    std::ofstream file(path_ / "a.jsonl");
    for (int i = 0; i < 200; ++i)
      file << "{\"text\": \"quite other words make quite another vocabulary, number " << i * i
           << ", as the reader sees at once when both are laid side by side\"}\n";
  }
  s.data.filters.on = false;
  s.checkpoint.start_from = (path_ / "first").string();
  const std::string error = error_of(s, path_ / "second");
  EXPECT_NE(error.find("[checkpoint.start_from] the weights are of the vocabulary"),
            std::string::npos)
      << error;
  EXPECT_NE(error.find("first/tokenizer.model"), std::string::npos) << error;
  s.tokenizer.path = (path_ / "first/tokenizer.model").string();
  EXPECT_EQ(error_of(s, path_ / "third"), "no error");
}

}  // namespace
}  // namespace tessera
