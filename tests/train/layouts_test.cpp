// SPDX-License-Identifier: MIT
// Runs on pipelines, replicas and both: checkpoints that any layout writes and any other reads, and
// all that a run does around its steps.
#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "core/base/error.h"
#include "core/train/fork.h"
#include "core/train/trainer.h"
#include "tests/train/rank_runs.h"
#include "tests/train/workspace.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;
using tiny_run::losses, tiny_run::on_ranks, tiny_run::train_on_ranks, tiny_run::Workspace;

struct Place {
  const char* name;
  std::int64_t pipeline = 1, data = 1;
  int ranks() const { return static_cast<int>(pipeline * data); }
};
constexpr Place kOne{"one", 1, 1};
constexpr std::array<Place, 5> kPlaces{
    {kOne, {"DP2", 1, 2}, {"PP2", 2, 1}, {"PP4", 4, 1}, {"PP2xDP2", 2, 2}}};

std::string bytes_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class Layouts : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    workspace_ = new Workspace;
    workspace_->build();
  }
  static void TearDownTestSuite() { delete workspace_; }

  static RunSpec spec(const Place& place) {
    RunSpec s = workspace_->spec();
    s.model.num_hidden_layers = 4;
    s.curriculum[0].steps = 20;
    s.curriculum[0].learning_rate = {{.kind = RateKind::Warmup, .steps = 10, .to = 3e-3},
                                     {.kind = RateKind::Cosine, .steps = 10, .to = 3e-4}};
    s.parallel.pipeline = place.pipeline;
    s.parallel.micro_batch_sequences = 2;
    s.checkpoint.keep = 0;
    return s;
  }
  static RunFolder run(const RunSpec& s) { return workspace_->run(s); }

  /// Trains some steps and saves.
  static void train(const Place& place, const RunFolder& folder, std::int64_t steps) {
    TrainRunOptions options;
    options.most_steps = steps;
    EXPECT_EQ(train_on_ranks(place.ranks(), folder, options), RunState::Stopped) << place.name;
  }
  static fs::path newest(const RunFolder& folder) {
    return find_latest_checkpoint(folder.path(), Verify::Hashes)->path;
  }
  /// The run goes on under another layout.
  static RunFolder fork(const RunFolder& parent, const RunSpec& s) {
    return fork_run(parent, *find_latest_checkpoint(parent.path()), s, workspace_->path / "runs");
  }

  /// Reads a checkpoint under one layout and writes what was read, as ranks of that layout do.
  static fs::path written_by(const Place& place, const RunSpec& s, const fs::path& checkpoint) {
    static int count = 0;
    const fs::path to = workspace_->path / ("again-" + std::to_string(count++));
    fs::create_directories(to);
    fs::path path;
    const auto errors = on_ranks(place.ranks(), [&](Communicator& ranks) {
      const auto dataset = data::Dataset::open(s.data.shards);
      const SpecialTokens specials = Tokenizer::load(s.tokenizer.path)->specials();
      Trainer trainer(s, pretraining_source(s, dataset, specials, ranks), specials, ranks);
      trainer.restore(Checkpoint(checkpoint));
      CheckpointContents contents = trainer.contents();
      share_out(contents, ranks);
      const SavedCheckpoint saved = save_checkpoint(to, contents, {}, &ranks);
      if (ranks.rank() == 0) path = saved.path;
    });
    for (const std::string& error : errors) EXPECT_EQ(error, "") << place.name;
    return path;
  }

  static Workspace* workspace_;
};
Workspace* Layouts::workspace_ = nullptr;

/// A checkpoint goes from one rank over two other layouts and back: every weight, bias and moment
/// has its bits, and so have the position in the data and the count of steps.
TEST_F(Layouts, AnyReadsToTheLastBitWhatAnyOtherWrote) {
  for (const bool tied : {false, true}) {
    const auto of = [&](const Place& place) {
      RunSpec s = spec(place);
      s.model.tie_word_embeddings = tied;
      return s;
    };
    const RunFolder folder = run(of(kOne));
    train(kOne, folder, 4);
    const fs::path first = written_by(kOne, of(kOne), newest(folder));
    for (const Place& a : kPlaces) {
      const fs::path by_a = written_by(a, of(a), first);
      EXPECT_EQ(fs::exists(by_a / "model.safetensors"), a.ranks() == 1) << a.name;
      for (const Place& b : kPlaces) {
        const fs::path back = written_by(kOne, of(kOne), written_by(b, of(b), by_a));
        for (const char* file : {"model.safetensors", "optimiser.safetensors", "state.json",
                                 "config.json", "manifest.json"}) {
          EXPECT_EQ(bytes_of(back / file), bytes_of(first / file))
              << a.name << " to " << b.name << ": " << file;
        }
      }
    }
  }
}

/// One run over all layouts, and each layout alone, against one rank from beginning to end.
TEST_F(Layouts, GoOnFromOneAnother) {
  const RunFolder one = run(spec(kOne));
  EXPECT_EQ(train_on_ranks(1, one), RunState::Finished);
  const auto expected = losses(one);
  const auto expect_alike = [&](const RunFolder& folder, const std::string& name) {
    const auto got = losses(folder);
    for (const auto& [step, loss] : got) {
      EXPECT_NEAR(loss, expected.at(step), 1e-5 * loss) << name << " step " << step;
    }
  };
  RunFolder folder = run(spec(kPlaces[2]));
  std::string way = kPlaces[2].name;
  train(kPlaces[2], folder, 3);
  expect_alike(folder, way);
  for (const int next : {1, 3, 0, 4, 2}) {
    const Place& place = kPlaces[static_cast<std::size_t>(next)];
    way += std::string(" ") + place.name;
    folder = fork(folder, spec(place));
    train(place, folder, 3);
    EXPECT_EQ(losses(folder).size(), 3u) << way;
    expect_alike(folder, way);
  }
}

/// A checkpoint of a pipeline is a model for whoever knows nothing of ranks.
TEST_F(Layouts, ACheckpointOfAPipelineStartsOtherRuns) {
  const Place& pp4 = kPlaces[3];
  const RunFolder parts = run(spec(pp4));
  train(pp4, parts, 3);
  const fs::path weights = newest(parts);
  std::map<std::string, double> first_losses;
  for (const Place& place : kPlaces) {
    RunSpec s = spec(place);
    s.checkpoint.start_from = weights.string();
    const RunFolder folder = run(s);
    train(place, folder, 1);
    first_losses[place.name] = losses(folder).at(0);
  }
  EXPECT_LT(first_losses.at("one"), 6.2);  // 512 tokens at random: 6.24
  for (const auto& [name, loss] : first_losses) {
    EXPECT_NEAR(loss, first_losses.at("one"), 1e-5 * loss) << name;
  }
}

std::vector<std::string> samples_of(const RunFolder& folder) {
  std::vector<std::string> texts;
  for (const Event& event : read_events(folder.events_path())) {
    if (const auto* sample = std::get_if<SampleEvent>(&event.body)) texts.push_back(sample->text);
  }
  return texts;
}

template <class Kind>
std::vector<Kind> events_of(const RunFolder& folder) {
  std::vector<Kind> all;
  for (const Event& event : read_events(folder.events_path())) {
    if (const auto* one = std::get_if<Kind>(&event.body)) all.push_back(*one);
  }
  return all;
}

/// Samples, validation and what is due, on every layout as on one rank.
TEST_F(Layouts, SampleAndValidateAsOneRankDoes) {
  const auto with_samples = [](const Place& place) {
    RunSpec s = spec(place);
    s.curriculum[0].steps = 4;
    s.curriculum[0].learning_rate = {{.kind = RateKind::Constant, .to = 1e-3}};
    s.samples.every_steps = 2;
    s.samples.tokens = 12;
    s.samples.prompts = {"the river", "a"};
    s.validation.every_steps = 2;
    s.validation.sequences = 6;
    s.checkpoint.every_steps = 2;
    return s;
  };
  const RunFolder one = run(with_samples(kOne));
  EXPECT_EQ(train_on_ranks(1, one), RunState::Finished);
  ASSERT_EQ(samples_of(one).size(), 4u);
  for (const Place& place : kPlaces) {
    const RunFolder many = run(with_samples(place));
    EXPECT_EQ(train_on_ranks(place.ranks(), many), RunState::Finished);
    EXPECT_EQ(samples_of(many), samples_of(one)) << place.name;
    const auto a = events_of<ValidationEvent>(many), b = events_of<ValidationEvent>(one);
    ASSERT_EQ(a.size(), 3u) << place.name;
    for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i].loss, b[i].loss, 1e-5 * b[i].loss);
    const auto saved = events_of<CheckpointEvent>(many);
    ASSERT_EQ(saved.size(), 2u) << place.name;
    std::uintmax_t bytes = 0;
    for (const auto& file : fs::directory_iterator(newest(many))) bytes += file.file_size();
    EXPECT_EQ(saved.back().bytes, static_cast<std::int64_t>(bytes)) << place.name;
  }
}

/// Somebody asks a pipeline to stop in its middle, and it goes on with the losses it would have
/// had, to the last bit.
TEST_F(Layouts, APipelineStopsAndGoesOnToTheLastBit) {
  const Place& place = kPlaces[4];
  const RunFolder whole = run(spec(place));
  EXPECT_EQ(train_on_ranks(place.ranks(), whole), RunState::Finished);
  const RunFolder parts = run(spec(place));
  std::atomic<bool> stop = false;
  TrainRunOptions options;
  options.stop = &stop;
  options.on_event = [&](const EventBody& body) {
    if (const auto* step = std::get_if<StepEvent>(&body); step && step->step == 5) stop = true;
  };
  EXPECT_EQ(train_on_ranks(place.ranks(), parts, options), RunState::Stopped);
  EXPECT_EQ(status_of(parts).reason, "stopped on request, saved");
  EXPECT_EQ(train_on_ranks(place.ranks(), parts), RunState::Finished);
  EXPECT_EQ(losses(parts), losses(whole));
}

/// Steps that are not finite lead a pipeline back to its checkpoint, on all ranks.
TEST_F(Layouts, APipelineGoesBackTogether) {
  RunSpec s = spec(kPlaces[2]);
  s.curriculum[0].steps = 60;
  s.curriculum[0].learning_rate = {{.kind = RateKind::Constant, .to = 10}};
  s.optimiser.weight_decay = 1;
  s.checkpoint.every_steps = 1;
  s.checkpoint.keep = 2;
  s.stability = {.spike_window = 0, .rollback = true, .skip_steps = 1, .max_rollbacks = 2};
  const RunFolder folder = run(s);
  const auto errors =
      on_ranks(2, [&](Communicator& ranks) { train_run(folder, ranks, TrainRunOptions{}); });
  EXPECT_NE(errors[0].find("also after 2 rollbacks"), std::string::npos) << errors[0];
  EXPECT_NE(errors[1], "");
  EXPECT_GE(events_of<RollbackEvent>(folder).size(), 2u);
  EXPECT_EQ(status_of(folder).state, RunState::Failed);
}

TEST_F(Layouts, RefuseRanksThatStagesDoNotDivide) {
  const RunFolder folder = run(spec(kPlaces[2]));
  const auto errors =
      on_ranks(1, [&](Communicator& ranks) { train_run(folder, ranks, TrainRunOptions{}); });
  EXPECT_NE(errors[0].find("a pipeline of 2 ranks does not divide 1 ranks"), std::string::npos)
      << errors[0];
}

}  // namespace
}  // namespace tessera
