// SPDX-License-Identifier: MIT
// Charts: no value is lost between the log and the picture, and tables and exports hold what
// is shown.
// Links: tessera_ui_chart
// Scales: 1 1.5 2
#include <QAbstractButton>
#include <QAbstractItemModelTester>
#include <QFile>
#include <QMenu>
#include <QMouseEvent>
#include <QScrollBar>
#include <QSignalSpy>
#include <QTableView>
#include <QTemporaryDir>
#include <QTest>
#include <QVBoxLayout>
#include <QWheelEvent>
#include <cmath>
#include <utility>

#include "tests/ui/chart_fixture.h"
#include "tests/ui/chart_shown.h"
#include "tests/ui/harness.h"
#include "ui/theme/theme.h"
#include "ui/widgets/chart/chart_export.h"
#include "ui/widgets/chart/chart_grid.h"
#include "ui/widgets/chart/chart_table.h"
#include "ui/widgets/chart/chart_toolbar.h"
#include "ui/widgets/chart/curve_raster.h"
#include "ui/widgets/chart/heat_map.h"

namespace tessera::ui::test {

using chart::Range;
using chart::XAxis;
using Shown = ShownPanel;

namespace {
std::vector<QByteArray> linesOf(const QString& file) {
  QFile in(file);
  if (!in.open(QIODevice::ReadOnly)) return {};
  std::vector<QByteArray> lines;
  for (const QByteArray& line : in.readAll().split('\n')) {
    if (!line.isEmpty()) lines.push_back(line);
  }
  return lines;
}

}  // namespace

class ChartTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void ticksAreRound() {
    const auto ticks = chart::ticksFor({0, 0.9}, false, 5, chart::ValueKind::Number);
    QVERIFY(ticks.size() >= 4);
    QCOMPARE(ticks[1].text, QStringLiteral("0.2"));
    const auto log = chart::ticksFor({1e-4, 1}, true, 6, chart::ValueKind::Number);
    QStringList labels;
    for (const auto& t : log) {
      if (!t.text.isEmpty()) labels << t.text;
    }
    QVERIFY(labels.contains(QStringLiteral("0.01")));
    QVERIFY(labels.contains(QStringLiteral("0.0001")));
    const auto times = chart::ticksFor({0, 5400}, 4, XAxis::RelativeTime);
    QCOMPARE(times[1].text, QStringLiteral("30 min"));
    // Neighbouring ticks never read alike, however far from zero.
    const auto far = chart::ticksFor({1'000'000, 1'000'040}, 5, XAxis::Step);
    for (std::size_t i = 1; i < far.size(); ++i) QVERIFY(far[i].text != far[i - 1].text);
  }

  void rowsOfColumnsAreThoseOfTheirRange() {
    auto history = makeHistory(5000, 3, 7);
    chart::XColumn x;
    x.update(history->step, history->tokens, history->time);
    const Range view{100.5, 30000};
    const auto& edges = x.edges(XAxis::Step, view, 333);
    QCOMPARE(edges.size(), std::size_t(334));
    for (int c = 0; c < 333; ++c) {
      for (std::uint32_t row = edges[std::size_t(c)]; row < edges[std::size_t(c) + 1]; ++row) {
        const double at = (double(history->step[row]) - view.low) / view.span() * 333;
        QVERIFY2(at >= c - 1e-6 && at <= c + 1 + 1e-6, qPrintable(QString::number(at)));
      }
    }
    const auto inside = std::count_if(history->step.begin(), history->step.end(),
                                      [&](auto s) { return view.contains(double(s)); });
    QCOMPARE(qlonglong(edges.back() - edges.front()), qlonglong(inside));
  }

  void extremesOfAMillionValuesAreExact() {
    auto history = makeHistory(1'000'000);
    setValue(*history, Metric::Loss, 654'321, 40);
    setValue(*history, Metric::Loss, 123'456, -3);
    setValue(*history, Metric::Loss, 777'777, std::nanf(""));
    auto curves = makeCurves(QStringLiteral("a"), history);
    const auto curve = curves->curve(QStringLiteral("loss"));
    std::vector<chart::Column> columns;
    chart::summarise(*curve.values, *curve.x, XAxis::Step, {0, 999'999}, 700, nullptr, columns);
    const Range extent = chart::extentOf(columns, 700, false);
    QCOMPARE(extent.low, -3.0);
    QCOMPARE(extent.high, 40.0);
    std::uint64_t values = 0, missing = 0;
    for (const auto& c : columns) {
      values += c.values;
      missing += c.missing;
    }
    QCOMPARE(missing, std::uint64_t(1));
    QCOMPARE(values, std::uint64_t(999'999));
  }

  void extremesOfStretchesAreThoseOfTheirValues() {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    std::mt19937 random(5);
    std::vector<float> values(20'011);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const unsigned odd = i < 10'000 ? 9 : random() % 300;  // half of them has no odd ones
      values[i] = odd == 0   ? std::nanf("")
                  : odd == 1 ? kInfinity
                  : odd == 2 ? -kInfinity
                             : float(random() % 100'000) - 50'000;
    }
    Series series;
    series.assign(values);
    // All lengths that are read through, and many that come from the pyramid.
    std::vector<std::uint32_t> edges{0};
    for (std::uint32_t i = 0; edges.back() < values.size(); ++i) {
      edges.push_back(edges.back() + (i % 3 == 0 ? random() % 2000 : random() % 40));
    }
    edges.back() = std::uint32_t(values.size()) + 7;
    std::vector<Extremes> found;
    series.extremes(edges, found);
    QCOMPARE(found.size(), edges.size() - 1);
    for (std::size_t i = 0; i < found.size(); ++i) {
      ValueBucket all;
      for (std::size_t k = edges[i]; k < std::min<std::size_t>(edges[i + 1], values.size()); ++k) {
        all.add(values[k]);
      }
      QCOMPARE(found[i].values, all.values);
      QCOMPARE(series.extremes(edges[i], edges[i + 1]).values, all.values);
      if (all.values == 0) continue;
      QCOMPARE(found[i].low, all.min);
      QCOMPARE(found[i].high, all.max);
    }
  }

  void curvesFrontToBackLookAsBackToFront() {
    struct Stroke {
      int x;
      float top, bottom;
      QRgb color;
    };
    std::mt19937 random(11);
    std::uniform_real_distribution<float> high(-20, 230), length(0, 90);
    std::vector<Stroke> strokes(20'000);
    for (Stroke& s : strokes) {
      s.x = int(random() % 70) - 3;
      s.top = high(random);
      s.bottom = s.top + length(random) * (random() % 2 ? 1.0f : 0.03f);
      s.color = QRgb(random());
    }
    const QRect clip(3, 5, 58, 190);
    QImage back(64, 200, QImage::Format_RGB32), front = back;
    const auto draw = [](chart::CurveRaster& raster, const Stroke& s) {
      raster.column(s.x, s.top, s.bottom, s.color);
      if (s.x % 9 == 0) {
        raster.line(s.x, double(s.top), s.x + 7.3, double(s.bottom), 1.5, s.color);
      }
    };
    chart::CurveRaster::Buffers buffers;
    for (const std::size_t count : {std::size_t(40), strokes.size()}) {
      back.fill(Qt::white);
      front.fill(Qt::white);
      chart::CurveRaster over(back, clip);
      for (std::size_t i = 0; i < count; ++i) draw(over, strokes[i]);
      chart::CurveRaster beneath(front, clip, buffers);
      for (std::size_t i = count; i-- > 0;) draw(beneath, strokes[i]);
      beneath.finish();
      for (int y = 0; y < back.height(); ++y) {
        for (int x = 0; x < back.width(); ++x) {
          const QColor a = back.pixelColor(x, y), b = front.pixelColor(x, y);
          QVERIFY(std::abs(a.red() - b.red()) <= 2 && std::abs(a.green() - b.green()) <= 2 &&
                  std::abs(a.blue() - b.blue()) <= 2);
        }
      }
    }
  }

  void oneSampleSpikesAndNaNAreMarked() {
    auto history = makeHistory(1'000'000);
    std::vector<float> calm(1'000'000, 2.0f);
    calm[400'000] = 9;
    calm[800'000] = std::nanf("");
    metricOf(*history, Metric::GradNorm).assign(std::move(calm));
    Shown s(history);
    QCOMPARE(s.panel.drawn().spikes.size(), 1u);
    QCOMPARE(s.panel.drawn().missing, 1);
    // And the spike's own column has the line's colour at half its height.
    const QImage image = s.panel.grab().toImage();
    const double ratio = image.devicePixelRatio();
    const QPoint half = s.at(400'000, 5.5);
    bool found = false;
    const QColor line = theme::lineColor(QStringLiteral("run-a"));
    for (int dx = -3; dx <= 3; ++dx) {
      const QColor c = image.pixelColor((QPointF(half) * ratio).toPoint() + QPoint(dx, 0));
      found |= std::abs(c.red() - line.red()) + std::abs(c.green() - line.green()) +
                   std::abs(c.blue() - line.blue()) <
               60;
    }
    QVERIFY(found);
  }

  void valuesBeyondTheAxisAreTold() {
    auto history = makeHistory(4000);
    std::vector<float> values(4000);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = 2 + 0.3f * std::sin(float(i));
    values[1000] = values[3000] = 1e6f;
    metricOf(*history, Metric::GradNorm).assign(std::move(values));
    Shown s(history);
    QCOMPARE(s.panel.drawn().above, 0);
    QVERIFY(s.panel.drawn().y.range.high >= 1e6);
    ChartOptions options = s.group.options();
    options.allValues = false;
    s.group.setOptions(options);
    s.panel.grab();
    QCOMPARE(s.panel.drawn().above, 2);
    QVERIFY(s.panel.drawn().y.range.high < 10);
  }

  void aLogAxisShowsWhatItCannotPlace() {
    auto history = makeHistory(100);
    setValue(*history, Metric::GradNorm, 50, 0);
    Shown s(history);
    s.panel.setLogarithmic(true);
    s.panel.grab();
    QVERIFY(s.panel.drawn().y.log);
    QCOMPARE(s.panel.drawn().below, 1);
    metricOf(*history, Metric::GradNorm).assign(std::vector<float>(100, -1.0f));
    s.group.runs().front()->restart();
    s.group.runs().front()->update(*history, history);
    s.group.dataChanged();
    s.panel.grab();
    QVERIFY(s.panel.drawn().fellBackToLinear);
    QVERIFY(s.panel.drawn().any);
  }

  void smoothingIsDebiasedAndLeavesRawValuesAlone() {
    Series series;
    series.assign({5, std::nanf(""), 5, 5, 9});
    chart::Smoothing smoothing;
    smoothing.follow(series, 10, 0, 100);
    const auto& out = smoothing.values();
    QCOMPARE(out[0], 5.0f);  // no pull towards zero at the start
    QVERIFY(std::isnan(out[1]));
    QCOMPARE(out[3], 5.0f);
    const double keep = 0.9;
    const double weights = 1 + keep + keep * keep + keep * keep * keep;
    QVERIFY(std::abs(double(out[4]) - (9 + 5 * (weights - 1)) / weights) < 1e-5);
    // In pieces it is the same.
    chart::Smoothing pieces;
    while (pieces.values().size() < series.size()) pieces.follow(series, 10, 0, 2);
    QCOMPARE(pieces.values()[4], out[4]);
    for (const ChartPanelSpec& spec : standardPanels()) {
      if (spec.id == QLatin1String("learning_rate")) QVERIFY(!spec.smoothed);
    }
  }

  void rawStaysVisibleBehindTheSmoothedLine() {
    Shown s(makeHistory(400));
    ChartOptions options = s.group.options();
    options.smoothing = 50;
    s.group.setOptions(options);
    const QImage image = s.panel.grab().toImage();
    QVERIFY(s.panel.readout().isEmpty());
    QCOMPARE(metricOf(*s.history, Metric::GradNorm).size(), std::size_t(400));
    // Both the full colour of the smoothed line and the paler raw one are there.
    const QColor line = theme::lineColor(QStringLiteral("run-a"));
    const QColor paper = theme::colors().raised;
    int full = 0, pale = 0;
    for (int y = 60 * int(image.devicePixelRatio()); y < image.height(); ++y) {
      for (int x = 0; x < image.width(); ++x) {
        const QColor c = image.pixelColor(x, y);
        if (c == line) ++full;
        const double share = double(c.red() - paper.red()) / (line.red() - paper.red() + 1e-9);
        if (std::abs(share - 0.42) < 0.03) ++pale;
      }
    }
    QVERIFY(full > 100);
    QVERIFY(pale > 100);
  }

  /// As narrow as Compare leaves it beside the inspector, the toolbar takes two rows, and every
  /// word of it is read; with room it is one row again.
  void theToolbarWrapsWhereItIsNarrow() {
    Shown s(makeHistory(100));
    QWidget page;
    ChartGrid grid(s.group, &page);
    auto* bar = new ChartToolbar(s.group, grid, &page);
    auto* column = new QVBoxLayout(&page);
    column->addWidget(bar);
    column->addWidget(&grid, 1);
    QVERIFY(show(page, QSize(620, 500)));
    const auto whole = [&] {
      for (auto* one : bar->findChildren<QAbstractButton*>()) {
        if (qobject_cast<QLineEdit*>(one->parentWidget())) continue;  // the field's own icons
        if (one->isVisible() && one->width() < one->sizeHint().width()) return false;
      }
      return true;
    };
    QVERIFY(waitUntil(whole));
    const int high = bar->height();
    page.resize(1400, 500);
    QVERIFY(waitUntil([&] { return bar->height() < high && whole(); }));
    page.resize(620, 500);
    QVERIFY(waitUntil([&] { return bar->height() == high && whole(); }));
  }

  void manyPanelsTakeTurnsAndAllAreDrawn() {
    ChartGroup group;
    ChartGroup::Runs runs;
    for (int i = 0; i < 80; ++i) {
      runs.push_back(makeCurves(QStringLiteral("run-%1").arg(i), makeHistory(20'000, unsigned(i))));
    }
    group.setRuns(runs);
    ChartGrid grid(group);
    std::vector<ChartPanelSpec> many;
    for (int i = 0; i < 12; ++i) {
      many.push_back(specOf(QStringLiteral("loss")));
      many.back().id = QStringLiteral("p%1").arg(i);
    }
    grid.setPanels(many);
    QVERIFY(show(grid, QSize(1500, 900)));
    group.setView(Range{1000, 9000});
    const auto panels = grid.findChildren<ChartPanel*>();
    QTRY_VERIFY(std::all_of(panels.begin(), panels.end(), [](const ChartPanel* panel) {
      return panel->drawn().x.range == Range{1000, 9000};
    }));
    QVERIFY(!group.drawing());
    // No event took long, says the watchdog of the application.
  }

  void axesKeepWhatIsInSight() {
    auto history = makeHistory(1000);
    ChartGroup group;
    group.setRuns({makeCurves(QStringLiteral("run-a"), history)});
    group.setView(Range{200, 400});
    ChartOptions options = group.options();
    options.axis = XAxis::Tokens;
    group.setOptions(options);
    QVERIFY(std::abs(group.view().low - 201 * 4096.0) < 1);
    QVERIFY(std::abs(group.view().high - 401 * 4096.0) < 1);
    options.axis = XAxis::RelativeTime;
    group.setOptions(options);
    QVERIFY(std::abs(group.view().low - 100) < 1e-6);
  }

  void aLiveRunGrowsAndARollbackTakesAway() {
    auto history = makeHistory(100);
    auto curves = makeCurves(QStringLiteral("run-a"), history);
    ChartGroup group;
    group.setRuns({curves});
    QCOMPARE(group.everything().high, 99.0);
    for (int step = 100; step < 150; ++step) {
      StepEvent e;
      e.step = step;
      e.tokens = (step + 1) * 4096;
      e.loss = 3;
      history->take(Event{0, 1.7e9 + step, e});
    }
    curves->update(*history, history);
    group.dataChanged();
    QCOMPARE(group.everything().high, 149.0);
    const int revision = curves->revision();
    history->truncate_after(120);
    curves->restart();
    curves->update(*history, history);
    group.dataChanged();
    QCOMPARE(group.everything().high, 120.0);
    QVERIFY(curves->revision() > revision);
    QCOMPARE(curves->curve(QStringLiteral("loss")).values->size(), std::size_t(121));
  }

  /// What was made of a line is kept until the line grows, is taken back or is looked at otherwise;
  /// the picture is always that of a panel which has kept nothing.
  void onlyLinesThatChangedAreReadAgain() {
    ChartGroup group;
    std::vector<std::shared_ptr<RunHistory>> histories;
    ChartGroup::Runs runs;
    for (int i = 0; i < 3; ++i) {
      histories.push_back(makeHistory(3000 - 500 * std::size_t(i), unsigned(i)));
      runs.push_back(makeCurves(QStringLiteral("run-%1").arg(i), histories.back()));
    }
    group.setRuns(runs);
    ChartPanel panel(group, specOf(QStringLiteral("grad_norm")));
    show(panel, QSize(640, 300));
    int before = 0;
    const auto read = [&] {
      panel.grab();
      waitUntil([&] { return !group.drawing(); });  // it may have to wait for its turn
      panel.grab();
      return panel.linesRead() - std::exchange(before, panel.linesRead());
    };
    const auto right = [&] {
      ChartPanel fresh(group, specOf(QStringLiteral("grad_norm")));
      fresh.setLogarithmic(panel.logarithmic());
      show(fresh, panel.size());
      group.dataChanged();
      if (!waitUntil([&] { return fresh.renders() > 0 && !group.drawing(); })) return false;
      panel.grab();
      const auto inside = [](QWidget& of) {  // without the frame, which shows the focus
        const QImage image = of.grab().toImage();
        return image.copy(image.rect().adjusted(6, 6, -6, -6));
      };
      return inside(fresh) == inside(panel);
    };
    QVERIFY(read() >= 3);
    group.dataChanged();
    QCOMPARE(read(), 0);
    // One grows: by a spike, which lies inside of what is in view.
    RunHistory& last = *histories[2];
    last.step.push_back(last.step.back() + 1);
    last.tokens.push_back(last.tokens.back() + 4096);
    last.time.push_back(last.time.back() + 0.5);
    for (Series& series : last.metrics) {
      if (!series.empty()) series.append(3);
    }
    runs[2]->update(last, histories[2]);
    group.dataChanged();
    QCOMPARE(read(), 1);
    QVERIFY(right());
    // It is taken back, and as many other rows come: as after a rollback.
    before = panel.linesRead();
    last.step.back() += 3;
    Series& norm = metricOf(last, Metric::GradNorm);
    norm.truncate(norm.size() - 1);
    norm.append(0.5f);
    runs[2]->restart();
    runs[2]->update(last, histories[2]);
    group.dataChanged();
    QVERIFY(read() >= 1);
    QVERIFY(right());
    // Another view, other options, another axis: all of them.
    before = panel.linesRead();
    group.setView(Range{100, 900});
    QVERIFY(read() >= 3);
    QVERIFY(right());
    for (const XAxis axis : {XAxis::Tokens, XAxis::Step}) {
      ChartOptions options = group.options();
      options.axis = axis;
      options.smoothing = axis == XAxis::Step ? 20 : 5;
      before = panel.linesRead();
      group.setOptions(options);
      QVERIFY(read() >= 3);
      QVERIFY(right());
    }
    // Another order of the runs.
    std::swap(runs[0], runs[1]);
    group.setRuns(runs);
    QVERIFY(read() >= 3);
    QVERIFY(right());
  }

  void csvHoldsEveryLoggedPoint() {
    auto history = makeHistory(12'345);
    setValue(*history, Metric::Loss, 77, std::nanf(""));
    auto curves = makeCurves(QStringLiteral("run, \"a\""), history);
    ChartGroup group;
    group.setRuns({curves});
    group.setView(Range{0, 10});  // what is in view does not matter
    ChartPanel panel(group, specOf(QStringLiteral("loss")));
    QTemporaryDir folder;
    const QString file = folder.filePath(QStringLiteral("loss.csv"));
    QCOMPARE(chart::writeCsv(chart::csvData(panel.lines()), file), QString());
    const auto lines = linesOf(file);
    QCOMPARE(lines.size(), std::size_t(12'346));
    QVERIFY(lines[1].startsWith("\"run, \"\"a\"\"\",loss,0,4096,"));
    QVERIFY(lines[78].endsWith(",nan"));
    const Series& loss = history->metric(Metric::Loss);
    for (const std::size_t i : {std::size_t(0), std::size_t(9999), std::size_t(12'344)}) {
      QCOMPARE(lines[i + 1].mid(lines[i + 1].lastIndexOf(',') + 1).toFloat(), loss.at(i));
    }
    QVERIFY(!chart::writeCsv(chart::csvData(panel.lines()), QStringLiteral("/proc/none.csv"))
                 .isEmpty());
  }

  /// The first validation comes before the first step, at step -1, and is alone for long.
  void theFirstValidationIsInThePicture() {
    auto history = makeHistory(400);
    history->validations.push_back({-1, 0, history->time.front() - 20, 8.3462, {{"web", 8.25}}});
    auto curves = makeCurves(QStringLiteral("a"), history);
    ChartGroup group;
    group.setRuns({curves});
    ChartPanelSpec spec;
    spec.id = QStringLiteral("validation");
    spec.keys = QStringList{QStringLiteral("validation"), QStringLiteral("validation/*")};
    ChartPanel panel(group, spec);
    panel.resize(400, 240);
    for (const XAxis axis : {XAxis::Step, XAxis::Tokens, XAxis::WallTime, XAxis::RelativeTime}) {
      ChartOptions options = group.options();
      options.axis = axis;
      group.setOptions(options);
      group.reset();
      const double at = panel.lines().front().x->values(axis).front();
      QVERIFY(group.view().contains(at));
      QVERIFY(group.view().contains(curves->x().values(axis).back()));
      // Both count their time from the same moment: the validation came 20 s before the first step.
      if (axis == XAxis::RelativeTime) QCOMPARE(curves->x().values(axis).front() - at, 20.0);
    }
    // Alone, before any step was made.
    auto fresh = std::make_shared<RunHistory>();
    fresh->validations.push_back({-1, 0, 1.7e9, 8.3462, {}});
    auto only = makeCurves(QStringLiteral("b"), fresh);
    ChartOptions options = group.options();
    options.axis = XAxis::Step;
    group.setOptions(options);
    group.setRuns({only});
    QVERIFY(group.view().contains(-1));
  }

  /// What is read off at a step was measured by then, and says when.
  void aValidationIsReadFromTheLastOneBefore() {
    auto history = makeHistory(400);
    for (const std::int64_t step : std::initializer_list<std::int64_t>{-1, 99, 299}) {
      history->validations.push_back({step,
                                      (step + 1) * 4096,
                                      history->time.front() + double(step),
                                      8 - double(step) / 100,
                                      {}});
    }
    auto curves = makeCurves(QStringLiteral("a"), history);
    ChartGroup group;
    group.setRuns({curves});
    ChartPanel panel(group, specOf(QStringLiteral("validation")));
    panel.resize(400, 240);
    QVERIFY(test::show(panel, QSize(400, 240)));
    group.setCursor(250);  // nearer to the one at 299
    QVERIFY2(panel.readout().contains("7.01 at step 99"), qPrintable(panel.readout()));
    group.setCursor(50);
    QVERIFY2(panel.readout().contains("8.01 before the first step"), qPrintable(panel.readout()));
    group.setCursor(299);
    QVERIFY2(panel.readout().contains("5.01 at step 299"), qPrintable(panel.readout()));
    group.setCursor(390);
    QVERIFY2(panel.readout().contains("5.01 at step 299"), qPrintable(panel.readout()));
  }

  void picturesHaveTheirSizeAndALegend() {
    ChartGroup group;
    ChartGroup::Runs runs;
    for (int i = 0; i < 12; ++i) {
      runs.push_back(makeCurves(QStringLiteral("a-run-with-a-long-name-%1").arg(i),
                                makeHistory(300, unsigned(i + 1))));
    }
    group.setRuns(runs);
    ChartPanel panel(group, specOf(QStringLiteral("loss")));
    const QImage image = panel.picture(QSize(800, 450), 2);
    QCOMPARE(image.size(), QSize(1600, 900));
    // Every run's colour stands in the legend, above the plot.
    for (const auto& run : runs) {
      const QColor color = theme::lineColor(run->id());
      bool found = false;
      for (int y = 60; y < 400 && !found; ++y) {
        for (int x = 0; x < image.width() && !found; ++x) found = image.pixelColor(x, y) == color;
      }
      QVERIFY2(found, qPrintable(run->id()));
    }
    if (qEnvironmentVariableIsSet("TESSERA_PICTURES")) {
      image.save(qEnvironmentVariable("TESSERA_PICTURES") + QStringLiteral("/chart-export.png"));
    }
  }

  void tablesShowEveryRowInView() {
    auto history = makeHistory(500);
    for (int i = 0; i < 5; ++i) {
      RunHistory::Validation v;
      v.step = i * 100;
      v.tokens = (v.step + 1) * 4096;
      v.loss = 6 - i;
      history->validations.push_back(v);
    }
    ChartGroup group;
    group.setRuns({makeCurves(QStringLiteral("run-a"), history)});
    ChartPanel panel(group, specOf(QStringLiteral("loss")));
    ChartTableModel model;
    QAbstractItemModelTester tester(&model);
    model.show(panel.lines(), XAxis::Step, {100, 299}, chart::ValueKind::Number, group);
    QCOMPARE(model.rowCount(), 200);
    QCOMPARE(model.columnCount(), 6);
    QCOMPARE(model.index(0, 1).data().toString(), QStringLiteral("100"));
    QCOMPARE(model.index(0, 5).data().toString(), QStringLiteral("5"));
    QVERIFY(model.index(1, 5).data().toString().isEmpty());
    QCOMPARE(model.leftOut(), std::int64_t(0));
  }

  void onlyPanelsInSightExist() {
    ChartGroup group;
    group.setRuns({makeCurves(QStringLiteral("run-a"), makeHistory(1000))});
    ChartGrid grid(group);
    std::vector<ChartPanelSpec> many;
    for (int i = 0; i < 24; ++i) {
      ChartPanelSpec spec = specOf(QStringLiteral("loss"));
      spec.id = QStringLiteral("p%1").arg(i);
      spec.title = QStringLiteral("Panel %1").arg(i);
      many.push_back(spec);
    }
    grid.setPanels(many);
    QVERIFY(show(grid, QSize(800, 500)));
    QTRY_VERIFY(grid.panel(QStringLiteral("p0")));
    QVERIFY(grid.built() < 10);
    QVERIFY(!grid.panel(QStringLiteral("p23")));
    grid.panel(QStringLiteral("p0"))->setLogarithmic(true);
    grid.verticalScrollBar()->setValue(grid.verticalScrollBar()->maximum());
    QVERIFY(grid.panel(QStringLiteral("p23")));
    QVERIFY(!grid.panel(QStringLiteral("p0")));
    grid.verticalScrollBar()->setValue(0);
    QVERIFY(grid.panel(QStringLiteral("p0"))->logarithmic());  // what was set is remembered
    grid.setFilter(QStringLiteral("panel 23"));
    QCOMPARE(grid.shownPanels(), std::size_t(1));
    grid.setFilter({});
    grid.enlarge(QStringLiteral("p7"));
    QCOMPARE(grid.built(), 1);
    QVERIFY(grid.panel(QStringLiteral("p7"))->height() > 400);
    QTest::keyClick(grid.panel(QStringLiteral("p7")), Qt::Key_Escape);
    QVERIFY(grid.enlarged().isEmpty());
  }

  void validationSourcesAreSeriesOfTheirOwn() {
    auto history = makeHistory(200);
    for (int i = 0; i < 4; ++i) {
      RunHistory::Validation v;
      v.step = i * 50;
      v.loss = 5;
      v.sources = {{"web", 4.5}};
      if (i >= 2) v.sources["code"] = 3.0;
      history->validations.push_back(v);
    }
    auto curves = makeCurves(QStringLiteral("run-a"), history);
    QCOMPARE(curves->keys(QStringLiteral("validation/*")),
             (QStringList{QStringLiteral("validation/code"), QStringLiteral("validation/web")}));
    const auto code = curves->curve(QStringLiteral("validation/code"));
    QVERIFY(code.points);
    QCOMPARE(code.values->size(), std::size_t(4));
    QVERIFY(std::isnan(code.values->at(1)));
    QCOMPARE(code.values->at(2), 3.0f);
  }

  void looks() {
    if (!qEnvironmentVariableIsSet("TESSERA_PICTURES")) return;
    WatchPause pause;
    for (const auto scheme : {theme::Scheme::Light, theme::Scheme::Dark}) {
      theme::apply(application(), scheme);
      const QString suffix = theme::isDark() ? QStringLiteral("-dark") : QStringLiteral("-light");
      ChartGroup group;
      auto history = makeHistory(200'000);
      setValue(*history, Metric::Loss, 120'000, 7.6f);
      setValue(*history, Metric::Loss, 150'000, std::nanf(""));
      for (int i = 0; i < 30; ++i) {
        RunHistory::Validation v;
        v.step = i * 6666;
        v.loss = 4.1 + 4 * std::exp(-i / 5.0);
        v.sources = {{"web", v.loss - 0.2}, {"code", v.loss - 0.9}, {"chinese", v.loss + 0.6}};
        history->validations.push_back(v);
      }
      for (int i = 1; i < 5; ++i) {
        history->checkpoints.push_back(Event{0, 0, CheckpointEvent{.step = i * 40'000}});
      }
      history->spikes.push_back(Event{0, 0, SpikeEvent{120'000, 7.6, 4.1, 0.1}});
      history->story.push_back(Event{0, 0, ResumeEvent{.step = 80'000}});
      auto curves = makeCurves(QStringLiteral("demo-20261124-0125-21a9"), history);
      curves->setStages({{0, QStringLiteral("main")}, {160'000, QStringLiteral("anneal")}});
      group.setRuns({curves});
      ChartOptions options;
      options.smoothing = 200;
      group.setOptions(options);
      QWidget page;
      ChartGrid grid(group, &page);
      ChartToolbar bar(group, grid, &page);
      grid.setPanels(standardPanels());
      page.resize(1100, 700);
      bar.setGeometry(0, 0, 1100, 36);
      grid.setGeometry(0, 40, 1100, 660);
      QVERIFY(show(page, QSize(1100, 700)));
      QTest::qWait(200);
      group.showPicked(curves->id(), 120'000);
      if (ChartPanel* loss = grid.panel(QStringLiteral("loss"))) {
        moveMouse(*loss, loss->drawn().plot.center().toPoint());
        QTest::qWait(50);
      }
      picture(page, QStringLiteral("charts") + suffix);
      group.setView(Range{119'900, 120'100});
      grid.enlarge(QStringLiteral("loss"));
      QTest::qWait(50);
      picture(page, QStringLiteral("charts-zoomed") + suffix);
      ChartGroup::Runs runs;
      for (int i = 0; i < 50; ++i) {
        runs.push_back(
            makeCurves(QStringLiteral("sweep-%1").arg(i), makeHistory(4000, unsigned(i))));
      }
      grid.enlarge({});
      group.setView({});
      options.smoothing = 0;
      group.setOptions(options);
      group.setRuns(runs);
      QTest::qWait(100);
      group.setHovered(QStringLiteral("sweep-7"));
      picture(page, QStringLiteral("charts-50-runs") + suffix);
    }
    theme::apply(application(), theme::Scheme::Light);
  }
};

}  // namespace tessera::ui::test

using tessera::ui::test::ChartTest;
TESSERA_UI_MAIN(ChartTest)
#include "chart_test.moc"
