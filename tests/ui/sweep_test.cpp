// SPDX-License-Identifier: MIT
// Links: tessera_ui_page_runs
// Sweeps on the page of runs: their table and charts, brushes, and how one is made.
#include <QAbstractItemView>
#include <QComboBox>
#include <QCompleter>
#include <QHeaderView>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QSpinBox>
#include <QTabWidget>
#include <QTableView>
#include <cmath>

#include "core/base/files.h"
#include "core/launch/queue_file.h"
#include "core/launch/sweep.h"
#include "tests/ui/harness.h"
#include "tests/ui/run_files.h"
#include "ui/bridge/draft/draft_shelf.h"
#include "ui/bridge/runs/run_store.h"
#include "ui/pages/runs/compare_view.h"
#include "ui/pages/runs/new_sweep_dialog.h"
#include "ui/pages/runs/queue_view.h"
#include "ui/pages/runs/run_actions.h"
#include "ui/pages/runs/run_table.h"
#include "ui/pages/runs/runs_page.h"
#include "ui/pages/runs/sweep_plots.h"
#include "ui/pages/runs/sweep_view.h"
#include "ui/theme/theme.h"

using namespace tessera;
using namespace tessera::ui;
using test::click;
using test::waitUntil;

namespace {

namespace fs = std::filesystem;

/// A sweep over the clip (spread in the logarithm) and a word, with runs that stand in many ways.
struct SweepFixture {
  std::unique_ptr<test::StudioFixture> studio;
  std::unique_ptr<RunsPage> page;
  QStringList ids;

  explicit SweepFixture(int runs, StopRule rule = StopRule::None) {
    auto home = std::make_unique<test::TemporaryHome>();
    const fs::path folder = home->runs().toStdString();
    for (int i = 0; i < runs; ++i) ids << makeRun(folder, i);
    SweepRecord record;
    record.tag = "lr";
    record.keys = {"optimiser.clip", "host.device", "run.seed"};
    record.log_keys = {"optimiser.clip"};
    record.rule = rule;
    record.after = 40;
    record.runs = runs + 2;
    record.created = 1;
    if (runs > 1) record.stopped.push_back({ids[1].toStdString(), 7, "it is behind"});
    record.save(fs::path(home->home().toStdString()) / "sweeps");
    studio = test::makeStudio(std::move(home));
    page = std::make_unique<RunsPage>(*studio->studio);
  }

  static QString makeRun(const fs::path& folder, int i) {
    RunSpec spec = test::smallSpec("sweep-" + std::to_string(100 + i));
    spec.optimiser.clip = std::pow(10.0, -(i % 4));
    spec.run.seed = 1 + i;
    spec.host.device = i % 3 == 2 ? Device::Cuda : Device::Cpu;
    spec.run.tags = {"lr"};
    test::WrittenRun run(folder, spec);
    run.state(RunState::Running);
    if (i % 7 != 6) {
      for (int s = 0; s < 8; ++s)
        run.log->append(test::stepEvent(s, 5.0 - 0.1 * s + 0.05 * (i % 11)));
    }
    run.state(i % 7 == 6 ? RunState::Failed : i % 5 == 1 ? RunState::Stopped : RunState::Finished);
    return run.id();
  }

  SweepView& sweeps() { return page->sweeps(); }
  bool open() {
    page->setActivity(true, true);
    if (!test::show(*page)) return false;
    page->open(Location::fromText(QStringLiteral("page/runs?view=sweeps&tag=lr")));
    return waitUntil(
        [this] { return sweeps().table() && std::ssize(sweeps().table()->runs) == ids.size(); });
  }
};

QPoint at(const QPointF& point) {
  return point.toPoint();
}

}  // namespace

class SweepPageTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void initTestCase() { theme::apply(*qApp, theme::Scheme::Light); }

  void withoutSweepsThePageSaysWhatOneIs() {
    auto studio = test::makeStudio();
    RunsPage page(*studio->studio);
    page.setActivity(true, true);
    QVERIFY(test::show(page));
    page.tabs().setCurrentIndex(RunsPage::Sweeps);
    QVERIFY(waitUntil([&] { return test::labelWith(&page, "A sweep makes many runs"); }));
    test::picture(page, "sweep-empty");
    QVERIFY(!page.actions().sweep->isEnabled());
  }

  void theTableHasTheBestFirstAndTheKeys() {
    SweepFixture f(9, StopRule::Median);
    QVERIFY(f.open());
    const SweepTable& table = *f.sweeps().table();
    QCOMPARE(table.keys.size(), 3u);
    QVERIFY(table.keys[0].isLog);
    QVERIFY(!table.keys[0].isText());
    QCOMPARE(table.keys[1].words, (QStringList{"cpu", "cuda"}));
    for (std::size_t r = 1; r < table.runs.size(); ++r) {
      const double before = table.runs[r - 1].finalLoss(), here = table.runs[r].finalLoss();
      QVERIFY(std::isnan(here) || before <= here);
    }
    QCOMPARE(table.runs.front().id, f.ids[0]);
    QVERIFY(std::isnan(table.runs.back().finalLoss()));  // it failed before its first step
    QCOMPARE(f.sweeps().view()->model()->rowCount(), 9);
    QVERIFY(test::labelWith(&f.sweeps(), "9 of 11 runs have begun"));
    QVERIFY(test::labelWith(&f.sweeps(), "after 40 steps"));
    test::picture(*f.page, "sweep-light");
    theme::apply(*qApp, theme::Scheme::Dark);
    test::picture(*f.page, "sweep-dark");
    theme::apply(*qApp, theme::Scheme::Light);
  }

  void headersSortByNumbers() {
    SweepFixture f(9);
    QVERIFY(f.open());
    auto* model = f.sweeps().view()->model();
    model->sort(3, Qt::AscendingOrder);
    for (int r = 1; r < model->rowCount(); ++r) {
      QVERIFY(model->index(r - 1, 3).data().toString().toDouble() <=
              model->index(r, 3).data().toString().toDouble());
    }
    for (const Qt::SortOrder order : {Qt::AscendingOrder, Qt::DescendingOrder}) {
      model->sort(6, order);  // losses; the run that has none stands last
      QCOMPARE(model->index(model->rowCount() - 1, 1).data().toString(), QString("Failed"));
    }
  }

  void aBrushLeavesTheRunsThatCrossIt() {
    SweepFixture f(9);
    QVERIFY(f.open());
    SweepLines& lines = f.sweeps().lines();
    // The upper end of the first axis: a clip of 1.
    QVERIFY(test::drag(&lines, at(lines.pointOf(0, 1) + QPointF(0, -2)),
                       at(lines.pointOf(0, 0.9) + QPointF(0, 2))));
    QVERIFY(lines.hasBrush());
    QCOMPARE(f.sweeps().view()->model()->rowCount(), 3);  // runs 0, 4 and 8
    QVERIFY(test::labelWith(&f.sweeps(), "3 of 9 runs are shown"));
    test::picture(*f.page, "sweep-brushed");
    QTest::keyClick(&lines, Qt::Key_Escape);
    QCOMPARE(f.sweeps().view()->model()->rowCount(), 9);
    lines.setBrush(1, chart::Range{0.9, 1});
    QCOMPARE(f.sweeps().view()->model()->rowCount(), 3);  // 2, 5 and 8 are on a GPU
    QVERIFY(click(test::button(&f.sweeps(), "Show all")));
    QCOMPARE(f.sweeps().view()->model()->rowCount(), 9);
  }

  void hoveringLightsAndAClickOpensTheRun() {
    SweepFixture f(9);
    QVERIFY(f.open());
    SweepPoints* points = f.sweeps().points().at(0);
    const SweepRun& best = f.sweeps().table()->runs.front();
    QWidget* window = points->window();
    QTest::mouseMove(window->windowHandle(), points->mapTo(window, at(points->pointOf(best))));
    QVERIFY(waitUntil([&] { return f.sweeps().lines().current() == 0; }));
    QVERIFY(f.sweeps().lines().accessibleDescription().contains(best.name));
    QVERIFY(click(points, at(points->pointOf(best))));
    QCOMPARE(f.studio->navigator.opened.size(), 1u);
    QCOMPARE(f.studio->navigator.opened[0].subject, best.id);
  }

  void keysGoThroughTheRuns() {
    SweepFixture f(9);
    QVERIFY(f.open());
    SweepLines& lines = f.sweeps().lines();
    lines.setFocus();
    QTest::keyClick(&lines, Qt::Key_Right);
    QTest::keyClick(&lines, Qt::Key_Right);
    QCOMPARE(lines.current(), 1);
    QTest::keyClick(&lines, Qt::Key_Left);
    QCOMPARE(lines.current(), 0);
    QTest::keyClick(&lines, Qt::Key_Return);
    QCOMPARE(f.studio->navigator.opened.size(), 1u);
    QCOMPARE(f.studio->navigator.opened[0].subject, f.ids[0]);
  }

  void axesHaveTheTicksOfTheirValues() {
    SweepFixture f(3);
    QVERIFY(f.open());
    // Whole numbers have no ticks between them.
    const SweepAxisLine& seed = f.sweeps().table()->keys[2];
    QVERIFY(seed.isWhole);
    QStringList texts;
    for (const chart::Tick& tick : seed.ticks(4)) texts << tick.text;
    QCOMPARE(texts, (QStringList{"1", "2", "3"}));
    QVERIFY(!f.sweeps().table()->keys[0].isWhole);
    // The labels at the right end are whole: there is room for the longest.
    const QFontMetricsF metrics(theme::font(theme::TextSize::Caption, true));
    SweepLines& lines = f.sweeps().lines();
    for (const chart::Tick& tick : f.sweeps().table()->loss.ticks(4)) {
      QVERIFY(metrics.horizontalAdvance(tick.text) + 5 <= lines.rightRoom());
    }
    QVERIFY(lines.pointOf(3, 0).x() + lines.rightRoom() <= lines.width() + 0.5);
  }

  void oneRunAndTwoHundred() {
    {
      SweepFixture f(1);
      QVERIFY(f.open());
      // One value has one label, in the middle.
      for (const SweepAxisLine& key : f.sweeps().table()->keys) {
        const std::vector<chart::Tick> ticks = key.ticks(4);
        QCOMPARE(ticks.size(), 1u);
        QVERIFY(std::abs(ticks[0].value - 0.5) < 1e-9);
      }
      QCOMPARE(f.sweeps().table()->keys[2].ticks(4)[0].text, QString("1"));
      QCOMPARE(f.sweeps().view()->model()->rowCount(), 1);
      test::picture(*f.page, "sweep-one");
    }
    SweepFixture f(200);
    QVERIFY(f.open());
    QCOMPARE(f.sweeps().view()->model()->rowCount(), 200);
    test::picture(*f.page, "sweep-many");
    QVERIFY(click(test::button(&f.sweeps(), "Compare curves")));
    QCOMPARE(f.page->tabs().currentIndex(), static_cast<int>(RunsPage::Compare));
    QCOMPARE(f.page->compareView().runs().size(), CompareView::kMostRuns);
  }

  void csvHasEveryNumberAndThePictureIsThere() {
    SweepFixture f(3);
    QVERIFY(f.open());
    const QTemporaryDir folder;
    f.sweeps().saveCsv(folder.filePath("s.csv"));
    QVERIFY(waitUntil([&] { return f.studio->navigator.toasts.size() == 1; }));
    const QStringList lines =
        QString::fromStdString(read_file(folder.filePath("s.csv").toStdString())).split('\n');
    QCOMPARE(lines[0], QString("run,state,step,steps,optimiser.clip,host.device,run.seed,loss,"
                               "validation_loss,stopped"));
    QCOMPARE(lines.size(), 5);
    QVERIFY(lines[1].startsWith(f.ids[0] + ",finished,7,"));
    QVERIFY(lines[1].contains(",1.0,cpu,1,4.3,,") || lines[1].contains(",1,cpu,1,4.3,,"));
    f.sweeps().savePicture(folder.filePath("s.png"));
    QVERIFY(waitUntil([&] { return f.studio->navigator.toasts.size() == 2; }));
    QVERIFY(!QImage(folder.filePath("s.png")).isNull());
    f.sweeps().saveCsv(folder.filePath("no/such/folder/s.csv"));
    QVERIFY(waitUntil([&] { return f.studio->navigator.notices.size() == 1; }));
  }

  void aRunLeadsToItsSweep() {
    SweepFixture f(3);
    QVERIFY(f.open());
    f.page->tabs().setCurrentIndex(RunsPage::Table);
    QVERIFY(waitUntil([&] { return f.page->table().proxy().rowCount() == 3; }));
    f.page->table().select({f.ids[0]});
    QVERIFY(waitUntil([&] { return f.page->actions().sweep->isEnabled(); }));
    f.page->actions().sweep->trigger();
    QCOMPARE(f.page->tabs().currentIndex(), static_cast<int>(RunsPage::Sweeps));
    QCOMPARE(f.page->location().arguments.value("tag"), QString("lr"));
    QCOMPARE(f.page->command(), QString("tessera sweep show lr"));
  }

  void aSweepIsMadeByTheDialog() {
    auto home = std::make_unique<test::TemporaryHome>();
    const fs::path data = home->home().toStdString();
    auto studio = test::makeStudio(std::move(home));
    studio->launcher->setQueuePaused(true);
    KeptDraft draft;
    draft.origin = {.kind = DraftOrigin::Kind::Preset, .name = "demo"};
    draft.id = draftId(draft.origin);
    draft.name = "mine";
    draft.text = QString::fromStdString(write_spec(test::smallSpec("mine")));
    keepDraft(draft);
    RunsPage page(*studio->studio);
    page.setActivity(true, true);
    QVERIFY(test::show(page));
    page.tabs().setCurrentIndex(RunsPage::Sweeps);
    NewSweepDialog* dialog = page.sweeps().askForSweep({});
    QPointer<NewSweepDialog> alive(dialog);
    QVERIFY(waitUntil([&] { return dialog->base()->count() > 1; }));
    QCOMPARE(dialog->base()->currentText(), QString("mine, in Configure"));
    QCOMPARE(dialog->tag()->text(), QString("mine-sweep"));
    QVERIFY(!dialog->start()->isEnabled());

    QVERIFY(test::typeInto(dialog->keyField(0), "optimiser.clap"));
    QVERIFY(test::typeInto(dialog->valuesField(0), "0.5, 1"));
    QVERIFY(waitUntil([&] { return dialog->summary().contains("unknown key"); }));
    QVERIFY(!dialog->start()->isEnabled());
    QVERIFY(test::typeInto(dialog->keyField(0), "optimiser.clip"));
    dialog->keyField(0)->completer()->popup()->hide();  // as a click anywhere does
    dialog->seeds()->setValue(2);
    QVERIFY(waitUntil([&] { return dialog->start()->isEnabled(); }));
    QVERIFY(dialog->summary().startsWith("4 run"));
    QVERIFY(click(dialog->moreKeys()));
    QVERIFY(waitUntil([&] { return dialog->keyField(1)->isVisible(); }));
    QVERIFY(test::typeInto(dialog->keyField(1), "optimiser.weight_decay"));
    dialog->keyField(1)->completer()->popup()->hide();
    QVERIFY(test::typeInto(dialog->valuesField(1), "1e-3..1e-1:log:3"));
    QVERIFY(waitUntil([&] { return dialog->summary().startsWith("12 run"); }));
    dialog->rule()->setCurrentIndex(1);
    QVERIFY(waitUntil([&] { return dialog->start()->isEnabled(); }));
    test::picture(*dialog, "sweep-dialog");
    QVERIFY(click(dialog->start()));
    QVERIFY(waitUntil([&] { return !alive || !alive->isVisible(); }));

    QueueFile queue(data / "queue.json");
    queue.refresh();
    QCOMPARE(queue.queue().entries.size(), 12u);
    const auto record = SweepRecord::load(data / "sweeps", "mine-sweep");
    QVERIFY(record);
    QCOMPARE(record->rule, StopRule::Median);
    QCOMPARE(record->log_keys, std::vector<std::string>{"optimiser.weight_decay"});
    // It is shown by itself, and an entry of the queue leads to it.
    QVERIFY(waitUntil([&] { return page.sweeps().table(); }));
    QCOMPARE(page.sweeps().tag(), QString("mine-sweep"));
    QVERIFY(waitUntil([&] { return test::labelWith(&page, "No run of this sweep has begun"); }));
    QVERIFY(waitUntil([&] { return page.queueView().model().rowCount() == 12; }));
    page.tabs().setCurrentIndex(RunsPage::Queue);
    page.queueView().view()->selectRow(0);
    QVERIFY(click(test::button(&page, "Show its sweep")));
    QCOMPARE(page.tabs().currentIndex(), static_cast<int>(RunsPage::Sweeps));
  }
};

TESSERA_UI_MAIN(SweepPageTest)
#include "sweep_test.moc"
