// SPDX-License-Identifier: MIT
// What goes wrong in long runs: stops at any moment, repairs without end, numbers that are none,
// and looking that changes what is looked at.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "core/base/error.h"
#include "core/base/threads.h"
#include "core/checkpoint/checkpoint.h"
#include "tests/train/workspace.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;
using tiny_run::losses, tiny_run::Workspace;

template <class Kind>
std::vector<Kind> events_of(const RunFolder& folder) {
  std::vector<Kind> found;
  for (const Event& event : read_events(folder.events_path())) {
    if (const auto* body = std::get_if<Kind>(&event.body)) found.push_back(*body);
  }
  return found;
}

std::vector<std::string> messages(const RunFolder& folder, const std::string& level) {
  std::vector<std::string> texts;
  for (const MessageEvent& event : events_of<MessageEvent>(folder)) {
    if (event.level == level) texts.push_back(event.text);
  }
  return texts;
}

class FieldRuns : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    workspace_ = new Workspace;
    workspace_->build();
  }
  static void TearDownTestSuite() { delete workspace_; }
  static RunState train_until(const RunFolder& folder,
                              const std::function<bool(const EventBody&)>& stops) {
    std::atomic<bool> stop{false};
    SingleProcess ranks;
    TrainRunOptions options;
    options.stop = &stop;
    options.on_event = [&](const EventBody& body) {
      if (stops(body)) stop = true;
    };
    return train_run(folder, ranks, options);
  }
  static Workspace* workspace_;
};
Workspace* FieldRuns::workspace_ = nullptr;

bool is_state(const EventBody& body, RunState wanted) {
  const auto* state = std::get_if<StateEvent>(&body);
  return state && state->state == wanted;
}

// ---- Stops --------------------------------------------------------------------------------------

TEST_F(FieldRuns, StoppedBeforeItsFirstStepItIsStoppedAndGoesOn) {
  for (const RunState when : {RunState::Checking, RunState::Starting}) {
    const RunFolder folder = workspace_->run(workspace_->spec());
    EXPECT_EQ(train_until(folder, [&](const EventBody& body) { return is_state(body, when); }),
              RunState::Stopped);
    const RunStatus status = status_of(folder);
    EXPECT_EQ(status.state, RunState::Stopped);
    EXPECT_EQ(status.reason, "stopped on request before its first step");
    EXPECT_TRUE(status.can_resume);
    EXPECT_EQ(Workspace::train(folder), RunState::Finished);
  }
}

TEST_F(FieldRuns, ARequestInTheFolderIsHeardBeforeTheFirstStep) {
  const RunFolder folder = workspace_->run(workspace_->spec());
  SingleProcess ranks;
  TrainRunOptions options;
  options.on_event = [&](const EventBody& body) {
    if (is_state(body, RunState::Checking)) request_control(folder, Control::StopSaving);
  };
  EXPECT_EQ(train_run(folder, ranks, options), RunState::Stopped);
  EXPECT_TRUE(losses(folder).empty());
}

TEST_F(FieldRuns, StoppedWhileItWasResumedItKeepsItsCheckpoint) {
  const RunFolder whole = workspace_->run(workspace_->spec());
  Workspace::train(whole);
  const RunFolder folder = workspace_->run(workspace_->spec());
  Workspace::train(folder, 5);
  const auto at_start = [](const EventBody& b) { return is_state(b, RunState::Starting); };
  EXPECT_EQ(train_until(folder, at_start), RunState::Stopped);
  EXPECT_EQ(find_latest_checkpoint(folder.path())->step, 5);
  EXPECT_EQ(Workspace::train(folder), RunState::Finished);
  EXPECT_EQ(losses(folder), losses(whole));
}

TEST_F(FieldRuns, StopsWhilePaused) {
  const RunFolder folder = workspace_->run(workspace_->spec());
  bool asked = false;
  EXPECT_EQ(train_until(folder,
                        [&](const EventBody& body) {
                          const auto* step = std::get_if<StepEvent>(&body);
                          if (step && step->step == 2 && !std::exchange(asked, true)) {
                            request_control(folder, Control::Pause);
                          }
                          return is_state(body, RunState::Paused);
                        }),
            RunState::Stopped);
  EXPECT_EQ(find_latest_checkpoint(folder.path())->step, 3);
}

TEST_F(FieldRuns, StopsInTheMiddleOfAValidationAndTellsNoHalfOfIt) {
  RunSpec s = workspace_->spec();
  s.validation.every_steps = 4;
  const RunFolder folder = workspace_->run(s);
  EXPECT_EQ(train_until(folder,
                        [](const EventBody& body) {
                          const auto* step = std::get_if<StepEvent>(&body);
                          return step && step->step == 3;
                        }),
            RunState::Stopped);
  for (const ValidationEvent& event : events_of<ValidationEvent>(folder)) EXPECT_EQ(event.step, -1);
  EXPECT_EQ(find_latest_checkpoint(folder.path())->step, 4);
}

TEST_F(FieldRuns, TellsThePhasesBeforeItsFirstStep) {
  RunSpec s = workspace_->spec();
  s.data.shards.clear();
  s.tokenizer.path.clear();
  const RunFolder folder = workspace_->run(s);
  Workspace::train(folder, 1);
  std::set<std::string> phases;
  for (const PhaseEvent& event : events_of<PhaseEvent>(folder)) {
    phases.insert(event.phase);
    EXPECT_LE(event.done, event.total);
  }
  EXPECT_TRUE(phases.contains("shards"));
  EXPECT_TRUE(phases.contains("model"));
  EXPECT_FALSE(status_of(folder).phase);
}

// ---- Repairs ------------------------------------------------------------------------------------

/// A run whose loss jumps at the same step however often it goes back.
RunSpec spiking(RunSpec s) {
  s.curriculum[0].steps = 60;
  s.curriculum[0].learning_rate = {{.kind = RateKind::Constant, .steps = 9, .to = 1e-3},
                                   {.kind = RateKind::Constant, .steps = 1, .to = 3.0},
                                   {.kind = RateKind::Constant, .to = 1e-4}};
  s.optimiser.clip = 0;
  s.checkpoint.every_steps = 8;
  s.stability = {
      .spike_window = 6, .spike_factor = 6, .rollback = true, .skip_steps = 1, .max_rollbacks = 2};
  return s;
}

TEST_F(FieldRuns, RollsBackOnlySoOftenToOneCheckpoint) {
  const RunFolder folder = workspace_->run(spiking(workspace_->spec()));
  try {
    Workspace::train(folder);
    ADD_FAILURE() << "the run got past its spike";
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("after 2 rollbacks to checkpoints/step-8"), std::string::npos) << text;
    EXPECT_NE(text.find("tessera resume --fork"), std::string::npos) << text;
  }
  const auto rollbacks = events_of<RollbackEvent>(folder);
  ASSERT_EQ(rollbacks.size(), 2u);
  EXPECT_EQ(rollbacks[1].number, 2);
  EXPECT_EQ(rollbacks[1].most, 2);
  EXPECT_EQ(rollbacks[1].checkpoint, "checkpoints/step-8");
  EXPECT_NE(rollbacks[1].reason.find("the loss of step"), std::string::npos);
  const RunStatus status = status_of(folder);
  EXPECT_EQ(status.state, RunState::Failed);
  EXPECT_TRUE(status.can_resume);
  EXPECT_EQ(find_latest_checkpoint(folder.path())->step, 8);
}

/// Weights grow by a factor of nine each step until they are past what a float can hold.
RunSpec exploding(RunSpec s) {
  s.curriculum[0].learning_rate = {{.kind = RateKind::Constant, .to = 10}};
  s.optimiser.weight_decay = 1;
  s.curriculum[0].steps = 60;
  s.checkpoint.every_steps = 1;
  s.checkpoint.keep = 2;
  return s;
}

void expect_finite_checkpoints(const RunFolder& folder) {
  const auto all = list_checkpoints(folder.path(), Verify::Hashes);
  EXPECT_FALSE(all.empty());
  for (const CheckpointInfo& info : all) {
    ASSERT_EQ(info.damage, "");
    const Checkpoint checkpoint(info.path);
    for (const std::string& name : checkpoint.weights().names()) {
      const Tensor tensor = checkpoint.weights().at(name).view();
      if (tensor.dtype() != DType::F32) continue;
      for (std::int64_t i = 0; i < tensor.numel(); ++i) {
        ASSERT_TRUE(std::isfinite(tensor.data<float>()[i])) << info.path << " " << name;
      }
    }
  }
}

TEST_F(FieldRuns, NeverSavesWeightsThatAreNoNumbers) {
  const RunFolder folder = workspace_->run(exploding(workspace_->spec()));
  try {
    Workspace::train(folder);
    ADD_FAILURE() << "the weights stayed finite";
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("step"), std::string::npos) << text;
    EXPECT_NE(text.find("stability.rollback=true"), std::string::npos) << text;
  }
  expect_finite_checkpoints(folder);
}

TEST_F(FieldRuns, AStepThatIsNotFiniteRollsBackAndEndsToo) {
  RunSpec s = exploding(workspace_->spec());
  s.stability = {.spike_window = 0, .rollback = true, .skip_steps = 1, .max_rollbacks = 3};
  const RunFolder folder = workspace_->run(s);
  EXPECT_THROW(Workspace::train(folder), Error);
  EXPECT_GE(events_of<RollbackEvent>(folder).size(), 3u);
  EXPECT_EQ(status_of(folder).state, RunState::Failed);
  expect_finite_checkpoints(folder);
}

TEST_F(FieldRuns, NotFiniteBeforeTheFirstCheckpointSaysThatNothingWasSaved) {
  RunSpec s = exploding(workspace_->spec());
  s.checkpoint.every_steps = 1000;
  s.stability.rollback = true;
  const RunFolder folder = workspace_->run(s);
  try {
    Workspace::train(folder);
    ADD_FAILURE() << "trained on";
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("step"), std::string::npos) << text;
    EXPECT_NE(text.find("nothing was saved"), std::string::npos) << text;
  }
  EXPECT_TRUE(list_checkpoints(folder.path()).empty());
}

// ---- Looking ------------------------------------------------------------------------------------

/// Two stages of which the second has another length and another YaRN.
RunSpec two_stages(RunSpec s) {
  s.curriculum[0].steps = 6;
  CurriculumStage longer = s.curriculum[0];
  longer.name = "long";
  longer.sequence_length = 64;
  longer.batch_sequences = 4;
  longer.yarn_factor = 2;
  longer.yarn_original_length = 32;
  longer.learning_rate = {{.kind = RateKind::Constant, .to = 1e-3}};
  s.curriculum.push_back(longer);
  s.checkpoint.every_steps = 6;
  s.checkpoint.keep = 0;
  return s;
}

nlohmann::json config_of(const RunFolder& folder, const std::string& checkpoint) {
  std::ifstream file(folder.checkpoints_path() / checkpoint / "config.json");
  return nlohmann::json::parse(file);
}

TEST_F(FieldRuns, ValidationAtABorderOfStagesLeavesTheCheckpointAsItWas) {
  RunSpec plain = two_stages(workspace_->spec()), looked_at = plain;
  looked_at.validation.every_steps = 1;
  looked_at.samples = {.every_steps = 1, .prompts = {"the river"}, .tokens = 3, .temperature = 0};
  const RunFolder a = workspace_->run(plain), b = workspace_->run(looked_at);
  EXPECT_EQ(Workspace::train(a), RunState::Finished);
  EXPECT_EQ(Workspace::train(b), RunState::Finished);
  EXPECT_EQ(losses(a), losses(b));
  EXPECT_EQ(config_of(a, "step-6"), config_of(b, "step-6"));
  EXPECT_EQ(config_of(a, "step-12"), config_of(b, "step-12"));
  EXPECT_NE(config_of(a, "step-6"), config_of(a, "step-12"));
  EXPECT_TRUE(config_of(a, "step-6").at("rope_scaling").is_null());
}

/// The loss at the border is that of the stage that was trained, also after a resume.
TEST_F(FieldRuns, ValidationAtABorderMeasuresTheStageThatWasTrained) {
  RunSpec two = two_stages(workspace_->spec());
  two.validation.every_steps = 6;
  RunSpec one = two;
  one.curriculum.pop_back();
  const RunFolder a = workspace_->run(one), b = workspace_->run(two);
  EXPECT_EQ(Workspace::train(a), RunState::Finished);
  EXPECT_EQ(Workspace::train(b), RunState::Finished);
  const auto after_first_stage = [](const RunFolder& folder) {
    return events_of<ValidationEvent>(folder).at(1);
  };
  EXPECT_EQ(after_first_stage(a).step, 5);
  EXPECT_EQ(after_first_stage(a).loss, after_first_stage(b).loss);
}

TEST_F(FieldRuns, EveryFieldOfYarnIsNoticedWhereAStageBegins) {
  RunSpec s = two_stages(workspace_->spec());
  s.curriculum[0].sequence_length = 64;
  s.curriculum[0].batch_sequences = 4;
  s.curriculum[0].yarn_factor = 2;
  s.curriculum[0].yarn_original_length = 32;
  s.curriculum[1].yarn_original_length = 48;  // nothing else
  const RunFolder folder = workspace_->run(s);
  EXPECT_EQ(Workspace::train(folder), RunState::Finished);
  const auto length = [&](const std::string& checkpoint) {
    return config_of(folder, checkpoint)
        .at("rope_scaling")
        .at("original_max_position_embeddings")
        .get<int>();
  };
  EXPECT_EQ(length("step-6"), 32);
  EXPECT_EQ(length("step-12"), 48);
}

// ---- Disk ---------------------------------------------------------------------------------------

TEST_F(FieldRuns, NothingIsLeftOfTheRoomForTheLastWords) {
  const RunFolder folder = workspace_->run(workspace_->spec());
  Workspace::train(folder, 1);
  EXPECT_FALSE(fs::exists(folder.path() / "log" / "reserve"));
  EXPECT_TRUE(messages(folder, "error").empty());
}

}  // namespace
}  // namespace tessera
