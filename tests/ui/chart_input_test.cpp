// SPDX-License-Identifier: MIT
// Charts under the hand: wheel, mouse and keys zoom, move, read and pick.
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

class ChartInputTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void wheelDragAndKeysZoomAndPan() {
    Shown s(makeHistory(1000));
    const Range all = s.group.view();
    wheel(s.panel, s.middle(), 1, Qt::ControlModifier);
    QVERIFY(s.group.zoomed());
    QVERIFY(s.group.view().span() < 0.85 * all.span());
    // What was under the mouse stays there.
    const double before = s.panel.drawn().x.toValue(s.middle().x());
    s.panel.grab();
    QVERIFY(std::abs(s.panel.drawn().x.toValue(s.middle().x()) - before) < 2);
    s.group.reset();
    s.panel.grab();
    QCOMPARE(s.group.view(), all);

    // A box.
    const QPoint from = s.at(200, s.panel.drawn().y.range.high), to = s.at(400, 0.5);
    QTest::mousePress(&s.panel, Qt::LeftButton, {}, from + QPoint(0, 3));
    QTest::mouseMove(&s.panel, (from + to) / 2);
    QTest::mouseMove(&s.panel, to);
    QTest::mouseRelease(&s.panel, Qt::LeftButton, {}, to);
    QVERIFY(std::abs(s.group.view().low - 200) < 4);
    QVERIFY(std::abs(s.group.view().high - 400) < 4);
    QVERIFY(s.panel.heights().has_value());
    s.panel.grab();

    // Dragging with Shift pans by what it moved.
    const Range zoomed = s.group.view();
    const double step = 100 / s.panel.drawn().plot.width() * zoomed.span();
    QTest::mousePress(&s.panel, Qt::LeftButton, Qt::ShiftModifier, s.middle());
    for (int i = 10; i <= 100; i += 10) QTest::mouseMove(&s.panel, s.middle() - QPoint(i, 0));
    QTest::mouseRelease(&s.panel, Qt::LeftButton, Qt::ShiftModifier, s.middle() - QPoint(100, 0));
    QVERIFY(std::abs(s.group.view().low - (zoomed.low + step)) < 4);
    QVERIFY(std::abs(s.group.view().span() - zoomed.span()) < 1e-6);

    QTest::keyClick(&s.panel, Qt::Key_0);
    QVERIFY(!s.group.zoomed());
    QVERIFY(!s.panel.heights().has_value());
    QTest::keyClick(&s.panel, Qt::Key_Plus);
    QVERIFY(s.group.zoomed());
    const Range kept = s.group.view();
    QTest::keyClick(&s.panel, Qt::Key_Right, Qt::ShiftModifier);
    QVERIFY(s.group.view().low > kept.low);
    QTest::keyClick(&s.panel, Qt::Key_L);
    QVERIFY(s.panel.logarithmic());
    QTest::mouseDClick(&s.panel, Qt::LeftButton, {}, s.middle());
    QVERIFY(!s.group.zoomed());
  }

  void theWheelAloneScrollsThePageUntilThePanelHasTheFocus() {
    Shown s(makeHistory(100));
    s.panel.clearFocus();
    wheel(s.panel, s.middle(), 1, {});
    QVERIFY(!s.group.zoomed());
    s.panel.activateWindow();
    s.panel.setFocus();
    QTRY_VERIFY(s.panel.hasFocus());
    wheel(s.panel, s.middle(), 1, {});
    QVERIFY(s.group.zoomed());
  }

  void theCursorReadsValuesAndPicksSteps() {
    Shown s(makeHistory(300, 1, 10));
    QSignalSpy picked(&s.group, &ChartGroup::stepPicked);
    moveMouse(s.panel, s.at(1500, 1));
    QVERIFY(s.group.cursor().has_value());
    const float value = metricOf(*s.history, Metric::GradNorm).at(150);
    QVERIFY2(s.panel.readout().contains(chart::valueText(double(value), chart::ValueKind::Number)),
             qPrintable(s.panel.readout()));
    QTest::mouseClick(&s.panel, Qt::LeftButton, {}, s.at(1500, 1));
    QCOMPARE(picked.size(), 1);
    QCOMPARE(picked[0][1].toLongLong(), 1500);
    QCOMPARE(s.group.pickedStep(), std::int64_t(1500));
    // By keys: one logged row, exactly.
    QTest::keyClick(&s.panel, Qt::Key_Right, Qt::ControlModifier);
    QTest::keyClick(&s.panel, Qt::Key_Return);
    QCOMPARE(picked[1][1].toLongLong(), 1510);
    QVERIFY(!s.panel.accessibleDescription().isEmpty());
  }

  /// A pixel stands for a thousand steps here: a click at the ring of a spike, or on its mark,
  /// means the one step of the spike, and what is read before the click is that step's value.
  void aClickOnASpikePicksItsStep() {
    auto history = makeHistory(500'000);
    std::vector<float> calm(500'000, 2.0f);
    for (std::size_t i = 0; i < calm.size(); ++i) calm[i] += 0.05f * std::sin(float(i));
    calm[200'123] = 9;
    metricOf(*history, Metric::GradNorm).assign(std::move(calm));
    history->spikes.push_back(Event{0, 0, SpikeEvent{400'321, 7.6, 4.1, 0.1}});
    Shown s(history);
    QCOMPARE(s.panel.drawn().spikes.size(), 1u);
    const QPoint tip = s.panel.drawn().spikes.front().at.toPoint();
    for (const QPoint& off : {QPoint(0, 0), QPoint(3, 2), QPoint(-3, -2)}) {
      moveMouse(s.panel, tip + off);
      QVERIFY2(s.panel.readout().contains(QStringLiteral("9")), qPrintable(s.panel.readout()));
      s.group.showPicked(QStringLiteral("run-a"), -1);
      QTest::mouseClick(&s.panel, Qt::LeftButton, {}, tip + off);
      QCOMPARE(s.group.pickedStep(), std::int64_t(200'123));
    }
    // The mark of a loss spike, in the strip below the plot and in the plot above it.
    const int x = s.at(400'321, 2).x();
    const int below = int(s.panel.drawn().plot.bottom()) + 6;
    for (const QPoint& at : {QPoint(x + 4, below), QPoint(x - 3, s.middle().y())}) {
      s.group.showPicked(QStringLiteral("run-a"), -1);
      QTest::mouseClick(&s.panel, Qt::LeftButton, {}, at);
      QCOMPARE(s.group.pickedStep(), std::int64_t(400'321));
    }
    // Further away the step under the mouse is picked.
    const QPoint beside(x + 9, s.middle().y());
    QTest::mouseClick(&s.panel, Qt::LeftButton, {}, beside);
    const double under = s.panel.drawn().x.toValue(beside.x());
    QVERIFY(std::abs(double(s.group.pickedStep()) - under) <= 1);
  }

  /// Where steps lie far apart, those beside a spike can be picked.
  void stepsBesideASpikeCanBePicked() {
    auto history = makeHistory(61);
    setValue(*history, Metric::GradNorm, 30, 50);
    history->spikes.push_back(Event{0, 0, SpikeEvent{30, 7.6, 4.1, 0.1}});
    Shown s(history);
    for (const std::int64_t step : {29, 30, 31}) {
      QTest::mouseClick(&s.panel, Qt::LeftButton, {}, s.at(double(step), 5));
      QCOMPARE(s.group.pickedStep(), step);
    }
  }

  void movingTheCursorDrawsNoCurveAnew() {
    Shown s(makeHistory(1000));
    const int before = s.panel.renders();
    for (int x = 100; x < 300; x += 10) {
      s.group.setCursor(x);
      s.panel.grab();
    }
    QCOMPARE(s.panel.renders(), before);
  }

  void hoveringLightsTheSameRunInEveryPanel() {
    ChartGroup group;
    auto a = makeHistory(500, 1), b = makeHistory(500, 2);
    std::vector<float> high(500, 20.0f), low(500, 1.0f);
    metricOf(*a, Metric::GradNorm).assign(high);
    metricOf(*b, Metric::GradNorm).assign(low);
    group.setRuns({makeCurves(QStringLiteral("run-a"), a), makeCurves(QStringLiteral("run-b"), b)});
    ChartPanel first(group, specOf(QStringLiteral("grad_norm")));
    ChartPanel second(group, specOf(QStringLiteral("loss")));
    first.setLogarithmic(false);
    QVERIFY(show(first, QSize(500, 260)));
    QVERIFY(show(second, QSize(500, 260)));
    first.grab();
    second.grab();
    const int renders = second.renders();
    const QPoint onB(int(first.drawn().x.toPixel(250)), int(first.drawn().y.toPixel(1.0)));
    moveMouse(first, onB);
    QCOMPARE(group.hovered(), QStringLiteral("run-b"));
    QVERIFY(group.cursor().has_value());
    second.grab();
    QVERIFY(second.renders() > renders);
    QVERIFY(!second.readout().isEmpty());  // the cursor is shared
    // The same colour for the same run in both.
    QCOMPARE(first.lines()[1].color, second.lines()[1].color);
  }

  void heatMapsMoveByKeysAndReadOut() {
    HeatMap map;
    HeatScale scale;
    scale.diverging = scale.logarithmic = true;
    scale.low = 0.25;
    scale.centre = 1;
    scale.high = 4;
    QCOMPARE(scale.position(1), 0.5);
    QCOMPARE(scale.position(2), 0.75);
    QCOMPARE(scale.position(0.5), 0.25);
    QCOMPARE(scale.position(0), 0.0);
    map.setValues(3, 64, std::vector<float>(192, 1), scale);
    map.setReader([](int r, int c) { return QStringLiteral("%1/%2").arg(r).arg(c); });
    QVERIFY(show(map, QSize(700, 300)));
    QSignalSpy moved(&map, &HeatMap::cellChanged);
    map.grab();
    QTest::mouseClick(&map, Qt::LeftButton, {}, map.cellRect(1, 20).center());
    QCOMPARE(map.readout(), QStringLiteral("1/20"));
    QTest::keyClick(&map, Qt::Key_Right);
    QTest::keyClick(&map, Qt::Key_Down);
    QTest::keyClick(&map, Qt::Key_Down);  // the last row is the end
    QCOMPARE(map.readout(), QStringLiteral("2/21"));
    QCOMPARE(map.accessibleDescription(), QStringLiteral("2/21"));
    QTest::keyClick(&map, Qt::Key_Home, Qt::ControlModifier);
    QCOMPARE(map.readout(), QStringLiteral("0/0"));
    QCOMPARE(moved.size(), 4);
  }
};

}  // namespace tessera::ui::test

using tessera::ui::test::ChartInputTest;
TESSERA_UI_MAIN(ChartInputTest)
#include "chart_input_test.moc"
