// SPDX-License-Identifier: MIT
// Sweeps: which runs they are, and which of them fall behind.
#include "core/launch/sweep.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <set>
#include <utility>

#include "core/base/error.h"
#include "tests/run/run_test_helpers.h"

namespace tessera {
namespace {

using Words = std::vector<std::string>;
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

std::string sweep_error(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(SweepAxis, TakesValuesAndRanges) {
  const std::pair<const char*, Words> good[] = {
      {"a.b=1", {"1"}},
      {"a=0.5,1", {"0.5", "1"}},
      {" a = x , y ", {"x", "y"}},
      {"a=\"x,y\",'z,w'", {"\"x,y\"", "'z,w'"}},
      {"a=[1,2],[3]", {"[1,2]", "[3]"}},
      {"a={x=1,y=2},{x=3}", {"{x=1,y=2}", "{x=3}"}},
      {"a=1..4", {"1", "2", "3", "4"}},
      {"a=-1..1", {"-1", "0", "1"}},
      {"a=0..1:3", {"0", "0.5", "1"}},
      {"a=0.0..1.0:3", {"0.0", "0.5", "1.0"}},
      {"a=1e-4..1e-2:log:3", {"0.0001", "0.001", "0.01"}},
      {"a=1e-4..1e-2:3:log", {"0.0001", "0.001", "0.01"}},
      {"a=1..1000:log:4", {"1", "10", "100", "1000"}},
      {"a=true,false", {"true", "false"}},
      {"a=\"1..2\"", {"\"1..2\""}},
      {"a=/data/../x", {}},
  };
  for (const auto& [text, values] : good) {
    if (values.empty()) {
      EXPECT_THROW(sweep_axis_of(text), Error) << text;
    } else if (std::string(text) == "a=0..1:3") {
      EXPECT_EQ(sweep_axis_of(text).values, (Words{"0", "1"})) << "whole ends make whole points";
    } else {
      EXPECT_EQ(sweep_axis_of(text).values, values) << text;
    }
  }
  EXPECT_EQ(sweep_axis_of("a.b=1").key, "a.b");
  EXPECT_EQ(sweep_axis_of("a=0.0..1.0").values.size(), 5u);
}

TEST(SweepAxis, SaysWhatIsWrong) {
  const std::pair<const char*, const char*> wrong[] = {
      {"", "is no key=values"},         {"a", "is no key=values"},
      {"=1", "is no key=values"},       {"a=", "names no value"},
      {"a=1,,2", "empty value"},        {"a=1,", "empty value"},
      {"a=2..1", "does not rise"},      {"a=1..1", "does not rise"},
      {"a=x..y", "no numbers"},         {"a=0..1:log", "begins at 0"},
      {"a=1..2:1", "number of points"}, {"a=1..2:logg", "\"logg\""},
      {"a=1..2:0.5", "\"0.5\""},        {"a=1..nan", "no numbers"},
      {"a=1..2:99999", "\"99999\""},
  };
  for (const auto& [text, part] : wrong) {
    const std::string error = sweep_error([&] { sweep_axis_of(text); });
    EXPECT_NE(error.find(part), error.npos) << text << ": " << error;
  }
}

TEST(SweepSettings, AreEveryCombinationAndSeed) {
  SweepPlan plan;
  plan.axes = {sweep_axis_of("a=1,2"), sweep_axis_of("b=x,y,z")};
  plan.seeds = 2;
  plan.first_seed = 7;
  const auto all = sweep_settings(plan);
  ASSERT_EQ(all.size(), 12u);
  EXPECT_EQ(all[0], (Words{"a=1", "b=x", "run.seed=7"}));
  EXPECT_EQ(all[1], (Words{"a=1", "b=x", "run.seed=8"}));
  EXPECT_EQ(all[11], (Words{"a=2", "b=z", "run.seed=8"}));
  EXPECT_EQ(std::set<Words>(all.begin(), all.end()).size(), 12u);
}

TEST(SweepSettings, DrawsWithinTheRangesAndTheSameAgain) {
  SweepPlan plan;
  plan.axes = {sweep_axis_of("lr=1e-5..1e-1:log"), sweep_axis_of("n=2..5"),
               sweep_axis_of("w=a,b,c")};
  plan.random = 400;
  const auto all = sweep_settings(plan);
  ASSERT_EQ(all.size(), 400u);
  EXPECT_EQ(all, sweep_settings(plan));
  plan.draws_seed = 2;
  EXPECT_NE(all, sweep_settings(plan));
  int low = 0;
  std::set<std::string> whole, words;
  for (const Words& one : all) {
    const double lr = std::stod(one[0].substr(3));
    EXPECT_GE(lr, 0.99e-5);
    EXPECT_LE(lr, 1.01e-1);
    low += lr < 1e-3 ? 1 : 0;
    whole.insert(one[1]);
    words.insert(one[2]);
  }
  EXPECT_NEAR(low, 200, 40) << "even in the logarithm";
  EXPECT_EQ(whole, (std::set<std::string>{"n=2", "n=3", "n=4", "n=5"}));
  EXPECT_EQ(words.size(), 3u);
}

TEST(SweepSettings, RefusesDoublesAndTooMany) {
  SweepPlan plan;
  plan.axes = {sweep_axis_of("a=1,2"), sweep_axis_of("a=3")};
  EXPECT_NE(sweep_error([&] { sweep_settings(plan); }).find("named twice"), std::string::npos);
  plan.axes = {sweep_axis_of("a=1..1000"), sweep_axis_of("b=1..1000")};
  EXPECT_NE(sweep_error([&] { sweep_settings(plan); }).find("1000000 runs"), std::string::npos);
  plan.random = 10;
  EXPECT_EQ(sweep_settings(plan).size(), 10u);
  plan.axes = {sweep_axis_of("run.seed=1,2")};
  plan.random = 0;
  plan.seeds = 3;
  EXPECT_NE(sweep_error([&] { sweep_settings(plan); }).find("--seeds"), std::string::npos);
}

TEST(SweepRecord, ComesBackAndRefusesNamesThatLeadElsewhere) {
  const test::TemporaryFolder folder;
  SweepRecord record;
  record.tag = "lr ü";
  record.keys = {"a", "b"};
  record.rule = StopRule::Halving;
  record.after = 10;
  record.runs = 4;
  record.created = 5;
  record.stopped = {{"run", 12, "why"}};
  record.save(folder.path() / "sweeps");
  const auto back = SweepRecord::load(folder.path() / "sweeps", "lr ü");
  ASSERT_TRUE(back);
  EXPECT_EQ(back->keys, record.keys);
  EXPECT_EQ(back->rule, record.rule);
  EXPECT_EQ(back->stopped[0].why, "why");
  EXPECT_FALSE(SweepRecord::load(folder.path() / "sweeps", "other"));
  for (const char* tag : {"", "../x", ".x", "a/b"}) {
    record.tag = tag;
    EXPECT_THROW(record.save(folder.path()), Error) << tag;
  }
  test::write_bytes(folder.path() / "sweeps" / "bad.json", "{");
  EXPECT_THROW(SweepRecord::load(folder.path() / "sweeps", "bad"), Error);
  EXPECT_EQ(SweepRecord::all(folder.path() / "sweeps").size(), 1u);
}

LossCurve level(std::size_t steps, float loss) {
  return LossCurve(steps, loss);
}

TEST(WhyBehind, MedianStopsTheWorseHalfAfterItsGrace) {
  const std::vector<LossCurve> others = {level(100, 3.0f), level(100, 3.2f), level(100, 3.4f)};
  const auto why = [&](const LossCurve& own) {
    return why_behind(StopRule::Median, 20, own, others);
  };
  EXPECT_EQ(why(level(19, 9)), "") << "too early";
  EXPECT_NE(why(level(20, 3.3f)), "");
  EXPECT_EQ(why(level(20, 3.2f)), "") << "the median itself is not behind";
  EXPECT_EQ(why(level(20, 3.1f)), "");
  EXPECT_NE(why(level(150, 9)).find("at step 99"), std::string::npos) << "as far as others came";
  EXPECT_EQ(why(level(150, 3.1f)), "");
  EXPECT_EQ(why_behind(StopRule::Median, 20, level(50, 9), {level(100, 3), level(19, 3)}), "")
      << "two others must have made the steps of grace";
  LossCurve spoilt = level(30, 3.0f);
  spoilt[29] = kNan;
  EXPECT_NE(why(spoilt), "") << "a loss that is no number is behind any";
  EXPECT_EQ(why_behind(StopRule::None, 20, level(50, 9), others), "");
  EXPECT_EQ(why_behind(StopRule::Median, 20, level(50, 9), {others[0]}), "") << "one is no median";
  EXPECT_EQ(why_behind(StopRule::Median, 20, {}, others), "");
}

TEST(WhyBehind, HalvingKeepsTheBetterHalfAtEachRung) {
  const std::vector<LossCurve> others = {level(100, 3.0f), level(40, 3.2f), level(20, 3.4f)};
  const auto why = [&](const LossCurve& own) {
    return why_behind(StopRule::Halving, 10, own, others);
  };
  EXPECT_EQ(why(level(9, 9)), "");
  EXPECT_NE(why(level(10, 3.3f)), "") << "third of four";
  EXPECT_EQ(why(level(10, 3.1f)), "") << "second of four";
  EXPECT_NE(why(level(39, 3.3f)), "") << "judged at the rung of 20 steps";
  EXPECT_NE(why(level(40, 3.3f)), "") << "third of three at 40";
  EXPECT_EQ(why(level(40, 3.1f)), "") << "second of three: the better half is two";
  EXPECT_NE(why(level(80, 9)).find("at step 39"), std::string::npos) << "too few came to 80";
}

TEST(WhyBehind, JudgesByTheLastTenLosses) {
  LossCurve curve = level(20, 5.0f);
  for (std::size_t i = 10; i < 20; ++i) curve[i] = 2.0f;
  EXPECT_DOUBLE_EQ(settled_loss(curve, 19), 2.0);
  EXPECT_DOUBLE_EQ(settled_loss(curve, 14), 3.5);
  EXPECT_DOUBLE_EQ(settled_loss(curve, 0), 5.0);
  EXPECT_TRUE(std::isnan(settled_loss(curve, 20)));
  EXPECT_TRUE(std::isnan(settled_loss({}, 0)));
}

TEST(StopRule, NamesComeBack) {
  for (const StopRule rule : {StopRule::None, StopRule::Median, StopRule::Halving}) {
    EXPECT_EQ(stop_rule_of(name_of(rule)), rule);
  }
  EXPECT_THROW(stop_rule_of("both"), Error);
}

}  // namespace
}  // namespace tessera
