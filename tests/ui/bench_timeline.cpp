// SPDX-License-Identifier: MIT
// A timeline of 64 ranks with 100,000 spans each, panned and zoomed as by a hand at the mouse.
#include <QScrollArea>
#include <QTimer>
#include <cmath>

#include "core/base/error.h"
#include "tests/ui/bench.h"
#include "tests/ui/harness.h"
#include "ui/pages/monitor/timeline_plot.h"

namespace tessera::ui::test {

namespace {
constexpr int kTimelineRanks = 64, kTimelineSpans = 100'000;

std::shared_ptr<const RunTimeline> largeTimeline() {
  auto timeline = std::make_shared<RunTimeline>();
  timeline->names = {"forward", "backward", "all_to_all", "receive", "optimiser"};
  timeline->lanes.resize(kTimelineRanks);
  for (int rank = 0; rank < kTimelineRanks; ++rank) {
    std::int64_t now = 1000 * rank;
    auto& spans = timeline->lanes[static_cast<std::size_t>(rank)].spans;
    spans.reserve(kTimelineSpans);
    for (int i = 0; i < kTimelineSpans; ++i) {
      TimelineSpan span;
      span.name = static_cast<std::uint16_t>((i * 7 + rank) % 5);
      span.kind = timeline_kind_of(timeline->names[span.name]);
      span.from_ns = now;
      span.to_ns = now + 20'000 + (i * 7919) % 60'000;
      span.bytes = span.name == 2 ? 1 << 20 : -1;
      now = span.to_ns + (i % 3) * 5'000;
      spans.push_back(span);
    }
  }
  arrange(*timeline);
  return timeline;
}
}  // namespace

void measureTimeline(BudgetRows& rows) {
  QScrollArea area;
  auto* plot = new TimelinePlot(&area);
  area.setWidgetResizable(true);
  area.setWidget(plot);
  plot->setTimeline(largeTimeline());
  if (!show(area, kDesktop)) throw Error("studio_bench", "the timeline was not shown");
  for (const auto& [name, share] :
       {std::pair("all of it", 1.0), std::pair("a tenth", 0.1), std::pair("a thousandth", 1e-3)}) {
    const double all = static_cast<double>(plot->timeline()->length_ns);
    int tick = 0;
    QTimer hand;
    hand.setTimerType(Qt::PreciseTimer);
    QObject::connect(&hand, &QTimer::timeout, plot, [&, part = share] {
      const double low = (1 - part) * all * (0.5 + 0.5 * std::sin(0.02 * ++tick));
      plot->setView({low, low + part * all * (1 + 0.05 * std::sin(0.3 * tick))});
    });
    hand.start(16);
    const double longest = longestEvent([] { QTest::qWait(1500); });
    hand.stop();
    rows.push_back({QStringLiteral("timeline 64 x 100k, panned over %1: longest event")
                        .arg(QLatin1String(name)),
                    longest, 50, "ms"});
  }
}

}  // namespace tessera::ui::test
