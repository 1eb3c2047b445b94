// SPDX-License-Identifier: MIT
// What is said when a run finishes, fails or falls silent: over the page, under Problems, and on
// the desktop while the window is not in front; and that it is not said where it is not wanted.
#include <QSignalSpy>
#include <cmath>
#include <fstream>

#include "tests/ui/harness.h"
#include "tests/ui/run_files.h"
#include "ui/bridge/desktop/preferences.h"
#include "ui/bridge/desktop/tasks.h"
#include "ui/bridge/launch/launcher.h"
#include "ui/bridge/runs/alert_rules.h"
#include "ui/bridge/runs/run_feed.h"
#include "ui/bridge/runs/run_store.h"
#include "ui/shell/desktop.h"
#include "ui/shell/main_window.h"
#include "ui/shell/problems.h"
#include "ui/widgets/banner.h"

using namespace tessera;
using namespace tessera::ui;
using test::waitUntil;
using test::WrittenRun;

class NewsTest : public QObject {
  Q_OBJECT

  struct RecordingDesktop : Desktop {
    struct Notice {
      QString title, text;
      std::function<void()> activated;
    };
    std::vector<Notice> notices;
    void notify(const QString& title, const QString& text,
                std::function<void()> activated) override {
      notices.push_back({title, text, std::move(activated)});
    }
  };

  /// A window with another one in front of it, and a run that trains: this process is its trainer.
  struct Fixture {
    test::TemporaryHome home;
    RunStore runs;
    Launcher launcher;
    Tasks tasks;
    Preferences preferences;
    RecordingDesktop desktop;
    Problems problems;
    std::unique_ptr<MainWindow> window;
    QWidget front;
    WrittenRun run{home.runs().toStdString(), "lucky"};
    std::optional<RunLock> trainer{std::in_place, run.folder};

    bool open() {
      preferences.finishFirstStart();
      window = std::make_unique<MainWindow>(
          StudioParts{runs, launcher, tasks, preferences, desktop, problems});
      window->restoreSession();
      window->show();
      run.state(RunState::Running);
      run.steps(0, 5);
      run.log->sync();
      return toFront(front) && waitUntil([this] { return is(RunState::Running); });
    }
    static bool toFront(QWidget& widget) {
      return test::show(widget) && waitUntil([&] { return widget.isActiveWindow(); });
    }
    bool is(RunState state) const {
      const RunRow* row = runs.run(run.id());
      return row && row->state == state;
    }
    void end(RunState state, const std::string& reason = {}) {
      run.state(state, reason);
      run.log->sync();
      trainer.reset();
      runs.refresh();
    }
    bool hasProblem(const QString& words) const {
      for (const ShellProblem& one : window->problems().all()) {
        if (one.text.contains(words)) return true;
      }
      return false;
    }
  };

 private Q_SLOTS:
  void aRunThatFinishes() {
    Fixture f;
    QVERIFY(f.open());
    QVERIFY(f.desktop.notices.empty() && f.window->banners().empty());
    f.end(RunState::Finished);
    QVERIFY(waitUntil([&] { return !f.desktop.notices.empty(); }));
    QCOMPARE(f.desktop.notices[0].title, "Run finished");
    QVERIFY(f.desktop.notices[0].text.startsWith("lucky finished: loss"));
    QCOMPARE(f.window->banners().size(), 1u);
    QVERIFY(f.window->problems().all().empty());
    f.desktop.notices[0].activated();
    QCOMPARE(f.window->currentPage(), "monitor");
    QCOMPARE(f.window->studio().selection.run(), f.run.id());
  }

  void aRunThatFailsAndIsResumed() {
    Fixture f;
    QVERIFY(f.open());
    f.end(RunState::Failed, "no room on the disk");
    QVERIFY(waitUntil([&] { return !f.desktop.notices.empty(); }));
    QCOMPARE(f.desktop.notices[0].title, "Run failed");
    QVERIFY(f.desktop.notices[0].text.contains("no room on the disk"));
    QCOMPARE(f.window->banners().front()->severity(), "error");
    QVERIFY(f.hasProblem("no room on the disk"));
    f.trainer.emplace(f.run.folder);
    f.run.state(RunState::Running);
    f.run.log->sync();
    f.runs.refresh();
    QVERIFY(waitUntil([&] { return f.window->problems().all().empty(); }));
  }

  void aRunThatDiverges() {
    Fixture f;
    QVERIFY(f.open());
    f.run.steps(5, 40);
    f.run.log->append(test::stepEvent(40, 5'000));
    f.run.log->sync();
    f.runs.refresh();
    QVERIFY(waitUntil([&] { return f.hasProblem("the loss is 5000 at step 40"); }));
    QVERIFY(waitUntil([&] { return !f.desktop.notices.empty(); }));
    f.run.steps(41, 60);  // it came back
    f.run.log->sync();
    f.runs.refresh();
    QVERIFY(waitUntil([&] { return f.problems.all().empty(); }));
  }

  /// An alert with the action to stop asks the run to, once, and stands over the page.
  void anAlertThatStopsTheRun() {
    Fixture f;
    setAlertRule(f.preferences, AlertKind::NotFinite, {AlertRule::Action::TellAndStop, 0});
    QVERIFY(f.open());
    f.run.log->append(test::stepEvent(5, std::nan("")));
    f.run.log->sync();
    f.runs.refresh();
    QVERIFY(waitUntil([&] { return f.hasProblem("not a number at step 5"); }));
    QVERIFY(f.hasProblem("asked to save and stop"));
    QVERIFY(f.window->banners().size() == 1u);
    std::vector<Control> asked;
    QVERIFY(waitUntil([&] {
      for (const Control one : take_requests(f.run.folder)) asked.push_back(one);
      return !asked.empty();
    }));
    QCOMPARE(asked, std::vector<Control>{Control::StopSaving});
    f.run.log->append(test::stepEvent(6, std::nan("")));
    f.run.log->sync();
    f.runs.refresh();
    QVERIFY(waitUntil([&] { return f.runs.run(f.run.id())->step == 6; }));
    QTest::qWait(300);
    QVERIFY(take_requests(f.run.folder).empty());
    f.end(RunState::Stopped);
    QVERIFY(waitUntil([&] { return !f.hasProblem("not a number"); }));
    QCOMPARE(f.window->banners().size(), 1u);  // it says why the run has stopped
  }

  void anAlertThatNobodyWants() {
    Fixture f;
    setAlertRule(f.preferences, AlertKind::NotFinite, {AlertRule::Action::Nothing, 0});
    QVERIFY(f.open());
    f.run.log->append(test::stepEvent(5, std::nan("")));
    f.run.log->sync();
    f.runs.refresh();
    QVERIFY(waitUntil([&] { return f.runs.run(f.run.id())->step == 5; }));
    QTest::qWait(300);
    QVERIFY(!f.hasProblem("not a number"));
    // The rule counts from the moment at which it is another.
    setAlertRule(f.preferences, AlertKind::NotFinite, {AlertRule::Action::Tell, 0});
    QVERIFY(waitUntil([&] { return f.hasProblem("not a number at step 5"); }));
    QVERIFY(take_requests(f.run.folder).empty());
  }

  void expertsWithoutTokensAreAnAlert() {
    Fixture f;
    setAlertRule(f.preferences, AlertKind::DeadExperts, {AlertRule::Action::Tell, 3});
    QVERIFY(f.open());
    ExpertsEvent load;
    load.layers = 2;
    load.experts = 4;
    load.counts = {100, 100, 0, 100, 50, 50, 50, 50};
    load.biases.assign(8, 0.0f);
    const auto feed = f.runs.feed(f.run.id());
    for (int i = 0; i < 3; ++i) {
      QSignalSpy read(feed.get(), &RunFeed::expertsReady);
      load.step = 5 + i;
      f.run.steps(load.step, load.step + 1);
      f.run.log->append(load);
      f.run.log->sync();
      QVERIFY(waitUntil([&] { return !read.isEmpty(); }));
    }
    QVERIFY(waitUntil([&] { return f.hasProblem("no tokens any more: 1 of 8"); }));
    QCOMPARE(f.window->banners().size(), 1u);
    load.step = 8;
    load.counts[2] = 7;
    f.run.steps(8, 9);
    f.run.log->append(load);
    f.run.log->sync();
    QVERIFY(waitUntil([&] { return !f.hasProblem("no tokens any more"); }));
    QVERIFY(f.window->banners().empty());
  }

  /// A spike of a live run is a problem until the run has ended, with the way to its step.
  void aSpikeIsAProblem() {
    Fixture f;
    QVERIFY(f.open());
    f.run.steps(5, 60);
    f.run.log->append(SpikeEvent{60, 7.25, 4.5, 0.1});
    f.run.log->sync();
    const QString words = "lucky: the loss rose to 7.2500 at step 60, where about 4.5000 is usual";
    QVERIFY(waitUntil([&] { return f.hasProblem(words); }));
    QCOMPARE(f.problems.all().size(), 1u);
    QCOMPARE(f.problems.all()[0].severity, "warning");
    const Location place = Location::fromText(f.problems.all()[0].place);
    QCOMPARE(place.page, "monitor");
    QCOMPARE(place.subject, f.run.id());
    QCOMPARE(place.arguments.value("step"), "60");
    // The next takes its place; the one that was put away does not come back by itself.
    f.run.log->append(SpikeEvent{70, 8.5, 4.25, 0.1});
    f.run.log->sync();
    QVERIFY(waitUntil([&] { return f.hasProblem("at step 70"); }));
    QVERIFY(f.hasProblem("It is spike 2 of this run; the first was at step 60."));
    // It lasts: where it began stays named, and is where the problem leads.
    f.run.log->append(SpikeEvent{71, 9.5, 4.25, 0.1});
    f.run.log->append(SpikeEvent{73, 9.75, 4.25, 0.1});
    f.run.log->sync();
    QVERIFY(waitUntil([&] { return f.hasProblem("It stood out up to step 73."); }));
    QVERIFY(f.hasProblem("the loss rose to 8.5000 at step 70"));
    QCOMPARE(Location::fromText(f.problems.all()[0].place).arguments.value("step"), "70");
    QCOMPARE(f.problems.all().size(), 1u);
    f.problems.clear("spike/" + f.run.id());
    f.run.steps(74, 83);
    f.run.log->sync();
    f.runs.refresh();
    QVERIFY(waitUntil([&] { return f.runs.run(f.run.id())->step >= 82; }));
    QVERIFY(f.problems.all().empty());
    f.run.log->append(SpikeEvent{84, 9.5, 4.25, 0.1});
    f.run.log->sync();
    QVERIFY(waitUntil([&] { return f.hasProblem("at step 84"); }));
    // Nothing is read while the window is hidden; it is told when it is shown again.
    const auto feed = f.runs.feed(f.run.id());
    f.window->hide();
    QTest::qWait(200);
    QSignalSpy batches(feed.get(), &RunFeed::changed);
    f.run.log->append(SpikeEvent{94, 9.75, 4.25, 0.1});
    f.run.log->sync();
    QTest::qWait(2'500);
    QCOMPARE(batches.count(), 0);
    QVERIFY(!f.hasProblem("at step 94"));
    f.window->show();
    QVERIFY(waitUntil([&] { return f.hasProblem("at step 94"); }));
    f.end(RunState::Finished);
    QVERIFY(waitUntil([&] { return f.problems.all().empty(); }));
  }

  void aRunThatFallsSilent() {
    Fixture f;
    QVERIFY(f.open());
    const WrittenRun far(f.home.runs().toStdString(), "far");
    const auto process = far.folder.path() / "process.json";
    std::ofstream(process)
        << R"({"pid":1,"start_ticks":1,"host":"elsewhere","boot_id":"b","pid_namespace":"n"})";
    std::filesystem::last_write_time(
        process, std::filesystem::file_time_type::clock::now() - std::chrono::hours(2));
    f.runs.refresh();
    QVERIFY(waitUntil([&] { return !f.desktop.notices.empty(); }));
    QCOMPARE(f.desktop.notices[0].title, "Run needs attention");
    QVERIFY(f.desktop.notices[0].text.contains("Lost contact with far"));
    QVERIFY(f.hasProblem("Lost contact with far"));
  }

  void nothingIsSaidWhereItIsNotWanted() {
    Fixture f;
    QVERIFY(f.open());
    f.preferences.setNotifies(Preferences::Notice::Finished, false);
    f.end(RunState::Finished);
    QVERIFY(waitUntil([&] { return f.is(RunState::Finished); }));
    QVERIFY(f.desktop.notices.empty() && f.window->banners().empty());

    WrittenRun next(f.home.runs().toStdString(), "next");
    std::optional<RunLock> trainer(std::in_place, next.folder);
    next.state(RunState::Running);
    next.log->sync();
    f.runs.refresh();
    QVERIFY(waitUntil([&] { return f.runs.run(next.id()); }));
    f.preferences.setNotifies(Preferences::Notice::Finished, true);
    f.window->comeToFront();  // who looks at the window reads it there
    QVERIFY(waitUntil([&] { return f.window->isActiveWindow(); }));
    next.state(RunState::Finished);
    next.log->sync();
    trainer.reset();
    f.runs.refresh();
    QVERIFY(waitUntil([&] { return f.window->banners().size() == 1; }));
    QVERIFY(f.desktop.notices.empty());
  }
};

TESSERA_UI_MAIN(NewsTest)
#include "news_test.moc"
