// SPDX-License-Identifier: MIT
// Timelines of several ranks in one file: clocks are compared, and every action is there.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/train/step_timeline.h"
#include "distributed/threads/thread_ranks.h"

namespace tessera {
namespace {

class TimelineFile : public testing::Test {
 protected:
  TimelineFile() {
    std::string name =
        (std::filesystem::temp_directory_path() / "tessera-timeline-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~TimelineFile() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  template <class Work>
  static void on_ranks(int count, const Work& work) {
    ThreadRanks ranks(count);
    std::vector<std::jthread> threads;
    for (int i = 0; i < count; ++i) threads.emplace_back([&, i] { work(ranks.rank(i)); });
  }

  std::filesystem::path folder_;
};

constexpr std::int64_t kSecond = 1'000'000'000;

/// A rank whose clock is 5 s ahead: after the comparison its times are those of rank 0, within
/// twice the uncertainty that the file names.
TEST_F(TimelineFile, ComparesClocks) {
  const std::filesystem::path file = folder_ / "trace.json";
  on_ranks(3, [&](Communicator& rank) {
    const Timeline plain;
    const std::int64_t ahead = rank.rank() == 1 ? 5 * kSecond : 0;
    StepTimeline steps(rank, {.file = file, .steps = 1},
                       Timeline([&plain, ahead] { return plain.now() + ahead; }));
    Context context;
    rank.barrier(context);
    steps.timeline()->begin_step(7);
    const std::int64_t now = steps.timeline()->now();
    steps.timeline()->add({.what = "meeting", .from = now, .to = now + 1000});
    rank.barrier(context);
    EXPECT_TRUE(steps.timeline());
    steps.end_step();
    EXPECT_FALSE(steps.timeline());
    steps.finish();  // is written already
  });
  const nlohmann::json trace = nlohmann::json::parse(read_file(file));
  const nlohmann::json& clocks = trace.at("otherData").at("clocks");
  ASSERT_EQ(clocks.size(), 3u);
  const double uncertainty = clocks[1].at("uncertainty_us");
  EXPECT_GT(uncertainty, 0);
  EXPECT_NEAR(clocks[1].at("ahead_us").get<double>(), 5e6, uncertainty);
  EXPECT_EQ(clocks[0].at("ahead_us"), 0.0);
  int meetings = 0;
  for (const nlohmann::json& event : trace.at("traceEvents")) {
    if (event.at("ph") != "X") continue;
    ++meetings;
    EXPECT_EQ(event.at("args").at("step"), 7);
    EXPECT_NEAR(event.at("dur").get<double>(), 1.0, 1e-9);
  }
  EXPECT_EQ(meetings, 3);
}

TEST_F(TimelineFile, IsKeptInASecondPlaceUpToALimit) {
  const std::filesystem::path file = folder_ / "trace.json", kept = folder_ / "kept.json",
                              large = folder_ / "large.json";
  on_ranks(2, [&](Communicator& rank) {
    for (const auto& [place, most] : {std::pair(kept, 1u << 20), std::pair(large, 10u)}) {
      StepTimeline steps(rank, {.file = file, .kept = place, .most_kept = most, .steps = 1});
      Context context;
      rank.barrier(context);
      EXPECT_FALSE(std::filesystem::exists(place)) << "it is kept once it is whole";
      rank.barrier(context);
      steps.timeline()->add({.what = "meeting", .from = 5, .to = 9});
      steps.end_step();
      rank.barrier(context);
      EXPECT_EQ(std::filesystem::exists(place), most > 10);
      if (most > 10) {
        EXPECT_EQ(read_file(place), read_file(file));
      }
      rank.barrier(context);
    }
  });
  // An older copy does not stand for one that is too large.
  on_ranks(2, [&](Communicator& rank) {
    StepTimeline steps(rank, {.file = file, .kept = kept, .most_kept = 10, .steps = 1});
    Context context;
    EXPECT_TRUE(std::filesystem::exists(kept)) << "until there is another one";
    rank.barrier(context);
    steps.end_step();
    rank.barrier(context);
    EXPECT_FALSE(std::filesystem::exists(kept));
  });
  // Where both are one file it stays.
  on_ranks(2, [&](Communicator& rank) {
    StepTimeline steps(rank, {.file = file, .kept = file, .most_kept = 10, .steps = 1});
    steps.end_step();
    Context context;
    rank.barrier(context);
    EXPECT_TRUE(std::filesystem::exists(file));
  });
  // A place that cannot be written ends no training.
  on_ranks(2, [&](Communicator& rank) {
    StepTimeline steps(rank, {.file = file,
                              .kept = folder_ / "no" / "such" / "folder.json",
                              .most_kept = 1u << 20,
                              .steps = 1});
    steps.end_step();
    EXPECT_FALSE(steps.timeline());
  });
}

TEST_F(TimelineFile, ThatCannotBeWrittenIsToldOnEveryRank) {
  std::atomic<int> told = 0;
  on_ranks(2, [&](Communicator& rank) {
    try {
      StepTimeline steps(rank, {.file = folder_ / "no" / "such" / "folder.json"});
    } catch (const Error&) {
      ++told;
    }
  });
  EXPECT_EQ(told, 2);
}

}  // namespace
}  // namespace tessera
