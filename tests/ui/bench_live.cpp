// SPDX-License-Identifier: MIT
// A run that is being written, in the whole window: how often charts are drawn, and how soon.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>
#include <mutex>
#include <thread>

#include "core/base/error.h"
#include "tests/ui/bench.h"
#include "tests/ui/harness.h"
#include "tests/ui/run_files.h"
#include "ui/bridge/runs/run_store.h"
#include "ui/pages/monitor/charts_tab.h"
#include "ui/pages/monitor/monitor_page.h"
#include "ui/shell/main_window.h"
#include "ui/shell/studio_app.h"
#include "ui/widgets/chart/chart_panel.h"

namespace tessera::ui::test {

namespace {
/// Logs a step every few milliseconds, as another process would.
class Trainer {
 public:
  Trainer(WrittenRun& run, std::int64_t next, std::function<int(std::int64_t)> pauseMs)
      : m_run(run), m_next(next), m_pauseMs(std::move(pauseMs)), m_thread([this] { train(); }) {}
  ~Trainer() {
    m_end = true;
    m_thread.join();
  }
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  /// When a step was in the log; 0: not yet.
  double writtenAt(std::int64_t step) {
    const std::lock_guard lock(m_mutex);
    const auto found = m_written.find(step);
    return found == m_written.end() ? 0 : found->second;
  }

 private:
  void train() {
    for (std::int64_t step = m_next; !m_end; ++step) {
      m_run.log->append(stepEvent(step, 4 + std::sin(0.1 * static_cast<double>(step))));
      const double now = secondsNow();
      {
        const std::lock_guard lock(m_mutex);
        m_written[step] = now;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(m_pauseMs(step)));
    }
  }
  WrittenRun& m_run;
  std::int64_t m_next;
  std::function<int(std::int64_t)> m_pauseMs;
  std::mutex m_mutex;
  std::map<std::int64_t, double> m_written;
  std::atomic<bool> m_end = false;
  std::thread m_thread;
};

/// Notes when a panel has been painted, and which step was the last in it.
class PaintNotes {
 public:
  explicit PaintNotes(ChartPanel& panel) : m_panel(panel) {}
  struct Paint {
    double at = 0;
    std::int64_t step = 0;
  };
  /// Counts paints of new curves; a cursor or a hover is none. Call after events were handled.
  void look() {
    if (m_panel.renders() == m_renders) return;
    m_renders = m_panel.renders();
    paints.push_back({secondsNow(), static_cast<std::int64_t>(m_panel.drawn().x.range.high)});
  }
  std::vector<Paint> paints;

 private:
  ChartPanel& m_panel;
  int m_renders = 0;
};

struct LiveRun {
  LiveRun() : run(home.runs().toStdString(), "live"), lock(run.folder), app(makeStudioApp()) {
    run.state(RunState::Running);
    run.steps(0, 50);
    run.log->sync();
    window = openWindow(*app);
    feed = feedOf(*app, run.id());
    window->open({QStringLiteral("monitor"), run.id(), {{QStringLiteral("tab"), "charts"}}});
    if (!waitUntil([&] { return feed->history().rows() == 50; }, 20'000)) {
      throw Error("studio_bench", "the run was not read");
    }
    QTest::qWait(500);
  }
  /// Panels are made anew when the page's size changes.
  ChartPanel& panel() const {
    for (ChartPanel* one : window->findChildren<ChartPanel*>()) {
      if (one->isVisibleTo(window) && one->spec().id == QLatin1String("loss")) return *one;
    }
    throw Error("studio_bench", "there is no panel of the loss");
  }
  TemporaryHome home;
  WrittenRun run;
  RunLock lock;
  std::unique_ptr<StudioApp> app;
  MainWindow* window = nullptr;
  std::shared_ptr<RunFeed> feed;
};

struct Rates {
  double paints = 0, batches = 0;  ///< a second
};

/// While it runs on for some seconds, in whatever state the window is.
Rates ratesOf(LiveRun& live, double seconds) {
  PaintNotes notes(live.panel());
  notes.look();
  notes.paints.clear();
  std::vector<double> batches;
  QObject context;
  QObject::connect(live.feed.get(), &RunFeed::changed, &context,
                   [&] { batches.push_back(secondsNow()); });
  const double until = secondsNow() + seconds;
  while (secondsNow() < until) {
    QTest::qWait(1);
    notes.look();
  }
  // Between the first and the last: where the window of time begins makes no difference.
  const auto rate = [](double first, double last, std::size_t count) {
    return count < 2 ? double(count) : double(count - 1) / (last - first);
  };
  const auto& paints = notes.paints;
  return {paints.empty() ? 0 : rate(paints.front().at, paints.back().at, paints.size()),
          batches.empty() ? 0 : rate(batches.front(), batches.back(), batches.size())};
}

void measureRates(BudgetRows& rows, LiveRun& live) {
  constexpr double kSeconds = 6;
  const auto add = [&](const char* what, double measured, double budget) {
    rows.push_back({QLatin1String(what), measured, budget, QStringLiteral("Hz")});
  };
  if (!live.window->isActiveWindow()) throw Error("studio_bench", "the window has no focus");
  const Rates focused = ratesOf(live, kSeconds);
  add("cadence, focused: charts drawn", focused.paints, 10);
  QWidget other;
  show(other, {200, 100});
  other.activateWindow();
  waitUntil([&] { return !live.window->isActiveWindow(); });
  if (live.window->isActiveWindow()) throw Error("studio_bench", "the window kept the focus");
  QTest::qWait(600);
  const Rates unfocused = ratesOf(live, kSeconds);
  add("cadence, unfocused: charts drawn", unfocused.paints, 2);
  live.window->hide();
  QTest::qWait(600);
  const Rates hidden = ratesOf(live, kSeconds);
  add("cadence, hidden: charts drawn", hidden.paints, 0);
  add("cadence, hidden: batches read", hidden.batches, 0);
  fmt::print("(batches a second: focused {:.1f}, unfocused {:.1f}, hidden {:.1f})\n",
             focused.batches, unfocused.batches, hidden.batches);
  live.window->show();
  live.window->activateWindow();
  waitUntil([&] { return live.window->isActiveWindow(); });
  other.hide();
  QTest::qWait(300);
}

/// Steps come at times that have nothing to do with the studio's timers.
void measureLag(BudgetRows& rows, LiveRun& live, std::int64_t next) {
  PaintNotes notes(live.panel());
  std::vector<double> lags;
  {
    Trainer trainer(live.run, next, [](std::int64_t step) { return int(230 + step * 37 % 90); });
    const double until = secondsNow() + 10;
    notes.look();
    notes.paints.clear();
    while (secondsNow() < until) {
      QTest::qWait(1);
      notes.look();
    }
    std::int64_t shown = next;
    for (const PaintNotes::Paint& paint : notes.paints) {
      for (; shown <= paint.step; ++shown) {
        const double written = trainer.writtenAt(shown);
        if (written > 0) lags.push_back(1e3 * (paint.at - written));
      }
    }
  }
  if (lags.size() < 20) throw Error("studio_bench", "few steps became pixels");
  fmt::print("(from event to pixel: {:.0f} ms in the middle of {})\n", median(lags), lags.size());
  rows.push_back({"from event to pixel, the latest but one", slowest(lags), 250, "ms"});
}
}  // namespace

void measureCadence(BudgetRows& rows) {
  LiveRun live;
  std::int64_t next = 50;
  {
    Trainer trainer(live.run, next, [](std::int64_t) { return 5; });
    measureRates(rows, live);
  }
  waitUntil([&] { return !live.feed->history().step.empty(); });
  QTest::qWait(300);
  next = live.feed->history().step.back() + 1;
  measureLag(rows, live, next);
}

}  // namespace tessera::ui::test
