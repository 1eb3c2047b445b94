// SPDX-License-Identifier: MIT
// Monitor: what it says of a run is what the log says, its buttons do what they say, and a picked
// step leads everywhere.
// Links: tessera_ui_page_monitor
// Scales: 1 1.5 2
#include <QAction>
#include <QCheckBox>
#include <QComboBox>
#include <QDateTime>
#include <QLineEdit>
#include <QListView>
#include <QListWidget>
#include <QMenu>
#include <QPlainTextEdit>
#include <QProgressBar>
#include <QPushButton>
#include <QSignalSpy>
#include <QTabWidget>
#include <QTableView>
#include <QTableWidget>
#include <QTest>
#include <QToolButton>
#include <fstream>

#include "core/base/call_record.h"
#include "core/history/time_left.h"
#include "tests/ui/harness.h"
#include "tests/ui/run_files.h"
#include "ui/bridge/desktop/preferences.h"
#include "ui/bridge/runs/run_store.h"
#include "ui/pages/monitor/charts_tab.h"
#include "ui/pages/monitor/checkpoints_tab.h"
#include "ui/pages/monitor/logs_tab.h"
#include "ui/pages/monitor/monitor_page.h"
#include "ui/pages/monitor/rank_grid.h"
#include "ui/pages/monitor/ranks_tab.h"
#include "ui/pages/monitor/run_header.h"
#include "ui/pages/monitor/samples_tab.h"
#include "ui/pages/monitor/spec_tab.h"
#include "ui/theme/theme.h"
#include "ui/widgets/chart/board_dialog.h"
#include "ui/widgets/chart/board_picker.h"
#include "ui/widgets/chart/boards.h"
#include "ui/widgets/chart/chart_grid.h"
#include "ui/widgets/chart/chart_panel.h"
#include "ui/widgets/log_view.h"
#include "ui/widgets/numbers.h"

namespace tessera::ui::test {

namespace {
std::filesystem::path runsOf(const TemporaryHome& home) {
  return home.runs().toStdString();
}

/// The page with a run in it, its log read.
struct Shown {
  explicit Shown(std::unique_ptr<TemporaryHome> home, const QString& run)
      : fixture(makeStudio(std::move(home))), page(*fixture->studio) {
    waitUntil([&] { return fixture->runs->loaded(); });
    page.open({QStringLiteral("monitor"), run, {}});
    show(page, QSize(1024, 700));
    page.setActivity(true, true);
    waitUntil([&] {
      const auto feed = fixture->runs->feed(run);
      return feed && feed->loaded() && page.charts().grid().panel(QStringLiteral("loss"));
    });
    page.grab();
  }
  ~Shown() { page.hide(); }
  RecordingNavigator& navigator() { return fixture->navigator; }
  std::unique_ptr<StudioFixture> fixture;
  MonitorPage page;
};

/// Waits for a request to the run, and that it is this one alone.
bool askedFor(const WrittenRun& run, Control control) {
  std::vector<Control> requests;
  waitUntil([&] {
    requests = take_requests(run.folder);
    return !requests.empty();
  });
  return requests == std::vector<Control>{control};
}

void writeLog(const WrittenRun& run, double from, int lines) {
  std::filesystem::create_directories(run.folder.log_path(0).parent_path());
  std::ofstream out(run.folder.log_path(0));
  for (int i = 0; i < lines; ++i) {
    out << logTime(from + i).toStdString() << " info: line " << i << "\n";
  }
}
}  // namespace

class MonitorPageTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void withoutARunItSaysSo() {
    auto fixture = makeStudio();
    MonitorPage page(*fixture->studio);
    QVERIFY(show(page));
    QVERIFY(labelWith(&page, QStringLiteral("Pick a run")));
    QVERIFY(click(button(&page, QStringLiteral("Choose a run"))));
    QCOMPARE(fixture->navigator.opened.back().page, QStringLiteral("runs"));
    picture(page, QStringLiteral("monitor-empty"));
  }

  /// Not a draft without steps: its folder was removed.
  void aRunWhoseFolderIsGoneSaysSo() {
    auto home = std::make_unique<TemporaryHome>();
    const std::filesystem::path away = home->home().toStdString() + "/away";
    const WrittenRun run = finishedRun(runsOf(*home), "small");
    Shown s(std::move(home), run.id());
    QVERIFY(labelWith(&s.page, QStringLiteral("20\u00A0of\u00A0850 steps")));
    std::filesystem::rename(run.folder.path(), away);
    s.fixture->runs->refresh();
    QVERIFY(waitUntil([&] { return labelWith(&s.page, QStringLiteral("is gone")) != nullptr; }));
    QVERIFY(!labelWith(&s.page, QStringLiteral("20\u00A0of\u00A0850 steps")));
    QVERIFY(click(button(&s.page, QStringLiteral("Choose a run"))));
    // The page of a studio that is started now.
    MonitorPage later(*s.fixture->studio);
    later.open({QStringLiteral("monitor"), run.id(), {}});
    QVERIFY(show(later));
    QVERIFY(waitUntil([&] { return labelWith(&later, QStringLiteral("is gone")) != nullptr; }));
    std::filesystem::rename(away, run.folder.path());
    s.fixture->runs->refresh();
    QVERIFY(waitUntil([&] {
      return labelWith(&s.page, QStringLiteral("20\u00A0of\u00A0850 steps")) != nullptr;
    }));
  }

  /// Before the first step nothing is said of what the run has not.
  void beforeTheFirstStepTheChartsSayNothingUntrue() {
    auto home = std::make_unique<TemporaryHome>();
    WrittenRun run(runsOf(*home), "small");
    run.state(RunState::Checking);
    const RunLock lock(run.folder);
    Shown s(std::move(home), run.id());
    int seen = 0;
    for (const ChartPanelSpec& spec : standardPanels()) {
      const ChartPanel* panel = s.page.charts().grid().panel(spec.id);
      if (!panel) continue;  // out of sight
      ++seen;
      QCOMPARE(panel->emptyText(), QStringLiteral("No step has been logged yet."));
    }
    QVERIFY(seen >= 2);
    run.state(RunState::Running);
    run.steps(0, 2);
    QVERIFY(waitUntil([&] {
      return s.page.charts().grid().panel(QStringLiteral("validation"))->emptyText() ==
             QStringLiteral("No validation yet: [validation] every_steps says how often.");
    }));
  }

  void theFirstMinutesSayWhatIsDone() {
    auto home = std::make_unique<TemporaryHome>();
    WrittenRun run(runsOf(*home), "small");
    run.state(RunState::Checking);
    PhaseEvent phase;
    phase.phase = "vocabulary";
    phase.done = 300;
    phase.total = 1200;
    phase.unit = "merges";
    run.log->append(phase);
    run.log->sync();
    const RunLock lock(run.folder);
    Shown s(std::move(home), run.id());
    const QString words =
        QStringLiteral("training the vocabulary: 300 of %1 merges").arg(numbers::whole(1200));
    QVERIFY(waitUntil([&] { return labelWith(&s.page, words) != nullptr; }));
    QVERIFY(labelWith(&s.page, QStringLiteral("No step yet")));
    auto* bar = s.page.findChild<QProgressBar*>();
    QVERIFY(bar);
    QCOMPARE(bar->value(), 250);
    phase.phase = "a phase of a later version";
    phase.total = phase.done = 0;
    run.log->append(phase);
    run.log->sync();
    QVERIFY(waitUntil([&] { return labelWith(&s.page, QStringLiteral("a later version")); }));
    QCOMPARE(bar->value(), 0);
    run.state(RunState::Running);
    run.steps(0, 2);
    run.log->sync();
    QVERIFY(
        waitUntil([&] { return labelWith(&s.page, QStringLiteral("2\u00A0of\u00A0850 steps")); }));
    QVERIFY(!labelWith(&s.page, QStringLiteral("a later version")));
  }

  /// Made with the mouse and the keyboard, changed, kept over sessions, deleted with a way back.
  void aBoardOfOnesOwnIsMadeAndKept() {
    auto home = std::make_unique<TemporaryHome>();
    const WrittenRun run = finishedRun(runsOf(*home), "small");
    Shown s(std::move(home), run.id());
    BoardPicker& boards = s.page.charts().boards();
    ChartGrid& grid = s.page.charts().grid();
    QVERIFY(!boards.editButton()->isEnabled());
    QVERIFY(boards.editButton()->toolTip().contains(QStringLiteral("cannot be changed")));
    QVERIFY(click(boards.newButton()));
    const auto dialog = [&] { return boards.findChild<BoardDialog*>(); };
    QVERIFY(dialog());
    QListWidget* list = dialog()->list();
    QCOMPARE(list->count(), static_cast<int>(standardPanels().size()));
    QVERIFY(!dialog()->saveButton()->isEnabled());
    QVERIFY(typeInto(dialog()->nameField(), QStringLiteral("Mine")));
    QVERIFY(dialog()->saveButton()->isEnabled());
    const auto rowOf = [&](const QString& title) {
      for (int i = 0; i < list->count(); ++i) {
        if (list->item(i)->text() == title) return i;
      }
      return -1;
    };
    // Every chart is hidden by Space, then three are chosen again.
    list->setFocus();
    for (int i = 0; i < list->count(); ++i) {
      list->setCurrentRow(i);
      QTest::keyClick(list, Qt::Key_Space);
    }
    QVERIFY(dialog()->board().panels.isEmpty());
    for (const char* title : {"Gradient norm", "Learning rate"}) {
      list->setCurrentRow(rowOf(QLatin1String(title)));
      QTest::keyClick(list, Qt::Key_Space);
    }
    list->setCurrentRow(rowOf(QStringLiteral("Gradient norm")));
    for (int i = 0; i < list->count() && list->currentRow() > 0; ++i) {
      QTest::keyClick(list, Qt::Key_Up, Qt::AltModifier);
    }
    QVERIFY(!dialog()->upButton()->isEnabled());
    list->clearSelection();
    list->item(rowOf(QStringLiteral("MTP loss")))->setSelected(true);
    list->item(rowOf(QStringLiteral("Balance loss")))->setSelected(true);
    QVERIFY(click(dialog()->togetherButton()));
    const QStringList expected = {QStringLiteral("grad_norm"), QStringLiteral("learning_rate"),
                                  QStringLiteral("mtp_loss+balance_loss")};
    QCOMPARE(dialog()->board().panels, expected);
    picture(*dialog(), QStringLiteral("monitor-board-dialog"));
    QVERIFY(click(dialog()->saveButton()));
    QCOMPARE(boards.box()->currentText(), QStringLiteral("Mine"));
    QCOMPARE(grid.shownPanels(), 3u);
    QVERIFY(waitUntil([&] { return grid.panel(expected[2]) != nullptr; }));
    QCOMPARE(grid.panel(expected[2])->spec().title, QStringLiteral("MTP loss \u00B7 Balance loss"));
    QVERIFY(!grid.panel(QStringLiteral("loss")));
    picture(s.page, QStringLiteral("monitor-board"));

    // The page of the next start shows it at once.
    MonitorPage later(*s.fixture->studio);
    QVERIFY(show(later));
    QCOMPARE(later.charts().grid().shownPanels(), 3u);
    QCOMPARE(later.charts().boards().box()->currentText(), QStringLiteral("Mine"));
    later.hide();

    // One without charts says so, and leads to where they are chosen.
    QTRY_VERIFY(!dialog());
    QVERIFY(click(boards.editButton()));
    for (int i = 0; i < dialog()->list()->count(); ++i) {
      dialog()->list()->item(i)->setCheckState(Qt::Unchecked);
    }
    QVERIFY(click(dialog()->saveButton()));
    QVERIFY(labelWith(&s.page, QStringLiteral("This board has no charts.")));
    QTRY_VERIFY(!dialog());
    QVERIFY(click(button(&s.page, QStringLiteral("Choose charts"))));
    QVERIFY(dialog());
    QVERIFY(click(button(dialog(), QStringLiteral("Delete the board"))));
    QCOMPARE(grid.shownPanels(), standardPanels().size());
    QVERIFY(chartBoards(*s.fixture->preferences).empty());
    s.navigator().toasts.back().undo();
    QCOMPARE(boards.box()->currentText(), QStringLiteral("Mine"));
  }

  void aForkShowsWhereItCameFrom() {
    auto home = std::make_unique<TemporaryHome>();
    const WrittenRun parent = finishedRun(runsOf(*home), "base", 40);
    const Lineage lineage{parent.folder.id(), parent.folder.path().string(), "checkpoints/step-20",
                          20};
    WrittenRun child(runsOf(*home), "lower rate", lineage);
    child.state(RunState::Running);
    child.steps(20, 60);
    child.state(RunState::Finished);
    Shown s(std::move(home), child.id());
    QPushButton* link = s.page.header().lineageButton();
    QVERIFY(waitUntil([&] { return link->isVisible() && link->isEnabled(); }));
    QCOMPARE(link->text(), QStringLiteral("from base, after 20 steps"));
    ChartGroup& group = s.page.charts().group();
    QVERIFY(s.page.charts().showsParent());
    QVERIFY(waitUntil([&] {
      return group.runs().size() == 2 && group.runs()[1]->x().size() == 40 &&
             group.everything().low == 0;
    }));
    QCOMPARE(group.runs()[0]->id(), child.id());
    picture(s.page, QStringLiteral("monitor-fork"));
    QCheckBox* box = s.page.charts().parentBox();
    QVERIFY(click(box, QPoint(8, box->height() / 2)));
    QCOMPARE(group.runs().size(), 1u);
    QCOMPARE(group.everything().low, 20.0);
    QVERIFY(click(link));
    QCOMPARE(s.page.run(), parent.id());
    QVERIFY(!link->isVisible());
    QVERIFY(!s.page.charts().parentBox()->isVisible());
  }

  /// A fork that kept its parent's name: legends say which is which.
  void aForkOfTheSameNameIsToldFromItsParent() {
    auto home = std::make_unique<TemporaryHome>();
    const WrittenRun parent = finishedRun(runsOf(*home), "base", 40);
    const Lineage lineage{parent.folder.id(), parent.folder.path().string(), "checkpoints/step-20",
                          20};
    WrittenRun child(runsOf(*home), "base", lineage);
    child.state(RunState::Running);
    child.steps(20, 60);
    child.state(RunState::Finished);
    Shown s(std::move(home), child.id());
    ChartPanel* loss = s.page.charts().grid().panel(QStringLiteral("loss"));
    QVERIFY(loss);
    const auto end = [](const QString& id) { return id.section(QLatin1Char('-'), -1); };
    QVERIFY(waitUntil([&] { return loss->lines().size() >= 2; }));
    QVERIFY(
        loss->lines().front().title.startsWith(QStringLiteral("base \u00B7 ") + end(child.id())));
    QVERIFY(
        loss->lines().back().title.startsWith(QStringLiteral("base \u00B7 ") + end(parent.id())));
  }

  /// What was zoomed into belongs to the run: another run is shown whole, and the first as it was.
  void aViewBelongsToItsRun() {
    auto home = std::make_unique<TemporaryHome>();
    const WrittenRun first = finishedRun(runsOf(*home), "small", 200);
    const WrittenRun second = finishedRun(runsOf(*home), "other", 200);
    Shown s(std::move(home), first.id());
    ChartGroup& group = s.page.charts().group();
    QVERIFY(waitUntil([&] { return group.everything().high >= 199; }));
    const chart::Range part{50, 80};
    group.setView(part);
    s.page.open({QStringLiteral("monitor"), second.id(), {}});
    QVERIFY(waitUntil([&] { return s.fixture->runs->feed(second.id())->loaded(); }));
    QVERIFY(waitUntil([&] { return group.everything().high >= 199; }));
    QVERIFY(!group.zoomed());
    s.page.open({QStringLiteral("monitor"), first.id(), {}});
    QVERIFY(waitUntil([&] { return group.zoomed(); }));
    QCOMPARE(group.view(), part);
  }

  void aFinishedRunIsToldAndForked() {
    auto home = std::make_unique<TemporaryHome>();
    const WrittenRun run = finishedRun(runsOf(*home), "small");
    Shown s(std::move(home), run.id());
    QVERIFY(labelWith(&s.page, QStringLiteral("20\u00A0of")));
    RunHeader& header = s.page.header();
    QVERIFY(!header.stopButton()->isEnabled());
    QVERIFY(
        header.stopButton()->toolTip().contains(QStringLiteral("Finished"), Qt::CaseInsensitive));
    QVERIFY(!header.resumeButton()->isEnabled());
    QVERIFY(!header.resumeButton()->toolTip().isEmpty());
    QVERIFY(click(header.forkButton()));
    const Location to = s.navigator().opened.back();
    QCOMPARE(to.page, QStringLiteral("configure"));
    QCOMPARE(to.arguments.value(QStringLiteral("fork")), run.id());
    QVERIFY(click(header.chatButton()));
    QCOMPARE(s.navigator().opened.back().subject, run.id());
  }

  void aLiveRunGrowsAndIsAskedToStop() {
    auto home = std::make_unique<TemporaryHome>();
    WrittenRun run(runsOf(*home), "live");
    const RunLock lock(run.folder);
    run.state(RunState::Running);
    run.steps(0, 30);
    run.log->sync();
    Shown s(std::move(home), run.id());
    RunHeader& header = s.page.header();
    QTRY_VERIFY(header.stopButton()->isEnabled());
    QVERIFY(!header.forkButton()->isEnabled());  // nothing is saved yet
    QVERIFY(!header.forkButton()->toolTip().isEmpty());
    run.steps(30, 45);
    run.log->sync();
    QTRY_VERIFY(labelWith(&s.page, QStringLiteral("45\u00A0of")));
    QTRY_COMPARE(s.page.charts().group().everything().high, 44.0);

    QVERIFY(click(header.pauseButton()));
    QVERIFY(askedFor(run, Control::Pause));
    QVERIFY(!header.stopButton()->isEnabled());  // one wish at a time
    run.state(RunState::Paused);
    run.log->sync();
    QTRY_COMPARE(header.pauseButton()->text(), QStringLiteral("Continue"));
    QTRY_VERIFY(header.stopButton()->isEnabled());
    QVERIFY(chooseFromMenu(header.stopButton(), QStringLiteral("Save a checkpoint and stop")));
    QVERIFY(askedFor(run, Control::StopSaving));
  }

  /// A run that trains can be asked for a checkpoint, also where it has some; of one that has ended
  /// it is told why not.
  void savesNow() {
    auto home = std::make_unique<TemporaryHome>();
    WrittenRun run(runsOf(*home), "live");
    {
      const RunLock lock(run.folder);
      run.state(RunState::Running);
      run.steps(0, 30);
      CheckpointEvent checkpoint;
      checkpoint.step = 20;
      checkpoint.path = "checkpoints/step-20";
      run.log->append(checkpoint);
      run.log->sync();
      Shown s(std::move(home), run.id());
      s.page.open({QStringLiteral("monitor"),
                   run.id(),
                   {{QStringLiteral("tab"), QStringLiteral("checkpoints")}}});
      auto* save = button(&s.page.checkpoints(), QStringLiteral("Save now"));
      QVERIFY(save);
      QTRY_VERIFY(save->isEnabled());
      QVERIFY(click(save));
      QVERIFY(askedFor(run, Control::Save));
      run.state(RunState::Finished);
      run.log->sync();
      QTRY_VERIFY(!save->isEnabled());
      QCOMPARE(save->toolTip(), QStringLiteral("The run is not running."));
    }
  }

  /// The age of the last word goes on when the run has ended, in the header and under Ranks.
  void anEndedRunGrowsOlder() {
    auto home = std::make_unique<TemporaryHome>();
    const WrittenRun run = finishedRun(runsOf(*home), "old");
    Shown s(std::move(home), run.id());
    QVERIFY(labelWith(&s.page, QStringLiteral("last word")));
    s.page.open(
        {QStringLiteral("monitor"), run.id(), {{QStringLiteral("tab"), QStringLiteral("ranks")}}});
    auto* ranks = s.page.findChild<RanksTab*>();
    QVERIFY(ranks && ranks->isVisible());
    const auto inRanks = [&] {
      const int last = ranks->table()->columnCount() - 1;
      return ranks->table()->item(0, last)->text();
    };
    const QString before = inRanks();
    QVERIFY(waitUntil([&] { return inRanks() != before; }, 30'000));
    QVERIFY(waitUntil([&] {
      const auto labels = s.page.findChildren<QLabel*>();
      return std::any_of(labels.begin(), labels.end(), [&](const QLabel* label) {
        return label->text().startsWith(QLatin1String("last word")) &&
               label->text().endsWith(inRanks());
      });
    }));
  }

  /// Each rank has its cell and its row; the slow one is named, one that failed is told, and a
  /// rank's log is a double click away.
  void severalRanksAreTold() {
    auto home = std::make_unique<TemporaryHome>();
    WrittenRun run(runsOf(*home), "ranked");
    run.state(RunState::Running);
    for (int step = 0; step < 3; ++step) {
      run.log->append(stepEvent(step, 4.0));
      run.log->append(RanksEvent{step, 1, 0.5, {0.25f, 0.25f, 0.48f}, {1 << 20, 2 << 20, 3 << 20}});
    }
    run.log->sync();
    const auto folder = run.folder.path() / "ranks";
    std::filesystem::create_directories(folder);
    std::vector<std::unique_ptr<CallRecord>> records;
    for (int rank = 0; rank < 3; ++rank) {
      records.push_back(std::make_unique<CallRecord>(calls_file(folder, rank), rank, 3));
      records.back()->beat();
      std::ofstream(run.folder.log_path(rank)) << "words of rank " << rank << '\n';
    }
    records[0]->add_group("data", 7, 0, 3);
    records[0]->enter({.group = 0, .bytes = 64});
    Shown s(std::move(home), run.id());
    s.page.open(
        {QStringLiteral("monitor"), run.id(), {{QStringLiteral("tab"), QStringLiteral("ranks")}}});
    QTableWidget& table = *s.page.ranks().table();
    QTRY_COMPARE(table.rowCount(), 3);
    const auto text = [&](int rank, const char* title) {
      for (int c = 0; c < table.columnCount(); ++c) {
        if (table.horizontalHeaderItem(c)->text() == QLatin1String(title)) {
          return table.item(rank, c)->text();
        }
      }
      return QString();
    };
    QTRY_VERIFY2(text(0, "State").startsWith(QLatin1String("in all_reduce")),
                 qPrintable(text(0, "State")));
    QCOMPARE(text(1, "State"), QStringLiteral("computes"));
    QCOMPARE(text(1, "Own work a step"), numbers::duration(0.25));
    QCOMPARE(text(1, "In calls"), numbers::percent(0.5));
    QCOMPARE(text(2, "Memory"), numbers::bytes(3 << 20));
    QVERIFY(labelWith(&s.page, QStringLiteral("Rank 2 on")));
    QVERIFY(labelWith(&s.page, QStringLiteral("slowest of 3")));
    picture(s.page, QStringLiteral("monitor-ranks-several"));

    QSignalSpy asked(&s.page.ranks(), &RanksTab::logAsked);
    RankGrid& grid = *s.page.ranks().grid();
    QTest::mouseClick(&grid, Qt::LeftButton, {}, grid.placeOf(2));
    QCOMPARE(table.currentRow(), 2);
    auto* log = s.page.ranks().findChild<QPushButton*>();
    QVERIFY(log && log->isEnabled() && click(log));
    QCOMPARE(asked.size(), 1);
    QVERIFY(s.page.logs().isVisible());
    QTRY_COMPARE(s.page.logs().view().model().rowCount(), 1);
    QCOMPARE(s.page.logs().view().model().index(0, 0).data().toString(),
             QStringLiteral("words of rank 2"));

    s.page.open(
        {QStringLiteral("monitor"), run.id(), {{QStringLiteral("tab"), QStringLiteral("ranks")}}});
    records[1]->ended("no more memory");
    QTRY_COMPARE_WITH_TIMEOUT(text(1, "State"), QStringLiteral("failed"), 10'000);
    QCOMPARE(table.item(1, 1)->toolTip(), QStringLiteral("no more memory"));
    QVERIFY(labelWith(&s.page, QStringLiteral("failed or gone")));
  }

  /// Flow D: the spike is seen, clicked, and followed to experts and log.
  void aSpikeLeadsToExpertsAndLog() {
    auto home = std::make_unique<TemporaryHome>();
    WrittenRun run(runsOf(*home), "spiky");
    run.state(RunState::Running);
    run.steps(0, 60);
    run.log->append(stepEvent(60, 40));
    run.log->append(SpikeEvent{60, 40, 9.1, 0.1});
    run.steps(61, 120);
    run.state(RunState::Stopped);
    run.log->sync();
    const double now = double(QDateTime::currentSecsSinceEpoch());
    writeLog(run, now - 300, 200);
    Shown s(std::move(home), run.id());
    ChartPanel* loss = s.page.charts().grid().panel(QStringLiteral("loss"));
    QVERIFY(loss);
    loss->grab();
    QCOMPARE(loss->drawn().spikes.size(), 1u);
    const QPoint tip(int(std::lround(loss->drawn().x.toPixel(60))),
                     int(std::lround(loss->drawn().y.toPixel(40))) + 3);
    QVERIFY(click(loss, tip));
    QCOMPARE(s.fixture->selection->step(), std::int64_t(60));
    QWidget* bar = s.page.findChild<QWidget*>(QStringLiteral("picked-bar"));
    QVERIFY(bar && bar->isVisible());
    QVERIFY(labelWith(bar, QStringLiteral("a spike: usually 9.1")));
    picture(s.page, QStringLiteral("monitor-spike"));
    QVERIFY(click(button(bar, QStringLiteral("Experts here"))));
    QCOMPARE(s.navigator().opened.back().page, QStringLiteral("experts"));
    QCOMPARE(s.navigator().opened.back().arguments.value(QStringLiteral("step")),
             QStringLiteral("60"));
    QVERIFY(click(button(bar, QStringLiteral("Log here"))));
    QTRY_VERIFY(s.page.logs().isVisible());
    QTRY_COMPARE(s.page.logs().view().model().rowCount(), 200);
    const auto* list = s.page.logs().findChild<QListView*>();
    QTRY_COMPARE(list->currentIndex().row(), 199);  // all were written before the step was logged
    picture(s.page, QStringLiteral("monitor-logs"));
    // And picked elsewhere, it is shown here.
    s.fixture->selection->setStep(70);
    QCOMPARE(s.page.charts().group().pickedStep(), std::int64_t(70));
    QVERIFY(labelWith(bar, QStringLiteral("Step 70")));
    QVERIFY(click(button(bar, QStringLiteral("Pick no step"))));
    QVERIFY(!bar->isVisible());
  }

  void theLogIsFoundByTime() {
    auto home = std::make_unique<TemporaryHome>();
    WrittenRun run(runsOf(*home), "logged");
    run.state(RunState::Running);
    run.steps(0, 10);
    run.state(RunState::Stopped);
    run.log->sync();
    writeLog(run, double(QDateTime::currentSecsSinceEpoch()) - 20, 60);  // goes on after the run
    Shown s(std::move(home), run.id());
    s.page.open({QStringLiteral("monitor"),
                 run.id(),
                 {{QStringLiteral("tab"), QStringLiteral("logs")},
                  {QStringLiteral("step"), QStringLiteral("5")}}});
    const auto* list = s.page.logs().findChild<QListView*>();
    QTRY_VERIFY(list->currentIndex().row() >= 18 && list->currentIndex().row() <= 23);
  }

  void tabsShowWhatTheLogHolds() {
    auto home = std::make_unique<TemporaryHome>();
    const WrittenRun run = finishedRun(runsOf(*home), "small");
    Shown s(std::move(home), run.id());
    QTabWidget& tabs = *s.page.tabs();
    tabs.setCurrentWidget(&s.page.checkpoints());
    QCOMPARE(s.page.checkpoints().table()->model()->rowCount(), 1);
    QVERIFY(click(s.page.checkpoints().chatButton()));
    QCOMPARE(s.navigator().opened.back().arguments.value(QStringLiteral("checkpoint")),
             QStringLiteral("step-20"));
    QVERIFY(click(s.page.checkpoints().forkButton()));
    QCOMPARE(s.navigator().opened.back().page, QStringLiteral("configure"));
    QCOMPARE(s.navigator().opened.back().arguments.value(QStringLiteral("step")),
             QStringLiteral("19"));
    picture(s.page, QStringLiteral("monitor-checkpoints"));
    tabs.setCurrentWidget(&s.page.samples());
    QVERIFY(s.page.samples().text()->toPlainText().contains(QStringLiteral("upon")));
    picture(s.page, QStringLiteral("monitor-samples"));
    tabs.setCurrentWidget(&s.page.ranks());
    QVERIFY(labelWith(&s.page, QStringLiteral("single rank")));
    QCOMPARE(s.page.ranks().table()->item(0, 0)->text(), QStringLiteral("0"));
    picture(s.page, QStringLiteral("monitor-ranks"));
  }

  void theSpecIsThatOfTheRun() {
    auto home = std::make_unique<TemporaryHome>();
    RunSpec spec = smallSpec("changed");
    spec.run.preset = "demo";
    spec.optimiser.clip = 0.25;
    const RunFolder folder = RunFolder::create(runsOf(*home), spec);
    EventWriter log(folder.events_path());
    log.append(stepEvent(0, 5));
    log.sync();
    const QString id = QString::fromStdString(folder.id());
    Shown s(std::move(home), id);
    s.page.tabs()->setCurrentWidget(&s.page.spec());
    QTRY_COMPARE(s.page.spec().differences()->rowCount(), 1);
    QCOMPARE(s.page.spec().differences()->item(0, 0)->text(), QStringLiteral("optimiser.clip"));
    QCOMPARE(s.page.spec().differences()->item(0, 1)->text(), QStringLiteral("0.25"));
    QVERIFY(s.page.spec().text()->toPlainText().contains(QStringLiteral("clip = 0.25")));
    QVERIFY(s.page.spec().text()->isReadOnly());
    picture(s.page, QStringLiteral("monitor-spec"));
  }

  void placesAreLinks() {
    auto home = std::make_unique<TemporaryHome>();
    const WrittenRun run = finishedRun(runsOf(*home), "small");
    Shown s(std::move(home), run.id());
    s.page.open({QStringLiteral("monitor"),
                 run.id(),
                 {{QStringLiteral("tab"), QStringLiteral("samples")},
                  {QStringLiteral("step"), QStringLiteral("7")}}});
    const Location at = s.page.location();
    QCOMPARE(at.arguments.value(QStringLiteral("tab")), QStringLiteral("samples"));
    QCOMPARE(at.arguments.value(QStringLiteral("step")), QStringLiteral("7"));
    QCOMPARE(at.subject, run.id());
    QVERIFY(s.page.commands().size() >= 7);
  }

  /// As the list of runs, Home and `tessera runs` say it: from one estimate.
  void theTimeLeftIsThatOfTheLog() {
    auto home = std::make_unique<TemporaryHome>();
    WrittenRun run(runsOf(*home), "live");
    const RunLock lock(run.folder);
    run.stateAt(1000, RunState::Running);
    for (int s = 0; s < 10; ++s) run.stepAt(1000 + 3.0 * s, s);
    run.log->sync();
    Shown s(std::move(home), run.id());
    QCOMPARE(seconds_left(run.folder.events_path(), total_tokens_of(run.folder.spec())), 840 * 3.0);
    QTRY_VERIFY(labelWith(&s.page.header(), QStringLiteral("42\u00A0min\u00A00\u00A0s left")));
    // While it stands still there is no time to tell.
    run.state(RunState::Paused);
    run.log->sync();
    QTRY_VERIFY(!labelWith(&s.page.header(), QStringLiteral(" left")));
  }

  void looks() {
    if (!qEnvironmentVariableIsSet("TESSERA_PICTURES")) return;
    const QString demo = qEnvironmentVariable("TESSERA_DEMO_RUN");
    if (demo.isEmpty()) return;
    WatchPause pause;
    for (const auto scheme : {theme::Scheme::Light, theme::Scheme::Dark}) {
      theme::apply(application(), scheme);
      auto home = std::make_unique<TemporaryHome>();
      const QString id = demo.section(QLatin1Char('/'), -1);
      std::filesystem::create_directories(runsOf(*home));
      std::filesystem::create_directory_symlink(demo.toStdString(),
                                                runsOf(*home) / id.toStdString());
      Shown s(std::move(home), id);
      const QString suffix = theme::isDark() ? QStringLiteral("-dark") : QStringLiteral("-light");
      QTest::qWait(300);
      picture(s.page, QStringLiteral("monitor") + suffix);
      s.page.resize(1700, 950);
      s.fixture->selection->setStep(400);
      QTest::qWait(300);
      picture(s.page, QStringLiteral("monitor-wide") + suffix);
      for (const char* tab : {"ranks", "logs", "checkpoints", "samples", "spec", "machine"}) {
        s.page.resize(1024, 700);
        s.page.open({QStringLiteral("monitor"), id, {{QStringLiteral("tab"), QLatin1String(tab)}}});
        QTest::qWait(500);
        picture(s.page, QStringLiteral("monitor-demo-%1").arg(QLatin1String(tab)) + suffix);
      }
    }
    theme::apply(application(), theme::Scheme::Light);
  }
};

}  // namespace tessera::ui::test

using tessera::ui::test::MonitorPageTest;
TESSERA_UI_MAIN(MonitorPageTest)
#include "monitor_page_test.moc"
