// SPDX-License-Identifier: MIT
// Links: tessera_ui_page_runs
// Scales: 1 1.5 2
// The page of runs as a person uses it, in both themes.
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

class RunsPageTest : public QObject {
  Q_OBJECT

  /// Runs that differ in everything a table shows.
  struct Runs {
    std::unique_ptr<test::TemporaryHome> home = std::make_unique<test::TemporaryHome>();
    std::filesystem::path folder = home->runs().toStdString();
    QString base, wide, failed, child;

    Runs() {
      auto first = makeRun("base", 400, 3.2, 1.0);
      first.state(RunState::Finished);
      base = first.id();
      auto second = makeRun("wide experts", 400, 2.9, 0.5);
      second.state(RunState::Stopped, "asked to stop");
      wide = second.id();
      auto third = makeRun("hot learning rate", 150, 7.5, 1.0);
      third.state(RunState::Failed, "the loss is not a number at step 149");
      failed = third.id();
      Lineage lineage{first.folder.id(), first.folder.path().string(), "checkpoints/step-200", 200};
      WrittenRun fourth(folder, "base, lower rate", lineage);
      writeSteps(fourth, 300, 3.0);
      fourth.state(RunState::Finished);
      child = fourth.id();
    }

    WrittenRun makeRun(const std::string& name, int steps, double end, double clip) const {
      RunSpec spec = test::smallSpec(name);
      spec.optimiser.clip = clip;
      WrittenRun run(folder, spec);
      writeSteps(run, steps, end);
      return run;
    }
    static void writeSteps(WrittenRun& run, int steps, double end) {
      run.state(RunState::Running);
      for (int s = 0; s < steps; ++s) {
        const double wave = 0.05 * std::sin(0.7 * s);
        run.log->append(test::stepEvent(s, end + (8 - end) * std::exp(-0.012 * s) + wave));
      }
      ValidationEvent v;
      v.step = steps - 1;
      v.tokens = steps * 2048;
      v.loss = end + 0.1;
      v.sources = {{"web", end}, {"code", end + 0.2}};
      run.log->append(v);
    }
  };

  struct Fixture {
    Runs runs;
    std::unique_ptr<test::StudioFixture> studio = test::makeStudio(std::move(runs.home));
    RunsPage page{*studio->studio};

    bool open(const QSize& size = QSize(1024, 700), int rows = 4) {
      page.setActivity(true, true);
      return test::show(page, size) &&
             waitUntil([this, rows] { return page.table().proxy().rowCount() == rows; });
    }
    QTableView& view() { return *page.table().view(); }
    QRect cell(const QString& id, int column) {
      return view().visualRect(page.table().proxy().index(page.table().proxy().rowOf(id), column));
    }
    bool clickRow(const QString& id, Qt::KeyboardModifiers modifiers = {}) {
      view().scrollTo(page.table().proxy().index(page.table().proxy().rowOf(id), 0));
      return click(view().viewport(), cell(id, 0).center(), Qt::LeftButton, modifiers);
    }
    QString folderOf(const QString& id) const {
      return QString::fromStdString(studio->runs->run(id)->folder.string());
    }
    int rowOf(const QString& id) { return page.table().proxy().rowOf(id); }
    QStringList shown() {
      QStringList ids;
      for (int r = 0; r < page.table().proxy().rowCount(); ++r) ids << page.table().proxy().id(r);
      return ids;
    }
    QAbstractButton* button(const QString& text) { return test::button(&page, text); }
  };

 private Q_SLOTS:
  void initTestCase() {
    qputenv("XDG_DATA_HOME", m_data.path().toLocal8Bit());
    theme::apply(*qApp, theme::Scheme::Light);
  }

  void withoutRunsThePageSaysWhatToDo() {
    auto studio = test::makeStudio();
    RunsPage page(*studio->studio);
    QVERIFY(test::show(page));
    QVERIFY(waitUntil([&] { return test::labelWith(&page, "No runs yet"); }));
    test::picture(page, "runs-empty");
    QVERIFY(click(test::button(&page, "Configure a run")));
    QCOMPARE(studio->navigator.opened.size(), 1u);
    QCOMPARE(studio->navigator.opened[0].page, "configure");
  }

  void filtersAndSorting() {
    Fixture f;
    QVERIFY(f.open());
    QVERIFY(test::typeInto(f.page.table().searchField(), "rate"));
    QVERIFY(waitUntil([&] { return f.shown().size() == 2; }));
    QVERIFY(f.shown().contains(f.runs.failed));
    QVERIFY(test::typeInto(f.page.table().searchField(), "nothing like this"));
    QVERIFY(waitUntil([&] { return test::labelWith(&f.page, "No run matches"); }));
    QVERIFY(click(f.button("Show all runs")));
    QVERIFY(waitUntil([&] { return f.shown().size() == 4; }));

    f.page.table().stateBox()->setCurrentText("Failed");
    QCOMPARE(f.shown(), QStringList{f.runs.failed});
    f.page.table().stateBox()->setCurrentIndex(0);

    QHeaderView* header = f.view().horizontalHeader();
    const int x = header->sectionViewportPosition(RunsModel::Loss) + 20;
    QVERIFY(click(header->viewport(), QPoint(x, header->height() / 2)));
    const bool up = header->sortIndicatorOrder() == Qt::AscendingOrder;
    QCOMPARE(f.shown()[up ? 3 : 0], f.runs.failed);
    QCOMPARE(f.shown()[up ? 0 : 3], f.runs.wide);
  }

  void anySettingOrMetricIsAColumn() {
    Fixture f;
    QVERIFY(f.open());
    QVERIFY(click(f.page.table().columnsButton()));
    auto* dialog = f.page.table().findChild<ColumnDialog*>();
    QVERIFY(dialog && dialog->isVisible());
    const auto item = [&](const QString& title) -> QTreeWidgetItem* {
      const auto found = dialog->list()->findItems(title, Qt::MatchExactly | Qt::MatchRecursive);
      return found.isEmpty() ? nullptr : found.first();
    };
    QVERIFY(waitUntil([&] { return item("model.hidden_size"); }));
    QVERIFY(test::typeInto(dialog->searchField(), "hidden"));
    QVERIFY(waitUntil([&] { return item("Gradient norm")->isHidden(); }));
    QVERIFY(!item("model.hidden_size")->isHidden());
    // By keyboard: from the search to the list, and Space.
    dialog->list()->setCurrentItem(item("model.hidden_size"));
    dialog->list()->setFocus();
    QTest::keyClick(dialog->list(), Qt::Key_Space);
    dialog->searchField()->clear();
    QVERIFY(waitUntil([&] { return !item("Gradient norm")->isHidden(); }));
    dialog->list()->scrollToItem(item("Gradient norm"));
    const QRect box = dialog->list()->visualItemRect(item("Gradient norm"));
    QVERIFY(click(dialog->list()->viewport(), QPoint(box.left() + 10, box.center().y())));
    test::picture(*dialog, "runs-columns-dialog");
    RunsModel& model = f.page.table().model();
    QCOMPARE(model.extraColumns(), (QStringList{"setting/model.hidden_size", "metric/grad_norm"}));
    const int setting = RunsModel::ColumnCount, metric = setting + 1;
    const auto value = [&](int column) {
      return f.page.table().proxy().index(f.rowOf(f.runs.base), column).data().toString();
    };
    QVERIFY(waitUntil([&] { return !value(setting).isEmpty(); }));
    QCOMPARE(value(setting), QString::number(read_preset("demo").spec.model.hidden_size));
    QVERIFY(waitUntil([&] { return value(metric) != QString(QChar(0x2013)); }));
    QVERIFY(f.page.table()
                .asCsv()
                .section('\n', 0, 0)
                .endsWith(",setting/model.hidden_size,metric/grad_norm"));
    QTest::keyClick(dialog, Qt::Key_Escape);
    // Another page of the same user has them, with their values.
    RunsPage again(*f.studio->studio);
    QVERIFY(test::show(again, QSize(1024, 700)));
    QCOMPARE(again.table().model().extraColumns().size(), 2);
    QVERIFY(!again.table().view()->isColumnHidden(metric));
    QVERIFY(waitUntil([&] {
      return again.table().proxy().rowCount() > 0 &&
             !again.table().proxy().index(0, setting).data().toString().isEmpty();
    }));
    again.table().view()->scrollTo(again.table().proxy().index(0, metric));
    test::picture(again, "runs-columns");
  }

  void groupsOpenAndCloseByMouseAndKeys() {
    Fixture f;
    QVERIFY(f.open());
    QComboBox* box = f.page.table().groupBox();
    box->setFocus();
    for (int i = 0; i < box->count() && box->currentText() != "By State"; ++i) {
      QTest::keyClick(box, Qt::Key_Down);
    }
    QCOMPARE(box->currentText(), "By State");
    RunsProxy& proxy = f.page.table().proxy();
    QVERIFY(proxy.rowCount() > 4);
    QVERIFY(proxy.isGroup(0));
    test::picture(f.page, "runs-groups");
    const int all = proxy.rowCount();
    QVERIFY(click(f.view().viewport(), f.view().visualRect(proxy.index(0, 1)).center()));
    QVERIFY(proxy.rowCount() < all);
    f.view().setFocus();
    f.view().setCurrentIndex(proxy.index(0, 0));
    QTest::keyClick(&f.view(), Qt::Key_Right);
    QCOMPARE(proxy.rowCount(), all);
    QTest::keyClick(&f.view(), Qt::Key_Space);
    QVERIFY(!proxy.isOpen(0));
    QVERIFY(f.studio->navigator.opened.empty());
    // A run that is asked for is shown although its group was closed.
    f.page.open({"runs", f.runs.base, {}});
    QCOMPARE(f.page.table().selected(), QStringList{f.runs.base});
    QVERIFY(f.rowOf(f.runs.base) > 0);
    QVERIFY(test::labelWith(&f.page, "4 runs"));
    box->setCurrentIndex(0);
    QCOMPARE(proxy.rowCount(), 4);
    QCOMPARE(f.page.table().selected(), QStringList{f.runs.base});
  }

  void filtersAreSavedUnderAName() {
    Fixture f;
    QVERIFY(f.open());
    RunTable& table = f.page.table();
    QVERIFY(test::typeInto(table.searchField(), "rate"));
    QVERIFY(waitUntil([&] { return f.shown().size() == 2; }));
    table.groupBox()->setCurrentText("By State");
    QMenu* menu = table.filtersButton()->menu();
    const auto entries = [&] {
      Q_EMIT menu->aboutToShow();
      QStringList texts;
      for (const QAction* action : menu->actions()) texts << action->text();
      return texts;
    };
    const auto entry = [&](const QString& text) -> QAction* {
      for (QAction* action : menu->actions()) {
        if (action->text() == text) return action;
      }
      return nullptr;
    };
    QCOMPARE(entries()[0], "No filter is saved yet");
    entry("Save this filter…")->trigger();
    auto* dialog = table.findChild<QInputDialog*>();
    QVERIFY(dialog);
    QTest::keyClicks(dialog->findChild<QLineEdit*>(), "the rates");
    QTest::keyClick(dialog, Qt::Key_Return);
    QCOMPARE(entries()[0], "the rates");
    QVERIFY(entry("the rates")->isChecked());

    table.searchField()->clear();
    table.groupBox()->setCurrentIndex(0);
    QVERIFY(waitUntil([&] { return f.shown().size() == 4; }));
    entries();
    QVERIFY(!entry("the rates")->isChecked());
    entry("the rates")->trigger();
    QCOMPARE(table.searchField()->text(), "rate");
    QCOMPARE(table.proxy().shownRuns(), 2);
    QCOMPARE(table.proxy().group(), int(RunsModel::State));
    // It is kept over sessions, and goes when it is deleted, with a way back.
    QCOMPARE(savedFilters(*f.studio->preferences).size(), 1u);
    entries();
    entry("Delete a filter")->menu()->actions()[0]->trigger();
    QVERIFY(savedFilters(*f.studio->preferences).empty());
    f.studio->navigator.toasts.back().undo();
    QCOMPARE(savedFilters(*f.studio->preferences).size(), 1u);
  }

  void selectionIsKeptThroughFilters() {
    Fixture f;
    QVERIFY(f.open());
    QVERIFY(f.clickRow(f.runs.base));
    QVERIFY(f.clickRow(f.runs.wide, Qt::ControlModifier));
    QCOMPARE(f.page.table().selected().size(), 2);
    QVERIFY(test::typeInto(f.page.table().searchField(), "base"));
    QVERIFY(waitUntil([&] { return f.shown().size() == 2; }));
    QCOMPARE(f.page.table().selected(), QStringList{f.runs.base});
    QCOMPARE(f.view().selectionModel()->selectedRows().size(), 1);
  }

  void actionsThatCannotBeDoneSayWhy() {
    Fixture f;
    QVERIFY(f.open());
    RunActions& a = f.page.actions();
    QVERIFY(!a.open->isEnabled());
    QCOMPARE(a.open->toolTip(), "Choose a run first");
    QVERIFY(f.clickRow(f.runs.base));
    QVERIFY(a.open->isEnabled() && a.fork->isEnabled() && !a.compare->isEnabled());
    QCOMPARE(a.compare->toolTip(), "Choose two runs or more");
    QVERIFY(!a.resume->isEnabled());
    QVERIFY(a.resume->toolTip().contains("fork it"));
    QVERIFY(!a.stopNow->isEnabled());
    QVERIFY(f.clickRow(f.runs.failed));
    QVERIFY(a.resume->isEnabled());
    QCOMPARE(f.studio->selection->run(), f.runs.failed);
  }

  void buttonsLeadToOtherPages() {
    Fixture f;
    QVERIFY(f.open());
    QVERIFY(f.clickRow(f.runs.wide));
    QVERIFY(click(f.button("Open")));
    QVERIFY(click(f.button("Edit a copy")));
    QVERIFY(click(f.button("Fork")));
    const auto& opened = f.studio->navigator.opened;
    QCOMPARE(opened.size(), 3u);
    QCOMPARE(opened[0], (Location{"monitor", f.runs.wide, {}}));
    QCOMPARE(opened[1], (Location{"configure", {}, {{"clone", f.runs.wide}}}));
    QCOMPARE(opened[2], (Location{"configure", {}, {{"fork", f.runs.wide}}}));
    f.view().setFocus();
    QTest::keyClick(&f.view(), Qt::Key_Return);
    QCOMPARE(opened.size(), 4u);
    QCOMPARE(opened[3].page, "monitor");
  }

  void tagsAndNotesAreWrittenInPlace() {
    Fixture f;
    QVERIFY(f.open(QSize(1920, 1080)));
    const auto write = [&](int column, const QString& text) {
      f.view().setCurrentIndex(
          f.page.table().proxy().index(f.page.table().proxy().rowOf(f.runs.base), column));
      QTest::keyClick(&f.view(), Qt::Key_F2);
      auto* editor = f.view().viewport()->findChild<QLineEdit*>();
      if (!editor) return false;
      editor->selectAll();
      QTest::keyClicks(editor, text);
      QTest::keyClick(editor, Qt::Key_Return);
      // The view commits when the key has been dealt with.
      return waitUntil([&] { return !f.view().viewport()->findChild<QLineEdit*>(); });
    };
    QVERIFY(write(RunsModel::Tags, "fast, night"));
    QCOMPARE(f.studio->runs->run(f.runs.base)->tags, (std::vector<std::string>{"fast", "night"}));
    QVERIFY(write(RunsModel::Notes, "the one to beat"));
    QCOMPARE(f.studio->runs->run(f.runs.base)->notes, std::string("the one to beat"));
    QVERIFY(waitUntil([&] { return f.page.table().tagBox()->findText("night") >= 0; }));
    f.page.table().tagBox()->setCurrentText("night");
    QCOMPARE(f.shown(), QStringList{f.runs.base});
  }

  void archiveAndTrashCanBeUndone() {
    Fixture f;
    QVERIFY(f.open());
    QVERIFY(f.clickRow(f.runs.failed));
    QVERIFY(click(f.button("Archive")));
    QCOMPARE(f.shown().size(), 3);
    QCOMPARE(f.studio->navigator.toasts.size(), 1u);
    f.page.table().stateBox()->setCurrentText("Archived");
    QCOMPARE(f.shown(), QStringList{f.runs.failed});
    f.page.table().stateBox()->setCurrentIndex(0);
    f.studio->navigator.toasts[0].undo();
    QCOMPARE(f.shown().size(), 4);

    QVERIFY(f.clickRow(f.runs.failed));
    QTest::keyClick(&f.view(), Qt::Key_Delete);
    QVERIFY(waitUntil([&] { return f.shown().size() == 3; }));
    QVERIFY(waitUntil([&] { return f.studio->navigator.toasts.size() == 2; }));
    QVERIFY(f.studio->navigator.toasts[1].text.contains("hot learning rate"));
    f.studio->navigator.toasts[1].undo();
    QVERIFY(waitUntil([&] { return f.shown().size() == 4; }));
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

  /// The shown keys act while the table or the queue is shown, wherever the focus is.
  void keysActWithoutAClickIntoTheTable() {
    Fixture f;
    QVERIFY(f.open());
    QSignalSpy told(&f.page, &Page::commandChanged);
    QVERIFY(f.clickRow(f.runs.failed));
    QVERIFY(!told.isEmpty());
    QCOMPARE(f.page.command(), "tessera watch " + f.runs.failed);
    f.page.tabs().tabBar()->setFocus();
    QTest::keyClick(f.page.tabs().tabBar(), Qt::Key_Delete);
    QVERIFY(waitUntil([&] { return f.shown().size() == 3; }));
    QVERIFY(waitUntil([&] { return f.studio->navigator.toasts.size() == 1; }));
    f.studio->navigator.toasts[0].undo();
    QVERIFY(waitUntil([&] { return f.shown().size() == 4; }));
    // In a field the key is the field's.
    QVERIFY(f.clickRow(f.runs.failed));
    QLineEdit* search = f.page.table().searchField();
    search->setFocus();
    QTest::keyClick(search, Qt::Key_Delete);
    QTest::qWait(100);
    QCOMPARE(f.shown().size(), 4);
    for (const QString& id : {f.runs.base, f.runs.wide}) {
      QVERIFY(f.clickRow(id, id == f.runs.base ? Qt::NoModifier : Qt::ControlModifier));
    }
    f.page.tabs().tabBar()->setFocus();
    QTest::keyClick(f.page.tabs().tabBar(), Qt::Key_C, Qt::ControlModifier | Qt::ShiftModifier);
    QCOMPARE(f.page.tabs().currentIndex(), int(RunsPage::Compare));
    // On another part of the page a key does nothing to runs that are not seen.
    QTest::keyClick(f.page.tabs().tabBar(), Qt::Key_Delete);
    QTest::qWait(100);
    QCOMPARE(f.studio->navigator.toasts.size(), 1u);

    f.studio->launcher->setQueuePaused(true);
    for (const char* name : {"first", "second"}) {
      QueueEntry entry;
      entry.id = entry.name = name;
      entry.spec = "[run]\nname = \"x\"\n";
      f.studio->launcher->enqueue(entry);
    }
    QTabBar* bar = f.page.tabs().tabBar();
    QVERIFY(click(bar, bar->tabRect(RunsPage::Queue).center()));
    QueueView& queue = f.page.queueView();
    QVERIFY(click(queue.view()->viewport(),
                  queue.view()->visualRect(queue.model().index(1, 1)).center()));
    bar->setFocus();
    QTest::keyClick(bar, Qt::Key_Up, Qt::AltModifier);
    QCOMPARE(f.studio->launcher->queue()[0].id, std::string("second"));
    QTest::keyClick(bar, Qt::Key_Delete);
    QCOMPARE(f.studio->launcher->queue().size(), 1u);
    QCOMPARE(f.studio->launcher->queue()[0].id, std::string("first"));
  }

  void theQueueIsReorderedByKeys() {
    Fixture f;
    f.studio->launcher->setQueuePaused(true);
    for (const char* name : {"first", "second", "third"}) {
      QueueEntry entry;
      entry.id = entry.name = name;
      entry.spec = "[run]\nname = \"x\"\n";
      f.studio->launcher->enqueue(entry);
    }
    QVERIFY(f.open());
    QTabBar* bar = f.page.tabs().tabBar();
    QVERIFY(click(bar, bar->tabRect(RunsPage::Queue).center()));
    QueueView& queue = f.page.queueView();
    QVERIFY(click(queue.view()->viewport(),
                  queue.view()->visualRect(queue.model().index(2, 1)).center()));
    QCOMPARE(queue.current(), "third");
    QTest::keyClick(queue.view(), Qt::Key_Up, Qt::AltModifier);
    QCOMPARE(f.studio->launcher->queue()[1].id, std::string("third"));
    QVERIFY(click(test::button(&queue, "Move up")));
    QCOMPARE(f.studio->launcher->queue()[0].id, std::string("third"));
    QCOMPARE(queue.current(), "third");
    QVERIFY(!test::button(&queue, "Move up")->isEnabled());
    test::picture(f.page, "runs-queue");
    queue.view()->setFocus();
    QTest::keyClick(queue.view(), Qt::Key_Delete);
    QCOMPARE(f.studio->launcher->queue().size(), 2u);
    f.studio->navigator.toasts.back().undo();
    QCOMPARE(f.studio->launcher->queue()[0].id, std::string("third"));
    QCOMPARE(f.page.location().text(), "page/runs?view=queue");
  }

  void theInspectorShowsLineageAndTakesNotes() {
    Fixture f;
    QVERIFY(f.open(QSize(1024, 700)));
    auto* details = qobject_cast<RunDetails*>(f.page.inspector());
    QVERIFY(details);
    QWidget dock;
    details->setParent(&dock);
    details->show();
    QVERIFY(test::show(dock, QSize(300, 620)));
    details->resize(300, 620);
    QVERIFY(f.clickRow(f.runs.child));
    QVERIFY(waitUntil([&] { return test::button(details, "base"); }));
    test::picture(dock, "runs-inspector");
    QVERIFY(click(test::button(details, "base")));
    QCOMPARE(f.page.table().selected(), QStringList{f.runs.base});
    QVERIFY(waitUntil([&] { return test::button(details, "base, lower rate, from step 200"); }));
    auto* notes = details->findChild<QPlainTextEdit*>();
    QVERIFY(click(notes));
    QTest::keyClicks(notes, "good");
    details->findChild<QLineEdit*>()->setFocus();
    QCOMPARE(f.studio->runs->run(f.runs.base)->notes, std::string("good"));
  }

  /// The trash is one: without a data folder Qt takes the folder that the studio was started in.
  void theTrashIsNeverTheWorkingDirectory() {
    QTemporaryDir home, work;
    const QByteArray oldHome = qgetenv("HOME"), oldData = qgetenv("XDG_DATA_HOME");
    const QString oldFolder = QDir::currentPath();
    qputenv("HOME", QFile::encodeName(home.path()));
    qunsetenv("XDG_DATA_HOME");
    QVERIFY(QDir::setCurrent(work.path()));
    {
      Fixture f;
      QVERIFY(f.open());
      const QString folder = f.folderOf(f.runs.failed);
      QVERIFY(f.clickRow(f.runs.failed));
      QTest::keyClick(&f.view(), Qt::Key_Delete);
      QVERIFY(waitUntil([&] { return f.studio->navigator.toasts.size() == 1; }));
      QVERIFY(!QFile::exists(folder));
      QCOMPARE(QDir(work.path()).entryList(QDir::AllEntries | QDir::NoDotAndDotDot), QStringList());
      f.studio->navigator.toasts[0].undo();
      QVERIFY(waitUntil([&] { return f.shown().size() == 4; }));
      QVERIFY(QFile::exists(folder + "/events.log"));
      // Where no trash can be made the run stays, and that is said.
      qputenv("XDG_DATA_HOME", "/proc/none");
      QSignalSpy failed(f.studio->runs.get(), &RunStore::failed);
      QVERIFY(f.clickRow(f.runs.failed));
      QTest::keyClick(&f.view(), Qt::Key_Delete);
      QVERIFY(waitUntil([&] { return !failed.isEmpty(); }));
      QVERIFY(failed[0][0].toString().contains("/proc/none"));
      QVERIFY(QFile::exists(folder + "/events.log"));
      QCOMPARE(f.shown().size(), 4);
    }
    QDir::setCurrent(oldFolder);
    qputenv("HOME", oldHome);
    if (oldData.isEmpty()) {
      qunsetenv("XDG_DATA_HOME");
    } else {
      qputenv("XDG_DATA_HOME", oldData);
    }
  }

  void aRunWhoseFolderIsGoneSaysSo() {
    Fixture f;
    QVERIFY(f.open());
    QVERIFY(f.clickRow(f.runs.wide));
    const std::filesystem::path folder = f.folderOf(f.runs.wide).toStdString();
    const std::filesystem::path away = f.studio->home->home().toStdString() + "/away";
    std::filesystem::rename(folder, away);
    f.studio->runs->refresh();
    QVERIFY(waitUntil([&] { return f.studio->runs->run(f.runs.wide)->missing; }));
    const int row = f.rowOf(f.runs.wide);
    QCOMPARE(f.view().model()->index(row, RunsModel::State).data().toString(),
             QStringLiteral("Folder gone"));
    QVERIFY(!f.button("Open")->isEnabled());
    QVERIFY(f.button("Open")->toolTip().contains("gone"));
    auto* details = f.page.inspector();
    QVERIFY(waitUntil([&] {
      const auto labels = details->findChildren<QLabel*>();
      return std::any_of(labels.begin(), labels.end(), [](const QLabel* label) {
        return label->text().startsWith("Its folder is gone");
      });
    }));
    std::filesystem::rename(away, folder);
    f.studio->runs->refresh();
    QVERIFY(waitUntil([&] { return !f.studio->runs->run(f.runs.wide)->missing; }));
    QCOMPARE(f.view().model()->index(row, RunsModel::State).data().toString(),
             QStringLiteral("Stopped"));
  }

  /// Long after the line with Undo has gone, and in a later session.
  void aRunIsBroughtBackFromTheTrash() {
    Fixture f;
    QVERIFY(f.open());
    auto* actions = f.page.findChild<RunActions*>();
    QVERIFY(actions && !actions->bringBack->isEnabled());
    QVERIFY(!actions->bringBack->toolTip().isEmpty());
    QVERIFY(f.clickRow(f.runs.failed));
    QTest::keyClick(&f.view(), Qt::Key_Delete);
    QVERIFY(waitUntil([&] { return f.shown().size() == 3 && actions->bringBack->isEnabled(); }));
    RunStore later;  // as a studio that starts now has it
    QVERIFY(waitUntil([&] { return later.trashed().size() == 1; }));
    QCOMPARE(later.trashed()[0].id, f.runs.failed);
    QCOMPARE(later.trashed()[0].name, QStringLiteral("hot learning rate"));
    QMenu* menu = actions->bringBack->menu();
    Q_EMIT menu->aboutToShow();
    QCOMPARE(menu->actions().size(), 1);
    QVERIFY(menu->actions()[0]->text().startsWith("hot learning rate"));
    menu->actions()[0]->trigger();
    QVERIFY(waitUntil([&] { return f.shown().size() == 4; }));
    QVERIFY(waitUntil([&] { return !actions->bringBack->isEnabled(); }));
  }

  void selectionsAreCopiedWhole() {
    Fixture f;
    QVERIFY(f.open());
    QVERIFY(f.clickRow(f.runs.base));
    QVERIFY(f.clickRow(f.runs.wide, Qt::ControlModifier));
    f.view().setFocus();
    const QString text = selectionAsText(f.view());
    QCOMPARE(text.count('\n'), 2);  // the titles and two runs
    QVERIFY(text.startsWith("Run\tState\tStep"));
    QVERIFY(text.contains("base\tFinished") && text.contains("wide experts\tStopped"));
    QTest::keyClick(&f.view(), Qt::Key_C, Qt::ControlModifier);
    QCOMPARE(QApplication::clipboard()->text(), text);
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

  void picturesInBothThemesAndSizes() {
    for (const bool dark : {false, true}) {
      theme::apply(*qApp, dark ? theme::Scheme::Dark : theme::Scheme::Light);
      Fixture f;
      QVERIFY(f.open());
      f.studio->runs->setTags(f.runs.base, {"fast", "baseline"});
      f.studio->runs->setNotes(f.runs.wide, "twice the experts, half the size");
      QVERIFY(f.clickRow(f.runs.wide));
      const QString suffix = dark ? "-dark" : "-light";
      test::picture(f.page, "runs-1024" + suffix);
      f.page.resize(1920, 1080);
      QTest::qWait(50);
      test::picture(f.page, "runs-1920" + suffix);
      f.page.compareView().setRuns({f.runs.base, f.runs.wide, f.runs.failed, f.runs.child});
      f.page.tabs().setCurrentIndex(RunsPage::Compare);
      QTest::qWait(600);
      test::picture(f.page, "runs-compare-1920" + suffix);
      f.page.resize(1024, 700);
      QTest::qWait(200);
      test::picture(f.page, "runs-compare-1024" + suffix);
    }
    theme::apply(*qApp, theme::Scheme::Light);
  }

 private:
  QTemporaryDir m_data;
};

TESSERA_UI_MAIN(RunsPageTest)
#include "runs_page_test.moc"
