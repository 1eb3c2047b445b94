// SPDX-License-Identifier: MIT
// A stop is heard wherever it comes: inside a micro-batch, while weights are made or read, while a
// checkpoint is read or written. What is saved is the state after the last whole step.
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <thread>

#include "core/checkpoint/checkpoint.h"
#include "core/data/dataset.h"
#include "core/train/trainer.h"
#include "tests/train/workspace.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using tiny_run::losses, tiny_run::Workspace;

class FieldStop : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    workspace_ = new Workspace;
    workspace_->build();
  }
  static void TearDownTestSuite() { delete workspace_; }

  /// Two stages of different mixtures of lengths, each step one micro-batch.
  static RunSpec spec() {
    RunSpec s = workspace_->spec();
    s.parallel.micro_batch_sequences = 8;
    s.curriculum[0].steps = 3;
    CurriculumStage longer = s.curriculum[0];
    longer.name = "long";
    longer.sequence_length = 64;
    longer.yarn_factor = 2;
    longer.yarn_original_length = 32;
    s.curriculum.push_back(longer);
    for (CurriculumStage& stage : s.curriculum) {
      stage.learning_rate = {{.kind = RateKind::Constant, .to = 1e-3}};
    }
    return s;
  }

  struct Training {
    explicit Training(const RunSpec& s, const std::atomic<bool>* stop = nullptr)
        : dataset(data::Dataset::open(s.data.shards)),
          tokenizer(Tokenizer::load(s.tokenizer.path)),
          trainer(s, pretraining_source(s, dataset, tokenizer->specials(), ranks),
                  tokenizer->specials(), ranks, stop) {}
    SingleProcess ranks;
    std::shared_ptr<const data::Dataset> dataset;
    std::shared_ptr<const Tokenizer> tokenizer;
    Trainer trainer;
  };

  /// All that a checkpoint would hold, as bytes.
  static std::string bytes_of(const Trainer& trainer) {
    const CheckpointContents contents = trainer.contents();
    std::string bytes = contents.state.dump() + hf_config_json(contents.config).dump();
    for (const auto* tensors : {&contents.weights, &contents.optimiser}) {
      for (const NamedTensor& tensor : *tensors) {
        bytes += tensor.name;
        if (tensor.data.is_contiguous()) {
          bytes.append(static_cast<const char*>(tensor.data.raw()), tensor.data.bytes());
        }
      }
    }
    return bytes;
  }

  static Workspace* workspace_;
};
Workspace* FieldStop::workspace_ = nullptr;

// ---- Steps --------------------------------------------------------------------------------------

/// Every step is one micro-batch: what is given up is given up inside of it.
TEST_F(FieldStop, AStepIsGivenUpInTheMiddleOfAMicroBatch) {
  Training plain(spec()), stopped(spec());
  const std::atomic<bool> stop{true};
  while (!plain.trainer.finished()) {
    const std::string before = bytes_of(stopped.trainer);
    EXPECT_FALSE(stopped.trainer.step_unless(&stop, milliseconds(0)));
    EXPECT_TRUE(bytes_of(stopped.trainer) == before) << "step " << plain.trainer.next_step();
    const StepReport whole = plain.trainer.step(), again = stopped.trainer.step();
    EXPECT_EQ(again.loss, whole.loss);
    EXPECT_EQ(again.optimiser.grad_norm, whole.optimiser.grad_norm);
  }
  EXPECT_TRUE(bytes_of(stopped.trainer) == bytes_of(plain.trainer));
}

/// The stop comes at some moment of forward or backward, another one each time.
TEST_F(FieldStop, WhereverInAStepItComesNothingIsLeftOfTheStep) {
  Training t(spec());
  t.trainer.step();
  const std::string before = bytes_of(t.trainer);
  int given_up = 0;
  for (int round = 0; round < 40 && t.trainer.next_step() == 1; ++round) {
    std::atomic<bool> stop{false};
    std::thread other([&] {
      std::this_thread::sleep_for(std::chrono::microseconds(50 * round));
      stop = true;
    });
    const bool done = t.trainer.step_unless(&stop, milliseconds(0)).has_value();
    other.join();
    if (done) break;  // it came too late for this step
    ++given_up;
    ASSERT_TRUE(bytes_of(t.trainer) == before) << "round " << round;
  }
  EXPECT_GT(given_up, 0);
  Training plain(spec());
  while (plain.trainer.next_step() < t.trainer.next_step()) plain.trainer.step();
  EXPECT_TRUE(bytes_of(t.trainer) == bytes_of(plain.trainer));
}

TEST_F(FieldStop, AStepThatEndsWithinThePatienceIsKept) {
  Training t(spec());
  const std::atomic<bool> stop{true};
  EXPECT_TRUE(t.trainer.step_unless(&stop, std::chrono::hours(1)));
  EXPECT_EQ(t.trainer.next_step(), 1);
}

TEST_F(FieldStop, AValidationIsGivenUpInsideOfItsMicroBatch) {
  Training t(spec());
  t.trainer.step();
  const std::string before = bytes_of(t.trainer);
  const std::atomic<bool> stop{true};
  EXPECT_THROW(t.trainer.validate("words", 4, &stop), Stopped);
  EXPECT_TRUE(bytes_of(t.trainer) == before);
}

/// A run that was stopped in the middle of a step saves the one before, and goes on as if nothing
/// had been.
TEST_F(FieldStop, ARunThatIsStoppedInAStepGoesOnBitForBit) {
  const RunFolder whole = workspace_->run(spec()), folder = workspace_->run(spec());
  EXPECT_EQ(Workspace::train(whole), RunState::Finished);
  RunState state = RunState::Stopped;
  for (int round = 0; state != RunState::Finished && round < 50; ++round) {
    std::atomic<bool> stop{false};
    SingleProcess ranks;
    TrainRunOptions options;
    options.stop = &stop;
    options.patience = milliseconds(0);
    std::thread other;
    options.on_event = [&](const EventBody& body) {
      if (!std::holds_alternative<StepEvent>(body) || other.joinable() || round > 5) return;
      other = std::thread([&] {
        std::this_thread::sleep_for(std::chrono::microseconds(700 * round));
        stop = true;
      });
    };
    state = train_run(folder, ranks, options);
    if (other.joinable()) other.join();
  }
  EXPECT_EQ(state, RunState::Finished);
  EXPECT_EQ(losses(folder), losses(whole));
}

// ---- Weights and checkpoints --------------------------------------------------------------------

TEST_F(FieldStop, IsHeardWhileWeightsAreMadeOrRead) {
  const std::atomic<bool> stop{true};
  EXPECT_THROW(Training(spec(), &stop), Stopped);

  const RunFolder folder = workspace_->run(spec());
  Workspace::train(folder, 1);
  RunSpec from = spec();
  from.checkpoint.start_from = find_latest_checkpoint(folder.path())->path.string();
  EXPECT_THROW(Training(from, &stop), Stopped);
}

TEST_F(FieldStop, IsHeardWhileACheckpointIsRead) {
  const RunFolder folder = workspace_->run(spec());
  Workspace::train(folder, 1);
  const fs::path path = find_latest_checkpoint(folder.path())->path;
  const std::atomic<bool> stop{true};
  EXPECT_THROW(Checkpoint(path, Verify::Hashes, &stop), Stopped);
  const Checkpoint checkpoint(path);
  Training t(spec());
  EXPECT_THROW(t.trainer.restore(checkpoint, false, &stop), Stopped);
  t.trainer.restore(checkpoint);  // and nothing of that is in the way later
  EXPECT_EQ(t.trainer.next_step(), 1);
}

/// What a run does that is asked for something while it writes the checkpoint after step 3.
struct AskedWhileSaving {
  RunFolder folder;
  RunState state = RunState::Failed;
  std::set<std::string> notes;

  AskedWhileSaving(const Workspace& workspace, RunSpec s, Control request)
      : folder(workspace.run((s.checkpoint.every_steps = 2, s))) {
    SingleProcess ranks;
    TrainRunOptions options;
    int saves = 0;
    options.on_event = [&](const EventBody& body) {
      if (const auto* said = std::get_if<MessageEvent>(&body)) notes.insert(said->text);
      const auto* now = std::get_if<StateEvent>(&body);
      if (now && now->state == RunState::Saving && ++saves == 2) request_control(folder, request);
    };
    state = train_run(folder, ranks, options);
  }
};

TEST_F(FieldStop, AStopWhileACheckpointIsWrittenEndsWithThatOne) {
  const AskedWhileSaving run(*workspace_, spec(), Control::StopSaving);
  EXPECT_EQ(run.state, RunState::Stopped);
  EXPECT_EQ(run.notes.count("asked to stop: the run ends as soon as the checkpoint after step 3 is "
                            "written"),
            1u);
  EXPECT_EQ(find_latest_checkpoint(run.folder.path(), Verify::Hashes)->step, 4);
  EXPECT_EQ(losses(run.folder).size(), 4u);
  EXPECT_EQ(status_of(run.folder).reason, "stopped on request, saved");
}

TEST_F(FieldStop, AStopWithoutSavingGivesUpTheCheckpointThatIsWritten) {
  const AskedWhileSaving run(*workspace_, spec(), Control::StopNow);
  EXPECT_EQ(run.state, RunState::Stopped);
  EXPECT_EQ(find_latest_checkpoint(run.folder.path(), Verify::Hashes)->step, 2);
  EXPECT_EQ(std::distance(fs::directory_iterator(run.folder.checkpoints_path()),
                          fs::directory_iterator()),
            1)
      << "nothing half written is left";
  EXPECT_EQ(status_of(run.folder).reason, "stopped on request, not saved");
  EXPECT_EQ(Workspace::train(run.folder), RunState::Finished);
}

TEST_F(FieldStop, APauseThatIsAskedForWhileSavingIsStillAPause) {
  RunSpec s = spec();
  s.checkpoint.every_steps = 2;
  const RunFolder folder = workspace_->run(s);
  SingleProcess ranks;
  TrainRunOptions options;
  int saves = 0;
  bool paused = false;
  options.on_event = [&](const EventBody& body) {
    const auto* now = std::get_if<StateEvent>(&body);
    if (!now) return;
    if (now->state == RunState::Saving && ++saves == 1) request_control(folder, Control::Pause);
    if (now->state == RunState::Paused) {
      paused = true;
      request_control(folder, Control::Resume);
    }
  };
  EXPECT_EQ(train_run(folder, ranks, options), RunState::Finished);
  EXPECT_TRUE(paused);
}

// ---- Ends of a sample ---------------------------------------------------------------------------

/// The weights that a run begins with say in generation_config.json where their answers end: there
/// its samples end too, and its checkpoints say so.
TEST_F(FieldStop, SamplesEndAtEveryEndOfTheWeightsThatARunBeganWith) {
  const RunFolder first = workspace_->run(spec());
  Workspace::train(first, 1);
  const fs::path released = workspace_->path / "released";
  convert_folder(find_latest_checkpoint(first.path())->path, released, {.dtype = DType::F32});

  RunSpec s = spec();
  s.checkpoint.start_from = released.string();
  s.samples = {.every_steps = 1, .prompts = {"the river"}, .tokens = 5, .temperature = 0};
  const auto samples = [&](const RunFolder& folder) {
    Workspace::train(folder, 1);
    std::vector<std::string> texts;
    for (const Event& event : read_events(folder.events_path())) {
      if (const auto* sample = std::get_if<SampleEvent>(&event.body)) texts.push_back(sample->text);
    }
    return texts;
  };
  const std::vector<std::string> before = samples(workspace_->run(s));
  ASSERT_EQ(before.size(), 1u);
  EXPECT_FALSE(before[0].empty());

  nlohmann::json all = nlohmann::json::array();
  for (int id = 0; id < 512; ++id) all.push_back(id);
  std::ofstream(released / "generation_config.json")
      << nlohmann::json{{"eos_token_id", all}}.dump();
  const RunFolder folder = workspace_->run(s);
  EXPECT_EQ(samples(folder), std::vector<std::string>{""});
  EXPECT_EQ(samples(folder), (std::vector<std::string>{"", ""})) << "also after a resume";
  EXPECT_EQ(read_hf_config(find_latest_checkpoint(folder.path())->path).eos_token_ids.size(), 512u);
}

}  // namespace
}  // namespace tessera
