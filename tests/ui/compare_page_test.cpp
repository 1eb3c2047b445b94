// SPDX-License-Identifier: MIT
// Links: tessera_ui_page_runs
// Compare and the exports of Runs: several runs side by side, boards, and files that hold the whole
// log.
#include <QApplication>
#include <QClipboard>
#include <QComboBox>
#include <QHeaderView>
#include <QInputDialog>
#include <QItemSelectionModel>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QLineEdit>
#include <QListWidget>
#include <QMenu>
#include <QPlainTextEdit>
#include <QProcess>
#include <QPushButton>
#include <QSignalSpy>
#include <QTabBar>
#include <QTabWidget>
#include <QTableView>
#include <QToolButton>
#include <QTreeWidget>

#include "tests/build_paths.h"
#include "tests/ui/harness.h"
#include "tests/ui/run_files.h"
#include "tests/ui/runs_fixture.h"
#include "ui/bridge/desktop/preferences.h"
#include "ui/bridge/desktop/tasks.h"
#include "ui/bridge/launch/launcher.h"
#include "ui/bridge/runs/run_store.h"
#include "ui/pages/runs/column_dialog.h"
#include "ui/pages/runs/compare_view.h"
#include "ui/pages/runs/queue_view.h"
#include "ui/pages/runs/run_actions.h"
#include "ui/pages/runs/run_details.h"
#include "ui/pages/runs/run_table.h"
#include "ui/pages/runs/runs_page.h"
#include "ui/pages/runs/saved_filters.h"
#include "ui/theme/theme.h"
#include "ui/widgets/chart/board_dialog.h"
#include "ui/widgets/chart/board_picker.h"
#include "ui/widgets/chart/chart_grid.h"
#include "ui/widgets/chart/chart_scene.h"
#include "ui/widgets/search_field.h"
#include "ui/widgets/table_copy.h"

using namespace tessera;
using namespace tessera::ui;
using test::click;
using test::waitUntil;
using test::WrittenRun;

namespace {
/// Every cell of the table is a number that was printed, and each number printed is in it.
void compareTable(const QString& file, const QByteArray& printed) {
  QFile in(file);
  QVERIFY(in.open(QIODevice::ReadOnly));
  QList<QByteArray> rows = in.readAll().trimmed().split('\n');
  QByteArray head = rows.takeFirst();
  QVERIFY(head.contains("\"validation/web, all\""));
  head.replace("\"validation/web, all\"", "validation/web");
  const QList<QByteArray> columns = head.split(',');
  std::map<qint64, std::map<QByteArray, double>> wanted;
  for (const QByteArray& line : printed.trimmed().split('\n')) {
    const QJsonObject event = QJsonDocument::fromJson(line).object();
    const QString kind = event["kind"].toString();
    const qint64 step = event["step"].toInteger();
    if (kind == "resume") wanted.erase(wanted.upper_bound(step), wanted.end());
    if (kind == "validation") {
      auto& row = wanted[step];
      row.try_emplace("step", double(step));
      row.try_emplace("tokens", event["tokens"].toDouble());
      row.try_emplace("t", event["t"].toDouble());
      row["validation_loss"] = event["loss"].toDouble();
      row["validation/web"] = event["sources"][0]["loss"].toDouble();
      row["validation/code"] = event["sources"][1]["loss"].toDouble();
    }
    if (kind != "step") continue;
    for (auto field = event.begin(); field != event.end(); ++field) {
      if (field.key() == "seq" || field.key() == "kind") continue;
      if (!field->isArray()) wanted[step][field.key().toUtf8()] = field->toDouble(qQNaN());
      for (qsizetype i = 0; i < field->toArray().size(); ++i) {
        wanted[step][field.key().toUtf8() + '/' + QByteArray::number(i)] =
            field->toArray()[i].toDouble();
      }
    }
  }
  QCOMPARE(rows.size(), qsizetype(wanted.size()));
  QCOMPARE(rows.size(), 174);  // before the first step, and 173 steps
  qsizetype r = 0;
  for (const auto& [step, numbers] : wanted) {
    const QList<QByteArray> cells = rows[r++].split(',');
    QCOMPARE(cells.size(), columns.size());
    std::size_t filled = 0;
    for (qsizetype c = 0; c < cells.size(); ++c) {
      if (cells[c].isEmpty()) continue;
      ++filled;
      const auto found = numbers.find(columns[c]);
      QVERIFY2(found != numbers.end(), columns[c].constData());
      const double value = cells[c].toDouble();
      QVERIFY2(value == found->second || (std::isnan(value) && std::isnan(found->second)),
               columns[c].constData());
    }
    QCOMPARE(filled, numbers.size());
  }
}
}  // namespace

class ComparePageTest : public QObject {
  Q_OBJECT

  using Fixture = test::RunsFixture;

 private Q_SLOTS:
  void initTestCase() { theme::apply(*qApp, theme::Scheme::Light); }

  /// The boards of Monitor are those of Compare: one is made here by mouse and keys, and is there
  /// too.
  void boardsAreInCompareToo() {
    Fixture f;
    QVERIFY(f.open(QSize(1280, 900)));
    for (const QString& id : {f.runs.base, f.runs.wide}) {
      QVERIFY(f.clickRow(id, Qt::ControlModifier));
    }
    QVERIFY(click(f.button("Compare")));
    CompareView& compare = f.page.compareView();
    const std::size_t all = compare.charts().shownPanels();
    QVERIFY(all > 10);
    QVERIFY(click(compare.boards().newButton()));
    auto* dialog = compare.boards().findChild<BoardDialog*>();
    QVERIFY(dialog && dialog->isVisible());
    QVERIFY(test::typeInto(dialog->nameField(), "Two"));
    for (int i = 2; i < dialog->list()->count(); ++i) {
      dialog->list()->item(i)->setCheckState(Qt::Unchecked);
    }
    QVERIFY(click(test::button(dialog, "Save the board")));
    QVERIFY(waitUntil([&] { return compare.charts().shownPanels() == 2; }));
    QCOMPARE(compare.boards().box()->currentText(), "Two");
    test::picture(f.page, "runs-compare-board");
    QCOMPARE(shownBoard(*f.studio->preferences), "Two");
    QVERIFY(waitUntil([&] { return !compare.boards().findChild<BoardDialog*>(); }));
    QVERIFY(click(compare.boards().editButton()));
    dialog = compare.boards().findChild<BoardDialog*>();
    QVERIFY(dialog && dialog->isVisible());
    QVERIFY(click(test::button(dialog, "Delete the board")));
    QVERIFY(waitUntil([&] { return compare.charts().shownPanels() == all; }));
    const auto& toast = f.studio->navigator.toasts.back();
    QVERIFY(toast.text.contains("The board Two was deleted"));
    toast.undo();
    QVERIFY(waitUntil([&] { return compare.charts().shownPanels() == 2; }));
  }

  void severalRunsAreCompared() {
    Fixture f;
    QVERIFY(f.open(QSize(1280, 900)));
    for (const QString& id : {f.runs.base, f.runs.wide, f.runs.failed}) {
      QVERIFY(f.clickRow(id, Qt::ControlModifier));
    }
    QVERIFY(click(f.button("Compare")));
    QCOMPARE(f.page.tabs().currentIndex(), int(RunsPage::Compare));
    CompareView& compare = f.page.compareView();
    QVERIFY(waitUntil([&] { return compare.numbers().rowCount() > 8; }));
    QVERIFY(waitUntil([&] {
      return compare.differences().rowCount() == 1 &&
             compare.numbers().index(3, 1).data().toString() != QString(QChar(0x2013));
    }));
    QCOMPARE(compare.differences().index(0, 0).data().toString(), "optimiser.clip");
    // Against the first run only one differs.
    int marked = 0;
    for (const bool m : compare.differences().content()[0].marked) marked += m;
    QVERIFY(marked == 1 || marked == 2);
    for (const ComparisonRow& row : compare.numbers().content()) {
      if (row.title != "Validation, last") continue;
      for (qsizetype i = 0; i < 3; ++i) {
        QCOMPARE(row.marked[static_cast<std::size_t>(i)], compare.runs()[i] == f.runs.wide);
      }
    }
    ChartPanel* loss = compare.charts().panel("loss");
    QVERIFY(loss);
    QVERIFY(waitUntil([&] { return loss->lines().size() >= 3; }));
    QTest::qWait(200);
    test::picture(f.page, "runs-compare");
    QVERIFY(f.page.location().text().contains("view=compare"));

    // One is taken out; the link leads back to the same three.
    const Location here = f.page.location();
    auto* drop = test::button(&compare, "Take hot learning rate out");
    QVERIFY(click(drop));
    QCOMPARE(compare.runs().size(), 2);
    f.page.open(here);
    QCOMPARE(compare.runs().size(), 3);
    QVERIFY(click(test::button(&compare, "Copy this table")));
    QVERIFY(QApplication::clipboard()->text().startsWith("Key\t"));
  }

  /// Two of the same name are told apart in chips, legends and headings, and no heading is cut.
  void runsOfOneNameAreToldApart() {
    Fixture f;
    const QString twin = f.runs.makeRun("base", 60, 3.0, 2.0).id();
    f.studio->runs->refresh();
    QVERIFY(waitUntil([&] { return f.studio->runs->run(twin) != nullptr; }));
    QVERIFY(f.open(QSize(1280, 900), 5));
    CompareView& compare = f.page.compareView();
    compare.setRuns({f.runs.base, twin, f.runs.wide});
    f.page.tabs().setCurrentIndex(RunsPage::Compare);
    const auto wanted = [](const QString& id) { return "base \u00B7 " + id.section('-', -1); };
    QVERIFY(waitUntil([&] { return compare.differences().rowCount() == 1; }));
    const auto heading = [&](int column) {
      return compare.differences().headerData(column, Qt::Horizontal, Qt::DisplayRole).toString();
    };
    QCOMPARE(heading(1), wanted(f.runs.base));
    QCOMPARE(heading(2), wanted(twin));
    QCOMPARE(heading(3), "wide experts");
    QVERIFY(test::labelWith(&compare, wanted(twin)));
    ChartPanel* loss = compare.charts().panel("loss");
    QVERIFY(waitUntil([&] { return loss->lines().size() >= 3; }));
    for (const chart::SceneLine& line : loss->lines()) {
      if (line.run == twin) QVERIFY(line.title.startsWith(wanted(twin)));
    }
    for (QTableView* table : compare.findChildren<QTableView*>()) {
      const QHeaderView& header = *table->horizontalHeader();
      for (int i = 0; i < header.count(); ++i) {
        QVERIFY(header.sectionSize(i) >= header.sectionSizeHint(i));
      }
    }
    test::picture(f.page, "runs-compare-one-name");
  }

  /// What is exported is the log to its end, however far a page that is not seen has read it, and
  /// the same numbers that `tessera watch --json` prints.
  void exportedNumbersAreThoseOfTheLog() {
    auto home = std::make_unique<test::TemporaryHome>();
    WrittenRun run(home->runs().toStdString(), "growing");
    const auto validate = [&](std::int64_t step, double loss) {
      ValidationEvent v;
      v.step = step;
      v.tokens = (step + 1) * 2048;
      v.loss = loss;
      v.sources = {{"web, all", loss - 0.25}, {"code", loss + 0.25}};
      run.log->append(v);
    };
    run.state(RunState::Running);
    validate(-1, 8.3462);
    run.steps(0, 60);
    auto studio = test::makeStudio(std::move(home));
    QVERIFY(waitUntil([&] { return studio->runs->run(run.id()) != nullptr; }));
    // A page that is hidden has read part of it, and pauses.
    const std::shared_ptr<RunFeed> feed = studio->runs->feed(run.id());
    QVERIFY(waitUntil([&] { return feed->loaded(); }));
    QObject viewer;
    feed->setCadence(0, &viewer);
    ResumeEvent resume;
    resume.step = 49;
    resume.tokens = 50 * 2048;
    run.log->append(resume);
    run.steps(50, 173);
    validate(172, 2.0 / 3.0);
    run.state(RunState::Finished);
    QTemporaryDir target;
    const QString table = target.filePath("run.csv"), events = target.filePath("run.jsonl");
    new NumbersExport(*studio->studio, {run.id()}, table, true, studio.get()->runs.get());
    QVERIFY(waitUntil([&] { return !studio->navigator.notices.empty(); }, 20'000));
    // Ten steps were undone by the resume: that is told.
    QVERIFY(studio->navigator.notices[0].text.contains("10 rows"));
    new NumbersExport(*studio->studio, {run.id()}, events, true, studio.get()->runs.get());
    QVERIFY(waitUntil([&] { return !studio->navigator.toasts.empty(); }, 20'000));
    QCOMPARE(feed->history().rows(), std::size_t(60));  // the page has read no more meanwhile

    QProcess watch;
    watch.start(QStringLiteral(TESSERA_PROGRAM),
                {"watch", "--json", "--once", QString::fromStdString(run.folder.path().string())});
    {
      const test::WatchPause pause;
      QVERIFY(watch.waitForFinished(60'000));
    }
    const QByteArray printed = watch.readAllStandardOutput();
    QFile lines(events);
    QVERIFY(lines.open(QIODevice::ReadOnly));
    QVERIFY(!printed.isEmpty());
    QCOMPARE(lines.readAll(), printed);
    compareTable(table, printed);
  }

  void everyLoggedNumberIsExported() {
    Fixture f;
    QVERIFY(f.open());
    QTemporaryDir target;
    new NumbersExport(*f.studio->studio, {f.runs.base, f.runs.failed}, target.path(), false,
                      &f.page);
    QVERIFY(waitUntil([&] { return !f.studio->navigator.toasts.empty(); }, 20'000));
    QFile file(target.filePath(f.runs.base + ".csv"));
    QVERIFY(file.open(QIODevice::ReadOnly));
    const auto lines = file.readAll().trimmed().split('\n');
    QCOMPARE(lines.size(), 401);
    QVERIFY(QFile::exists(target.filePath(f.runs.failed + ".csv")));
    QCOMPARE(f.studio->tasks->running(), 0);
    const QString csv = f.page.table().asCsv();
    QCOMPARE(csv.count('\n'), 5);
    QVERIFY(csv.contains("\"base, lower rate\""));
  }
};

TESSERA_UI_MAIN(ComparePageTest)
#include "compare_page_test.moc"
