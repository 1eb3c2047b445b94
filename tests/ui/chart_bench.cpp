// SPDX-License-Identifier: MIT
#include "tests/ui/chart_bench.h"

#include <malloc.h>
#include <time.h>

#include <QApplication>
#include <QWidget>
#include <algorithm>
#include <fstream>
#include <functional>

#include "tests/ui/chart_fixture.h"
#include "ui/widgets/chart/chart_grid.h"
#include "ui/widgets/chart/heat_map.h"

namespace tessera::ui::test {

namespace {
using chart::Range;

std::vector<ChartPanelSpec> manyPanels(int count) {
  const char* ids[] = {"loss", "grad_norm", "learning_rate", "tokens_per_second"};
  std::vector<ChartPanelSpec> panels;
  for (int i = 0; i < count; ++i) {
    for (ChartPanelSpec spec : standardPanels()) {
      if (spec.id != QLatin1String(ids[i % 4])) continue;
      spec.id += QString::number(i);
      panels.push_back(spec);
    }
  }
  return panels;
}

/// Processor time of this thread: nothing here waits for anything, so on a quiet machine this is
/// what passes, and on a busy one it is still what is needed.
double threadMs() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return double(now.tv_sec) * 1e3 + double(now.tv_nsec) * 1e-6;
}

/// The slowest but one of some repetitions, in milliseconds: what a user notices, without the one
/// that another process took the processor in.
double slowest(int repetitions, const std::function<void(int)>& work) {
  std::vector<double> times;
  for (int i = 0; i < repetitions; ++i) {
    const double begun = threadMs();
    work(i);
    times.push_back(threadMs() - begun);
  }
  std::sort(times.begin(), times.end());
  return times[times.size() - (times.size() > 4 ? 2 : 1)];
}

/// A page of panels on the screen; repaint() paints at once whatever needs it.
struct Page {
  Page(const QSize& size, int panels, const ChartGroup::Runs& runs) : grid(group) {
    group.setRuns(runs);
    grid.setPanels(manyPanels(panels));
    grid.resize(size);
    grid.show();
    QApplication::processEvents();
    repaint();
  }
  void repaint() {
    QApplication::sendPostedEvents();
    for (ChartPanel* panel : grid.findChildren<ChartPanel*>()) {
      if (panel->isVisible()) panel->repaint();
    }
  }
  /// The longest turn of the event loop while something changes in each frame: what the window
  /// stands still for.
  double longestTurn(int frames, const std::function<void(int)>& change) {
    return slowest(2 * frames, [&](int i) {
      if (i % 2 == 0) {
        change(i / 2);
        repaint();
      } else {
        QApplication::processEvents();
      }
    });
  }
  double pan() {
    const Range all = group.everything();
    group.setView(Range{all.low + 0.3 * all.span(), all.low + 0.6 * all.span()});
    settle();
    return longestTurn(20, [&](int) { group.pan(0.003 * all.span()); });
  }
  double zoom() {
    const Range all = group.everything();
    group.setView({});
    settle();
    return longestTurn(20,
                       [&](int i) { group.zoom(i < 10 ? 0.8 : 1.25, all.low + 0.4 * all.span()); });
  }
  /// All panels in sight drawn anew, over as many turns as that takes.
  double refresh() {
    group.setView({});
    settle();
    return slowest(10, [&](int) {
      group.dataChanged();
      settle();
    });
  }
  double cursor() {
    const Range all = group.everything();
    settle();
    return longestTurn(20, [&](int i) { group.setCursor(all.low + i * all.span() / 20); });
  }
  void settle() {
    do {
      repaint();
      QApplication::processEvents();
    } while (group.drawing());
  }
  ChartGroup group;
  ChartGrid grid;
};

double residentMegabytes() {
  std::ifstream in("/proc/self/statm");
  long pages = 0, resident = 0;
  in >> pages >> resident;
  return double(resident) * 4096 / 1e6;
}

void add(std::vector<BudgetRow>& rows, const QString& what, double measured, double budget,
         const QString& unit = QStringLiteral("ms")) {
  rows.push_back({what, measured, budget, unit});
}
}  // namespace

std::vector<BudgetRow> measureCharts() {
  std::vector<BudgetRow> rows;
  const QSize desktop(1832, 900);  // what 1920x1080 leaves
  {
    auto history = makeHistory(1'000'000);
    Page page(desktop, 24, {makeCurves(QStringLiteral("run-a"), history)});
    add(rows, QStringLiteral("24 panels of 1 M points: pan"), page.pan(), 33);
    add(rows, QStringLiteral("24 panels of 1 M points: zoom"), page.zoom(), 33);
    add(rows, QStringLiteral("24 panels of 1 M points: full refresh"), page.refresh(), 50);
    add(rows, QStringLiteral("24 panels of 1 M points: cursor"), page.cursor(), 33);
    ChartOptions options = page.group.options();
    options.smoothing = 100;
    add(rows, QStringLiteral("24 panels of 1 M points: first frame smoothed"),
        slowest(1,
                [&](int) {
                  page.group.setOptions(options);
                  page.repaint();
                }),
        50);
    for (int i = 0; i < 40; ++i) page.settle();  // until all of it is smoothed
    add(rows, QStringLiteral("24 panels of 1 M points, smoothed: pan"), page.pan(), 33);
  }
  {
    ChartGroup::Runs runs;
    for (int i = 0; i < 50; ++i) {
      runs.push_back(makeCurves(QStringLiteral("run-%1").arg(i), makeHistory(20'000, unsigned(i))));
    }
    Page page(desktop, 24, runs);
    add(rows, QStringLiteral("24 panels, 50 runs of 20 k points: pan"), page.pan(), 33);
    add(rows, QStringLiteral("24 panels, 50 runs of 20 k points: zoom"), page.zoom(), 33);
    add(rows, QStringLiteral("24 panels, 50 runs of 20 k points: full refresh"), page.refresh(),
        50);
    add(rows, QStringLiteral("24 panels, 50 runs of 20 k points: cursor"), page.cursor(), 33);
  }
  {
    ChartGroup::Runs runs;
    for (int i = 0; i < 50; ++i) {
      runs.push_back(
          makeCurves(QStringLiteral("run-%1").arg(i), makeHistory(200'000, unsigned(i))));
    }
    Page page(QSize(900, 500), 1, runs);
    add(rows, QStringLiteral("1 panel, 50 runs of 200 k points: pan"), page.pan(), 33);
  }
  {
    ::malloc_trim(0);  // what the measurements above gave back
    const double before = residentMegabytes();
    auto history = makeHistory(1'000'000);
    for (int m = 0; m < 12; ++m) {  // all but the last two are a million floats
      Series& series = metricOf(*history, static_cast<Metric>(m));
      if (series.empty()) series.assign(history->metric(Metric::Loss).values());
    }
    Page page(desktop, 12, {makeCurves(QStringLiteral("run-a"), history)});
    add(rows, QStringLiteral("12 charts of 1 M points: memory more than without"),
        residentMegabytes() - before, 350, QStringLiteral("MB"));
  }
  {
    HeatMap map;
    map.resize(1100, 560);
    map.show();
    HeatScale scale;
    scale.diverging = true;
    scale.low = -1;
    scale.centre = 0;
    std::vector<float> values(58 * 256);
    add(rows, QStringLiteral("map of 58 x 256: new step to pixels"),
        slowest(20,
                [&](int i) {
                  for (std::size_t k = 0; k < values.size(); ++k) {
                    values[k] = std::sin(float(k) * 0.37f + float(i));
                  }
                  map.setValues(58, 256, values, scale);
                  map.repaint();
                }),
        33);
  }
  return rows;
}

}  // namespace tessera::ui::test
