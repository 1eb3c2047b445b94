// SPDX-License-Identifier: MIT
// Slow
// Flows B and E as a person clicks them, with trainers that train: from a preset to a run that is
// watched; and from a run that is stopped to a fork with another learning rate, seen as lineage.
#include <QComboBox>
#include <QLabel>
#include <QListWidget>
#include <QTableView>

#include "tests/build_paths.h"
#include "tests/ui/open_studio.h"
#include "tests/ui/real_runs.h"
#include "ui/bridge/draft/draft_spec.h"
#include "ui/pages/runs/run_details.h"
#include "ui/pages/runs/run_table.h"
#include "ui/pages/runs/runs_page.h"
#include "ui/widgets/state_badge.h"

using namespace tessera;
using namespace tessera::ui;
using test::click;
using test::kLong;
using test::waitUntil;

class FlowLaunchTest : public QObject {
  Q_OBJECT

  struct Fixture {
    test::TemporaryHome home;
    test::OpenStudio studio;
    ~Fixture() { test::killRuns(home.runs()); }

    DraftSpec& draft() { return DraftSpec::of(studio.app().preferences()); }
    QString planStatus() {
      auto* label = studio.page()->findChild<QLabel*>(QStringLiteral("plan-status"));
      return label ? label->text() : QString();
    }
    StateBadge* badge(RunState state) {
      for (auto* one : studio.page()->findChildren<StateBadge*>()) {
        if (one->isVisible() && one->state() == state) return one;
      }
      return nullptr;
    }
    bool section(const QString& name) {
      auto* list = studio.page()->findChild<QListWidget*>();
      const auto found = list->findItems(name, Qt::MatchStartsWith);
      return !found.isEmpty() && test::clickItem(list, list->indexFromItem(found.front()));
    }
    QLineEdit* field(const QString& name) {
      for (auto* line : studio.page()->findChildren<QLineEdit*>()) {
        if (line->isVisible() && line->accessibleName() == name) return line;
      }
      return nullptr;
    }
    QAbstractButton* link(const QString& run) {
      for (auto* one : studio.window().findChildren<QAbstractButton*>()) {
        if (one->isVisible() && one->toolTip() == run) return one;
      }
      return nullptr;
    }
  };

 private Q_SLOTS:
  void initTestCase() { QVERIFY2(test::useBuiltProgram(), TESSERA_PROGRAM); }

  /// Flow B: a preset, the plan turns green, launch, Monitor.
  void fromPresetToMonitor() {
    Fixture f;
    QVERIFY(f.studio.go("configure"));
    auto* presets = f.studio.page()->findChild<QComboBox*>();
    QVERIFY(waitUntil([&] { return presets->count() > 3; }));
    QVERIFY(test::choose(presets, "demo"));
    QVERIFY(waitUntil([&] { return f.planStatus() == "Ready to launch"; }, kLong));
    QVERIFY(f.studio.press("Launch"));
    QVERIFY(waitUntil([&] { return f.studio.window().currentPage() == "monitor"; }, kLong));
    const QString run = f.studio.pickedRun();
    QVERIFY(run.startsWith("demo-"));
    // It reads its data for a while yet; what is shown is that it lives.
    const auto shownAlive = [&] {
      const auto badges = f.studio.page()->findChildren<StateBadge*>();
      return std::any_of(badges.begin(), badges.end(),
                         [](StateBadge* one) { return one->isVisible() && isLive(one->state()); });
    };
    QVERIFY(waitUntil(shownAlive, kLong));
    QVERIFY(waitUntil([&] { return f.studio.row(run) && isLive(f.studio.row(run)->state); }));
    QVERIFY(f.studio.button("Stop")->isEnabled());
    QCOMPARE(f.studio.runs().feed(run)->spec()->run.preset, std::string("demo"));
  }

  /// Flow E: stop and save, change the learning rate, resume as a fork, shown as lineage.
  void fromAStopToAForkWithAnotherRate() {
    Fixture f;
    test::writeWords(f.home.home() + "/words.jsonl");
    const QString file = f.home.home() + "/first.toml";
    std::ofstream(file.toStdString())
        << test::specText(f.home.home() + "/words.jsonl", "first", 1'000'000).toStdString();
    const QString parent = f.studio.launch(file);
    QVERIFY(parent.startsWith("first-"));
    QVERIFY(f.studio.reaches(parent, 8));

    QVERIFY(test::chooseFromMenu(f.studio.button("Stop"), "Save a checkpoint and stop"));
    QVERIFY(waitUntil([&] { return f.badge(RunState::Stopped); }, kLong));
    QVERIFY(f.studio.becomes(parent, RunState::Stopped));
    const std::int64_t saved = f.studio.row(parent)->step + 1;
    test::picture(f.studio.window(), "flow-e/stopped");

    QVERIFY(f.studio.press("Resume as a fork"));
    QCOMPARE(f.studio.window().currentPage(), "configure");
    QVERIFY(waitUntil([&] { return f.draft().settled() && f.draft().loaded(); }));
    QVERIFY(f.section("Curriculum"));
    const QString rate = "Rate at the end of piece 1";
    QVERIFY(waitUntil([&] { return f.field(rate); }));
    QVERIFY(test::typeInto(f.field(rate), "0.0005"));
    QTest::keyClick(f.field(rate), Qt::Key_Return);
    QVERIFY(f.studio.reads("1 setting changed"));
    test::picture(f.studio.window(), "flow-e/changed");
    QVERIFY(f.studio.press("Launch fork"));
    QVERIFY(waitUntil([&] { return f.studio.window().currentPage() == "monitor"; }, kLong));
    const QString child = f.studio.pickedRun();
    QVERIFY(child != parent);
    QVERIFY(f.studio.reaches(child, saved + 5));

    // It goes on where the first one stopped, with the new rate from its first step on.
    const auto feed = f.studio.runs().feed(child);
    QVERIFY(waitUntil([&] { return feed->loaded() && feed->history().rows() > 4; }));
    const RunHistory& history = feed->history();
    QCOMPARE(history.step.front(), saved);
    for (std::size_t i = 0; i < history.rows(); ++i) {
      QCOMPARE(history.metric(Metric::LearningRate).at(i), 0.0005f);
    }
    QVERIFY(test::chooseFromMenu(f.studio.button("Stop"), "Save a checkpoint and stop"));
    QVERIFY(f.studio.becomes(child, RunState::Stopped));

    // The list shows where it came from, and leads there and back.
    QVERIFY(f.studio.go("runs"));
    RunTable& table = qobject_cast<RunsPage*>(f.studio.page())->table();
    const auto row = [&](const QString& run) {
      return table.proxy().index(table.proxy().rowOf(run), 0);
    };
    QVERIFY(test::clickItem(table.view(), row(child)));
    if (!f.studio.page()->inspector()->isVisible()) {
      f.studio.window().command("view.inspector")->trigger();
    }
    QVERIFY(waitUntil([&] { return f.link(parent) && f.link(child); }));
    test::picture(f.studio.window(), "flow-e/lineage");
    QVERIFY(click(f.link(parent)));
    QCOMPARE(table.selected(), QStringList{parent});
    QVERIFY(waitUntil([&] { return f.link(child) && f.link(child)->text().contains(" steps"); }));
  }
};

TESSERA_UI_MAIN(FlowLaunchTest)
#include "flow_launch_test.moc"
