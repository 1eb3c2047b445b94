// SPDX-License-Identifier: MIT
#include "core/history/alerts.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace tessera {
namespace {

RunRow running(std::int64_t step, double loss) {
  RunRow row;
  row.state = RunState::Running;
  row.step = step;
  row.loss = loss;
  row.tokens_per_second = 1000;
  row.sparkline = {10.0f, 8.0f, 6.0f};
  return row;
}

/// One layer, with this load on each expert.
ExpertsEvent loads(std::int64_t step, std::vector<std::int64_t> counts) {
  ExpertsEvent e;
  e.step = step;
  e.layers = 1;
  e.experts = static_cast<int>(counts.size());
  e.counts = std::move(counts);
  return e;
}

TEST(Alerts, EachKindHasARowOfItsOwn) {
  std::set<std::string> ids;
  for (std::size_t k = 0; k < kAlertKinds; ++k) {
    const AlertInfo& info = alert_info(static_cast<AlertKind>(k));
    EXPECT_TRUE(*info.id && *info.title && *info.help);
    EXPECT_TRUE(!*info.unit || (info.least <= info.usual_limit && info.usual_limit <= info.most));
    ids.insert(info.id);
  }
  EXPECT_EQ(ids.size(), kAlertKinds);
}

TEST(Alerts, ALossThatIsNotANumber) {
  RunAlerts run;
  run.take(running(5, 6.0), 0);
  EXPECT_FALSE(run.holds(AlertKind::NotFinite, 0));
  for (const double loss : {std::nan(""), HUGE_VAL}) {
    run.take(running(6, loss), 1);
    EXPECT_TRUE(run.holds(AlertKind::NotFinite, 0));
    EXPECT_FALSE(run.holds(AlertKind::Diverged, 1.5)) << "told once is enough";
  }
  // A run that was resumed has a step and no loss before its next step.
  RunRow resumed = running(6, std::nan(""));
  resumed.tokens_per_second = kNotMeasured;
  run.take(resumed, 2);
  EXPECT_FALSE(run.holds(AlertKind::NotFinite, 0));
  RunRow ended = running(6, std::nan(""));
  ended.state = RunState::Failed;
  run.take(ended, 3);
  EXPECT_FALSE(run.holds(AlertKind::NotFinite, 0));
}

TEST(Alerts, ALossThatHasRunAway) {
  RunAlerts run;
  run.take(running(50, 14.9), 0);
  EXPECT_FALSE(run.holds(AlertKind::Diverged, 1.5));
  EXPECT_TRUE(run.holds(AlertKind::Diverged, 1.2));
  run.take(running(51, 15.1), 1);
  ASSERT_TRUE(run.holds(AlertKind::Diverged, 1.5));
  EXPECT_EQ(run.holds(AlertKind::Diverged, 1.5)->usual, 10.0);
  RunRow young = running(1, 100);
  young.sparkline.resize(2);
  run.take(young, 2);
  EXPECT_FALSE(run.holds(AlertKind::Diverged, 1.5));
}

TEST(Alerts, ExpertsWithoutTokens) {
  RunAlerts run;
  run.take(running(100, 5), 0);
  for (int i = 0; i < 3; ++i) run.take(loads(i, {100, 0, 100, 0}));
  EXPECT_FALSE(run.holds(AlertKind::DeadExperts, 4));
  run.take(loads(2, {100, 0, 100, 0}));
  EXPECT_FALSE(run.holds(AlertKind::DeadExperts, 4)) << "the same load counts once";
  run.take(loads(3, {100, 0, 100, 1}));
  ASSERT_TRUE(run.holds(AlertKind::DeadExperts, 4));
  EXPECT_EQ(run.holds(AlertKind::DeadExperts, 4)->value, 1);
  EXPECT_EQ(run.holds(AlertKind::DeadExperts, 4)->usual, 4);
  // A few tokens say nothing, in neither direction.
  run.take(loads(4, {3, 0, 3, 0}));
  EXPECT_EQ(run.holds(AlertKind::DeadExperts, 4)->value, 1);
  run.take(loads(5, {100, 1, 100, 1}));
  EXPECT_FALSE(run.holds(AlertKind::DeadExperts, 2));
  // After a rollback counting begins anew.
  for (int i = 6; i < 10; ++i) run.take(loads(i, {100, 0, 100, 9}));
  EXPECT_TRUE(run.holds(AlertKind::DeadExperts, 4));
  run.take(loads(3, {100, 0, 100, 9}));
  EXPECT_FALSE(run.holds(AlertKind::DeadExperts, 4));
}

TEST(Alerts, ARunThatStandsStill) {
  RunAlerts run;
  run.take(running(7, 5), 1000);
  run.take(running(7, 5), 1000 + 14.9 * 60);
  EXPECT_FALSE(run.holds(AlertKind::NoProgress, 15));
  run.take(running(7, 5), 1000 + 15.1 * 60);
  ASSERT_TRUE(run.holds(AlertKind::NoProgress, 15));
  EXPECT_NEAR(run.holds(AlertKind::NoProgress, 15)->value, 15.1, 1e-9);
  run.take(running(8, 5), 1000 + 15.2 * 60);
  EXPECT_FALSE(run.holds(AlertKind::NoProgress, 15));
  // A pause is no standstill, and its end begins anew.
  RunRow paused = running(8, 5);
  paused.state = RunState::Paused;
  run.take(paused, 5000);
  run.take(paused, 9000);
  EXPECT_FALSE(run.holds(AlertKind::NoProgress, 15));
  run.take(running(8, 5), 9001);
  run.take(running(8, 5), 9002);
  EXPECT_FALSE(run.holds(AlertKind::NoProgress, 15));
}

}  // namespace
}  // namespace tessera
