// SPDX-License-Identifier: MIT
// Series against plain loops, histories and the index of experts against logs with resumes, tails
// of files that grow.
#include "core/history/run_history.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <random>
#include <set>

#include "core/history/experts_index.h"
#include "core/history/series.h"
#include "core/history/text_tail.h"
#include "tests/run/run_test_helpers.h"

namespace tessera {
namespace {

ValueBucket plain_bucket(const std::vector<float>& values, std::size_t from, std::size_t to) {
  ValueBucket b;
  for (std::size_t i = from; i < to; ++i) b.add(values[i]);
  return b;
}

bool equal(float a, float b) {
  return a == b || (std::isnan(a) && std::isnan(b));
}

bool same_bucket(const ValueBucket& a, const ValueBucket& b) {
  return equal(a.min, b.min) && equal(a.max, b.max) && equal(a.first, b.first) &&
         equal(a.last, b.last) && a.values == b.values && a.missing == b.missing &&
         std::abs(a.sum - b.sum) <= 1e-9 * (1 + std::abs(b.sum));
}

std::vector<float> some_values(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<float> values(count);
  for (float& v : values) {
    const auto r = random();
    v = r % 53 == 0   ? std::nanf("")
        : r % 59 == 0 ? INFINITY
                      : static_cast<float>(r % 10007) * 0.25f - 1000;
  }
  return values;
}

Event at(double time, EventBody body) {
  static std::uint64_t sequence = 0;
  return {++sequence, time, std::move(body)};
}

StepEvent step_event(std::int64_t step, double loss) {
  StepEvent e = test::step_event(step, loss);
  e.mfu = 0.41;
  e.max_vio = {0.5f, 0.25f, 0.75f};
  return e;
}

/// A load that is told apart by step, layer and expert.
ExpertsEvent experts_event(std::int64_t step, int layers, int experts) {
  ExpertsEvent e;
  e.step = step;
  e.layers = layers;
  e.experts = experts;
  for (int l = 0; l < layers; ++l) {
    for (int x = 0; x < experts; ++x) {
      e.counts.push_back(step * 1000 + l * experts + x);
      e.biases.push_back(0.001f * static_cast<float>(step) + 0.01f * static_cast<float>(l));
    }
  }
  return e;
}

TEST(Series, EveryBucketIsThatOfAPlainLoop) {
  std::mt19937 random(7);
  for (const std::size_t size : {0u, 1u, 15u, 16u, 17u, 255u, 256u, 257u, 5000u, 70'000u}) {
    const auto values = some_values(size, static_cast<unsigned>(size));
    Series assigned, appended;
    assigned.assign(values);
    for (const float v : values) appended.append(v);
    for (int i = 0; i < 400; ++i) {
      std::size_t from = size ? random() % (size + 1) : 0, to = size ? random() % (size + 1) : 0;
      if (from > to) std::swap(from, to);
      const ValueBucket expected = plain_bucket(values, from, to);
      ASSERT_TRUE(same_bucket(assigned.bucket(from, to), expected)) << from << " " << to;
      ASSERT_TRUE(same_bucket(appended.bucket(from, to), expected)) << from << " " << to;
    }
    EXPECT_TRUE(same_bucket(assigned.bucket(0, size + 100), plain_bucket(values, 0, size)));
  }
}

TEST(Series, GrowOnAfterTheyWereCutAsIfNothingHadBeen) {
  auto values = some_values(10'000, 3);
  Series series;
  series.assign(values);
  for (const std::size_t kept : {9'999u, 4'097u, 4'096u, 17u, 0u}) {
    series.truncate(kept);
    values.resize(kept);
    ASSERT_EQ(series.size(), kept);
    for (const float v : some_values(600, static_cast<unsigned>(kept))) {
      series.append(v);
      values.push_back(v);
    }
    for (std::size_t from = 0; from < values.size(); from += 97) {
      ASSERT_TRUE(same_bucket(series.bucket(from, values.size()),
                              plain_bucket(values, from, values.size())));
    }
  }
}

TEST(Series, ASpikeOfOneSampleIsInItsBucket) {
  std::vector<float> values(1'000'000, 2.0f);
  values[654'321] = 99;
  values[654'322] = std::nanf("");
  Series series;
  series.assign(std::move(values));
  const ValueBucket all = series.bucket(0, series.size());
  EXPECT_EQ(all.max, 99.0f);
  EXPECT_EQ(all.missing, 1u);
  EXPECT_EQ(series.bucket(654'321, 654'322).max, 99.0f);
}

TEST(Metrics, EachHasARowOfItsOwn) {
  std::set<std::string> ids;
  for (std::size_t m = 0; m < kMetricCount; ++m) {
    const MetricInfo& info = metric_info(static_cast<Metric>(m));
    EXPECT_TRUE(*info.id && *info.title && *info.term) << m;
    ids.insert(info.id);
  }
  EXPECT_EQ(ids.size(), kMetricCount);
}

TEST(RunHistory, LeavesOutWhatWasUndone) {
  RunHistory h;
  for (int s = 0; s < 50; ++s) {
    EXPECT_FALSE(h.take(at(s, step_event(s, 5 - 0.01 * s))));
    if (s % 10 == 0) {
      EXPECT_FALSE(h.take(at(s, experts_event(s, 2, 4))));
    }
  }
  ValidationEvent validation;
  validation.step = 49;
  h.take(at(50, validation));
  CheckpointEvent checkpoint;
  checkpoint.step = 29;
  checkpoint.path = "checkpoints/step-30";
  h.take(at(50, checkpoint));
  EXPECT_EQ(h.rows(), 50u);
  EXPECT_EQ(h.metric(Metric::Mfu).at(0), 41.0f);
  EXPECT_EQ(h.metric(Metric::MaxVio).at(0), 0.75f);
  EXPECT_EQ(h.layer_max_vio.size(), 3u);
  EXPECT_EQ(h.expert_steps, (std::vector<std::int64_t>{0, 10, 20, 30, 40}));
  EXPECT_EQ(h.row_of_step(-1), -1);
  EXPECT_EQ(h.row_of_step(20), 20);
  EXPECT_EQ(h.row_of_step(1000), 49);
  EXPECT_TRUE(std::isnan(h.metric_at(Metric::Loss, -1)));
  EXPECT_FLOAT_EQ(static_cast<float>(h.metric_at(Metric::Loss, 20)), 4.8f);
  EXPECT_FLOAT_EQ(static_cast<float>(h.metric_at(Metric::Loss, 1000)), 4.51f);

  EXPECT_TRUE(h.take(at(60, ResumeEvent{29, 30 * 2048, "checkpoints/step-30"})));
  EXPECT_EQ(h.rows(), 30u);
  EXPECT_EQ(h.step.back(), 29);
  EXPECT_EQ(h.metric(Metric::Loss).size(), 30u);
  EXPECT_EQ(h.layer_max_vio[2].size(), 30u);
  EXPECT_TRUE(h.validations.empty());
  EXPECT_EQ(h.checkpoints.size(), 1u);
  EXPECT_EQ(h.expert_steps.size(), 3u);
  EXPECT_EQ(h.story.size(), 1u);

  h.take(at(61, step_event(30, 4)));
  EXPECT_FALSE(h.take(at(62, RollbackEvent{30, 40, 0, {}})));  // nothing lies behind it
  EXPECT_TRUE(h.take(at(63, RollbackEvent{30, 9, 2, {}})));
  EXPECT_EQ(h.rows(), 10u);
  // A log that lost its resume event must not bend the axis back.
  EXPECT_TRUE(h.take(at(64, step_event(5, 4))));
  EXPECT_EQ(h.step.back(), 5);
  EXPECT_EQ(h.rows(), 6u);
}

/// A fork has the checkpoint that it began from, though it has not saved one itself.
TEST(RunHistory, KnowsTheCheckpointThatAForkBeganFrom) {
  RunHistory h;
  h.take(at(1, ResumeEvent{312, 641'024, "checkpoints/step-313"}));
  ASSERT_EQ(h.checkpoints.size(), 1u);
  const auto& first = std::get<CheckpointEvent>(h.checkpoints[0].body);
  EXPECT_EQ(first.step, 312);
  EXPECT_EQ(first.tokens, 641'024);
  EXPECT_EQ(first.path, "checkpoints/step-313");
  EXPECT_EQ(first.bytes, -1);
  h.take(at(2, step_event(313, 4)));
  h.take(at(3, ResumeEvent{312, 641'024, "checkpoints/step-313"}));  // it is killed and goes on
  EXPECT_EQ(h.checkpoints.size(), 1u);
  // One elsewhere is not the run's.
  h.take(at(4, ResumeEvent{312, 641'024, "/runs/other/checkpoints/step-313"}));
  EXPECT_EQ(h.checkpoints.size(), 1u);
}

/// A log with experts, and an index of it.
struct IndexedLog {
  test::TemporaryFolder folder;
  std::filesystem::path path = folder.path() / "events.log";
  ExpertsIndex index{path};

  explicit IndexedLog(const std::vector<ExpertsEvent>& events) {
    {
      EventWriter writer(path);
      for (const ExpertsEvent& e : events) writer.append(e);
      writer.sync();
    }
    std::vector<std::uint64_t> offsets;
    EventReader reader(path);
    reader.set_filter([&](std::uint64_t offset, std::uint64_t, std::string_view payload) {
      if (kind_of_payload(payload) == "experts") offsets.push_back(offset);
      return false;
    });
    reader.poll();
    for (std::size_t i = 0; i < offsets.size(); ++i) index.add(events[i].step, offsets[i]);
  }
};

TEST(ExpertsIndex, FindsTheNearestEarlierStepAndForgetsWhatWasUndone) {
  std::vector<ExpertsEvent> events;
  for (const std::int64_t step : {5, 15, 25, 35}) events.push_back(experts_event(step, 3, 16));
  IndexedLog log(events);
  ASSERT_EQ(log.index.size(), 4u);
  EXPECT_EQ(log.index.at(4), nullptr);
  EXPECT_EQ(log.index.at(14)->step, 5);
  EXPECT_EQ(log.index.at(-1)->step, 35);
  EXPECT_EQ(log.index.at(15)->counts, events[1].counts);
  EXPECT_EQ(log.index.at(15), log.index.at(20)) << "read again although it was kept";
  const auto layer = log.index.layer_at(25, 2);
  ASSERT_TRUE(layer);
  EXPECT_EQ(layer->layers, 1);
  EXPECT_EQ(layer->counts[0], 25 * 1000 + 2 * 16);
  EXPECT_FALSE(log.index.layer_at(25, 3));
  EXPECT_FALSE(log.index.layer_at(24, 0)) << "a fan asks for logged steps only";
  EXPECT_EQ(log.index.spread(0, 100, 2), (std::vector<std::int64_t>{5, 35}));
  log.index.truncate_after(15);
  EXPECT_EQ(log.index.at(-1)->step, 15);
  EXPECT_EQ(log.index.spread(0, 100, 10), (std::vector<std::int64_t>{5, 15}));
  log.index.clear();
  EXPECT_EQ(log.index.at(-1), nullptr);
}

TEST(ExpertsIndex, KeepsOnlyAsMuchAsItMay) {
  // One event is 12 bytes a value: nine of them are more than the 96 MB that are kept.
  std::vector<ExpertsEvent> events;
  for (int i = 0; i < 9; ++i) events.push_back(experts_event(i, 100, 10'000));
  IndexedLog log(events);
  const std::weak_ptr<const ExpertsEvent> first = log.index.at(0), second = log.index.at(1);
  EXPECT_FALSE(first.expired());
  for (int i = 2; i < 8; ++i) log.index.at(i);
  log.index.at(0);  // asked for again: the second is now the oldest
  log.index.at(8);
  EXPECT_FALSE(first.expired());
  EXPECT_TRUE(second.expired());
}

TEST(TextTail, GivesLinesAsTheyAreFinished) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "log";
  TextTail tail(path, 100);
  EXPECT_TRUE(tail.poll().lines.empty()) << "there is no file yet";
  std::ofstream out(path);
  out << "one\ntwo\nthr" << std::flush;
  EXPECT_EQ(tail.poll().lines, (std::vector<std::string>{"one", "two"}));
  out << "ee\n\n" << std::flush;
  EXPECT_EQ(tail.poll().lines, (std::vector<std::string>{"three", ""}));
  EXPECT_TRUE(tail.poll().lines.empty());
  out.close();
  std::ofstream(path) << "new\n";
  const TextTail::News news = tail.poll();
  EXPECT_TRUE(news.replaced);
  EXPECT_EQ(news.lines, std::vector<std::string>{"new"});
}

TEST(TextTail, BeginsNearTheEndWithAWholeLine) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "log";
  {
    std::ofstream out(path);
    for (int i = 0; i < 10'000; ++i) out << "line " << i << " of this file\n";
  }
  TextTail tail(path, 10);
  const auto lines = tail.poll().lines;
  ASSERT_FALSE(lines.empty());
  EXPECT_LT(lines.size(), 100u);
  EXPECT_TRUE(lines.front().starts_with("line ")) << lines.front();
  EXPECT_EQ(lines.back(), "line 9999 of this file");
}

TEST(TextTail, ALineWithoutEndIsCutAndToldOnce) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "log";
  TextTail tail(path, 10);
  std::ofstream out(path);
  std::vector<std::string> lines;
  for (int i = 0; i < 5; ++i) {
    out << std::string(100'000, 'x') << std::flush;
    for (std::string& line : tail.poll().lines) lines.push_back(std::move(line));
  }
  out << "\nnext\n" << std::flush;
  for (std::string& line : tail.poll().lines) lines.push_back(std::move(line));
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0], std::string(16 << 10, 'x'));
  EXPECT_EQ(lines[1], "next");
}

}  // namespace
}  // namespace tessera
