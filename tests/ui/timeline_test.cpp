// SPDX-License-Identifier: MIT
// Links: tessera_ui_page_monitor
// The timeline of a run's ranks in Monitor: lanes, zoom and pan by mouse and keys, tips, and runs
// that have none.
#include <fmt/format.h>

#include <QClipboard>
#include <QDesktopServices>
#include <QGuiApplication>
#include <QPaintEvent>
#include <QPushButton>
#include <QScrollArea>
#include <QScrollBar>
#include <QSignalSpy>
#include <QTabWidget>
#include <QUrl>
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

/// What is painted of a widget.
class PaintWatch : public QObject {
 public:
  explicit PaintWatch(QWidget& widget) { widget.installEventFilter(this); }
  QRegion painted;

 protected:
  bool eventFilter(QObject* object, QEvent* event) override {
    if (event->type() == QEvent::Paint) painted += static_cast<QPaintEvent*>(event)->region();
    return QObject::eventFilter(object, event);
  }
};

/// Takes what would be opened by the desktop.
class UrlTaker : public QObject {
  Q_OBJECT
 public:
  QUrl taken;
 public Q_SLOTS:
  void take(const QUrl& url) { taken = url; }
};

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
    QVERIFY(test::labelWith(f.page.get(), "more than 64 MiB is in FILE alone"));
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
    // One that is not whole yet says when it will be; a folder in its place is told, too.
    std::ofstream(f.folder / kTimelineName) << "{\"traceEvents\":[\n],\"otherData\":{}}\n";
    f.page->timeline().hide();
    f.page->timeline().show();
    QVERIFY(waitUntil([&] { return test::labelWith(f.page.get(), "after the first ten steps"); }));
    std::filesystem::remove(f.folder / kTimelineName);
    std::filesystem::create_directory(f.folder / kTimelineName);
    f.page->timeline().hide();
    f.page->timeline().show();
    QVERIFY(waitUntil([&] {
      return !test::labelWith(f.page.get(), "after the first ten steps") &&
             test::labelWith(f.page.get(), "cannot be shown");
    }));
  }

  /// Whatever is written while the file is read is shown in the end.
  void aFileThatChangesWhileItIsReadIsReadAgain() {
    TimelineFixture f(4, 6);
    QVERIFY(f.open());
    for (int ranks = 5; ranks < 12; ++ranks) {
      writeTimeline(f.folder / kTimelineName, ranks, 400);
      f.page->timeline().hide();
      f.page->timeline().show();
      QTest::qWait(3);  // it is being read
      writeTimeline(f.folder / kTimelineName, ranks + 1, 2);
      f.page->timeline().hide();
      f.page->timeline().show();
      QVERIFY(waitUntil([&] {
        return f.plot().timeline() && f.plot().timeline()->lanes.size() == std::size_t(ranks + 1);
      }));
    }
  }

  void timesFollowTheZoom() {
    QCOMPARE(timelineTime(0, 1000, 2e6), QStringLiteral("0.000\u00A0ms"));
    QCOMPARE(timelineTime(1.5e6, 1000, 2e6), QStringLiteral("1.500\u00A0ms"));
    QCOMPARE(timelineTime(12'345'678'901, 100, 12'345'678'901),
             QStringLiteral("12.3456789\u00A0s"));
    QCOMPARE(timelineTime(17, 0.01, 17), QStringLiteral("17\u00A0ns"));
    QCOMPARE(timelineTime(0, 1, 0), QStringLiteral("0\u00A0ns"));
    // However near, no two ticks have the same text, and each unit stands for all of an axis.
    for (double span = 200; span < 1e12; span *= 3.7) {
      for (const double low : {0.0, 7.77e6, 3.3e9, 4.2e11}) {
        const std::vector<chart::Tick> ticks = timelineTicks({low, low + span}, 6);
        QVERIFY(ticks.size() >= 2);
        for (std::size_t i = 1; i < ticks.size(); ++i) {
          QVERIFY2(ticks[i].text != ticks[i - 1].text, qPrintable(ticks[i].text));
          QCOMPARE(ticks[i].text.section(QChar(0xA0), 1), ticks[0].text.section(QChar(0xA0), 1));
        }
      }
    }
  }

  /// The folder is opened; where nothing opens folders, the path is at least on the clipboard.
  void theTraceFileIsShown() {
    TimelineFixture f;
    QVERIFY(f.shown());
    QAbstractButton* show = test::button(f.page.get(), "Show the trace file");
    QVERIFY(show);
    const QString path = QString::fromStdString((f.folder / kTimelineName).string());
    UrlTaker taker;
    QDesktopServices::setUrlHandler(QStringLiteral("file"), &taker, "take");
    QVERIFY(click(show));
    QDesktopServices::unsetUrlHandler(QStringLiteral("file"));
    QCOMPARE(taker.taken.toLocalFile(), QString::fromStdString(f.folder.string()));
    QVERIFY(f.studio->navigator.toasts.back().text.contains(path));
    QGuiApplication::clipboard()->clear();
    if (QDesktopServices::openUrl(QUrl(QStringLiteral("file:///nowhere/at/all")))) {
      QSKIP("a program opens folders here");
    }
    QVERIFY(click(show));
    QCOMPARE(QGuiApplication::clipboard()->text(), path);
    QVERIFY(f.studio->navigator.toasts.back().text.contains("clipboard"));
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
    // The axis stays at the top of what is in sight, without traces of where it was.
    auto* area = f.page->timeline().findChild<QScrollArea*>();
    for (int i = 1; i <= 8; ++i) {
      area->verticalScrollBar()->setValue(i * 23);
      QTest::qWait(20);
    }
    PaintWatch watch(f.plot());
    area->verticalScrollBar()->setValue(5);
    QVERIFY(
        waitUntil([&] { return watch.painted.contains(QPoint(f.plot().width() / 2, 5 + 11)); }));
    QVERIFY(
        waitUntil([&] { return watch.painted.contains(QPoint(f.plot().width() / 2, 184 + 11)); }));
    test::picture(*f.page, "timeline-many");
  }
};

TESSERA_UI_MAIN(TimelinePageTest)
#include "timeline_test.moc"
