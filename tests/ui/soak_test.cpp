// SPDX-License-Identifier: MIT
// Links: tessera_ui_models
// Slow
// A day of telemetry in a few minutes: a run that logs a step a second, experts every tenth, a
// validation, a sample and messages now and then, and that is rolled back and resumed. What the
// studio keeps of it must be what the log holds, and memory must grow by the rows alone.
#include <malloc.h>

#include <QFile>
#include <QTimer>

#include "tests/ui/harness.h"
#include "tests/ui/run_files.h"
#include "ui/bridge/runs/run_store.h"
#include "ui/models/feed_models.h"
#include "ui/models/runs_proxy.h"

using namespace tessera;
using namespace tessera::ui;
using test::waitUntil;
using test::WrittenRun;

namespace {
constexpr std::int64_t kDay = 24 * 3600;
constexpr int kLayers = 12, kExperts = 64;

/// Memory of this process that is its own, in bytes.
qint64 residentBytes() {
  ::malloc_trim(0);
  QFile file("/proc/self/statm");
  if (!file.open(QIODevice::ReadOnly)) return 0;
  return file.readAll().split(' ')[1].toLongLong() * 4096;
}
}  // namespace

class SoakTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void aDayOfTelemetryLeavesMemoryFlat() {
    const test::TemporaryHome home;
    WrittenRun run(home.runs().toStdString(), "day");
    const RunLock lock(run.folder);
    run.state(RunState::Running);
    run.log->sync();
    RunStore store;
    RunsModel model;
    RunsProxy proxy(model);
    connect(&store, &RunStore::runsChanged, &model, [&] { model.setRows(store.runs()); });
    QVERIFY(waitUntil([&] { return store.run(run.id()); }));
    auto feed = store.feed(run.id());
    CheckpointsModel checkpoints;
    SamplesModel samples;
    checkpoints.setFeed(feed);
    samples.setFeed(feed);
    QVERIFY(waitUntil([&] { return feed->loaded(); }));
    int expertsSeen = 0;
    connect(
        feed.get(), &RunFeed::expertsReady, this,
        [&](std::int64_t, const std::shared_ptr<const ExpertsEvent>& e) { expertsSeen += !!e; });
    QTimer looks;  // somebody scrubs all the while
    connect(&looks, &QTimer::timeout, this, [&] {
      feed->requestExperts(-1);
      feed->requestBiasFan(3, 0, kDay, 200);
    });
    looks.start(100);

    std::int64_t step = 0;
    qint64 afterAnHour = 0;
    std::size_t rowsAfterAnHour = 0;
    while (step < kDay) {
      const std::int64_t until = std::min(step + 600, kDay);
      {
        const test::WatchPause writing;
        for (; step < until; ++step) writeStep(run, step);
        if (step == 12 * 3600) {
          run.log->append(RollbackEvent{step - 1, step - 1000, 5, {}});
          step -= 999;
        }
        run.log->sync();
      }
      QVERIFY(waitUntil(
          [&] { return !feed->history().step.empty() && feed->history().step.back() == step - 1; },
          30'000));
      if (afterAnHour == 0 && step >= 3 * 3600) {
        afterAnHour = residentBytes();
        rowsAfterAnHour = feed->history().rows();
      }
    }
    looks.stop();
    const RunHistory& h = feed->history();
    QCOMPARE(h.rows(), static_cast<std::size_t>(kDay));
    for (std::size_t i = 0; i < h.rows(); ++i) QCOMPARE(h.step[i], static_cast<std::int64_t>(i));
    QCOMPARE(h.metric(Metric::Loss).at(77'777), lossOf(77'777));
    QCOMPARE(samples.rowCount(), static_cast<int>(h.samples.size()));
    QVERIFY(expertsSeen > 100);
    QVERIFY(waitUntil([&] { return store.run(run.id())->step == kDay - 1; }, 20'000));
    QCOMPARE(proxy.rowCount(), 1);

    // 14 metrics and the layers' MaxVio in floats with their pyramid, three columns of 8 bytes; and
    // vectors that hold up to twice of what is in them.
    const double perRow = 2.0 * ((14 + kLayers) * 4 * 1.7 + 24);
    const double rows = static_cast<double>(h.rows() - rowsAfterAnHour);
    const qint64 grown = residentBytes() - afterAnHour;
    std::printf(
        "  a day: %lld MB resident, %lld MB more than after three hours (%.0f MB of rows)\n",
        static_cast<long long>(residentBytes() >> 20), static_cast<long long>(grown >> 20),
        rows * perRow / (1 << 20));
    QVERIFY2(static_cast<double>(grown) < rows * perRow + (24 << 20),
             qPrintable(QString::number(grown)));
  }

  void aThousandStoredRunsAreThereAtOnce() {
    const test::TemporaryHome home;
    const std::filesystem::path runs = home.runs().toStdString();
    {
      const auto first = test::finishedRun(runs, "run", 50);
      for (int i = 1; i < 1000; ++i) {
        std::filesystem::copy(first.folder.path(), runs / ("copy-" + std::to_string(i)),
                              std::filesystem::copy_options::recursive);
      }
    }
    const auto timed = [&](const char* what) {
      QElapsedTimer timer;
      timer.start();
      RunStore store;
      RunsModel model;
      RunsProxy proxy(model);
      connect(&store, &RunStore::runsChanged, &model, [&] { model.setRows(store.runs()); });
      qint64 first = -1;
      const bool all = waitUntil(
          [&] {
            if (first < 0 && store.loaded()) first = timer.elapsed();
            return proxy.rowCount() == 1000;
          },
          60'000);
      std::printf("  1000 runs, %s: first rows after %lld ms, all after %lld ms\n", what,
                  static_cast<long long>(first), static_cast<long long>(timer.elapsed()));
      return all;
    };
    QVERIFY(timed("without a library"));
    QVERIFY(timed("from the library"));
  }

 private:
  static float lossOf(std::int64_t step) {
    return static_cast<float>(2 + 6 * std::exp(-1e-4 * static_cast<double>(step)));
  }

  static void writeStep(WrittenRun& run, std::int64_t step) {
    StepEvent e = test::stepEvent(step, static_cast<double>(lossOf(step)));
    e.max_vio.assign(kLayers, 0.5f);
    run.log->append(e);
    if (step % 10 == 0) run.experts(step, kLayers, kExperts);
    if (step % 5 == 0) {
      const ProcessId self = this_process();
      run.log->append(HeartbeatEvent{self.pid, self.host, self.boot_id, RunState::Running, step});
    }
    if (step % 500 == 0) {
      ValidationEvent v;
      v.step = step;
      v.loss = 3;
      v.sources = {{"web", 3}};
      run.log->append(v);
      SampleEvent s;
      s.step = step;
      s.text = std::string(300, 'x');
      run.log->append(s);
      run.log->append(MessageEvent{"info", "validated", 0});
    }
  }
};

TESSERA_UI_MAIN(SoakTest)
#include "soak_test.moc"
