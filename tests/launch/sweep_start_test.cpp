// SPDX-License-Identifier: MIT
// Sweeps that are begun: their runs, what is written down of them, and the queue.
#include "core/launch/sweep_start.h"

#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/base/files.h"
#include "tests/run/run_test_helpers.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;

class SweepStart : public testing::Test {
 protected:
  static RunSpec spec_with(const std::vector<std::string>& settings) {
    const SpecReading reading =
        read_spec_text(write_spec(test::small_spec("base")), "base.toml", settings);
    if (!reading.ok()) throw Error("base.toml", reading.problems.front().text());
    return reading.spec;
  }
  static SweepOrder order(const std::vector<std::string>& axes, int seeds = 1) {
    SweepOrder o;
    o.tag = "lr";
    for (const std::string& axis : axes) o.plan.axes.push_back(sweep_axis_of(axis));
    o.plan.seeds = seeds;
    o.plan.first_seed = 40;
    return o;
  }
  static std::string trouble_of(const SweepOrder& order) {
    try {
      sweep_runs(order, spec_with);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  fs::path sweeps() const { return folder_.path() / "sweeps"; }
  QueueFile queue() const { return QueueFile(folder_.path() / "queue.json"); }

  test::TemporaryFolder folder_;
};

TEST_F(SweepStart, MakesNamedAndTaggedRuns) {
  const SweepRuns runs = sweep_runs(order({"optimiser.clip=0.5,1"}, 2), spec_with);
  ASSERT_EQ(runs.specs.size(), 4u);
  EXPECT_EQ(runs.specs[0].run.name, "base-1");
  EXPECT_EQ(runs.specs[3].run.name, "base-4");
  EXPECT_EQ(runs.specs[0].optimiser.clip, 0.5);
  EXPECT_EQ(runs.specs[3].optimiser.clip, 1);
  EXPECT_EQ(runs.specs[0].run.seed, 40);
  EXPECT_EQ(runs.specs[1].run.seed, 41);
  for (const RunSpec& spec : runs.specs)
    EXPECT_EQ(spec.run.tags, (std::vector<std::string>{"demo", "lr"}));
  EXPECT_EQ(sweep_runs(order({"optimiser.clip=1..10"}), spec_with).specs[0].run.name, "base-01");
}

TEST_F(SweepStart, SaysWhatDoesNotFit) {
  EXPECT_NE(trouble_of(order({})).find("nothing differs"), std::string::npos);
  SweepOrder untagged = order({"optimiser.clip=0.5,1"});
  untagged.tag.clear();
  EXPECT_NE(trouble_of(untagged).find("no tag"), std::string::npos);
  const std::string unknown = trouble_of(order({"optimiser.clap=0.5,1"}));
  EXPECT_NE(unknown.find("optimiser.clap: unknown key; did you mean"), std::string::npos)
      << unknown;
  EXPECT_NE(trouble_of(order({"optimiser.clip=0.5,red"})).find("optimiser.clip"),
            std::string::npos);
}

TEST_F(SweepStart, QueuesAllAndWritesThemDown) {
  SweepOrder first = order({"optimiser.weight_decay=1e-3..1e-1:log:3"});
  first.rule = StopRule::Median;
  QueueFile file = queue();
  queue_sweep(first, sweep_runs(first, spec_with), sweeps(), file);
  const auto record = SweepRecord::load(sweeps(), "lr");
  ASSERT_TRUE(record);
  EXPECT_EQ(record->runs, 3);
  EXPECT_EQ(record->rule, StopRule::Median);
  EXPECT_GE(record->after, 1);
  EXPECT_EQ(record->log_keys, record->keys);
  ASSERT_EQ(file.queue().entries.size(), 3u);
  EXPECT_EQ(file.queue().entries[1].name, "base-2");
  EXPECT_TRUE(read_spec_text(file.queue().entries[1].spec, "entry").ok());

  const SweepOrder more = order({"optimiser.clip=0.5,1"}, 2);
  queue_sweep(more, sweep_runs(more, spec_with), sweeps(), file);
  const auto joined = SweepRecord::load(sweeps(), "lr");
  EXPECT_EQ(joined->runs, 7);
  EXPECT_EQ(joined->rule, StopRule::Median) << "as it was set before";
  EXPECT_EQ(joined->keys,
            (std::vector<std::string>{"optimiser.weight_decay", "optimiser.clip", "run.seed"}));
  EXPECT_EQ(joined->log_keys, std::vector<std::string>{"optimiser.weight_decay"});
  EXPECT_EQ(joined->created, record->created);
  EXPECT_EQ(file.queue().entries.size(), 7u);
}

TEST_F(SweepStart, LeavesNothingWhereTheQueueCannotBeWritten) {
  const SweepOrder one = order({"optimiser.clip=0.5,1"});
  write_file_atomically(folder_.path() / "queue.json", "no queue");
  QueueFile file = queue();
  EXPECT_THROW(queue_sweep(one, sweep_runs(one, spec_with), sweeps(), file), Error);
  EXPECT_FALSE(SweepRecord::load(sweeps(), "lr"));
  EXPECT_EQ(read_file(folder_.path() / "queue.json"), "no queue");
}

TEST_F(SweepStart, ReadsRecordsOfEarlierVersions) {
  SweepOrder one = order({"optimiser.clip=0.5,1"});
  QueueFile file = queue();
  queue_sweep(one, sweep_runs(one, spec_with), sweeps(), file);
  std::string text = read_file(sweeps() / "lr.json");
  const auto at = text.find("\"log_keys\"");
  ASSERT_NE(at, text.npos);
  text.replace(at, 10, "\"unknown\"");
  write_file_atomically(sweeps() / "lr.json", text);
  const auto record = SweepRecord::load(sweeps(), "lr");
  ASSERT_TRUE(record);
  EXPECT_TRUE(record->log_keys.empty());
  EXPECT_EQ(record->keys, std::vector<std::string>{"optimiser.clip"});
}

}  // namespace
}  // namespace tessera
