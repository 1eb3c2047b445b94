// SPDX-License-Identifier: MIT
// Links: tessera_ui_models
// Every model under QAbstractItemModelTester, and tables of ten thousand runs.
#include <QAbstractItemModelTester>
#include <QMimeData>
#include <QPersistentModelIndex>
#include <QTableView>
#include <random>

#include "tests/ui/harness.h"
#include "tests/ui/run_files.h"
#include "ui/bridge/runs/run_feed.h"
#include "ui/models/feed_models.h"
#include "ui/models/queue_model.h"
#include "ui/models/runs_proxy.h"

using namespace tessera;
using namespace tessera::ui;
using test::waitUntil;
using Tester = QAbstractItemModelTester;

namespace {
RunRow rowOf(int number) {
  RunRow r;
  r.id = "run-" + std::to_string(number);
  r.folder = "/runs/" + r.id;
  r.name = "name " + std::to_string(number % 1000);
  r.state = number % 3 ? RunState::Finished : RunState::Failed;
  r.step = number % 500;
  r.total_steps = 500;
  r.loss = number % 7 ? 2 + 0.001 * ((number * 7919) % 5000) : kNotMeasured;
  r.validation_loss = 3;
  r.created = 1.7e9 - number;
  r.last_word = 1.7e9 + number;
  if (number % 4 == 0) r.tags = {"fast", "tag" + std::to_string(number % 10)};
  r.notes = number % 5 ? "" : "some notes of a run";
  r.sparkline.assign(64, 1.0f);
  return r;
}

RunRows rowsOf(const std::vector<int>& numbers) {
  auto rows = std::make_shared<std::vector<RunRow>>();
  for (const int n : numbers) rows->push_back(rowOf(n));
  return rows;
}

RunRows manyRows(int count) {
  auto rows = std::make_shared<std::vector<RunRow>>();
  for (int i = 0; i < count; ++i) rows->push_back(rowOf(i));
  return rows;
}

QStringList idsOf(const RunsProxy& proxy) {
  QStringList ids;
  for (int r = 0; r < proxy.rowCount(); ++r) ids << proxy.id(r);
  return ids;
}
}  // namespace

class ModelsTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void runsComeGoAndChangeInPlace() {
    RunsModel model;
    const Tester tester(&model, Tester::FailureReportingMode::QtTest);
    model.setRows(rowsOf({1, 2, 3, 4}));
    QCOMPARE(model.rowCount(), 4);
    const QPersistentModelIndex third = model.index(2, RunsModel::Name);

    QSignalSpy reset(&model, &QAbstractItemModel::modelReset);
    model.setRows(rowsOf({0, 1, 3, 4, 5}));
    QCOMPARE(model.rowCount(), 5);
    QVERIFY(third.isValid());
    QCOMPARE(third.row(), 2);
    QCOMPARE(model.id(third.row()), "run-3");
    QCOMPARE(model.rowOf("run-5"), 4);
    QCOMPARE(model.rowOf("run-2"), -1);

    auto changed = std::make_shared<std::vector<RunRow>>(*rowsOf({0, 1, 3, 4, 5}));
    (*changed)[1].step = 77;
    (*changed)[2].step = 78;
    (*changed)[4].notes = "new";
    QSignalSpy data(&model, &QAbstractItemModel::dataChanged);
    model.setRows(changed);
    QCOMPARE(data.size(), 2);
    QCOMPARE(data[0][0].toModelIndex().row(), 1);
    QCOMPARE(data[0][1].toModelIndex().row(), 2);
    model.setRows(changed);
    QCOMPARE(data.size(), 2);
    QCOMPARE(reset.size(), 0);

    model.setRows(rowsOf({5, 4, 3}));  // another order: all is new
    QCOMPARE(reset.size(), 1);
    model.setRows(rowsOf({}));
    QCOMPARE(model.rowCount(), 0);
  }

  void cellsSayWhatTheyAre() {
    RunsModel model;
    auto rows = std::make_shared<std::vector<RunRow>>();
    rows->push_back(rowOf(8));
    rows->push_back(rowOf(9));
    (*rows)[0].parent = "run-9";
    (*rows)[0].parent_step = 250;
    (*rows)[0].state = RunState::Failed;
    (*rows)[0].reason = "out of memory";
    model.setRows(rows);
    const auto cell = [&](int column, int role = Qt::DisplayRole) {
      return model.index(0, column).data(role).toString().replace(QChar(0xa0), ' ');
    };
    QCOMPARE(cell(RunsModel::Progress), "9 of 500");
    QCOMPARE(cell(RunsModel::Loss), QString::number((*rows)[0].loss, 'f', 4));
    QCOMPARE(cell(RunsModel::Tags), "fast, tag8");
    QCOMPARE(cell(RunsModel::Speed), QString(QChar(0x2013)));
    QCOMPARE(cell(RunsModel::Lineage), "name 9 after 250 steps");
    QVERIFY(cell(RunsModel::State, Qt::ToolTipRole).contains("out of memory"));
    QCOMPARE(model.index(0, 0).data(RunsModel::CurveRole).value<QList<float>>().size(), 64);
    QCOMPARE(model.allTags(), (QStringList{"fast", "tag8"}));
    for (int c = 0; c < RunsModel::ColumnCount; ++c) {
      QVERIFY(!model.headerData(c, Qt::Horizontal, Qt::DisplayRole).toString().isEmpty());
      QVERIFY(!model.index(0, c).data(Qt::AccessibleTextRole).isNull());
    }
  }

  void wordsAreWrittenInPlace() {
    RunsModel model;
    model.setRows(rowsOf({8}));
    QSignalSpy edited(&model, &RunsModel::edited);
    QVERIFY(model.setData(model.index(0, RunsModel::Tags), " a , b,a ,, c d ", Qt::EditRole));
    QCOMPARE(edited[0][2].toStringList(), (QStringList{"a", "b", "c d"}));
    QVERIFY(model.setData(model.index(0, RunsModel::Notes), "x", Qt::EditRole));
    QVERIFY(!model.setData(model.index(0, RunsModel::Name), "  ", Qt::EditRole));
    QVERIFY(!model.setData(model.index(0, RunsModel::Name), "name 8", Qt::EditRole));
    QVERIFY(!model.setData(model.index(0, RunsModel::Loss), "1", Qt::EditRole));
    QCOMPARE(edited.size(), 2);
  }

  void theProxySortsAndFilters() {
    RunsModel model;
    RunsProxy proxy(model);
    const Tester tester(&proxy, Tester::FailureReportingMode::QtTest);
    model.setRows(rowsOf({1, 2, 3, 4, 7, 8}));
    proxy.sort(RunsModel::Loss, Qt::AscendingOrder);
    QCOMPARE(proxy.id(5), "run-7");  // unknown last
    proxy.sort(RunsModel::Loss, Qt::DescendingOrder);
    QCOMPARE(proxy.id(5), "run-7");
    for (int r = 1; r < 5; ++r) QVERIFY(proxy.run(r - 1).loss >= proxy.run(r).loss);

    proxy.sort(RunsModel::Created, Qt::DescendingOrder);
    QCOMPARE(proxy.id(0), "run-1");
    proxy.setFilter({.words = "FAST", .states = {}, .tag = {}});
    QCOMPARE(idsOf(proxy), (QStringList{"run-4", "run-8"}));
    proxy.setFilter({.words = "name tag8", .states = {}, .tag = {}});
    QCOMPARE(idsOf(proxy), QStringList{"run-8"});
    proxy.setFilter({.words = {}, .states = {int(RunState::Failed)}, .tag = {}});
    QCOMPARE(idsOf(proxy), QStringList{"run-3"});
    proxy.setFilter({.words = {}, .states = {}, .tag = "tag4"});
    QCOMPARE(idsOf(proxy), QStringList{"run-4"});
    proxy.setFilter({.words = {}, .states = {}, .tag = {}, .archived = true});
    QCOMPARE(proxy.rowCount(), 0);
    QCOMPARE(proxy.headerData(0, Qt::Horizontal, Qt::DisplayRole).toString(), "Run");
  }

  void theProxyFollowsItsSource() {
    RunsModel model;
    RunsProxy proxy(model);
    const Tester tester(&proxy, Tester::FailureReportingMode::QtTest);
    proxy.sort(RunsModel::Progress, Qt::DescendingOrder);
    proxy.setFilter({.words = {}, .states = {int(RunState::Finished)}, .tag = {}});
    std::mt19937 random(11);
    std::vector<RunRow> rows;
    for (int round = 0; round < 300; ++round) {
      if (random() % 3 == 0 || rows.size() < 5) {
        const auto at = static_cast<std::ptrdiff_t>(random() % (rows.size() + 1));
        rows.insert(rows.begin() + at, rowOf(10'000 + round));
      }
      if (random() % 4 == 0 && rows.size() > 1)
        rows.erase(rows.begin() + static_cast<std::ptrdiff_t>(random() % rows.size()));
      for (unsigned k = random() % 4; k > 0; --k) {
        RunRow& row = rows[random() % rows.size()];
        row.step = static_cast<std::int64_t>(random() % 500);
        row.state = random() % 2 ? RunState::Finished : RunState::Running;
      }
      model.setRows(std::make_shared<const std::vector<RunRow>>(rows));
      QCOMPARE(proxy.rowCount(),
               static_cast<int>(std::count_if(rows.begin(), rows.end(), [](const RunRow& r) {
                 return r.state == RunState::Finished;
               })));
      for (int r = 0; r < proxy.rowCount(); ++r) {
        QVERIFY(r == 0 || proxy.run(r - 1).step >= proxy.run(r).step);
        QCOMPARE(proxy.rowOf(proxy.id(r)), r);
        QCOMPARE(proxy.mapFromSource(proxy.mapToSource(proxy.index(r, 3))), proxy.index(r, 3));
      }
    }
  }

  void wordsMayBeConditions() {
    RunsModel model;
    RunsProxy proxy(model);
    const Tester tester(&proxy, Tester::FailureReportingMode::QtTest);
    auto rows = std::make_shared<std::vector<RunRow>>(*rowsOf({1, 2, 3, 7}));
    const auto columns =
        std::make_shared<const RunColumns>(RunColumns{"setting/model.hidden_size"});
    for (std::size_t i = 0; i < 3; ++i) {
      (*rows)[i].columns = columns;
      (*rows)[i].cells = {{double(128 << i), std::to_string(128 << i)}};
    }
    model.setRows(rows);
    proxy.sort(RunsModel::Created, Qt::DescendingOrder);
    const auto found = [&](const QString& words) {
      proxy.setFilter({.words = words, .states = {}, .tag = {}});
      return idsOf(proxy);
    };
    QCOMPARE(found("state=failed"), QStringList{"run-3"});
    QCOMPARE(found("State!=Failed step>2"), (QStringList{"run-2", "run-7"}));
    QCOMPARE(found("steps<=3 name"), (QStringList{"run-1", "run-2"}));
    // run-7 has no loss: that is neither small nor large.
    QCOMPARE(found("loss>0").size(), 3);
    QCOMPARE(found("loss<1e9").size(), 3);
    // The name of a column that is not there is a word like others, which no run has.
    QCOMPARE(found("hidden_size>=256"), QStringList{});
    model.setExtraColumns({"setting/model.hidden_size"});
    QCOMPARE(idsOf(proxy), (QStringList{"run-2", "run-3"}));
    QCOMPARE(found("model.hidden_size=128"), QStringList{"run-1"});
    QCOMPARE(found("hidden_size<256 step=2"), QStringList{"run-1"});
    model.setExtraColumns({});
    QCOMPARE(idsOf(proxy), QStringList{});
    QCOMPARE(found("loss<many"), QStringList{});
    QCOMPARE(found("<3"), QStringList{});
  }

  void runsStandInGroups() {
    RunsModel model;
    RunsProxy proxy(model);
    const Tester tester(&proxy, Tester::FailureReportingMode::QtTest);
    model.setRows(rowsOf({1, 2, 3, 4, 6, 8}));
    proxy.sort(RunsModel::Created, Qt::DescendingOrder);
    proxy.setGroup(RunsModel::State);
    const auto heads = [&] {
      QStringList texts;
      for (int r = 0; r < proxy.rowCount(); ++r) {
        if (proxy.isGroup(r)) texts << proxy.index(r, 2).data().toString();
      }
      return texts;
    };
    QCOMPARE(heads(), (QStringList{"State: Finished (4 runs)", "State: Failed (2 runs)"}));
    QCOMPARE(idsOf(proxy),
             (QStringList{"", "run-1", "run-2", "run-4", "run-8", "", "run-3", "run-6"}));
    QCOMPARE(proxy.shownRuns(), 6);
    QVERIFY(!(proxy.flags(proxy.index(0, 0)) & Qt::ItemIsSelectable));
    QVERIFY(!proxy.mapToSource(proxy.index(0, 0)).isValid());

    const QPersistentModelIndex kept = proxy.index(proxy.rowOf("run-6"), 0);
    proxy.setOpen(0, false);
    QCOMPARE(idsOf(proxy), (QStringList{"", "", "run-3", "run-6"}));
    QCOMPARE(proxy.rowOf("run-1"), -1);
    QCOMPARE(proxy.id(kept.row()), "run-6");
    QCOMPARE(proxy.shownRuns(), 6);
    proxy.sort(RunsModel::Created, Qt::AscendingOrder);
    QCOMPARE(idsOf(proxy), (QStringList{"", "", "run-6", "run-3"}));
    proxy.setFilter({.words = "run-8", .states = {}, .tag = {}});
    QCOMPARE(idsOf(proxy), QStringList{""});  // closed still
    proxy.setOpen(0, true);
    QCOMPARE(idsOf(proxy), (QStringList{"", "run-8"}));
    proxy.setFilter({});

    // A run that changes goes to the group of its new value, one that is new to its own.
    auto rows = std::make_shared<std::vector<RunRow>>(*rowsOf({1, 2, 3, 4, 6, 8}));
    (*rows)[0].state = RunState::Running;
    model.setRows(rows);
    QCOMPARE(heads().size(), 3);
    model.setRows(rowsOf({1, 3, 4, 9}));
    QCOMPARE(heads(), (QStringList{"State: Finished (2 runs)", "State: Failed (2 runs)"}));
    QCOMPARE(proxy.rowOf("run-9") >= 0, true);
    // What has no value stands last.
    proxy.setGroup(RunsModel::Tags);
    QCOMPARE(heads(), (QStringList{"Tags: fast, tag4 (1 runs)", "Tags: none (3 runs)"}));
    proxy.setAllOpen(false);
    QCOMPARE(proxy.rowCount(), 2);
    proxy.setGroup(-1);
    QCOMPARE(proxy.rowCount(), 4);
  }

  void settingsAndMetricsAreColumns() {
    RunsModel model;
    RunsProxy proxy(model);
    const Tester tester(&proxy, Tester::FailureReportingMode::QtTest);
    const auto columns = std::make_shared<const RunColumns>(
        RunColumns{"setting/model.hidden_size", "setting/run.name", "metric/grad_norm"});
    auto rows = std::make_shared<std::vector<RunRow>>(*rowsOf({1, 2, 3}));
    const char* names[] = {"b", "c", "a"};
    for (std::size_t i = 0; i < 3; ++i) {
      (*rows)[i].columns = columns;
      (*rows)[i].cells = {{double(128 << i), std::to_string(128 << i)},
                          {kNotMeasured, names[i]},
                          {i == 1 ? kNotMeasured : 0.5 - 0.1 * double(i), {}}};
    }
    model.setRows(rows);
    QCOMPARE(model.columnCount(), int(RunsModel::ColumnCount));
    // In another order than the rows have them, and one that the rows do not have yet.
    model.setExtraColumns(
        {"metric/grad_norm", "metric/mfu", "setting/run.name", "setting/model.hidden_size"});
    const int first = RunsModel::ColumnCount;
    const auto cell = [&](int row, int column) {
      return model.index(row, column).data().toString();
    };
    QCOMPARE(proxy.columnCount(), first + 4);
    QCOMPARE(model.headerData(first, Qt::Horizontal, Qt::DisplayRole).toString(), "Gradient norm");
    QCOMPARE(model.headerData(first + 3, Qt::Horizontal, Qt::DisplayRole).toString(),
             "model.hidden_size");
    QVERIFY(!model.headerData(first + 3, Qt::Horizontal, Qt::ToolTipRole).toString().isEmpty());
    QCOMPARE(cell(0, first), "0.5");
    QCOMPARE(cell(1, first), QString(QChar(0x2013)));
    QCOMPARE(cell(0, first + 1), QString(QChar(0x2013)));
    QCOMPARE(cell(0, first + 2), "b");
    QCOMPARE(cell(2, first + 3), "512");
    QCOMPARE(model.columnOf(model.keyOf(first + 2)), first + 2);
    proxy.sort(first, Qt::AscendingOrder);
    QCOMPARE(idsOf(proxy), (QStringList{"run-3", "run-1", "run-2"}));  // unknown last
    proxy.sort(first + 2, Qt::DescendingOrder);
    QCOMPARE(idsOf(proxy), (QStringList{"run-2", "run-1", "run-3"}));
    proxy.sort(first + 3, Qt::DescendingOrder);
    QCOMPARE(idsOf(proxy), (QStringList{"run-3", "run-2", "run-1"}));
    proxy.setGroup(first + 3);
    QCOMPARE(proxy.rowCount(), 6);
    // A column that goes takes its order and its groups with it.
    model.setExtraColumns({"metric/grad_norm"});
    QCOMPARE(proxy.group(), -1);
    QCOMPARE(idsOf(proxy), (QStringList{"run-1", "run-2", "run-3"}));
    QCOMPARE(cell(0, first), "0.5");
    model.setExtraColumns({});
    QCOMPARE(proxy.columnCount(), first);
  }

  void selectionsSurviveSorting() {
    RunsModel model;
    RunsProxy proxy(model);
    model.setRows(manyRows(100));
    const QPersistentModelIndex kept = proxy.index(17, 0);
    const QString id = proxy.id(17);
    proxy.sort(RunsModel::Loss, Qt::AscendingOrder);
    QVERIFY(kept.isValid());
    QCOMPARE(proxy.id(kept.row()), id);
  }

  void tenThousandRunsStayQuick() {
    RunsModel model;
    RunsProxy proxy(model);
    QTableView view;
    view.setModel(&proxy);
    view.resize(1000, 600);
    QVERIFY(test::show(view));
    const RunRows rows = manyRows(10'000);
    const auto timed = [](const char* what, const auto& work) {
      QElapsedTimer timer;
      timer.start();
      work();
      std::printf("  10k runs, %s: %.1f ms\n", what, 1e-6 * double(timer.nsecsElapsed()));
    };
    timed("first rows", [&] { model.setRows(rows); });
    timed("the same rows again", [&] { model.setRows(manyRows(10'000)); });
    timed("sort by loss", [&] { proxy.sort(RunsModel::Loss, Qt::AscendingOrder); });
    timed("sort by name", [&] { proxy.sort(RunsModel::Name, Qt::AscendingOrder); });
    timed("filter by words",
          [&] { proxy.setFilter({.words = "99 tag", .states = {}, .tag = {}}); });
    timed("filter by tag", [&] { proxy.setFilter({.words = {}, .states = {}, .tag = "fast"}); });
    QCOMPARE(proxy.rowCount(), 2500);
    timed("no filter", [&] { proxy.setFilter({}); });
    timed("groups by tag", [&] { proxy.setGroup(RunsModel::Tags); });
    timed("groups by name", [&] { proxy.setGroup(RunsModel::Name); });
    timed("no groups", [&] { proxy.setGroup(-1); });
    QCOMPARE(proxy.rowCount(), 10'000);
    auto grown = std::make_shared<std::vector<RunRow>>(*rows);
    (*grown)[5000].step = 499;
    timed("one row changed", [&] { model.setRows(grown); });
    timed("ages", [&] { model.tick(); });
  }

  void theQueueIsMovedByDraggingAndByKeys() {
    const test::TemporaryHome home;
    Launcher launcher;
    QueueModel model(launcher);
    const Tester tester(&model, Tester::FailureReportingMode::QtTest);
    launcher.setQueuePaused(true);
    for (const char* id : {"a", "b", "c", "d"}) {
      QueueEntry entry;
      entry.id = entry.name = id;
      launcher.enqueue(entry);
    }
    const auto order = [&] {
      QString all;
      for (int r = 0; r < model.rowCount(); ++r) all += QString::fromStdString(model.entry(r).id);
      return all;
    };
    QCOMPARE(order(), "abcd");
    QSignalSpy moved(&model, &QAbstractItemModel::rowsMoved);
    const QPersistentModelIndex b = model.index(1, 0);
    model.moveEntry("b", 1);
    QCOMPARE(order(), "acbd");
    QCOMPARE(b.row(), 2);
    model.moveEntry("b", -5);
    QCOMPARE(order(), "bacd");
    QCOMPARE(moved.size(), 2);

    const std::unique_ptr<QMimeData> dragged(model.mimeData({model.index(0, 0)}));
    QVERIFY(
        !model.dropMimeData(dragged.get(), Qt::MoveAction, 3, 0, {}));  // the view keeps the row
    QCOMPARE(order(), "acbd");
    model.dropMimeData(dragged.get(), Qt::MoveAction, -1, -1, {});
    QCOMPARE(order(), "acdb");
    model.dropMimeData(dragged.get(), Qt::MoveAction, -1, -1, model.index(0, 0));
    QCOMPARE(order(), "bacd");
    launcher.removeFromQueue("a");
    QCOMPARE(order(), "bcd");
    QCOMPARE(model.index(0, QueueModel::Standing).data(Qt::DisplayRole).toString(),
             "The queue is paused");
    QTest::qWait(300);  // the worker's answers change nothing
    QCOMPARE(order(), "bcd");
  }

  void checkpointsAndSamplesFollowAFeed() {
    const test::TemporaryHome home;
    auto run = test::finishedRun(home.runs().toStdString(), "told");
    auto feed = std::make_shared<RunFeed>(run.id(), run.folder.path());
    CheckpointsModel checkpoints;
    SamplesModel samples;
    const Tester one(&checkpoints, Tester::FailureReportingMode::QtTest);
    const Tester two(&samples, Tester::FailureReportingMode::QtTest);
    checkpoints.setFeed(feed);
    samples.setFeed(feed);
    QVERIFY(waitUntil([&] { return checkpoints.rowCount() == 1 && samples.rowCount() == 1; }));
    QCOMPARE(checkpoints.index(0, CheckpointsModel::Folder).data(Qt::DisplayRole).toString(),
             "checkpoints/step-20");
    QCOMPARE(samples.index(0, SamplesModel::Text).data(Qt::DisplayRole).toString(), " upon a time");
    QCOMPARE(samples.index(0, 0).data(SamplesModel::TextRole).toString(), " upon\na time");

    SampleEvent sample;
    sample.step = 25;
    sample.prompt = "New";
    run.log->append(sample);
    run.log->append(ResumeEvent{30, 0, {}});
    run.log->sync();
    QVERIFY(waitUntil([&] { return samples.rowCount() == 2; }));
    QCOMPARE(samples.index(0, 0).data(SamplesModel::PromptRole).toString(), "New");
    run.log->append(ResumeEvent{21, 0, {}});
    run.log->append(ResumeEvent{10, 0, {}});
    run.log->sync();
    QVERIFY(waitUntil([&] { return samples.rowCount() == 0 && checkpoints.rowCount() == 0; }));
    samples.setFeed(nullptr);
    QCOMPARE(samples.rowCount(), 0);
  }
};

TESSERA_UI_MAIN(ModelsTest)
#include "models_test.moc"
