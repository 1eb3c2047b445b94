// SPDX-License-Identifier: MIT
// The experts page on the log of a large model: 58 layers of 256 experts, 10,000 logged steps.
#include <fmt/format.h>

#include <QScrollBar>
#include <QSlider>
#include <QTimer>
#include <algorithm>
#include <cmath>
#include <random>

#include "core/base/error.h"
#include "tests/ui/bench.h"
#include "tests/ui/harness.h"
#include "tests/ui/run_files.h"
#include "ui/bridge/runs/run_store.h"
#include "ui/pages/experts/experts_page.h"
#include "ui/pages/experts/time_scrubber.h"
#include "ui/shell/main_window.h"
#include "ui/shell/studio_app.h"
#include "ui/widgets/chart/heat_map.h"

namespace tessera::ui::test {

namespace {
constexpr int kLayers = 58, kExperts = 256, kSteps = 10'000;

/// About 1.8 GB.
void writeRun(WrittenRun& run) {
  run.state(RunState::Running);
  ExpertsEvent e;
  e.layers = kLayers;
  e.experts = kExperts;
  e.counts.resize(std::size_t(kLayers) * kExperts);
  e.biases.resize(e.counts.size());
  std::mt19937 random(3);
  for (int step = 0; step < kSteps; ++step) {
    run.log->append(stepEvent(step, 4));
    e.step = step;
    e.tokens = (step + 1) * 2048;
    for (std::size_t i = 0; i < e.counts.size(); ++i) {
      e.counts[i] = 100 + static_cast<std::int64_t>((i * 7919 + std::size_t(step) * 31) % 97);
      e.biases[i] = 1e-4f * static_cast<float>((i + std::size_t(step)) % 500);
    }
    e.counts[random() % e.counts.size()] = 0;
    run.log->append(e);
  }
  run.state(RunState::Finished);
}

struct Scrubbed {
  double longest = 0, frames = 0;  ///< ms; a second
};

/// A hand at the slider, sixty times a second.
Scrubbed scrub(ExpertsPage& page, TimeScrubber& scrubber, double seconds,
               const std::function<int(int)>& placeOf) {
  int tick = 0, frames = 0;
  std::int64_t before = page.shownStep();
  QTimer hand;
  hand.setTimerType(Qt::PreciseTimer);
  QObject::connect(&hand, &QTimer::timeout, &page, [&] {
    scrubber.slider()->setValue(placeOf(tick++));
    frames += std::exchange(before, page.shownStep()) != page.shownStep() ? 1 : 0;
  });
  hand.start(16);
  double undisturbed = 0;
  const double longest = longestEvent([&] {
    const Stopwatch watch;
    QTest::qWait(int(1e3 * seconds / 3));
    undisturbed += 1e-3 * watch.ms();
  });
  hand.stop();
  return {longest, frames / std::max(0.1, undisturbed)};
}
}  // namespace

void measureExperts(BudgetRows& rows) {
  const TemporaryHome home;
  WrittenRun run(home.runs().toStdString(), "large");
  writeRun(run);
  const auto app = makeStudioApp();
  MainWindow* window = openWindow(*app);
  if (!waitUntil([&] { return app->runs().run(run.id()); }, 60'000)) {
    throw Error("studio_bench", "the run is not in the library");
  }
  application().setWatching(true);
  application().forgetStalls();
  const Stopwatch watch;
  window->open({QStringLiteral("experts"), run.id(), {}});
  auto* page = qobject_cast<ExpertsPage*>(window->page(QStringLiteral("experts")));
  auto* scrubber = page->findChild<TimeScrubber*>();
  if (!waitUntil([&] { return scrubber->count() == kSteps && page->shownStep() == kSteps - 1; },
                 60'000)) {
    throw Error("studio_bench", "the experts were not shown");
  }
  application().setWatching(false);
  fmt::print("(10k steps of 58 x 256 opened in {:.0f} ms)\n", watch.ms());
  rows.push_back({"experts 58 x 256: opening, longest event", application().longestMs(), 50, "ms"});
  QTest::qWait(1'000);
  std::mt19937 random(5);
  const Scrubbed sweep = scrub(*page, *scrubber, 5, [](int tick) { return tick * 37 % kSteps; });
  const Scrubbed jumps =
      scrub(*page, *scrubber, 5, [&](int) { return int(random() % unsigned(kSteps)); });
  rows.push_back({"experts, swept through 10k steps: longest event", sweep.longest, 50, "ms"});
  rows.push_back({"experts, swept through 10k steps: maps shown", sweep.frames, 10, "/s", true});
  rows.push_back({"experts, jumping in 10k steps: longest event", jumps.longest, 50, "ms"});
  rows.push_back({"experts, jumping in 10k steps: maps shown", jumps.frames, 10, "/s", true});
  std::vector<double> times;
  for (int i = 0; i < 20; ++i) {
    const int place = int(random() % unsigned(kSteps));
    const Stopwatch picked;
    scrubber->slider()->setValue(place);
    waitUntil([&] { return page->shownStep() == place; });
    if (page->shownStep() != place) throw Error("studio_bench", "a step was not shown");
    QTest::qWait(0);
    times.push_back(picked.ms());
    QTest::qWait(100);
  }
  rows.push_back({"experts, a step picked: shown after", slowest(times), 250, "ms"});
}

}  // namespace tessera::ui::test
