// SPDX-License-Identifier: MIT
// Links: tessera_ui_bridge
// Real runs of the program, each a few steps of a tiny model: started, stopped, killed, resumed,
// forked, queued; and a starter that is killed while its run goes on.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <QCoreApplication>
#include <QDir>
#include <QFileInfo>
#include <QProcess>
#include <fstream>

#include "core/launch/queue_file.h"
#include "tests/build_paths.h"
#include "tests/ui/harness.h"
#include "tests/ui/real_runs.h"
#include "tests/ui/run_files.h"
#include "ui/bridge/launch/launcher.h"
#include "ui/bridge/runs/run_store.h"

using namespace tessera;
using namespace tessera::ui;
using test::specText;
using test::waitUntil;
using test::writeWords;

namespace {
constexpr int kLong = 60'000;

/// What the starter that is killed does: starts a run, says its id, and waits to be killed.
int startAndWait(int argc, char** argv) {
  QCoreApplication app(argc, argv);
  QFile spec(QString::fromLocal8Bit(argv[2]));
  if (!spec.open(QIODevice::ReadOnly)) return 1;
  Launcher launcher;
  QObject::connect(&launcher, &Launcher::started, &app, [](const QString&, const QString& id) {
    std::printf("%s\n", qPrintable(id));
    std::fflush(stdout);
  });
  QObject::connect(&launcher, &Launcher::startFailed, &app,
                   [](const QString&, const QString& message) {
                     std::printf("failed: %s\n", qPrintable(message));
                     std::fflush(stdout);
                   });
  launcher.start(QString::fromUtf8(spec.readAll()));
  return QCoreApplication::exec();
}
}  // namespace

class LauncherTest : public QObject {
  Q_OBJECT

  /// A launcher with what it says.
  struct Fixture {
    test::TemporaryHome home;
    QString words = home.home() + "/words.jsonl";
    Launcher launcher;
    QSignalSpy started{&launcher, &Launcher::started};
    QSignalSpy startFailed{&launcher, &Launcher::startFailed};
    QSignalSpy ended{&launcher, &Launcher::ended};
    QSignalSpy controlFailed{&launcher, &Launcher::controlFailed};
    QSignalSpy queueFailed{&launcher, &Launcher::queueFailed};

    Fixture() { writeWords(words); }
    ~Fixture() { test::killRuns(home.runs()); }
    QString spec(const std::string& name, std::int64_t steps) const {
      return specText(words, name, steps);
    }
    RunFolder folder(const QString& id) const {
      return RunFolder::open((home.runs() + '/' + id).toStdString());
    }
    RunStatus status(const QString& id) const { return status_of(folder(id)); }
    /// The id of the run that the last start() led to; empty where it failed.
    QString idOfStart() {
      if (!waitUntil([&] { return started.size() + startFailed.size() > 0; }, kLong)) return {};
      if (!startFailed.isEmpty()) {
        qWarning("%s", qPrintable(startFailed[0][1].toString()));
        return {};
      }
      return started.takeLast()[1].toString();
    }
    bool reaches(const QString& id, std::int64_t step) {
      return waitUntil([&] { return status(id).step >= step; }, kLong);
    }
  };

 private Q_SLOTS:
  void initTestCase() {
    const QFileInfo program(TESSERA_PROGRAM);
    QVERIFY2(program.isExecutable(), TESSERA_PROGRAM);
    qputenv("PATH", program.path().toLocal8Bit() + ':' + qgetenv("PATH"));
    QCOMPARE(Launcher::program(), program.filePath());
  }

  void problemsOfASpecAreToldInFull() {
    Fixture f;
    f.launcher.start("[model]\nhidden_sise = 5\nvocab_size = -3\n", "mine");
    QVERIFY(waitUntil([&] { return f.startFailed.size() == 1; }));
    QCOMPARE(f.startFailed[0][0].toString(), "mine");
    const QString text = f.startFailed[0][1].toString();
    QVERIFY2(text.contains("hidden_sise") && text.contains("did you mean"), qPrintable(text));
    QVERIFY2(text.contains("vocab_size"), qPrintable(text));
    QVERIFY(QDir(f.home.runs()).isEmpty());
  }

  void aProgramThatRefusesIsQuoted() {
    Fixture f;
    f.launcher.resume("no-such-run");
    QVERIFY(waitUntil([&] { return f.startFailed.size() == 1; }));
    QVERIFY(f.startFailed[0][1].toString().contains("there is no run"));

    // A run of another process: the program itself finds that out.
    test::WrittenRun run(f.home.runs().toStdString(), "held");
    const RunLock lock(run.folder);
    f.launcher.resume(run.id());
    QVERIFY(waitUntil([&] { return f.startFailed.size() == 2; }, kLong));
    const QString text = f.startFailed[1][1].toString();
    QVERIFY2(text.contains("is in use by process"), qPrintable(text));
    QVERIFY(!text.startsWith("tessera:"));
  }

  void aRunGoesToItsEnd() {
    Fixture f;
    f.launcher.start(f.spec("short", 6), "tag");
    const QString id = f.idOfStart();
    QVERIFY(id.startsWith("short-"));
    QVERIFY(waitUntil([&] { return f.ended.size() == 1; }, kLong));
    QCOMPARE(f.ended[0][0].toString(), id);
    QCOMPARE(f.ended[0][1].toInt(), 0);
    QCOMPARE(f.status(id).state, RunState::Finished);
    QVERIFY(std::filesystem::exists(f.folder(id).path() / "log" / "console.log"));
    QVERIFY(QDir(f.home.home() + "/launches").isEmpty());
    f.launcher.control(id, Control::Pause);
    QVERIFY(waitUntil([&] { return f.controlFailed.size() == 1; }));
    QVERIFY(f.controlFailed[0][1].toString().contains("is not running: it is finished"));
  }

  void aRunPausesSavesAndStops() {
    Fixture f;
    f.launcher.start(f.spec("long", 1'000'000));
    const QString id = f.idOfStart();
    QVERIFY(f.reaches(id, 2));
    QVERIFY(waitUntil([&] { return f.launcher.localRun() == id; }, kLong));
    f.launcher.control(id, Control::Pause);
    QVERIFY(waitUntil([&] { return f.status(id).state == RunState::Paused; }, kLong));
    f.launcher.control(id, Control::Resume);
    QVERIFY(waitUntil([&] { return f.status(id).state == RunState::Running; }, kLong));
    f.launcher.control(id, Control::StopSaving);
    QVERIFY(waitUntil([&] { return f.ended.size() == 1; }, kLong));
    QCOMPARE(f.status(id).state, RunState::Stopped);
    QVERIFY(f.status(id).can_resume);
    QVERIFY(waitUntil([&] { return f.launcher.localRun().isEmpty(); }, kLong));
  }

  void aKilledTrainerIsFailedAndResumedByOneCall() {
    Fixture f;
    RunStore store;
    f.launcher.start(f.spec("killed", 1'000'000));
    const QString id = f.idOfStart();
    QVERIFY(f.reaches(id, 12));
    const auto process = process_of(f.folder(id));
    QVERIFY(process);
    QCOMPARE(::kill(static_cast<pid_t>(process->pid), SIGKILL), 0);
    QVERIFY(waitUntil([&] { return f.ended.size() == 1; }, kLong));
    QCOMPARE(f.ended[0][1].toInt(), 128 + SIGKILL);
    QVERIFY(waitUntil([&] { return store.run(id) && store.run(id)->state == RunState::Failed; }));
    QVERIFY(store.run(id)->reason.find("killed by signal 9") != std::string::npos);
    QVERIFY(f.status(id).can_resume);

    f.launcher.resume(id);
    QCOMPARE(f.idOfStart(), id);
    QVERIFY(f.reaches(id, 20));
    QVERIFY(waitUntil([&] { return !is_final(store.run(id)->state); }));
    f.launcher.control(id, Control::StopNow);
    QVERIFY(waitUntil([&] { return f.ended.size() == 2; }, kLong));
    QCOMPARE(f.status(id).state, RunState::Stopped);
  }

  void aForkTakesAnotherSpecAndACheckpointOfOnesChoice() {
    Fixture f;
    f.launcher.start(f.spec("parent", 12));
    const QString parent = f.idOfStart();
    QVERIFY(waitUntil([&] { return f.ended.size() == 1; }, kLong));
    f.launcher.fork(parent, 4, f.spec("child", 15));
    const QString child = f.idOfStart();
    QVERIFY(child.startsWith("child-"));
    QVERIFY(waitUntil([&] { return f.ended.size() == 2; }, kLong));
    QCOMPARE(f.status(child).state, RunState::Finished);
    QCOMPARE(f.status(child).step, 14);
    const auto lineage = f.folder(child).lineage();
    QVERIFY(lineage);
    QCOMPARE(QString::fromStdString(lineage->parent), parent);
    QCOMPARE(lineage->step, 5);

    f.launcher.fork(parent, 7, f.spec("child", 15));
    QVERIFY(waitUntil([&] { return f.startFailed.size() == 1; }, kLong));
    const QString text = f.startFailed[0][1].toString();
    QVERIFY2(text.contains("no whole checkpoint after step 7"), qPrintable(text));
  }

  void aRunOutlivesAStarterThatIsKilled() {
    Fixture f;
    const QString file = f.home.home() + "/spec.toml";
    std::ofstream(file.toStdString()) << f.spec("orphan", 1'000'000).toStdString();
    QProcess starter;
    starter.start(QCoreApplication::applicationFilePath(), {"--start-and-wait", file});
    QByteArray said;
    QVERIFY(
        waitUntil([&] { return (said += starter.readAllStandardOutput()).contains('\n'); }, kLong));
    const QString id = QString::fromUtf8(said).trimmed();
    QVERIFY2(id.startsWith("orphan-"), qPrintable(id));
    const auto process = process_of(f.folder(id));
    QVERIFY(process);
    const auto run = static_cast<pid_t>(process->pid);
    QVERIFY(::getsid(run) == run && ::getpgid(run) == run);
    ::kill(static_cast<pid_t>(starter.processId()), SIGKILL);
    QVERIFY(waitUntil([&] { return starter.state() == QProcess::NotRunning; }));
    const auto before = f.status(id).step;
    QVERIFY(f.reaches(id, before + 10));
    QVERIFY(!is_final(f.status(id).state));  // running, or saving just now

    // The next studio finds it, counts it as running here, and stops it.
    QVERIFY(waitUntil([&] { return f.launcher.localRun() == id; }, kLong));
    RunStore store;
    QVERIFY(waitUntil([&] { return store.run(id); }));
    QVERIFY(!is_final(store.run(id)->state));
    f.launcher.control(id, Control::StopSaving);
    QVERIFY(waitUntil([&] { return f.status(id).state == RunState::Stopped; }, kLong));
  }

  void theQueueRunsOneAfterTheOther() {
    Fixture f;
    f.launcher.setQueuePaused(true);
    for (const char* name : {"one", "two", "three"}) {
      QueueEntry entry;
      entry.name = name;
      entry.spec = f.spec(name, 6).toStdString();
      f.launcher.enqueue(entry);
    }
    QueueEntry wrong;
    wrong.name = "wrong";
    wrong.spec = "[model]\nhidden_sise = 5\n";
    f.launcher.enqueue(wrong);
    QCOMPARE(f.launcher.queue().size(), 4u);
    const auto idOf = [&](std::size_t i) {
      return QString::fromStdString(f.launcher.queue()[i].id);
    };
    f.launcher.moveInQueue(idOf(2), 0);
    f.launcher.moveInQueue(idOf(3), 1);
    f.launcher.setQueuePaused(false);
    // Another process starts them, so that it goes on when this one is closed.
    QVERIFY(waitUntil([&] { return f.started.size() == 3; }, 3 * kLong));
    const QString last = f.started[2][1].toString();
    QVERIFY(waitUntil([&] { return f.status(last).state == RunState::Finished; }, kLong));
    QCOMPARE(f.ended.size(), 0);
    QVERIFY(f.started[0][1].toString().startsWith("three-"));
    QVERIFY(f.started[1][1].toString().startsWith("one-"));
    QVERIFY(f.started[2][1].toString().startsWith("two-"));
    for (int i = 0; i < 2; ++i) {  // none began before the one ahead had ended
      const auto end = f.status(f.started[i][1].toString());
      QVERIFY(end.last_word <= f.status(f.started[i + 1][1].toString()).created);
    }
    // The one that cannot start holds nobody up, and says why.
    QCOMPARE(f.launcher.queue().size(), 1u);
    QVERIFY(f.launcher.queue()[0].problem.find("hidden_sise") != std::string::npos);
    QCOMPARE(f.queueFailed.size(), 0);
    // Nothing waits that could be started, so nobody is needed.
    const QueueFile file((f.home.home() + "/queue.json").toStdString());
    QVERIFY(waitUntil([&] { return !file.has_holder(); }, kLong));
  }

  void theQueueSurvivesARestartAndStartsNothingTwice() {
    const test::TemporaryHome home;
    const QString words = home.home() + "/words.jsonl";
    const std::string file = (home.home() + "/queue.json").toStdString();
    writeWords(words);
    {
      Launcher launcher;
      launcher.setQueuePaused(true);
      for (const char* name : {"one", "two"}) {
        QueueEntry entry;
        entry.id = entry.name = name;
        entry.spec = specText(words, name, 4).toStdString();
        launcher.enqueue(entry);
      }
      QVERIFY(waitUntil([&] { return RunQueue::load(file).entries.size() == 2; }));
    }
    // As a studio leaves it that was killed just after it had started the first.
    RunQueue queue = RunQueue::load(file);
    QVERIFY(queue.paused);
    queue.paused = false;
    queue.entries[0].announced = (home.home() + "/begun.id").toStdString();
    std::ofstream(queue.entries[0].announced) << "somewhere\n";
    queue.save(file);

    Launcher launcher;
    QSignalSpy started(&launcher, &Launcher::started);
    QVERIFY(waitUntil([&] { return started.size() == 2; }, kLong));
    QCOMPARE(started[0][0].toString(), "one");  // what its file says, and nothing new
    QCOMPARE(started[0][1].toString(), "somewhere");
    QCOMPARE(started[1][0].toString(), "two");
    QCOMPARE(QDir(home.runs()).entryList(QDir::Dirs | QDir::NoDotAndDotDot).size(), 1);
    const RunFolder run =
        RunFolder::open((home.runs() + '/' + started[1][1].toString()).toStdString());
    QVERIFY(waitUntil([&] { return status_of(run).state == RunState::Finished; }, kLong));
    QVERIFY(launcher.queue().empty());
  }

  void theQueueWaitsForARunThatSomebodyElseStarted() {
    Fixture f;
    test::WrittenRun other(f.home.runs().toStdString(), "elsewhere");
    std::optional<RunLock> lock(std::in_place, other.folder);  // this process is its trainer
    QVERIFY(waitUntil([&] { return f.launcher.localRun() == other.id(); }));
    QueueEntry entry;
    entry.name = "next";
    entry.spec = f.spec("next", 3).toStdString();
    f.launcher.enqueue(entry);
    QTest::qWait(3000);
    QCOMPARE(f.started.size(), 0);
    QCOMPARE(f.launcher.queue().size(), 1u);
    std::filesystem::remove(other.folder.path() / "process.json");
    lock.reset();
    QVERIFY(f.idOfStart().startsWith("next-"));
  }

  void aDamagedQueueIsSetAside() {
    const test::TemporaryHome home;
    std::ofstream((home.home() + "/queue.json").toStdString()) << "{ not json";
    Launcher launcher;
    QSignalSpy failed(&launcher, &Launcher::queueFailed);
    QVERIFY(waitUntil([&] { return failed.size() == 1; }));
    QVERIFY(failed[0][0].toString().contains("set aside"));
    QCOMPARE(QDir(home.home()).entryList({"queue.json.damaged-*"}).size(), 1);
  }

  void theRulesAreStated() {
    QVERIFY(!Launcher::queueRule().isEmpty() && !Launcher::sharingRule().isEmpty());
    QCOMPARE(Launcher::chatThreads(false), 0);
    QVERIFY(Launcher::chatThreads(true) >= 1);
    QCOMPARE(Launcher::commandFor("/a/b.toml"), "tessera train /a/b.toml");
    QCOMPARE(Launcher::commandFor("/a b/it's"), "tessera train '/a b/it'\\''s'");
  }
};

int main(int argc, char** argv) {
  if (argc > 2 && std::string_view(argv[1]) == "--start-and-wait") return startAndWait(argc, argv);
  test::TestApplication app(argc, argv);
  LauncherTest tests;
  return test::runTests(tests, argc, argv);
}
#include "launcher_test.moc"
