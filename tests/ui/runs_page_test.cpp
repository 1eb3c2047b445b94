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

class RunsPageTest : public QObject {
  Q_OBJECT

  using Fixture = test::RunsFixture;

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
    // Whoever types looks for a column.
    QCOMPARE(dialog->focusWidget(), static_cast<QWidget*>(dialog->searchField()));
    const auto item = [&](const QString& title) -> QTreeWidgetItem* {
      const auto found = dialog->list()->findItems(title, Qt::MatchExactly | Qt::MatchRecursive);
      return found.isEmpty() ? nullptr : found.first();
    };
    QVERIFY(waitUntil([&] { return item("model.hidden_size"); }));
    QVERIFY(test::typeInto(dialog->searchField(), "hidden"));
    QVERIFY(waitUntil([&] { return item("Gradient norm")->isHidden(); }));
    QVERIFY(!item("model.hidden_size")->isHidden());
    // By keyboard alone: from the search to the list, and Space. What is in sight is changed.
    QTest::keyClick(dialog->searchField(), Qt::Key_Down);
    QCOMPARE(dialog->focusWidget(), static_cast<QWidget*>(dialog->list()));
    QCOMPARE(dialog->list()->currentItem(), item("model.hidden_size"));
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

  /// A condition on a column that the table has not: it is told, and the column can be added there.
  void aConditionWithoutItsColumnSaysSo() {
    Fixture f;
    QVERIFY(f.open());
    QVERIFY(test::typeInto(f.page.table().searchField(), "hidden_size>=64"));
    QVERIFY(waitUntil([&] { return test::labelWith(&f.page, "no column “hidden_size”"); }));
    QVERIFY(click(test::button(&f.page, "Choose columns")));
    auto* dialog = f.page.table().findChild<ColumnDialog*>();
    QVERIFY(dialog && dialog->isVisible());
    QVERIFY(test::typeInto(dialog->searchField(), "hidden_size"));
    const auto first = [&]() -> QString {
      const auto* item = dialog->list()->currentItem();
      return item ? item->text(0) : QString();
    };
    QVERIFY(waitUntil([&] { return first() == "model.hidden_size"; }));
    QTest::keyClick(dialog->searchField(), Qt::Key_Down);
    QTest::keyClick(dialog->list(), Qt::Key_Space);
    QTest::keyClick(dialog, Qt::Key_Escape);
    QVERIFY(waitUntil([&] { return !f.shown().isEmpty(); }));
    // What no run has is said as before.
    QVERIFY(test::typeInto(f.page.table().searchField(), "hidden_size>=1000000"));
    QVERIFY(waitUntil([&] { return test::labelWith(&f.page, "No run matches the filter."); }));
    QVERIFY(test::button(&f.page, "Show all runs"));
  }

  void groupsOpenAndCloseByMouseAndKeys() {
    Fixture f;
    QVERIFY(f.open());
    QComboBox* box = f.page.table().groupBox();
    box->setFocus();
    for (int i = 0; i < box->count() && box->currentText() != "Group: State"; ++i) {
      QTest::keyClick(box, Qt::Key_Down);
    }
    QCOMPARE(box->currentText(), "Group: State");
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
    table.groupBox()->setCurrentText("Group: State");
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
    QVERIFY(waitUntil([&] { return test::button(details, "base, lower rate, after 200 steps"); }));
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
