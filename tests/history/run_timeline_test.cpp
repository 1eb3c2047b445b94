// SPDX-License-Identifier: MIT
// Timelines of runs, read back: pieces of spans that lie inside of each other, idle time, and files
// that are none.
#include "core/history/run_timeline.h"

#include <gtest/gtest.h>

#include <fstream>

#include "core/base/error.h"
#include "core/base/files.h"
#include "tests/run/run_test_helpers.h"

namespace tessera {
namespace {

class RunTimelineTest : public testing::Test {
 protected:
  std::filesystem::path write(const std::string& events) const {
    const auto file = folder_.path() / kTimelineName;
    std::ofstream(file) << "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n"
                        << events << "\n],\"otherData\":{\"clocks\":[]}}\n";
    return file;
  }
  static std::string span(const std::string& name, int rank, double from_us, double length_us,
                          const std::string& more = "") {
    return fmt::format(
        R"({{"name":"{}","ph":"X","pid":{},"tid":0,"ts":{:.3f},"dur":{:.3f},"args":{{"step":3{}}}}},)"
        "\n",
        name, rank, from_us, length_us, more);
  }
  std::string trouble(const std::filesystem::path& file) const {
    try {
      read_timeline(file);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  test::TemporaryFolder folder_;
};

TEST_F(RunTimelineTest, InnerSpansOwnTheirTime) {
  const RunTimeline t =
      read_timeline(write(span("forward", 0, 100, 50, R"(,"stage":1,"micro_batch":2)") +
                          span("all_to_all", 0, 110, 10, R"(,"bytes":4096)") +
                          span("receive", 0, 160, 30) + span("optimiser", 1, 120, 80)));
  ASSERT_EQ(t.lanes.size(), 2u);
  EXPECT_EQ(t.length_ns, 100'000);
  const TimelineLane& lane = t.lanes[0];
  ASSERT_EQ(lane.spans.size(), 3u);
  const auto name_at = [&](std::int64_t ns) {
    const std::int32_t owner = lane.owner_at(ns);
    return owner < 0 ? "" : t.names[lane.spans[static_cast<std::size_t>(owner)].name];
  };
  EXPECT_EQ(name_at(-1), "");
  EXPECT_EQ(name_at(0), "forward");
  EXPECT_EQ(name_at(9'999), "forward");
  EXPECT_EQ(name_at(10'000), "all_to_all");
  EXPECT_EQ(name_at(19'999), "all_to_all");
  EXPECT_EQ(name_at(20'000), "forward");
  EXPECT_EQ(name_at(50'000), "");
  EXPECT_EQ(name_at(60'000), "receive");
  EXPECT_EQ(name_at(90'000), "");
  EXPECT_EQ(lane.spans[0].stage, 1);
  EXPECT_EQ(lane.spans[0].micro_batch, 2);
  EXPECT_EQ(lane.spans[0].step, 3);
  EXPECT_EQ(lane.spans[0].bytes, -1);
  EXPECT_EQ(lane.spans[1].bytes, 4096);
  EXPECT_DOUBLE_EQ(lane.idle, 0.5) << "to receive is to wait";
  EXPECT_DOUBLE_EQ(t.lanes[1].idle, 0.2);
}

TEST_F(RunTimelineTest, SpansThatOverlapAndRanksThatSayNothing) {
  // Clocks are compared within an uncertainty, so an inner span may end after its outer one.
  const RunTimeline t = read_timeline(write(span("backward", 2, 0, 10) + span("send", 2, 5, 10) +
                                            span("forward", 2, 5, 0) + span("barrier", 2, 30, 10)));
  ASSERT_EQ(t.lanes.size(), 3u);
  EXPECT_TRUE(t.lanes[0].spans.empty());
  EXPECT_DOUBLE_EQ(t.lanes[0].idle, 1);
  const TimelineLane& lane = t.lanes[2];
  const auto kind_at = [&](std::int64_t ns) {
    return lane.spans.at(static_cast<std::size_t>(lane.owner_at(ns))).kind;
  };
  EXPECT_EQ(kind_at(4'000), TimelineKind::Backward);
  EXPECT_EQ(kind_at(7'000), TimelineKind::Send);
  EXPECT_EQ(kind_at(12'000), TimelineKind::Send);
  EXPECT_EQ(lane.owner_at(16'000), -1);
  EXPECT_DOUBLE_EQ(lane.idle, 1 - 15.0 / 40);
}

TEST_F(RunTimelineTest, KindsOfWhatRanksRecord) {
  EXPECT_EQ(timeline_kind_of("forward"), TimelineKind::Forward);
  EXPECT_EQ(timeline_kind_of("backward of the input"), TimelineKind::Backward);
  EXPECT_EQ(timeline_kind_of("backward of the weights"), TimelineKind::Weights);
  EXPECT_EQ(timeline_kind_of("all_to_all"), TimelineKind::AllToAll);
  for (const char* sum :
       {"all_reduce", "reduce_scatter", "all_gather", "broadcast", "sum of gradients"}) {
    EXPECT_EQ(timeline_kind_of(sum), TimelineKind::Sum) << sum;
  }
  EXPECT_EQ(timeline_kind_of("receive"), TimelineKind::Wait);
  EXPECT_EQ(timeline_kind_of("something new"), TimelineKind::Other);
}

TEST_F(RunTimelineTest, RefusesWhatIsNoTimeline) {
  EXPECT_NE(trouble(folder_.path() / "absent").find("cannot be read"), std::string::npos);
  EXPECT_NE(trouble(write("")).find("no span yet"), std::string::npos);
  EXPECT_NE(trouble(write(span("forward", -1, 0, 1))).find("rank -1"), std::string::npos);
  EXPECT_NE(trouble(write(span("forward", 1 << 20, 0, 1))).find("rank"), std::string::npos);
  EXPECT_NE(trouble(write(span("forward", 0, 0, -1))).find("outside of any time"),
            std::string::npos);
  EXPECT_NE(trouble(write(R"({"name":"x","ph":"X","pid":"one"},)")).find("cannot be read"),
            std::string::npos);
  EXPECT_NE(trouble(write(R"({"name":"x","ph":"X","pid":0,)")).find("cannot be read"),
            std::string::npos);
  const auto other = folder_.path() / "other.json";
  write_file_atomically(other, "{}\n");
  EXPECT_NE(trouble(other).find("is no timeline"), std::string::npos);
  const auto large = folder_.path() / "large.json";
  std::ofstream(large) << "{";
  std::filesystem::resize_file(large, kMostTimelineBytes + 1);
  EXPECT_NE(trouble(large).find("larger than 64 MiB"), std::string::npos);
}

}  // namespace
}  // namespace tessera
