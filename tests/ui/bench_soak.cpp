// SPDX-License-Identifier: MIT
// A day of telemetry in five minutes with the whole window open: charts are drawn all the while,
// somebody walks through the pages, and nothing stalls and nothing piles up.
#include <fmt/format.h>
#include <malloc.h>
#include <unistd.h>

#include <QFile>
#include <QSet>
#include <QTimer>
#include <algorithm>
#include <atomic>
#include <cmath>
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
constexpr std::int64_t kDay = 24 * 3600;
constexpr int kLayers = 12, kExperts = 64;

/// Logs a day of steps, one a second of that day, spread evenly over some seconds of ours.
class Day {
 public:
  Day(WrittenRun& run, double seconds)
      : m_run(run), m_seconds(seconds), m_thread([this] { write(); }) {}
  ~Day() { m_thread.join(); }
  Day(const Day&) = delete;
  Day& operator=(const Day&) = delete;
  std::int64_t written() const { return m_written; }

 private:
  void write() {
    const double began = secondsNow();
    for (std::int64_t step = 0; step < kDay; ++step) {
      writeStep(step);
      m_written = step + 1;
      const double due = began + m_seconds * double(step + 1) / double(kDay);
      if (due > secondsNow() + 0.01) {
        std::this_thread::sleep_for(std::chrono::duration<double>(due - secondsNow()));
      }
    }
  }

  void writeStep(std::int64_t step) {
    const auto t = static_cast<double>(step);
    StepEvent e = stepEvent(step, 2 + 6 * std::exp(-1e-4 * t) + 0.1 * std::sin(0.7 * t));
    e.grad_norm = 1 + 0.3 * std::sin(1.3 * t);
    e.max_vio.assign(kLayers, 0.5f);
    m_run.log->append(e);
    if (step % 10 == 0) m_run.experts(step, kLayers, kExperts);
    if (step % 5 == 0) {
      const ProcessId self = this_process();
      m_run.log->append(HeartbeatEvent{self.pid, self.host, self.boot_id, RunState::Running, step});
    }
    if (step % 500 == 499) {
      ValidationEvent v;
      v.step = step;
      v.loss = 3;
      v.sources = {{"web", 3}, {"code", 3.2}};
      m_run.log->append(v);
      SampleEvent s;
      s.step = step;
      s.text = std::string(300, 'x');
      m_run.log->append(s);
      m_run.log->append(MessageEvent{"info", "validated", 0});
    }
    if (step % 3600 == 3599) {
      CheckpointEvent c;
      c.step = step;
      c.path = "checkpoints/step-" + std::to_string(step + 1);
      m_run.log->append(c);
    }
  }

  WrittenRun& m_run;
  double m_seconds;
  std::atomic<std::int64_t> m_written = 0;
  std::thread m_thread;
};

/// What a user does meanwhile, the charts being in sight most of the time.
class Walk {
 public:
  Walk(MainWindow& window, const QString& run) : m_window(window), m_run(run) {
    QObject::connect(&m_timer, &QTimer::timeout, &window, [this] { next(); });
    m_timer.start(2'500);
  }
  void stop() { m_timer.stop(); }

 private:
  void next() {
    const int turn = m_turn++ % 12;
    const auto go = [this](const char* page, const QMap<QString, QString>& arguments = {}) {
      m_window.open({QLatin1String(page), m_run, arguments});
    };
    if (turn == 4) return go("experts");
    if (turn == 6) return m_window.open({QStringLiteral("home"), {}, {}});
    if (turn == 7) return m_window.open({QStringLiteral("runs"), {}, {}});
    if (turn == 9) return go("monitor", {{QStringLiteral("tab"), QStringLiteral("samples")}});
    go("monitor", {{QStringLiteral("tab"), QStringLiteral("charts")}});
    auto* page = qobject_cast<MonitorPage*>(m_window.page(QStringLiteral("monitor")));
    ChartGroup* group = nullptr;
    for (ChartPanel* panel : page->findChildren<ChartPanel*>()) group = &panel->group();
    if (!group) return;
    const auto all = group->everything();
    if (turn == 1) group->setView(chart::Range{all.low + 0.6 * all.span(), all.high});
    if (turn == 2) group->pan(-0.1 * all.span());
    if (turn == 3) group->reset();
  }
  MainWindow& m_window;
  QString m_run;
  QTimer m_timer;
  int m_turn = 0;
};

/// What a row of the history takes: metrics and layers in floats with their pyramids, steps, tokens
/// and times, these once more as positions on the axes.
double bytesOfRow() {
  constexpr double kPyramid = 1 + 32.0 / (4 * 15);
  return (14 + kLayers) * 4 * kPyramid + 3 * 8 + 4 * 8;
}
/// Bytes of the loads and biases of a step, which the feed and the page each keep up to a limit.
constexpr double kBytesOfExperts = 2.0 * (kLayers * kExperts * 12 + 200);

/// That the machine under this one took from it: the clock goes on, and no program can know.
double stolenSeconds() {
  QFile file(QStringLiteral("/proc/stat"));
  if (!file.open(QIODevice::ReadOnly)) return 0;
  const QList<QByteArray> fields = file.readLine().simplified().split(' ');
  return fields.value(8).toDouble() / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

double residentNow() {
  ::malloc_trim(0);
  return residentMegabytes();
}
}  // namespace

void measureSoak(BudgetRows& rows, double seconds) {
  const TemporaryHome home;
  WrittenRun run(home.runs().toStdString(), "day");
  const RunLock lock(run.folder);
  run.state(RunState::Running);
  run.log->sync();
  const auto app = makeStudioApp();
  MainWindow* window = openWindow(*app);
  const auto feed = feedOf(*app, run.id());
  window->open({QStringLiteral("monitor"), run.id(), {{QStringLiteral("tab"), "charts"}}});
  QSet<qint64> experts;  // steps of which the loads were read
  QObject::connect(feed.get(), &RunFeed::expertsReady, window, [&](std::int64_t, const auto& e) {
    if (e) experts.insert(e->step);
  });
  Walk walk(*window, run.id());
  application().setWatching(true);
  application().forgetStalls();
  double early = 0, earlyRows = 0, earlyExperts = 0, shownSince = secondsNow(),
         stolen = stolenSeconds(), began = secondsNow(), cpu = processorSeconds();
  std::vector<double> lags;
  {
    const Day day(run, seconds);
    for (int part = 1; part <= 24; ++part) {
      const double until = began + seconds * part / 24;
      while (secondsNow() < until) {
        QTest::qWait(20);
        // Nothing is read while no page shows the run; a second after one does, all of it is.
        if (window->currentPage() != QLatin1String("monitor")) shownSince = secondsNow();
        if (secondsNow() < shownSince + 1) continue;
        lags.push_back(double(day.written()) - double(feed->history().rows()));
      }
      fmt::print("hour {:>2}: {:>6} rows, {:>5.0f} MB, longest event {:.0f} ms\n", part,
                 feed->history().rows(), residentMegabytes(), application().longestMs());
      std::fflush(stdout);
      if (part == 4) {  // every page has been built and every cache is warm by then
        early = residentNow();
        earlyRows = double(feed->history().rows());
        earlyExperts = double(experts.size());
      }
    }
  }
  walk.stop();
  const bool all = waitUntil([&] { return std::int64_t(feed->history().rows()) == kDay; }, 20'000);
  cpu = 100 * (processorSeconds() - cpu) / (secondsNow() - began);
  application().setWatching(false);
  if (!all) throw Error("studio_bench", "the studio fell behind the log");
  QTest::qWait(500);
  const double late = residentNow();
  const double ofRows = bytesOfRow() * (double(kDay) - earlyRows) / 1e6;
  const double ofExperts = kBytesOfExperts * (double(experts.size()) - earlyExperts) / 1e6;
  for (const QString& stall : application().stalls()) fmt::print("  {}\n", stall.toStdString());
  fmt::print(
      "memory after 4 hours {:.0f} MB, after 24 {:.0f} MB, {:.0f} of them rows, {:.0f} loads "
      "of experts; "
      "{:.0f} % of a core with the writer; {:.2f} s were stolen from the machine\n",
      early, late, ofRows, ofExperts, cpu, stolenSeconds() - stolen);
  rows.push_back({"a day in five minutes: longest event", application().longestMs(), 50, "ms"});
  rows.push_back(
      {"a day in five minutes: events over 100 ms", double(application().stalls().size()), 0, ""});
  rows.push_back({"memory grown in 20 hours, but for rows and loads",
                  std::max(0.0, late - early - ofRows - ofExperts), 8, "MB"});
  const double msOfStep = 1e3 * seconds / double(kDay);
  fmt::print("(charts in sight: {:.0f} ms behind the log in the middle)\n",
             msOfStep * median(lags));
  rows.push_back({"charts in sight: behind the log, at the most",
                  msOfStep * *std::max_element(lags.begin(), lags.end()), 250, "ms"});
}

}  // namespace tessera::ui::test
