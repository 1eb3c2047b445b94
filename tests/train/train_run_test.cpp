// SPDX-License-Identifier: MIT
// Whole runs in a temporary folder: stopping and resuming to the last bit, a kill in the middle of
// a checkpoint, requests, stages, rollback.
#include "core/train/train_run.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <map>
#include <numeric>
#include <thread>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/checkpoint/checkpoint.h"
#include "distributed/single/single_process.h"
#include "tests/train/workspace.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;
using tiny_run::losses, tiny_run::Workspace;

std::vector<float> last_biases(const RunFolder& folder) {
  std::vector<float> biases;
  for (const Event& event : read_events(folder.events_path())) {
    if (const auto* experts = std::get_if<ExpertsEvent>(&event.body)) biases = experts->biases;
  }
  return biases;
}

class TrainRun : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    workspace_ = new Workspace;
    workspace_->build();
  }
  static void TearDownTestSuite() { delete workspace_; }
  static Workspace* workspace_;
};
Workspace* TrainRun::workspace_ = nullptr;

TEST_F(TrainRun, LossFallsAndEventsAreWhole) {
  RunSpec s = workspace_->spec();
  s.validation.every_steps = 6;
  s.samples = {.every_steps = 12, .prompts = {"the river"}, .tokens = 5, .temperature = 0};
  const RunFolder folder = workspace_->run(s);
  EXPECT_EQ(Workspace::train(folder), RunState::Finished);
  const auto all = losses(folder);
  ASSERT_EQ(all.size(), 12u);
  EXPECT_LT(all.at(11), 0.9 * all.at(0));
  int validations = 0, samples = 0, experts = 0;
  for (const Event& event : read_events(folder.events_path())) {
    validations += std::holds_alternative<ValidationEvent>(event.body);
    samples += std::holds_alternative<SampleEvent>(event.body);
    const auto* e = std::get_if<ExpertsEvent>(&event.body);
    if (!e) continue;
    ++experts;
    ASSERT_EQ(e->layers, 2);  // one block and the MTP module
    for (int layer = 0; layer < e->layers; ++layer) {
      std::int64_t sum = 0;
      for (int i = 0; i < e->experts; ++i) {
        sum += e->counts[static_cast<std::size_t>(layer * e->experts + i)];
      }
      EXPECT_EQ(sum, 8 * 32 * 2);  // tokens of the step x top-k: nothing dropped, nothing twice
    }
  }
  EXPECT_EQ(validations, 3);  // before the first step, after 6 and 12
  EXPECT_EQ(samples, 1);
  EXPECT_EQ(experts, 12);
  EXPECT_EQ(status_of(folder).state, RunState::Finished);
}

TEST_F(TrainRun, ResumeIsBitExact) {
  const RunFolder whole = workspace_->run(workspace_->spec());
  Workspace::train(whole);
  const RunFolder parts = workspace_->run(workspace_->spec());
  EXPECT_EQ(Workspace::train(parts, 5), RunState::Stopped);
  EXPECT_EQ(Workspace::train(parts, 3), RunState::Stopped);
  EXPECT_EQ(Workspace::train(parts), RunState::Finished);
  EXPECT_EQ(losses(whole), losses(parts));  // equal to the last bit
  EXPECT_EQ(last_biases(whole), last_biases(parts));
}

/// The recipes of FP8: resumed to the last bit, samples written through the latent cache, and
/// losses near those of FP32.
TEST_F(TrainRun, Fp8RecipesResumeAndFollowFp32) {
  RunSpec s = workspace_->spec();
  s.model.qk_rope_head_dim = 16;
  s.model.q_lora_rank = 16;
  const RunFolder reference = workspace_->run(s);
  Workspace::train(reference);
  const auto wanted = losses(reference);
  for (const Recipe recipe : {Recipe::Tensorwise, Recipe::Blockwise}) {
    s.precision.recipe = recipe;
    s.samples = {.every_steps = 12, .prompts = {"the river"}, .tokens = 5, .temperature = 0};
    const RunFolder whole = workspace_->run(s);
    EXPECT_EQ(Workspace::train(whole), RunState::Finished);
    const RunFolder parts = workspace_->run(s);
    EXPECT_EQ(Workspace::train(parts, 5), RunState::Stopped);
    EXPECT_EQ(Workspace::train(parts), RunState::Finished);
    const auto all = losses(whole);
    EXPECT_EQ(all, losses(parts)) << name_of(recipe);
    EXPECT_EQ(last_biases(whole), last_biases(parts));
    for (const auto& [step, loss] : all) {
      EXPECT_NEAR(loss, wanted.at(step), 0.01 * wanted.at(step)) << name_of(recipe) << " " << step;
    }
    EXPECT_NE(all, wanted) << name_of(recipe) << " is not in use";
  }
}

TEST_F(TrainRun, MicroBatchesDoNotChangeTheStep) {
  RunSpec s = workspace_->spec();
  const RunFolder four = workspace_->run(s);
  s.parallel.micro_batch_sequences = 8;
  const RunFolder eight = workspace_->run(s);
  Workspace::train(four, 3);
  Workspace::train(eight, 3);
  for (const auto& [step, loss] : losses(four)) EXPECT_NEAR(loss, losses(eight).at(step), 2e-5);
}

/// Kill -9 at moments that fall into steps and into checkpoints; then the losses are those of an
/// uninterrupted run.
TEST_F(TrainRun, KilledAndResumed) {
  RunSpec s = workspace_->spec();
  s.checkpoint.every_steps = 1;
  s.checkpoint.keep = 2;
  const RunFolder whole = workspace_->run(s);
  Workspace::train(whole);
  const RunFolder killed = workspace_->run(s);
  // NOTE: OpenMP does not survive fork() in a process that has used it, so each try is a program of
  // its own.
  for (int attempt = 0; attempt < 6; ++attempt) {
    const pid_t child = fork();
    if (child == 0) {
      const std::string filter = "--gtest_filter=TrainChild.DISABLED_Train";
      setenv("TESSERA_TEST_RUN", killed.path().c_str(), 1);
      execl("/proc/self/exe", "train_test", filter.c_str(), "--gtest_also_run_disabled_tests",
            nullptr);
      _exit(127);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(120 + 90 * attempt));
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    if (!WIFSIGNALED(status)) break;  // it was done before the signal came
    EXPECT_NE(status_of(killed).state, RunState::Running);
  }
  Workspace::train(killed);
  EXPECT_EQ(losses(whole), losses(killed));
  EXPECT_EQ(last_biases(whole), last_biases(killed));
  for (const CheckpointInfo& info : list_checkpoints(killed.path(), Verify::Hashes)) {
    EXPECT_EQ(info.damage, "") << info.path;
  }
}

/// What the test above runs and kills.
TEST(TrainChild, DISABLED_Train) {
  const char* run = std::getenv("TESSERA_TEST_RUN");
  if (!run) GTEST_SKIP();
  Workspace::train(RunFolder::open(run));
}

TEST_F(TrainRun, StopsOnRequestAndOnSignal) {
  const RunFolder folder = workspace_->run(workspace_->spec());
  std::atomic<bool> stop{false};
  SingleProcess ranks;
  TrainRunOptions options;
  options.stop = &stop;
  options.on_event = [&](const EventBody& body) {
    if (std::holds_alternative<StepEvent>(body)) stop = true;
  };
  EXPECT_EQ(train_run(folder, ranks, options), RunState::Stopped);
  EXPECT_TRUE(find_latest_checkpoint(folder.path()));
  EXPECT_EQ(status_of(folder).state, RunState::Stopped);
}

TEST_F(TrainRun, PauseSaveAndStopNow) {
  const RunFolder folder = workspace_->run(workspace_->spec());
  std::thread other;
  SingleProcess ranks;
  TrainRunOptions options;
  bool paused = false;
  options.on_event = [&](const EventBody& body) {
    const auto* step = std::get_if<StepEvent>(&body);
    if (step && step->step == 2 && !other.joinable()) {
      request_control(folder, Control::Pause);
      other = std::thread([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(300));
        request_control(folder, Control::Save);
        request_control(folder, Control::StopNow);
      });
    }
    const auto* state = std::get_if<StateEvent>(&body);
    paused = paused || (state && state->state == RunState::Paused);
  };
  EXPECT_EQ(train_run(folder, ranks, options), RunState::Stopped);
  other.join();
  EXPECT_TRUE(paused);
  EXPECT_EQ(losses(folder).size(), 3u);
  EXPECT_EQ(find_latest_checkpoint(folder.path())->step, 3);
}

TEST_F(TrainRun, LengthExtensionStage) {
  RunSpec s = workspace_->spec();
  s.curriculum[0].steps = 4;
  CurriculumStage longer = s.curriculum[0];
  longer.name = "long";
  longer.steps = 3;
  longer.sequence_length = 64;
  longer.batch_sequences = 4;
  longer.yarn_factor = 2;
  longer.yarn_original_length = 32;
  longer.learning_rate = {{.kind = RateKind::Constant, .to = 1e-4}};
  s.curriculum.push_back(longer);
  const RunFolder whole = workspace_->run(s), parts = workspace_->run(s);
  EXPECT_EQ(Workspace::train(whole), RunState::Finished);
  Workspace::train(parts, 5);  // into the second stage
  Workspace::train(parts);
  EXPECT_EQ(losses(whole), losses(parts));
  EXPECT_EQ(losses(whole).size(), 7u);
}

TEST_F(TrainRun, RollbackGoesOnFromTheLastCheckpoint) {
  RunSpec s = workspace_->spec();
  s.curriculum[0].steps = 16;
  // A learning rate that throws the weights far off, once.
  s.curriculum[0].learning_rate = {{.kind = RateKind::Constant, .steps = 9, .to = 1e-3},
                                   {.kind = RateKind::Constant, .steps = 1, .to = 3.0},
                                   {.kind = RateKind::Constant, .to = 1e-4}};
  s.optimiser.clip = 0;
  s.checkpoint.every_steps = 4;
  s.stability = {.spike_window = 6, .spike_factor = 6, .rollback = true, .skip_steps = 2};
  s.events.experts_every = 0;
  const RunFolder folder = workspace_->run(s);
  int spikes = 0, rollbacks = 0;
  SingleProcess ranks;
  TrainRunOptions options;
  options.most_steps = 0;
  std::atomic<bool> stop{false};
  options.stop = &stop;
  options.on_event = [&](const EventBody& body) {
    spikes += std::holds_alternative<SpikeEvent>(body);
    rollbacks += std::holds_alternative<RollbackEvent>(body);
    if (rollbacks == 1) stop = true;  // the same rate would do the same again
  };
  EXPECT_EQ(train_run(folder, ranks, options), RunState::Stopped);
  EXPECT_EQ(spikes, 1);
  EXPECT_EQ(rollbacks, 1);
  EXPECT_EQ(find_latest_checkpoint(folder.path())->step, 8);  // nothing was trained since
}

TEST_F(TrainRun, NotFiniteEndsTheRunWithItsReason) {
  RunSpec s = workspace_->spec();
  s.curriculum[0].learning_rate = {{.kind = RateKind::Constant, .to = 10}};
  s.optimiser.weight_decay = 1;  // w <- w - 10 w: past what a float can hold within 50 steps
  s.curriculum[0].steps = 60;
  s.checkpoint.every_steps = 1;
  const RunFolder folder = workspace_->run(s);
  EXPECT_THROW(Workspace::train(folder), Error);
  const RunStatus status = status_of(folder);
  EXPECT_EQ(status.state, RunState::Failed);
  EXPECT_FALSE(status.reason.empty());
  EXPECT_TRUE(status.can_resume);
}

/// A disk that fills up while checkpoints are written: the run fails with that reason, what was
/// saved is whole, and with room again it goes on to the losses of an undisturbed run.
TEST_F(TrainRun, AFullDiskLosesNothing) {
  const fs::path disk = workspace_->path / "disk";
  fs::create_directories(disk);
  if (::mount("tessera-test", disk.c_str(), "tmpfs", 0, "size=2m") != 0) {
    GTEST_SKIP() << "no right to mount a small disk";
  }
  struct Unmount {
    fs::path path;
    ~Unmount() { ::umount2(path.c_str(), MNT_DETACH); }
  } const unmount{disk};
  RunSpec s = workspace_->spec();
  s.checkpoint.every_steps = 1;
  s.checkpoint.keep = 0;
  const RunFolder whole = workspace_->run(s);
  Workspace::train(whole);
  const RunFolder folder = RunFolder::create(disk, s);
  try {
    Workspace::train(folder);
    ADD_FAILURE() << "all checkpoints fitted on the disk";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("free"), std::string::npos) << error.what();
  }
  const RunStatus status = status_of(folder);
  EXPECT_EQ(status.state, RunState::Failed);
  EXPECT_FALSE(status.reason.empty());
  ASSERT_TRUE(status.can_resume);
  for (const CheckpointInfo& info : list_checkpoints(folder.path(), Verify::Hashes)) {
    EXPECT_EQ(info.damage, "") << info.path;
  }
  ASSERT_EQ(::mount("tessera-test", disk.c_str(), "tmpfs", MS_REMOUNT, "size=64m"), 0);
  EXPECT_EQ(Workspace::train(folder), RunState::Finished);
  EXPECT_EQ(losses(whole), losses(folder));
}

/// One document a sequence: what is behind its end is neither trained on nor routed.
TEST_F(TrainRun, WithoutPackingPaddingCountsNothing) {
  RunSpec s = workspace_->spec();
  s.data.packing = false;
  s.model.max_position_embeddings = s.curriculum[0].sequence_length = 512;  // longer than any
  s.events.experts_every = 1;
  const RunFolder folder = workspace_->run(s);
  EXPECT_EQ(Workspace::train(folder), RunState::Finished);
  const auto all = losses(folder);
  EXPECT_LT(all.rbegin()->second, all.begin()->second);
  for (const Event& event : read_events(folder.events_path())) {
    const auto* experts = std::get_if<ExpertsEvent>(&event.body);
    if (!experts) continue;
    const std::int64_t routed =
        std::accumulate(experts->counts.begin(), experts->counts.end(), std::int64_t{0});
    EXPECT_GT(routed, 0);
    EXPECT_LT(routed, experts->layers * 512 * 8 * s.model.num_experts_per_tok / 2);
    EXPECT_EQ(routed % (experts->layers * s.model.num_experts_per_tok), 0);
  }
}

TEST_F(TrainRun, WrongVocabularyIsAnError) {
  RunSpec s = workspace_->spec();
  s.model.vocab_size = 256;
  const RunFolder folder = workspace_->run(s);
  EXPECT_THROW(Workspace::train(folder), Error);
  EXPECT_EQ(status_of(folder).state, RunState::Failed);
}

}  // namespace
}  // namespace tessera
