// SPDX-License-Identifier: MIT
// Links: tessera_ui_page_monitor
// The timeline of a run's ranks in Monitor: lanes, zoom and pan by mouse and keys, tips, and runs
// that have none.
#include <fmt/format.h>

#include <QPushButton>
#include <QSignalSpy>
#include <QTabWidget>
#include <QWheelEvent>
#include <fstream>

#include "tests/ui/harness.h"
#include "tests/ui/run_files.h"
#include "ui/bridge/runs/run_store.h"
#include "ui/pages/monitor/monitor_page.h"
#include "ui/pages/monitor/timeline_plot.h"
#include "ui/pages/monitor/timeline_tab.h"
#include "ui/theme/theme.h"

using namespace tessera;
using namespace tessera::ui;
using test::click;
using test::waitUntil;

namespace {

/// Some pipeline's first steps: two stages, with calls inside of what they compute.
void writeTimeline(const std::filesystem::path& file, int ranks, int steps) {
  std::ofstream out(file);
  out << "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n";
  const auto span = [&](const char* name, int rank, double from, double length, int step,
                        const std::string& more = "") {
    out << fmt::format(
        R"({{"name":"{}","ph":"X","pid":{},"tid":0,"ts":{:.3f},"dur":{:.3f},"args":{{"step":{}{}}}}},)"
        "\n",
        name, rank, from, length, step, more);
  };
  for (int rank = 0; rank < ranks; ++rank) {
    for (int step = 0; step < steps; ++step) {
      const double at = 12'000.0 * step + 400 * rank;
      span("receive", rank, at, 300, step, R"(,"bytes":65536)");
      span("forward", rank, at + 300, 3000, step, R"(,"stage":1,"micro_batch":0)");
      span("all_to_all", rank, at + 900, 500, step, R"(,"bytes":1048576)");
      span("backward of the input", rank, at + 3300, 3000, step, R"(,"stage":1,"micro_batch":0)");
      span("backward of the weights", rank, at + 6300, 1500, step);
      span("send", rank, at + 7800, 300, step, R"(,"bytes":65536)");
      span("all_reduce", rank, at + 8100, 900, step);
      span("optimiser", rank, at + 9000, 1200, step);
    }
  }
  out << R"({"name":"end","ph":"M","pid":0})"
      << "\n],\"otherData\":{\"clocks\":[]}}\n";
}

struct TimelineFixture {
  std::unique_ptr<test::StudioFixture> studio;
  std::unique_ptr<MonitorPage> page;
  std::filesystem::path folder;
  QString id;

  explicit TimelineFixture(int ranks = 4, int steps = 6) {
    auto home = std::make_unique<test::TemporaryHome>();
    const auto run = test::finishedRun(home->runs().toStdString(), "lanes");
    folder = run.folder.path();
    id = run.id();
    if (ranks > 0) writeTimeline(folder / kTimelineName, ranks, steps);
    studio = test::makeStudio(std::move(home));
    page = std::make_unique<MonitorPage>(*studio->studio);
  }
  TimelinePlot& plot() { return page->timeline().plot(); }
  bool open() {
    page->setActivity(true, true);
    if (!test::show(*page) || !waitUntil([this] { return studio->runs->run(id); })) return false;
    page->open(Location::fromText("run/" + id + "?tab=timeline"));
    page->open({QStringLiteral("monitor"), id, {{"tab", "timeline"}}});
    return waitUntil([this] { return page->tabs()->currentWidget() == &page->timeline(); });
  }
  bool shown() {
    return open() && waitUntil([this] { return plot().timeline() && plot().isVisible(); });
  }
};

void turnWheel(QWidget& widget, const QPointF& at, int notches, Qt::KeyboardModifiers keys) {
  QWheelEvent event(at, widget.mapToGlobal(at), {}, {0, 120 * notches}, Qt::NoButton, keys,
                    Qt::NoScrollPhase, false);
  QCoreApplication::sendEvent(&widget, &event);
}

}  // namespace

class TimelinePageTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void initTestCase() { theme::apply(*qApp, theme::Scheme::Light); }

  void aRunWithoutOneSaysHowToGetIt() {
    TimelineFixture f(0);
    QVERIFY(f.open());
    QVERIFY(waitUntil([&] { return test::labelWith(f.page.get(), "--timeline FILE"); }));
    test::picture(*f.page, "timeline-none");
    // It is shown once it is there.
    writeTimeline(f.folder / kTimelineName, 2, 3);
    f.page->timeline().hide();
    f.page->timeline().show();
    QVERIFY(waitUntil([&] { return f.plot().timeline(); }));
  }

  void aDamagedOneSaysWhy() {
    TimelineFixture f(0);
    std::ofstream(f.folder / kTimelineName) << "{}\n";
    QVERIFY(f.open());
    QVERIFY(waitUntil([&] { return test::labelWith(f.page.get(), "cannot be shown"); }));
  }

  void lanesHaveTipsAndIdleShares() {
    TimelineFixture f;
    QVERIFY(f.shown());
    TimelinePlot& plot = f.plot();
    QCOMPARE(plot.timeline()->lanes.size(), 4u);
    QVERIFY(test::labelWith(f.page.get(), "Ranks are idle for"));
    // ns since the first span, which is rank 0's receive.
    const QString inner = plot.readingAt(plot.pointOf(2, 1e3 * (800 + 1100)));
    QVERIFY2(inner.contains("rank 2 · all_to_all · step 0"), qPrintable(inner));
    QVERIFY2(inner.contains("1.05") && inner.contains("500"), qPrintable(inner));
    const QString outer = plot.readingAt(plot.pointOf(0, 1e3 * 2000));
    QVERIFY2(outer.contains("forward") && outer.contains("micro-batch 0"), qPrintable(outer));
    QVERIFY(plot.readingAt(plot.pointOf(0, 1e3 * 11'000)).contains("idle"));
    QVERIFY(plot.readingAt(QPointF(2, 2)).isEmpty());
    test::picture(*f.page, "timeline-light");
    theme::apply(*qApp, theme::Scheme::Dark);
    test::picture(*f.page, "timeline-dark");
    theme::apply(*qApp, theme::Scheme::Light);
  }

  void kindsAreDrawnInTheirColours() {
    TimelineFixture f;
    QVERIFY(f.shown());
    TimelinePlot& plot = f.plot();
    const QImage image = plot.grab().toImage();
    const auto colorAt = [&](int rank, double us) {
      const QPointF at = plot.pointOf(rank, 1e3 * us) * image.devicePixelRatio();
      return image.pixelColor(at.toPoint());
    };
    QCOMPARE(colorAt(0, 2000).rgb(), timelineKindColor(TimelineKind::Forward).rgb());
    QCOMPARE(colorAt(0, 4500).rgb(), timelineKindColor(TimelineKind::Backward).rgb());
    QCOMPARE(colorAt(3, 1200 + 1150).rgb(), timelineKindColor(TimelineKind::AllToAll).rgb());
    QCOMPARE(colorAt(1, 400 + 11'000).rgb(), theme::colors().raised.rgb());
  }

  void wheelDragAndKeysMoveTheView() {
    TimelineFixture f;
    QVERIFY(f.shown());
    TimelinePlot& plot = f.plot();
    const chart::Range all = plot.view();
    const QPointF at = plot.pointOf(1, all.span() / 2);
    turnWheel(plot, at, 3, Qt::NoModifier);
    QCOMPARE(plot.view(), all);  // the lanes scroll
    turnWheel(plot, at, 3, Qt::ControlModifier);
    QVERIFY(plot.view().span() < 0.6 * all.span());
    QVERIFY(plot.view().contains(all.span() / 2));
    const chart::Range near = plot.view();
    QVERIFY(test::drag(&plot, at.toPoint(), at.toPoint() - QPoint(60, 0)));
    QVERIFY(plot.view().low > near.low);
    QVERIFY(std::abs(plot.view().span() - near.span()) < 1);
    plot.setFocus();
    QTest::keyClick(&plot, Qt::Key_0);
    QCOMPARE(plot.view(), all);
    QTest::keyClick(&plot, Qt::Key_Plus);
    QVERIFY(plot.view().span() < 0.6 * all.span());
    QTest::keyClick(&plot, Qt::Key_Left);
    for (int i = 0; i < 20; ++i) QTest::keyClick(&plot, Qt::Key_Left);
    QCOMPARE(plot.view().low, 0.0);  // not beyond what there is
    for (int i = 0; i < 60; ++i) QTest::keyClick(&plot, Qt::Key_Plus);
    QVERIFY(plot.view().span() >= 199);
    QVERIFY(click(test::button(f.page.get(), "Show all")));
    QCOMPARE(plot.view(), all);
  }

  void manyRanksScroll() {
    TimelineFixture f(96, 3);
    QVERIFY(f.shown());
    QVERIFY(f.plot().height() > 96 * 8);
    test::picture(*f.page, "timeline-many");
  }
};

TESSERA_UI_MAIN(TimelinePageTest)
#include "timeline_test.moc"
