// SPDX-License-Identifier: MIT
// Slow
// What is killed loses nothing: the studio with two runs going, a trainer while it is watched, and
// both. Trainers and the studio are real, and SIGKILL is what ends them.
#include <signal.h>

#include <QProcess>
#include <algorithm>

#include "tests/build_paths.h"
#include "tests/ui/open_studio.h"
#include "tests/ui/real_runs.h"
#include "ui/bridge/runs/run_feed.h"
#include "ui/pages/monitor/charts_tab.h"
#include "ui/pages/monitor/monitor_page.h"
#include "ui/widgets/chart/chart_grid.h"
#include "ui/widgets/chart/chart_panel.h"
#include "ui/widgets/state_badge.h"

using namespace tessera;
using namespace tessera::ui;
using test::click;
using test::kLong;
using test::waitUntil;

namespace {

/// What the studio that is killed does: launches each spec as a person would, says the ids of the
/// runs, and stays open.
int studioToBeKilled(const QStringList& specs) {
  test::OpenStudio studio;
  for (const QString& spec : specs) {
    const QString run = studio.launch(spec);
    std::printf("%s\n", qPrintable(run));
    std::fflush(stdout);
    if (run.isEmpty()) return 1;
  }
  return QApplication::exec();
}

/// The steps that a log holds, without what a resume went back over.
std::vector<std::int64_t> loggedSteps(const RunFolder& folder) {
  std::vector<std::int64_t> steps;
  EventReader reader(folder.events_path());
  for (const Event& event : reader.poll()) {
    if (const auto* step = std::get_if<StepEvent>(&event.body)) {
      while (!steps.empty() && steps.back() >= step->step) steps.pop_back();
      steps.push_back(step->step);
    }
  }
  return steps;
}

}  // namespace

class KillTest : public QObject {
  Q_OBJECT

  struct Fixture {
    test::TemporaryHome home;
    QProcess studio;  ///< the one that is killed
    Fixture() { test::writeWords(home.home() + "/words.jsonl"); }
    ~Fixture() {
      studio.kill();
      studio.waitForFinished();
      test::killRuns(home.runs());
    }

    QString spec(const QString& name) const {
      QString file = home.home() + '/' + name + ".toml";
      std::ofstream(file.toStdString())
          << test::specText(home.home() + "/words.jsonl", name.toStdString(), 1'000'000)
                 .toStdString();
      return file;
    }
    RunFolder folder(const QString& run) const {
      return RunFolder::open((home.runs() + '/' + run).toStdString());
    }
    bool killTrainer(const QString& run) const {
      const auto process = process_of(folder(run));
      return process && ::kill(static_cast<pid_t>(process->pid), SIGKILL) == 0 &&
             waitUntil([&] { return liveness_of(*process) == Liveness::Dead; });
    }
    /// Two runs of a studio in another process, which is killed once both train; empty: no luck.
    QStringList runsOfAKilledStudio() {
      studio.setProcessChannelMode(QProcess::ForwardedErrorChannel);
      studio.start(QCoreApplication::applicationFilePath(), {"--studio", spec("one"), spec("two")});
      QByteArray said;
      const auto bothSaid = [&] {
        said += studio.readAllStandardOutput();
        return said.count('\n') == 2 || studio.state() == QProcess::NotRunning;
      };
      if (!waitUntil(bothSaid, 2 * kLong) || said.count('\n') != 2) return {};
      const QStringList runs = QString::fromUtf8(said.trimmed()).split('\n');
      for (const QString& run : runs) {
        if (!waitUntil([&] { return status_of(folder(run)).step >= 5; }, kLong)) return {};
      }
      ::kill(static_cast<pid_t>(studio.processId()), SIGKILL);
      if (!waitUntil([&] { return studio.state() == QProcess::NotRunning; })) return {};
      return runs;
    }
    /// Monitor's charts hold every logged step from the first on, and draw them.
    bool chartsAreComplete(test::OpenStudio& open, const QString& run) const {
      auto* page = qobject_cast<MonitorPage*>(open.page());
      const auto feed = open.runs().feed(run);
      const std::vector<std::int64_t> logged = loggedSteps(folder(run));
      const auto all = [&] { return feed->loaded() && feed->history().rows() >= logged.size(); };
      if (!page || logged.size() < 5 || !waitUntil(all, kLong)) return false;
      const auto& shown = feed->history().step;
      for (std::size_t i = 0; i < shown.size(); ++i) {
        if (shown[i] != static_cast<std::int64_t>(i)) return false;  // none is left out or twice
      }
      if (!std::equal(logged.begin(), logged.end(), shown.begin())) return false;
      const auto drawn = [&] {
        const ChartPanel* loss = page->charts().grid().panel("loss");
        return loss && loss->isVisible() && page->charts().group().everything().low <= 0 &&
               page->charts().group().everything().high >= static_cast<double>(logged.back());
      };
      return waitUntil(drawn);
    }
    static StateBadge* badge(test::OpenStudio& open, RunState state) {
      for (auto* one : open.page()->findChildren<StateBadge*>()) {
        if (one->isVisible() && one->state() == state) return one;
      }
      return nullptr;
    }
  };

 private Q_SLOTS:
  void initTestCase() { QVERIFY2(test::useBuiltProgram(), TESSERA_PROGRAM); }

  void aKilledStudioFindsItsTwoRunsAgain() {
    Fixture f;
    const QStringList runs = f.runsOfAKilledStudio();
    QCOMPARE(runs.size(), 2);
    test::OpenStudio again;
    for (const QString& run : runs) {
      const std::int64_t before = status_of(f.folder(run)).step;
      QVERIFY(again.reaches(run, before + 5));  // it never stopped
      QVERIFY(isLive(again.row(run)->state));
    }
    for (const QString& run : runs) {
      // Home shows each with a card; it leads to charts without a gap.
      QVERIFY(again.go("home"));
      QVERIFY(waitUntil([&] { return test::labelWith(again.page(), run.section('-', 0, 0)); }));
      again.app().handOver("run/" + run);
      QCOMPARE(again.window().currentPage(), "monitor");
      QVERIFY(f.chartsAreComplete(again, run));
      QVERIFY(test::chooseFromMenu(again.button("Stop"), "Save a checkpoint and stop"));
      QVERIFY(again.becomes(run, RunState::Stopped));
      QVERIFY(f.chartsAreComplete(again, run));
    }
  }

  void aKilledTrainerIsFailedWithItsReasonAndOneClickResumesIt() {
    Fixture f;
    test::OpenStudio studio;
    const QString run = studio.launch(f.spec("unlucky"));
    QVERIFY(run.startsWith("unlucky-"));
    QVERIFY(studio.reaches(run, 12));
    QVERIFY(f.killTrainer(run));
    QVERIFY(waitUntil([&] { return Fixture::badge(studio, RunState::Failed); }, kLong));
    QVERIFY(studio.reads("killed by signal 9"));
    QVERIFY(waitUntil([&] { return !studio.window().banners().empty(); }));  // and it is news
    test::picture(studio.window(), "kill/failed");
    const std::int64_t died = studio.row(run)->step;

    QVERIFY(studio.press("Resume"));  // the one click
    QVERIFY(studio.reaches(run, died + 5));
    QVERIFY(waitUntil([&] { return !Fixture::badge(studio, RunState::Failed); }));
    QCOMPARE(studio.pickedRun(), run);
    QVERIFY(f.chartsAreComplete(studio, run));
    QVERIFY(test::chooseFromMenu(studio.button("Stop"), "Stop now, without saving"));
    QVERIFY(studio.becomes(run, RunState::Stopped));
  }

  void aTrainerThatDiedWithTheStudioIsToldApart() {
    Fixture f;
    const QStringList runs = f.runsOfAKilledStudio();
    QCOMPARE(runs.size(), 2);
    QVERIFY(waitUntil([&] { return status_of(f.folder(runs[0])).step >= 8; }, kLong));
    QVERIFY(f.killTrainer(runs[0]));
    test::OpenStudio again;
    QVERIFY(again.becomes(runs[0], RunState::Failed));
    QVERIFY(isLive(again.row(runs[1])->state));
    QVERIFY(!again.row(runs[0])->reason.empty());
    const std::int64_t died = again.row(runs[0])->step;
    QVERIFY(again.go("home"));
    QVERIFY(again.press("Resume"));  // one card alone has such a button
    QVERIFY(again.reaches(runs[0], died + 5));
    QVERIFY(isLive(again.row(runs[1])->state));
  }
};

int main(int argc, char** argv) {
  test::TestApplication app(argc, argv);
  const QStringList arguments = QCoreApplication::arguments();
  if (arguments.value(1) == QLatin1String("--studio")) {
    return studioToBeKilled(arguments.mid(2));
  }
  KillTest tests;
  return test::runTests(tests, argc, argv);
}
#include "kill_test.moc"
