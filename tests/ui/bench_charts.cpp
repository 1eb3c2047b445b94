// SPDX-License-Identifier: MIT
// Charts against their budgets, as the user waits for them: from the change until every panel in
// sight shows it, through the event loop and the window's own painting.
#include <fmt/format.h>

#include <QApplication>
#include <algorithm>
#include <cmath>

#include "tests/ui/bench.h"
#include "tests/ui/chart_fixture.h"
#include "tests/ui/harness.h"
#include "ui/theme/theme.h"
#include "ui/widgets/chart/chart_grid.h"
#include "ui/widgets/chart/heat_map.h"

namespace tessera::ui::test {

namespace {
using chart::Range;

constexpr int kFrames = 24, kRepeats = 3;

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

/// A page of panels on the screen.
struct ChartsPage {
  ChartsPage(const QSize& size, int panels, const ChartGroup::Runs& runs) : grid(group) {
    group.setRuns(runs);
    grid.setPanels(manyPanels(panels));
    show(grid, size);
    settle();
  }

  std::vector<ChartPanel*> inSight() {
    std::vector<ChartPanel*> panels;
    for (ChartPanel* panel : grid.findChildren<ChartPanel*>()) {
      if (!panel->visibleRegion().isEmpty()) panels.push_back(panel);
    }
    return panels;
  }
  void settle() {
    do {
      QApplication::processEvents();
    } while (group.drawing());
    QApplication::processEvents();
  }

  struct Frame {
    double fresh = 0;  ///< from the change until all panels in sight show it
    double turn = 0;   ///< the longest turn of the event loop: what the window stands still for
  };
  Frame frame(const std::function<void()>& change) {
    std::vector<std::pair<ChartPanel*, int>> before;
    for (ChartPanel* panel : inSight()) before.emplace_back(panel, panel->renders());
    const auto isFresh = [](const auto& one) { return one.first->renders() > one.second; };
    Frame f;
    bool changed = false;
    do {
      const double took = ownMs([&] {
        if (!changed) change();
        QApplication::processEvents();
      });
      changed = true;
      f.fresh += took;
      f.turn = std::max(f.turn, took);
    } while (!std::all_of(before.begin(), before.end(), isFresh));
    settle();
    return f;
  }
  /// The slowest but one of some frames; of several rounds of these the one in the middle.
  Frame frames(const std::function<void(int)>& change) {
    std::vector<double> fresh, turn;
    for (int round = 0; round < kRepeats; ++round) {
      std::vector<double> freshOf, turnOf;
      for (int i = 0; i < kFrames; ++i) {
        const Frame f = frame([&] { change(i); });
        freshOf.push_back(f.fresh);
        turnOf.push_back(f.turn);
      }
      fresh.push_back(slowest(freshOf));
      turn.push_back(slowest(turnOf));
    }
    return {median(fresh), median(turn)};
  }

  Frame pan() {
    const Range all = group.everything();
    group.setView(Range{all.low + 0.3 * all.span(), all.low + 0.6 * all.span()});
    settle();
    return frames([&](int i) { group.pan((i < kFrames / 2 ? 0.003 : -0.003) * all.span()); });
  }
  Frame zoom() {
    const Range all = group.everything();
    group.setView({});
    settle();
    return frames([&](int i) {
      group.zoom(i < kFrames / 2 ? 0.8 : 1.25, all.low + 0.4 * all.span());
      if (!group.zoomed()) group.dataChanged();  // the last one may end where it began
    });
  }
  /// `grow`: what training runs log in between.
  Frame refresh(const std::function<void()>& grow = [] {}) {
    group.setView({});
    settle();
    return frames([&](int) {
      grow();
      group.dataChanged();
    });
  }
  double cursor() {
    const Range all = group.everything();
    settle();
    std::vector<double> times;
    for (int i = 0; i < kFrames; ++i) {
      times.push_back(ownMs([&] {
        group.setCursor(all.low + i * all.span() / kFrames);
        QApplication::processEvents();
      }));
    }
    group.setCursor({});
    return slowest(times);
  }

  ChartGroup group;
  ChartGrid grid;
};

void addPage(
    BudgetRows& rows, const QString& what, ChartsPage& page,
    const std::function<void()>& grow = [] {}) {
  const auto add = [&](const char* name, double measured, double budget) {
    rows.push_back({what + QLatin1String(name), measured, budget, QStringLiteral("ms")});
  };
  fmt::print("({}{} in sight)\n", what.toStdString(), page.inSight().size());
  add("pan, longest turn", page.pan().turn, 33);
  add("zoom, longest turn", page.zoom().turn, 33);
  add("full refresh", page.refresh(grow).fresh, 50);
  add("cursor", page.cursor(), 33);
}

void measureOneRun(BudgetRows& rows) {
  ChartGroup::Runs runs{makeCurves(QStringLiteral("run-a"), makeHistory(1'000'000))};
  {
    ChartsPage page(kDesktop, 24, runs);
    addPage(rows, QStringLiteral("24 panels of 1 M: "), page);
  }
  // Tall enough for all of them.
  ChartsPage page({1832, 6 * 328}, 24, runs);
  addPage(rows, QStringLiteral("24 of 24 in sight, 1 M: "), page);
  rows.push_back({"24 of 24 in sight, 1 M: pan, all fresh", page.pan().fresh, 33, "ms"});
  rows.push_back({"24 of 24 in sight, 1 M: zoom, all fresh", page.zoom().fresh, 33, "ms"});
  ChartOptions options = page.group.options();
  options.smoothing = 100;
  rows.push_back({"24 of 24 in sight, 1 M: first frame smoothed",
                  page.frame([&] { page.group.setOptions(options); }).turn, 50, "ms"});
  page.settle();
  QTest::qWait(500);  // until all of it is smoothed
  rows.push_back({"24 of 24 in sight, 1 M, smoothed: pan, all fresh", page.pan().fresh, 33, "ms"});
}

/// One more row, as the run's log brings it.
void logRow(RunHistory& history) {
  history.step.push_back(history.step.back() + 1);
  history.tokens.push_back(history.tokens.back() + 4096);
  history.time.push_back(history.time.back() + 0.5);
  for (Series& series : history.metrics) {
    if (!series.empty()) series.append(series.at(series.size() - 1));
  }
}

/// Runs of many lengths, as people compare them; some of the shorter ones still train.
void measureManyRuns(BudgetRows& rows) {
  constexpr int kRuns = 50, kTraining = 5;
  ChartGroup::Runs runs;
  std::vector<std::shared_ptr<RunHistory>> histories;
  for (int i = 0; i < kRuns; ++i) {
    histories.push_back(makeHistory(20'000 - 100 * std::size_t(i), unsigned(i)));
    runs.push_back(makeCurves(QStringLiteral("run-%1").arg(i), histories.back()));
  }
  const auto grow = [&] {
    for (int i = kRuns - kTraining; i < kRuns; ++i) {
      logRow(*histories[std::size_t(i)]);
      runs[std::size_t(i)]->update(*histories[std::size_t(i)], histories[std::size_t(i)]);
    }
  };
  {
    ChartsPage page(kDesktop, 24, runs);
    addPage(rows, QStringLiteral("24 panels, 50 runs of 20 k: "), page, grow);
  }
  {
    ChartsPage page({1832, 6 * 328}, 24, runs);
    rows.push_back({"24 of 24 in sight, 50 runs: pan, longest turn", page.pan().turn, 33, "ms"});
    const ChartsPage::Frame zoom = page.zoom();
    rows.push_back({"24 of 24 in sight, 50 runs: zoom, longest turn", zoom.turn, 33, "ms"});
    fmt::print("(24 of 24 in sight, 50 runs: zoom, all fresh after {:.1f} ms)\n", zoom.fresh);
    rows.push_back(
        {"24 of 24 in sight, 50 runs: full refresh", page.refresh(grow).fresh, 50, "ms"});
  }
  for (int i = 0; i < 50; ++i) {
    runs[std::size_t(i)] =
        makeCurves(QStringLiteral("run-%1").arg(i), makeHistory(1'000'000, unsigned(i)));
  }
  ChartsPage page(QSize(900, 500), 1, runs);
  rows.push_back({"1 panel, 50 runs of 1 M: pan, fresh", page.pan().fresh, 33, "ms"});
}

void measureMap(BudgetRows& rows) {
  HeatMap map;
  show(map, {1100, 560});
  HeatScale scale;
  scale.diverging = true;
  scale.low = -1;
  scale.centre = 0;
  std::vector<float> values(58 * 256);
  std::vector<double> times;
  for (int i = 0; i < kFrames; ++i) {
    for (std::size_t k = 0; k < values.size(); ++k) {
      values[k] = std::sin(float(k) * 0.37f + float(i));
    }
    times.push_back(ownMs([&] {
      map.setValues(58, 256, values, scale);
      QApplication::processEvents();
    }));
  }
  rows.push_back({"map of 58 x 256: new step to pixels", slowest(times), 33, "ms"});
}

/// The colour of the line is where the tip of a spike belongs.
bool tipShown(ChartPanel& panel, double x, double y, const QColor& line) {
  const QImage image = panel.grab().toImage();
  const double ratio = image.devicePixelRatio();
  const QPointF tip(panel.drawn().x.toPixel(x), panel.drawn().y.toPixel(y));
  if (!panel.drawn().plot.adjusted(-1, -1, 1, 1).contains(tip)) return false;
  // Inside of the ring that marks a tip, which has the same colour.
  for (int dx = -2; dx <= 2; ++dx) {
    for (int dy = -1; dy <= 2; ++dy) {
      const QPoint at = (tip * ratio).toPoint() + QPoint(dx, dy);
      if (!image.rect().contains(at)) continue;
      const QColor c = image.pixelColor(at);
      const int off = std::abs(c.red() - line.red()) + std::abs(c.green() - line.green()) +
                      std::abs(c.blue() - line.blue());
      if (off < 60) return true;
    }
  }
  return false;
}
}  // namespace

void measureCharts(BudgetRows& rows) {
  measureOneRun(rows);
  measureMap(rows);
}

void measureOverlaid(BudgetRows& rows) {
  measureManyRuns(rows);
}

/// A spike and a NaN of one sample in a million, at random places in views of every width.
void measureSpikes(BudgetRows& rows) {
  constexpr int kViews = 200;
  constexpr std::size_t kRows = 1'000'000;
  std::mt19937 random(7);
  int spikes = 0, missing = 0;
  const QColor line = theme::lineColor(QStringLiteral("run-a"));
  for (int round = 0; round < 4; ++round) {
    auto history = makeHistory(kRows);
    std::vector<float> norm = metricOf(*history, Metric::GradNorm).values();
    const std::size_t spike = 1000 + random() % (kRows - 2000), gap = 1000 + random() % 900'000;
    norm[spike] = 60;
    norm[gap] = std::nanf("");
    metricOf(*history, Metric::GradNorm).assign(std::move(norm));
    ChartsPage page({900, 420}, 2, {makeCurves(QStringLiteral("run-a"), history)});
    ChartPanel* panel = page.grid.panel(QStringLiteral("grad_norm1"));
    panel->setLogarithmic(false);
    for (int view = 0; view < kViews / 4; ++view) {
      // From ten rows to all of them, the row anywhere inside.
      const auto lookAt = [&](std::size_t row) {
        const double span = std::pow(10.0, 1 + 5 * double(view) / (kViews / 4 - 1));
        const double share = 0.05 + 0.9 * double(random() % 1000) / 1000;
        page.group.setView(Range{double(row) - share * span, double(row) + (1 - share) * span});
        page.settle();
      };
      lookAt(spike);
      spikes += tipShown(*panel, double(spike), 60, line) ? 0 : 1;
      lookAt(gap);
      missing += panel->drawn().missing > 0 ? 0 : 1;
    }
  }
  rows.push_back({"spikes of one sample lost, of 200 views of 1 M", double(spikes), 0, ""});
  rows.push_back({"NaN of one sample lost, of 200 views of 1 M", double(missing), 0, ""});
}

}  // namespace tessera::ui::test
