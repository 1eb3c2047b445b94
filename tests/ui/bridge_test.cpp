// SPDX-License-Identifier: MIT
// Links: tessera_ui_bridge
// Feeds and the store against files that are being written.
#include <QDir>
#include <QFile>
#include <QPointer>
#include <QThread>
#include <atomic>

#include "tests/ui/harness.h"
#include "tests/ui/run_files.h"
#include "ui/bridge/desktop/worker_thread.h"
#include "ui/bridge/runs/run_store.h"

using namespace tessera;
using namespace tessera::ui;
using test::application;
using test::waitUntil;
using test::WrittenRun;

namespace {
std::filesystem::path runsOf(const test::TemporaryHome& home) {
  return home.runs().toStdString();
}

/// A worker that takes its time to go, in its own thread.
class SlowToEnd : public QObject {
 public:
  explicit SlowToEnd(std::atomic<bool>* gone) : m_gone(gone) {}
  ~SlowToEnd() override {
    QThread::msleep(3 * test::kStallMs);
    *m_gone = true;
  }

 private:
  std::atomic<bool>* m_gone;
};
}  // namespace

class BridgeTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void initTestCase() { qputenv("XDG_DATA_HOME", m_data.path().toLocal8Bit()); }

  /// A busy worker outlives its object, and neither holds up the window nor runs on past the end of
  /// the program.
  void aBusyWorkerIsWaitedForAtTheEnd() {
    std::atomic<bool> begun = false, done = false;
    {
      auto* worker = new QObject;
      const WorkerThread thread(QStringLiteral("busy"), worker);
      tell(worker, [&] {
        begun = true;
        QThread::msleep(400);
        done = true;
      });
      QVERIFY(test::waitUntil([&] { return begun.load(); }));
    }
    QVERIFY(!done);
    QVERIFY(!waitForWorkers(QDeadlineTimer(1)));
    QVERIFY(waitForWorkers(QDeadlineTimer(30'000)));
    QVERIFY(done);
    QVERIFY(waitForWorkers(QDeadlineTimer(0)));
  }

  void aFeedLoadsAndThenFollows() {
    const test::TemporaryHome home;
    WrittenRun run(runsOf(home));
    run.state(RunState::Running);
    run.steps(0, 1000);
    run.log->sync();
    RunFeed feed(run.id(), run.folder.path());
    int rewritten = 0;
    connect(&feed, &RunFeed::rewritten, this, [&] { ++rewritten; });
    QVERIFY(waitUntil([&] { return feed.loaded(); }));
    QCOMPARE(feed.history().rows(), 1000u);
    QVERIFY(feed.folder() && feed.spec());
    QCOMPARE(feed.spec()->run.name, std::string("small"));
    QVERIFY(feed.error().isEmpty());

    run.steps(1000, 1500);
    run.log->sync();
    QVERIFY(waitUntil([&] { return feed.history().rows() == 1500; }));
    QCOMPARE(feed.status().step, 1499);
    QCOMPARE(rewritten, 0);

    run.log->append(ResumeEvent{1199, 1200 * 2048, {}});
    run.steps(1200, 1210);
    run.log->sync();
    QVERIFY(waitUntil([&] { return feed.history().rows() == 1210; }));
    QCOMPARE(rewritten, 1);
    QCOMPARE(feed.history().step.back(), 1209);

    QSignalSpy judged(&feed, &RunFeed::statusChanged);
    run.state(RunState::Finished);
    run.log->sync();
    QVERIFY(waitUntil([&] { return feed.status().state == RunState::Finished; }));
    QCOMPARE(judged.size(), 1);
  }

  void aPausedFeedSaysNothingUntilItGoesOn() {
    const test::TemporaryHome home;
    WrittenRun run(runsOf(home));
    run.steps(0, 10);
    run.log->sync();
    RunFeed feed(run.id(), run.folder.path());
    QVERIFY(waitUntil([&] { return feed.loaded(); }));
    feed.setCadence(0);
    QTest::qWait(300);
    QSignalSpy changed(&feed, &RunFeed::changed);
    run.steps(10, 20);
    run.log->sync();
    QTest::qWait(400);
    QCOMPARE(changed.size(), 0);
    feed.setCadence(10);
    QVERIFY(waitUntil([&] { return feed.history().rows() == 20; }));
  }

  void aBurstComesInFewBatches() {
    const test::TemporaryHome home;
    WrittenRun run(runsOf(home));
    run.log->sync();
    RunFeed feed(run.id(), run.folder.path());
    QVERIFY(waitUntil([&] { return feed.loaded(); }));
    QSignalSpy changed(&feed, &RunFeed::changed);
    QElapsedTimer timer;
    timer.start();
    run.steps(0, 30'000);
    run.log->sync();
    QVERIFY(waitUntil([&] { return feed.history().rows() == 30'000; }, 20'000));
    const auto allowed = timer.elapsed() / 100 + 3;  // ten a second
    QVERIFY2(changed.size() <= allowed, qPrintable(QString::number(changed.size())));
  }

  void expertsAreReadOnDemand() {
    const test::TemporaryHome home;
    WrittenRun run(runsOf(home));
    for (int s = 0; s < 100; ++s) {
      run.steps(s, s + 1);
      if (s % 10 == 5) run.experts(s);
    }
    run.log->sync();
    RunFeed feed(run.id(), run.folder.path());
    std::map<std::int64_t, std::shared_ptr<const ExpertsEvent>> answers;
    connect(&feed, &RunFeed::expertsReady, this,
            [&](std::int64_t step, const std::shared_ptr<const ExpertsEvent>& experts) {
              answers[step] = experts;
            });
    QVERIFY(waitUntil([&] { return feed.loaded(); }));
    QCOMPARE(feed.history().expert_steps.size(), 10u);
    QCOMPARE(feed.history().moe_layers, 3);
    QCOMPARE(feed.history().experts, 16);
    for (const std::int64_t step : {-1, 4, 5, 14, 15, 1000}) feed.requestExperts(step);
    QVERIFY(waitUntil([&] { return answers.size() == 6; }));
    QVERIFY(!answers[4]);
    QCOMPARE(answers[-1]->step, 95);
    QCOMPARE(answers[5]->step, 5);
    QCOMPARE(answers[14]->step, 5);
    QCOMPARE(answers[15]->step, 15);
    QCOMPARE(answers[1000]->step, 95);
    const ExpertsEvent expected = test::expertsEvent(15, 3, 16);
    QCOMPARE(answers[15]->counts, expected.counts);
    QCOMPARE(answers[15]->biases, expected.biases);

    // What a resume undid is not found any more, and what came instead is.
    run.log->append(ResumeEvent{19, 0, {}});
    run.steps(20, 21);
    run.experts(20);
    run.log->sync();
    QVERIFY(waitUntil([&] { return feed.history().expert_steps.back() == 20; }));
    answers.clear();
    feed.requestExperts(95);
    QVERIFY(waitUntil([&] { return answers.size() == 1; }));
    QCOMPARE(answers[95]->step, 20);
  }

  void scrubbingAnswersTheLastOfManyRequests() {
    const test::TemporaryHome home;
    WrittenRun run(runsOf(home));
    for (int s = 0; s < 300; ++s) run.experts(s, 58, 256);
    run.log->sync();
    RunFeed feed(run.id(), run.folder.path());
    QVERIFY(waitUntil([&] { return feed.loaded(); }, 20'000));
    std::int64_t last = -1;
    int answers = 0;
    connect(&feed, &RunFeed::expertsReady, this,
            [&](std::int64_t, const std::shared_ptr<const ExpertsEvent>& experts) {
              last = experts->step;
              ++answers;
            });
    bool sawLast = false;
    connect(&feed, &RunFeed::expertsReady, this,
            [&](std::int64_t step, const std::shared_ptr<const ExpertsEvent>&) {
              sawLast |= step == 299;
            });
    for (int s = 0; s < 300; ++s) feed.requestExperts(s);
    QVERIFY(waitUntil([&] { return sawLast; }));
    QVERIFY(answers < 300);
  }

  void aBiasFanHoldsOneLayer() {
    const test::TemporaryHome home;
    WrittenRun run(runsOf(home));
    for (int s = 0; s < 200; ++s) run.experts(s);
    run.log->sync();
    RunFeed feed(run.id(), run.folder.path());
    QVERIFY(waitUntil([&] { return feed.loaded(); }));
    std::map<int, std::shared_ptr<const std::vector<ExpertsEvent>>> fans;
    connect(&feed, &RunFeed::biasFanReady, this,
            [&](int layer, const std::shared_ptr<const std::vector<ExpertsEvent>>& points) {
              fans[layer] = points;
            });
    feed.requestBiasFan(1, 50, 149, 11);
    feed.requestBiasFan(2, 0, 1000, 5000);
    feed.requestBiasFan(7, 0, 1000, 10);
    QVERIFY(waitUntil([&] { return fans.size() == 3; }));
    QCOMPARE(fans[1]->size(), 11u);
    QCOMPARE(fans[1]->front().step, 50);
    QCOMPARE(fans[1]->back().step, 149);
    QCOMPARE(fans[1]->front().layers, 1);
    QCOMPARE(fans[1]->front().counts.front(), 50 * 1000 + 16);
    QCOMPARE(fans[2]->size(), 200u);
    QVERIFY(fans[7]->empty());  // there is no such layer
  }

  void aLogThatWasReplacedIsReadAnew() {
    const test::TemporaryHome home;
    WrittenRun run(runsOf(home));
    run.steps(0, 100);
    run.log->sync();
    RunFeed feed(run.id(), run.folder.path());
    QVERIFY(waitUntil([&] { return feed.loaded(); }));
    QSignalSpy rewritten(&feed, &RunFeed::rewritten);
    run.log.reset();
    std::filesystem::remove(run.folder.events_path());
    run.log = std::make_unique<EventWriter>(run.folder.events_path());
    run.steps(0, 7);
    run.log->sync();
    QVERIFY(waitUntil([&] { return feed.history().rows() == 7; }));
    QCOMPARE(rewritten.size(), 1);
  }

  void aFolderThatIsMissingOrSpoiltIsTold() {
    const test::TemporaryHome home;
    RunFeed missing("nowhere", runsOf(home) / "nowhere");
    QVERIFY(waitUntil([&] { return !missing.error().isEmpty(); }));
    QVERIFY(missing.error().contains("does not exist"));
    QVERIFY(!missing.folder());

    WrittenRun run(runsOf(home));
    run.log.reset();
    std::ofstream(run.folder.events_path()) << std::string(200, 'x');
    RunFeed spoilt(run.id(), run.folder.path());
    QVERIFY(waitUntil([&] { return spoilt.error().contains("is not an event log"); }));

    WrittenRun other(runsOf(home), "other");
    std::ofstream(other.folder.spec_path()) << "[model]\nhidden_sise = 5\n";
    other.steps(0, 3);
    other.log->sync();
    RunFeed unclear(other.id(), other.folder.path());
    QVERIFY(waitUntil([&] { return unclear.loaded(); }));
    QVERIFY(!unclear.spec());
    QVERIFY(unclear.error().contains("hidden_sise"));
    QCOMPARE(unclear.history().rows(), 3u);
  }

  void theStoreFindsRunsAndSharesTheirFeeds() {
    const test::TemporaryHome home;
    const auto first = test::finishedRun(runsOf(home), "first");
    RunStore store;
    QVERIFY(waitUntil([&] { return store.runs()->size() == 1; }));
    QVERIFY(store.loaded());
    const RunRow* row = store.run(first.id());
    QVERIFY(row);
    QCOMPARE(row->state, RunState::Finished);
    QCOMPARE(row->tokens_per_second, 5000.0);
    QVERIFY(!store.run("nobody"));
    QVERIFY(!store.feed("nobody"));

    auto feed = store.feed(first.id());
    QVERIFY(feed);
    QCOMPARE(store.feed(first.id()), feed);
    const RunFeed* address = feed.get();
    Q_UNUSED(address);
    feed.reset();
    QVERIFY(store.feed(first.id()));

    const auto second = test::finishedRun(runsOf(home), "second");
    QVERIFY(waitUntil([&] { return store.runs()->size() == 2; }));
  }

  void aDeadTrainerIsFailedWithItsReason() {
    const test::TemporaryHome home;
    WrittenRun run(runsOf(home), "killed");
    run.state(RunState::Running);
    run.steps(0, 5);
    run.log->sync();
    ProcessId gone = this_process();
    gone.start_ticks += 1;  // another process of the same number, long ago
    std::ofstream(run.folder.path() / "process.json")
        << "{\"pid\":" << gone.pid << ",\"start_ticks\":" << gone.start_ticks << ",\"host\":\""
        << gone.host << "\",\"boot_id\":\"" << gone.boot_id << "\",\"pid_namespace\":\""
        << gone.pid_namespace << "\"}";
    RunStore store;
    QVERIFY(waitUntil([&] { return store.run(run.id()); }));
    QCOMPARE(store.run(run.id())->state, RunState::Failed);
    QVERIFY(store.run(run.id())->reason.find("gone without a last word") != std::string::npos);
  }

  void anotherHostThatIsSilentHasLostContact() {
    const test::TemporaryHome home;
    WrittenRun run(runsOf(home), "far");
    std::ofstream(run.folder.path() / "process.json")
        << R"({"pid":1,"start_ticks":1,"host":"elsewhere","boot_id":"b","pid_namespace":"n"})";
    std::filesystem::last_write_time(
        run.folder.path() / "process.json",
        std::filesystem::file_time_type::clock::now() - std::chrono::hours(2));
    RunStore store;
    QVERIFY(waitUntil([&] { return store.run(run.id()); }));
    QCOMPARE(store.run(run.id())->state, RunState::LostContact);
    QCOMPARE(store.run(run.id())->reason, std::string("no word from elsewhere for 2 h"));
  }

  void wordsAreShownAtOnceAndKept() {
    const test::TemporaryHome home;
    const auto run = test::finishedRun(runsOf(home), "words");
    {
      RunStore store;
      QVERIFY(waitUntil([&] { return store.run(run.id()); }));
      QSignalSpy failed(&store, &RunStore::failed);
      store.setTags(run.id(), {"fast", "night"});
      QCOMPARE(store.run(run.id())->tags, (std::vector<std::string>{"fast", "night"}));
      store.setNotes(run.id(), "two\nlines");
      store.setName(run.id(), "other");
      store.setArchived(run.id(), true);
      // No answer of the worker may bring an old value back for a moment.
      connect(&store, &RunStore::runsChanged, this, [&] {
        QVERIFY(store.run(run.id())->archived);
        QCOMPARE(store.run(run.id())->name, std::string("other"));
      });
      QVERIFY(QFile::exists(QString::fromStdString((run.folder.path() / "run.toml").string())));
      QVERIFY(waitUntil([&] {
        return QFile::exists(QString::fromStdString((run.folder.path() / "about.json").string()));
      }));
      QTest::qWait(500);
      QCOMPARE(failed.size(), 0);
    }
    RunStore again;
    QVERIFY(waitUntil([&] { return again.run(run.id()); }));
    QCOMPARE(again.run(run.id())->notes, std::string("two\nlines"));
    QVERIFY(again.run(run.id())->archived);
  }

  void whatWasRemovedComesBack() {
    const test::TemporaryHome home;
    const auto run = test::finishedRun(runsOf(home), "gone");
    RunStore store;
    QVERIFY(waitUntil([&] { return store.run(run.id()); }));
    QSignalSpy removed(&store, &RunStore::removed), failed(&store, &RunStore::failed);
    store.remove(run.id());
    QVERIFY(waitUntil([&] { return removed.size() + failed.size() == 1; }));
    QCOMPARE(failed.size(), 0);
    QCOMPARE(removed[0][1].toString(), "gone");
    QVERIFY(!store.run(run.id()) || waitUntil([&] { return !store.run(run.id()); }));
    QVERIFY(!std::filesystem::exists(run.folder.path()));
    store.restore(run.id());
    QVERIFY(waitUntil([&] { return store.run(run.id()); }));
    QVERIFY(RunFolder::is_run(run.folder.path()));
    QCOMPARE(store.run(run.id())->step, 19);
  }

  void aRunThatIsRunningIsNotRemoved() {
    const test::TemporaryHome home;
    WrittenRun run(runsOf(home), "busy");
    const RunLock lock(run.folder);
    run.state(RunState::Running);
    run.steps(0, 3);
    run.log->sync();
    RunStore store;
    QVERIFY(waitUntil([&] { return store.run(run.id()); }));
    QCOMPARE(store.run(run.id())->state, RunState::Running);
    QSignalSpy failed(&store, &RunStore::failed);
    store.remove(run.id());
    QVERIFY(waitUntil([&] { return failed.size() == 1; }));
    QVERIFY(failed[0][0].toString().contains("is running"));
    QVERIFY(RunFolder::is_run(run.folder.path()));
    QVERIFY(store.run(run.id()));

    // And it is followed without anybody asking.
    run.steps(3, 9);
    run.log->sync();
    QVERIFY(waitUntil([&] { return store.run(run.id())->step == 8; }));
  }

  void aWorkerThatIsSlowToEndHoldsUpNothing() {
    const auto stalls = application().stalls().size();
    std::atomic<bool> gone = false;
    QPointer<QThread> thread;
    {
      auto* worker = new SlowToEnd(&gone);
      const WorkerThread running(QStringLiteral("slow"), worker);
      thread = worker->thread();
    }
    QVERIFY(waitUntil([&] { return !thread; }));
    QVERIFY(gone);
    QVERIFY2(application().stalls().size() == stalls, "deleting the thread waited for its end");
  }

  void aDamagedLibraryIsTold() {
    const test::TemporaryHome home;
    const auto run = test::finishedRun(runsOf(home), "safe");
    std::ofstream((home.home() + "/library.db").toStdString()) << std::string(9000, 'z');
    RunStore store;
    QSignalSpy recovered(&store, &RunStore::recovered);
    QVERIFY(waitUntil([&] { return store.run(run.id()); }));
    QVERIFY(waitUntil([&] { return recovered.size() == 1; }));
    QVERIFY(recovered[0][0].toString().contains("no run is lost"));
  }

 private:
  QTemporaryDir m_data;
};

TESSERA_UI_MAIN(BridgeTest)
#include "bridge_test.moc"
