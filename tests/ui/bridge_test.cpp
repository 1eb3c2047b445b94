// SPDX-License-Identifier: MIT
// Links: tessera_ui_bridge
// Series and histories against plain loops; feeds and the store against files that are being
// written.
#include <QDir>
#include <QFile>
#include <QPointer>
#include <QThread>
#include <atomic>
#include <cmath>
#include <random>

#include "tests/ui/harness.h"
#include "tests/ui/run_files.h"
#include "ui/bridge/desktop/worker_thread.h"
#include "ui/bridge/runs/run_history.h"
#include "ui/bridge/runs/run_store.h"

using namespace tessera;
using namespace tessera::ui;
using test::application;
using test::waitUntil;
using test::WrittenRun;

namespace {
Bucket plainBucket(const std::vector<float>& values, std::size_t from, std::size_t to) {
  Bucket b;
  for (std::size_t i = from; i < to; ++i) b.add(values[i]);
  return b;
}

bool equal(float a, float b) {
  return a == b || (std::isnan(a) && std::isnan(b));
}

bool sameBucket(const Bucket& a, const Bucket& b) {
  return equal(a.min, b.min) && equal(a.max, b.max) && equal(a.first, b.first) &&
         equal(a.last, b.last) && a.values == b.values && a.missing == b.missing &&
         std::abs(a.sum - b.sum) <= 1e-9 * (1 + std::abs(b.sum));
}

std::vector<float> someValues(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<float> values(count);
  for (float& v : values) {
    const auto r = random();
    v = r % 53 == 0   ? std::nanf("")
        : r % 59 == 0 ? INFINITY
                      : static_cast<float>(r % 10007) * 0.25f - 1000;
  }
  return values;
}

Event at(double time, EventBody body) {
  static std::uint64_t sequence = 0;
  return {++sequence, time, std::move(body)};
}

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

  void everyBucketIsThatOfAPlainLoop() {
    std::mt19937 random(7);
    for (const std::size_t size : {0u, 1u, 15u, 16u, 17u, 255u, 256u, 257u, 5000u, 70'000u}) {
      const auto values = someValues(size, static_cast<unsigned>(size));
      Series assigned, appended;
      assigned.assign(values);
      for (const float v : values) appended.append(v);
      for (int i = 0; i < 400; ++i) {
        std::size_t from = size ? random() % (size + 1) : 0, to = size ? random() % (size + 1) : 0;
        if (from > to) std::swap(from, to);
        const Bucket expected = plainBucket(values, from, to);
        QVERIFY(sameBucket(assigned.bucket(from, to), expected));
        QVERIFY(sameBucket(appended.bucket(from, to), expected));
      }
      QVERIFY(sameBucket(assigned.bucket(0, size + 100), plainBucket(values, 0, size)));
    }
  }

  void truncatedSeriesGrowOnAsIfNothingHadBeen() {
    auto values = someValues(10'000, 3);
    Series series;
    series.assign(values);
    for (const std::size_t kept : {9'999u, 4'097u, 4'096u, 17u, 0u}) {
      series.truncate(kept);
      values.resize(kept);
      QCOMPARE(series.size(), kept);
      for (const float v : someValues(600, static_cast<unsigned>(kept))) {
        series.append(v);
        values.push_back(v);
      }
      for (std::size_t from = 0; from < values.size(); from += 97) {
        QVERIFY(sameBucket(series.bucket(from, values.size()),
                           plainBucket(values, from, values.size())));
      }
    }
  }

  void aSpikeOfOneSampleIsInItsBucket() {
    std::vector<float> values(1'000'000, 2.0f);
    values[654'321] = 99;
    values[654'322] = std::nanf("");
    Series series;
    series.assign(std::move(values));
    const Bucket all = series.bucket(0, series.size());
    QCOMPARE(all.max, 99.0f);
    QCOMPARE(all.missing, 1u);
    QCOMPARE(series.bucket(654'321, 654'322).max, 99.0f);
  }

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

  void everyMetricHasARow() {
    QSet<QString> ids;
    for (int m = 0; m < static_cast<int>(Metric::Count); ++m) {
      const MetricInfo& info = metric_info(static_cast<Metric>(m));
      QVERIFY(*info.id && *info.title && *info.term);
      ids.insert(info.id);
    }
    QCOMPARE(ids.size(), static_cast<int>(Metric::Count));
  }

  void aHistoryLeavesOutWhatWasUndone() {
    RunHistory h;
    for (int s = 0; s < 50; ++s) {
      QVERIFY(!h.take(at(s, test::stepEvent(s, 5 - 0.01 * s))));
      if (s % 10 == 0) QVERIFY(!h.take(at(s, test::expertsEvent(s, 2, 4))));
    }
    ValidationEvent validation;
    validation.step = 49;
    h.take(at(50, validation));
    CheckpointEvent checkpoint;
    checkpoint.step = 29;
    h.take(at(50, checkpoint));
    QCOMPARE(h.rows(), 50u);
    QCOMPARE(h.metric(Metric::Mfu).at(0), 41.0f);
    QCOMPARE(h.metric(Metric::MaxVio).at(0), 0.75f);
    QCOMPARE(h.layerMaxVio.size(), 3u);
    QCOMPARE(h.expertSteps, (std::vector<std::int64_t>{0, 10, 20, 30, 40}));
    QCOMPARE(h.rowOfStep(-1), -1);
    QCOMPARE(h.rowOfStep(20), 20);
    QCOMPARE(h.rowOfStep(1000), 49);

    QVERIFY(h.take(at(60, ResumeEvent{29, 30 * 2048, "checkpoints/step-30"})));
    QCOMPARE(h.rows(), 30u);
    QCOMPARE(h.step.back(), 29);
    QCOMPARE(h.metric(Metric::Loss).size(), 30u);
    QCOMPARE(h.layerMaxVio[2].size(), 30u);
    QVERIFY(h.validations.empty());
    QCOMPARE(h.checkpoints.size(), 1u);
    QCOMPARE(h.expertSteps.size(), 3u);
    QCOMPARE(h.story.size(), 1u);

    h.take(at(61, test::stepEvent(30, 4)));
    QVERIFY(!h.take(at(62, RollbackEvent{30, 40, 0, {}})));  // nothing lies behind it
    QVERIFY(h.take(at(63, RollbackEvent{30, 9, 2, {}})));
    QCOMPARE(h.rows(), 10u);
    // A log that lost its resume event must not bend the axis back.
    QVERIFY(h.take(at(64, test::stepEvent(5, 4))));
    QCOMPARE(h.step.back(), 5);
    QCOMPARE(h.rows(), 6u);
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
    QCOMPARE(feed.history().expertSteps.size(), 10u);
    QCOMPARE(feed.history().moeLayers, 3);
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
    QVERIFY(waitUntil([&] { return feed.history().expertSteps.back() == 20; }));
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
