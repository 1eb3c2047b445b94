// SPDX-License-Identifier: MIT
// Links: tessera_ui_shell tessera_checkpoint tessera_tokenizer
// Flows D and F as a person clicks them, in the whole window: from a loss spike to ranks, experts
// and log at that step; from the news that a run finished to a chat beside its base, exported.
#include <QDateTime>
#include <QFile>
#include <QLineEdit>
#include <QListView>
#include <QPlainTextEdit>
#include <QTableView>
#include <QTableWidget>
#include <QTreeView>

#include "tests/build_paths.h"
#include "tests/infer/tiny_model.h"
#include "tests/ui/open_studio.h"
#include "tests/ui/run_files.h"
#include "ui/pages/chat/chat_page.h"
#include "ui/pages/chat/checkpoint_picker.h"
#include "ui/pages/chat/composer.h"
#include "ui/pages/experts/experts_page.h"
#include "ui/pages/monitor/charts_tab.h"
#include "ui/pages/monitor/logs_tab.h"
#include "ui/pages/monitor/monitor_page.h"
#include "ui/pages/monitor/ranks_tab.h"
#include "ui/widgets/banner.h"
#include "ui/widgets/chart/chart_grid.h"
#include "ui/widgets/log_view.h"

using namespace tessera::ui;  // not of tessera: it has a namespace test too
using test::click;
using test::kLong;
using test::waitUntil;
using test::WrittenRun;

namespace {
constexpr std::int64_t kSpike = 60;

/// Steps with one far above the usual, loads of experts, and a log that says a line a second.
WrittenRun spikyRun(const test::TemporaryHome& home) {
  WrittenRun run(home.runs().toStdString(), "spiky");
  run.state(tessera::RunState::Running);
  for (std::int64_t step = 0; step < 120; ++step) {
    tessera::StepEvent event = test::stepEvent(step, step == kSpike ? 40 : 9);
    event.memory_bytes = step == kSpike ? 3'000'000'000 : 1'000'000'000;
    run.log->append(event);
    if (step == kSpike) run.log->append(tessera::SpikeEvent{step, 40, 9.1, 0.1});
    if (step % 10 == 0) run.experts(step);
  }
  run.state(tessera::RunState::Stopped);
  run.log->sync();
  std::filesystem::create_directories(run.folder.log_path(0).parent_path());
  std::ofstream out(run.folder.log_path(0));
  const auto now = static_cast<double>(QDateTime::currentSecsSinceEpoch());
  for (int i = 0; i < 200; ++i) {
    out << logTime(now - 300 + i).toStdString() << " info: line " << i << "\n";
  }
  return run;
}
}  // namespace

class FlowLookTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void initTestCase() { QVERIFY2(test::useBuiltProgram(), TESSERA_PROGRAM); }

  void fromASpikeToRanksExpertsAndLog() {
    const test::TemporaryHome home;
    const WrittenRun run = spikyRun(home);
    test::OpenStudio studio;
    QVERIFY(waitUntil([&] { return test::button(studio.page(), "Open"); }));
    QVERIFY(studio.press("Open"));
    QCOMPARE(studio.window().currentPage(), "monitor");
    auto* monitor = qobject_cast<MonitorPage*>(studio.page());
    const auto spikes = [&] {
      ChartPanel* loss = monitor->charts().grid().panel("loss");
      if (loss) loss->grab();
      return loss && loss->drawn().spikes.size() == 1;
    };
    QVERIFY(waitUntil(spikes));
    ChartPanel* loss = monitor->charts().grid().panel("loss");
    QVERIFY(click(loss, QPoint(qRound(loss->drawn().x.toPixel(kSpike)),
                               qRound(loss->drawn().y.toPixel(40)) + 3)));
    QCOMPARE(studio.window().studio().selection.step(), kSpike);
    QVERIFY(studio.reads("a spike: usually 9.1"));

    QVERIFY(studio.press("Ranks here"));
    QTableWidget* ranks = monitor->ranks().table();
    QVERIFY(waitUntil([&] { return ranks->isVisible(); }));
    QCOMPARE(ranks->item(0, 4)->text(), "60");
    QVERIFY2(ranks->item(0, 7)->text().startsWith("3"), qPrintable(ranks->item(0, 7)->text()));
    test::picture(studio.window(), "flow-d/ranks");

    QVERIFY(studio.press("Log here"));
    QVERIFY(waitUntil([&] { return monitor->logs().isVisible(); }));
    QVERIFY(waitUntil([&] { return monitor->logs().view().model().rowCount() == 200; }));
    // All of its lines were written before the step was logged.
    const auto* list = monitor->logs().findChild<QListView*>();
    QVERIFY(waitUntil([&] { return list->currentIndex().row() == 199; }));

    QVERIFY(studio.press("Experts here"));
    QCOMPARE(studio.window().currentPage(), "experts");
    auto* experts = qobject_cast<ExpertsPage*>(studio.page());
    QVERIFY(waitUntil([&] { return experts->shownStep() == kSpike; }));
    test::picture(studio.window(), "flow-d/experts");
  }

  void fromFinishedToAChatBesideTheBase() {
    const test::TemporaryHome home;
    const std::filesystem::path runs = home.runs().toStdString();
    WrittenRun tuned(runs, "tuned");
    {
      const test::WatchPause pause;
      const WrittenRun base = test::finishedRun(runs, "base");
      tessera::test::write_checkpoint(base.folder.path(), 5);
      tessera::test::write_checkpoint(tuned.folder.path(), 20);
    }
    tuned.state(tessera::RunState::Running);
    tuned.steps(0, 20);
    tessera::CheckpointEvent checkpoint;
    checkpoint.step = 19;
    checkpoint.path = "checkpoints/step-20";
    tuned.log->append(checkpoint);
    tuned.log->sync();
    std::optional<tessera::RunLock> trainer(std::in_place, tuned.folder);
    test::OpenStudio studio;
    QVERIFY(studio.becomes(tuned.id(), tessera::RunState::Running));

    // It ends while the studio is open: that is news, with a button to the run.
    tuned.state(tessera::RunState::Finished);
    tuned.log->sync();
    trainer.reset();
    QVERIFY(waitUntil([&] { return !studio.window().banners().empty(); }, kLong));
    Banner* news = studio.window().banners().front();
    QVERIFY2(news->text().contains("tuned finished"), qPrintable(news->text()));
    test::picture(studio.window(), "flow-f/finished");
    QVERIFY(click(news->actionButton()));
    QCOMPARE(studio.window().currentPage(), "monitor");
    QCOMPARE(studio.pickedRun(), tuned.id());
    QVERIFY(studio.press("Open in Chat"));
    QCOMPARE(studio.window().currentPage(), "chat");

    auto* chat = qobject_cast<ChatPage*>(studio.page());
    chat->talk().sampling.maxTokens = 16;
    QVERIFY(waitUntil([&] { return chat->picker(0)->text() == "tuned, 20 steps"; }, kLong));
    QVERIFY(click(chat->picker(1)));
    auto* list = chat->picker(1)->findChild<QTreeView*>();
    QVERIFY(waitUntil([&] { return list->isVisible(); }));
    const auto rows = list->model()->match(list->model()->index(0, 0), Qt::DisplayRole, "base");
    QCOMPARE(rows.size(), 1);
    QVERIFY(test::clickItem(list, rows[0]));
    QVERIFY(waitUntil([&] { return chat->talk().comparing(); }));

    QVERIFY(test::typeInto(chat->composer()->field(), "What does the fox do?"));
    QVERIFY(studio.press("Send"));
    QVERIFY(waitUntil([&] { return chat->talk().conversation().size() == 3; }, kLong));
    QVERIFY(waitUntil([&] { return !chat->talk().busy(); }, kLong));
    test::picture(studio.window(), "flow-f/beside");
    QVERIFY(studio.press("Export the conversation"));
    const QString file = home.home() + "/talk.md";
    QVERIFY(test::saveInDialog(studio.page(), file));
    QVERIFY(waitUntil([&] { return QFile::exists(file); }));
    QFile written(file);
    QVERIFY(written.open(QIODevice::ReadOnly));
    const QByteArray words = written.readAll();
    QVERIFY(words.contains("What does the fox do?"));
    QVERIFY(words.contains("tuned, 20 steps") && words.contains("base, 5 steps"));
  }

  /// A checkpoint leaves as a folder for other programs, and can be talked to at once; what stands
  /// in the way is told. The name that is proposed is free.
  void aCheckpointIsExported() {
    const test::TemporaryHome home;
    std::optional<WrittenRun> run;
    {
      const test::WatchPause pause;
      run.emplace(test::finishedRun(home.runs().toStdString(), "base"));
      tessera::test::write_checkpoint(run->folder.path(), 20);
    }
    test::OpenStudio studio;
    studio.window().open(
        {"monitor", run->id(), {{QStringLiteral("tab"), QStringLiteral("checkpoints")}}});
    QTableView* table = nullptr;
    const auto listed = [&] {
      for (auto* one : studio.page()->findChildren<QTableView*>()) {
        if (one->isVisible() && one->accessibleName() == "Checkpoints") table = one;
      }
      return table && table->model()->rowCount() == 1;
    };
    QVERIFY(waitUntil(listed, kLong));
    QVERIFY(test::clickItem(table, table->model()->index(0, 0)));

    const QString file = home.home() + "/a-file", proposed = run->id() + "-step-20";
    QVERIFY(QFile(file).open(QIODevice::WriteOnly));
    QVERIFY(studio.press("Export..."));
    QVERIFY(test::saveInDialog(studio.page(), file + "/below"));
    QVERIFY(waitUntil([&] { return studio.window().banners().size() == 1; }, kLong));
    const QString failed = studio.window().banners()[0]->text();
    QVERIFY2(failed.startsWith("The export failed: [" + file), qPrintable(failed));

    const QString folder = home.home() + '/' + proposed;
    QVERIFY(studio.press("Export..."));
    QVERIFY(test::saveInDialog(studio.page(), folder));
    QVERIFY(waitUntil([&] { return studio.window().banners().size() == 2; }, kLong));
    Banner* done = studio.window().banners()[1];
    QCOMPARE(done->text(), "Exported to " + folder);
    for (const char* name : {"config.json", "model.safetensors"}) {
      QVERIFY2(QFile::exists(folder + '/' + name), name);
    }

    // It is there now: the next one is called otherwise.
    QVERIFY(studio.press("Export..."));
    QLineEdit* name = nullptr;
    QVERIFY(waitUntil([&] {
      name = studio.window().findChild<QLineEdit*>(QStringLiteral("fileNameEdit"));
      return name && name->isVisible();
    }));
    QCOMPARE(name->text(), proposed + "-2");
    QTest::keyClick(name, Qt::Key_Escape);
    QVERIFY(waitUntil([&] { return !name->isVisible(); }));

    QVERIFY(click(done->actionButton()));
    QCOMPARE(studio.window().currentPage(), "chat");
    auto* chat = qobject_cast<ChatPage*>(studio.page());
    QVERIFY(waitUntil([&] { return chat->picker(0)->text() == proposed; }, kLong));
  }
};

TESSERA_UI_MAIN(FlowLookTest)
#include "flow_look_test.moc"
