// SPDX-License-Identifier: MIT
// Many ranks inside one process against one: the same spec, the same losses, loads and biases.
#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <thread>

#include "core/base/error.h"
#include "core/checkpoint/checkpoint.h"
#include "distributed/threads/thread_ranks.h"
#include "tests/train/workspace.h"

namespace tessera {
namespace {

using tiny_run::losses, tiny_run::Workspace;

/// What became of each rank.
struct Ending {
  RunState state = RunState::Draft;
  std::string error;
};

/// `stopped` >= 0: a signal reaches this rank alone.
std::vector<Ending> train_on(int count, const RunFolder& folder, std::int64_t most_steps = 0,
                             const TrainRunOptions& base = {}, int stopped = -1) {
  ThreadRanks ranks(count);
  std::vector<Ending> endings(static_cast<std::size_t>(count));
  std::vector<std::jthread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      omp_set_num_threads(1);
      TrainRunOptions options = base;
      options.most_steps = most_steps;
      if (stopped >= 0 && i != stopped) options.stop = nullptr;
      Ending& ending = endings[static_cast<std::size_t>(i)];
      try {
        ending.state = train_run(folder, ranks.rank(i), options);
      } catch (const std::exception& error) {
        ending.error = error.what();
      }
    });
  }
  threads.clear();
  return endings;
}

void expect_all(const std::vector<Ending>& endings, RunState state) {
  for (const Ending& ending : endings) {
    EXPECT_EQ(ending.error, "");
    EXPECT_EQ(ending.state, state);
  }
}

std::vector<ExpertsEvent> experts_of(const RunFolder& folder) {
  std::vector<ExpertsEvent> all;
  for (Event& event : read_events(folder.events_path())) {
    if (auto* experts = std::get_if<ExpertsEvent>(&event.body)) all.push_back(std::move(*experts));
  }
  return all;
}

constexpr std::int64_t kFirstSteps = 10;

/// Losses of two runs, and loads and biases of their first steps, which may differ by the rounding
/// of sums alone.
void expect_alike(const RunFolder& a, const RunFolder& b) {
  const auto of_a = losses(a), of_b = losses(b);
  ASSERT_EQ(of_a.size(), of_b.size());
  for (const auto& [step, loss] : of_a) EXPECT_NEAR(loss, of_b.at(step), 2e-5 * loss) << step;
  const auto experts_a = experts_of(a), experts_b = experts_of(b);
  ASSERT_EQ(experts_a.size(), experts_b.size());
  std::int64_t moved = 0, tokens = 0, biases = 0, other_biases = 0;
  for (std::size_t i = 0; i < experts_a.size() && experts_a[i].step < kFirstSteps; ++i) {
    ASSERT_EQ(experts_a[i].counts.size(), experts_b[i].counts.size());
    for (std::size_t e = 0; e < experts_a[i].counts.size(); ++e) {
      moved += std::abs(experts_a[i].counts[e] - experts_b[i].counts[e]);
      tokens += experts_a[i].counts[e];
      ++biases;
      other_biases += std::abs(experts_a[i].biases[e] - experts_b[i].biases[e]) > 1e-6f;
    }
  }
  // A token whose two best experts are a rounding apart may go to the other one, and an expert that
  // is a token from its fair load then has the other sign in its bias. Later steps feel what that
  // did; sums in canonical order have no such thing (experts_test.cpp).
  EXPECT_GT(tokens, 0);
  EXPECT_LE(moved, tokens / 10000);
  EXPECT_LE(other_biases, biases / 50);
}

class Ranks : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    workspace_ = new Workspace;
    workspace_->build();
  }
  static void TearDownTestSuite() { delete workspace_; }

  static RunSpec fifty_steps() {
    RunSpec s = workspace_->spec();
    s.curriculum[0].steps = 50;
    s.curriculum[0].learning_rate = {{.kind = RateKind::Warmup, .steps = 10, .to = 3e-3},
                                     {.kind = RateKind::Cosine, .steps = 40, .to = 3e-4}};
    s.validation.every_steps = 25;
    return s;
  }
  static Workspace* workspace_;
};
Workspace* Ranks::workspace_ = nullptr;

TEST_F(Ranks, TwoAndFourTrainAsOneDoes) {
  const RunFolder one = workspace_->run(fifty_steps());
  expect_all(train_on(1, one), RunState::Finished);
  for (const int count : {2, 4}) {
    RunSpec s = fifty_steps();
    s.parallel.micro_batch_sequences = 8 / count;
    const RunFolder many = workspace_->run(s);
    expect_all(train_on(count, many), RunState::Finished);
    expect_alike(one, many);
    EXPECT_EQ(status_of(many).state, RunState::Finished);
  }
}

TEST_F(Ranks, GoOnWithAnotherNumberOfRanks) {
  RunSpec s = fifty_steps();
  const RunFolder one = workspace_->run(s);
  expect_all(train_on(1, one), RunState::Finished);
  const RunFolder parts = workspace_->run(s);
  expect_all(train_on(2, parts, 20), RunState::Stopped);
  expect_all(train_on(1, parts, 10), RunState::Stopped);
  expect_all(train_on(2, parts), RunState::Finished);
  expect_alike(one, parts);
}

TEST_F(Ranks, AreTheSameToTheLastBitFromRunToRun) {
  const RunFolder a = workspace_->run(workspace_->spec()), b = workspace_->run(workspace_->spec());
  expect_all(train_on(2, a), RunState::Finished);
  expect_all(train_on(2, b, 5), RunState::Stopped);
  expect_all(train_on(2, b), RunState::Finished);
  EXPECT_EQ(losses(a), losses(b));
}

TEST_F(Ranks, StopTogetherWhenOneIsAsked) {
  RunSpec s = workspace_->spec();
  s.curriculum[0].steps = 100000;
  const RunFolder folder = workspace_->run(s);
  std::atomic<bool> stop = false;
  TrainRunOptions options;
  options.stop = &stop;
  options.on_event = [&](const EventBody& body) {
    if (const auto* step = std::get_if<StepEvent>(&body); step && step->step == 3) stop = true;
  };
  expect_all(train_on(2, folder, 0, options), RunState::Stopped);
  EXPECT_TRUE(find_latest_checkpoint(folder.path()));
  EXPECT_EQ(status_of(folder).reason, "stopped on request, saved");
}

/// The run stops within two steps, as a rank may have put in its part of the next order already,
/// and goes on with the losses it would have had.
TEST_F(Ranks, StopTogetherWhenASignalReachesOneOfThem) {
  for (const int count : {2, 4}) {
    RunSpec s = workspace_->spec();
    s.parallel.micro_batch_sequences = 8 / count;
    s.validation.every_steps = 1;  // what is due then gives way
    const RunFolder whole = workspace_->run(s), parts = workspace_->run(s);
    expect_all(train_on(count, whole), RunState::Finished);
    std::atomic<bool> stop = false;
    TrainRunOptions options;
    options.stop = &stop;
    options.on_event = [&](const EventBody& body) {
      if (const auto* step = std::get_if<StepEvent>(&body); step && step->step == 3) stop = true;
    };
    expect_all(train_on(count, parts, 0, options, count - 1), RunState::Stopped);
    EXPECT_EQ(status_of(parts).reason, "stopped on request, saved");
    EXPECT_LE(status_of(parts).step, 5);
    expect_all(train_on(count, parts), RunState::Finished);
    EXPECT_EQ(losses(parts), losses(whole));
  }
}

/// A desk that is paused gives no orders; the signal comes to it by the folder.
TEST_F(Ranks, ASignalToOneOfThemEndsAPause) {
  RunSpec s = workspace_->spec();
  s.curriculum[0].steps = 100000;
  const RunFolder folder = workspace_->run(s);
  std::atomic<bool> stop = false;
  TrainRunOptions options;
  options.stop = &stop;
  options.on_event = [&](const EventBody& body) {
    if (const auto* step = std::get_if<StepEvent>(&body); step && step->step == 3) {
      request_control(folder, Control::Pause);
    }
    const auto* state = std::get_if<StateEvent>(&body);
    if (state && state->state == RunState::Paused) stop = true;
  };
  expect_all(train_on(2, folder, 0, options, 1), RunState::Stopped);
  EXPECT_EQ(status_of(folder).reason, "stopped on request, saved");
  EXPECT_LE(status_of(folder).step, 5);
}

/// Weights that leave the range of floats within some steps.
RunSpec exploding(RunSpec s) {
  s.curriculum[0].steps = 60;
  s.curriculum[0].learning_rate = {{.kind = RateKind::Constant, .to = 10}};
  s.optimiser.weight_decay = 1;
  s.checkpoint.every_steps = 1;
  s.checkpoint.keep = 2;
  return s;
}

TEST_F(Ranks, FailTogether) {
  RunSpec s = exploding(workspace_->spec());
  s.checkpoint.every_steps = 1000;
  const RunFolder folder = workspace_->run(s);
  const std::vector<Ending> endings = train_on(2, folder);
  EXPECT_NE(endings[0].error.find("nothing was saved"), std::string::npos) << endings[0].error;
  EXPECT_NE(endings[1].error.find("rank 0"), std::string::npos) << endings[1].error;
  EXPECT_EQ(status_of(folder).state, RunState::Failed);
}

TEST_F(Ranks, GoBackTogether) {
  RunSpec s = exploding(workspace_->spec());
  s.stability = {.spike_window = 0, .rollback = true, .skip_steps = 1, .max_rollbacks = 2};
  const RunFolder folder = workspace_->run(s);
  const std::vector<Ending> endings = train_on(2, folder);
  EXPECT_NE(endings[0].error.find("also after 2 rollbacks"), std::string::npos) << endings[0].error;
  EXPECT_NE(endings[1].error, "");
  int rollbacks = 0;
  for (const Event& event : read_events(folder.events_path())) {
    rollbacks += std::holds_alternative<RollbackEvent>(event.body);
  }
  EXPECT_GE(rollbacks, 2);
}

}  // namespace
}  // namespace tessera
