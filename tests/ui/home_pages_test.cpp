// SPDX-License-Identifier: MIT
// Links: tessera_ui_page_home tessera_ui_page_settings tessera_ui_page_hosts
// Home, Settings and Hosts by themselves.
#include <QCheckBox>
#include <QComboBox>
#include <QDoubleSpinBox>
#include <QFileInfo>
#include <QGraphicsScene>
#include <QGraphicsTextItem>
#include <QGraphicsView>
#include <QInputDialog>
#include <QLabel>
#include <QLineSeries>
#include <QPushButton>
#include <QSpinBox>
#include <QToolButton>
#include <cmath>
#include <fstream>

#include "core/config/paths.h"
#include "core/history/time_left.h"
#include "core/launch/host_book.h"
#include "core/plan/measurements.h"
#include "core/run/run_folder.h"
#include "tests/build_paths.h"
#include "tests/ui/harness.h"
#include "tests/ui/run_files.h"
#include "ui/bridge/desktop/host_monitor.h"
#include "ui/bridge/desktop/preferences.h"
#include "ui/bridge/desktop/tasks.h"
#include "ui/bridge/launch/launcher.h"
#include "ui/bridge/runs/alert_rules.h"
#include "ui/bridge/runs/run_store.h"
#include "ui/pages/home/home_page.h"
#include "ui/pages/home/run_card.h"
#include "ui/pages/hosts/hosts_page.h"
#include "ui/pages/settings/settings_page.h"
#include "ui/theme/theme.h"
#include "ui/widgets/gauge_history.h"
#include "ui/widgets/search_field.h"
#include "ui/widgets/state_badge.h"

using namespace tessera;
using namespace tessera::ui;

class HomePagesTest : public QObject {
  Q_OBJECT

  static RunFolder makeRun(const QString& runs, const char* name) {
    RunSpec spec = load_spec("demo");
    spec.run.name = name;
    return RunFolder::create(runs.toStdString(), spec);
  }
  static StateBadge* badge(QWidget* page, RunState state) {
    for (auto* b : page->findChildren<StateBadge*>()) {
      if (b->isVisible() && b->state() == state) return b;
    }
    return nullptr;
  }

 private Q_SLOTS:
  void initTestCase() {
    const QFileInfo program(TESSERA_PROGRAM);
    qputenv("PATH", program.path().toLocal8Bit() + ':' + qgetenv("PATH"));
    QCOMPARE(Launcher::program(), program.filePath());
  }

  /// As Monitor and `tessera runs` say it: from one estimate, of the log.
  void theTimeLeftIsThatOfTheLog() {
    auto home = std::make_unique<test::TemporaryHome>();
    test::WrittenRun run(home->runs().toStdString(), "live");
    const RunLock lock(run.folder);
    run.stateAt(1000, RunState::Running);
    for (int s = 0; s < 10; ++s) run.stepAt(1000 + 3.0 * s, s);
    run.log->sync();
    const auto studio = test::makeStudio(std::move(home));
    HomePage page(*studio->studio);
    QVERIFY(test::show(page, {936, 660}));
    page.setActivity(true, true);
    QCOMPARE(seconds_left(run.folder.events_path(), total_tokens_of(run.folder.spec())), 840 * 3.0);
    QVERIFY(test::waitUntil(
        [&] { return test::labelWith(&page, QStringLiteral("42\u00A0min\u00A00\u00A0s")); }));
    run.state(RunState::Paused);
    run.log->sync();
    studio->runs->refresh();
    QVERIFY(test::waitUntil(
        [&] { return !test::labelWith(&page, QStringLiteral("42\u00A0min\u00A00\u00A0s")); }));
  }

  void emptyHomeOffersTheDemo() {
    const auto studio = test::makeStudio();
    HomePage page(*studio->studio);
    QVERIFY(test::show(page, {900, 700}));
    QVERIFY(test::waitUntil([&] { return test::labelWith(&page, "No runs yet") != nullptr; }));
    QVERIFY(test::waitUntil([&] { return test::button(&page, "Configure from demo") != nullptr; }));
    QVERIFY(test::click(test::button(&page, "Configure from demo")));
    QCOMPARE(studio->navigator.opened.back().page, "configure");
    QCOMPARE(studio->navigator.opened.back().arguments.value("preset"), "demo");
    test::picture(page, "home/empty");
  }

  void liveRunsComeFirstAndAreHonest() {
    auto home = std::make_unique<test::TemporaryHome>();
    const RunFolder live = makeRun(home->runs(), "alive"), gone = makeRun(home->runs(), "done");
    EventWriter log(live.events_path());
    const RunLock lock(live);
    const ProcessId self = this_process();
    log.append(StateEvent{.state = RunState::Running});
    for (int i = 0; i < 30; ++i) {
      log.append(StepEvent{.step = i, .tokens = 2048 * (i + 1), .loss = 8 - 0.1 * i});
    }
    log.append(
        HeartbeatEvent{.pid = self.pid, .host = self.host, .boot_id = self.boot_id, .step = 29});
    {
      EventWriter old(gone.events_path());
      old.append(StepEvent{.step = 849, .tokens = 1'740'800, .loss = 4.5});
      old.append(StateEvent{.state = RunState::Finished, .step = 849});
    }
    const auto studio = test::makeStudio(std::move(home));
    HomePage page(*studio->studio);
    QVERIFY(test::show(page, {936, 660}));
    page.setActivity(true, true);
    QVERIFY(test::waitUntil([&] { return badge(&page, RunState::Running) != nullptr; }));
    auto* running = badge(&page, RunState::Running);
    auto* finished = badge(&page, RunState::Finished);
    QVERIFY(finished);
    QVERIFY(running->mapTo(&page, QPoint()).y() < finished->mapTo(&page, QPoint()).y());
    QVERIFY(test::labelWith(&page, QStringLiteral("30\u00a0of\u00a0850")));
    QVERIFY(test::labelWith(&page, QStringLiteral("5.100")));
    test::picture(page, "home/live-light");
    theme::apply(test::application(), theme::Scheme::Dark);
    test::picture(page, "home/live-dark");
    theme::apply(test::application(), theme::Scheme::Light);
    // It stops when asked: the request lies in the run's folder.
    QVERIFY(test::click(test::button(&page, "Stop"), QPoint(12, 12)));
    QVERIFY(test::waitUntil([&] { return !std::filesystem::is_empty(live.control_path()); }));
    QVERIFY(studio->navigator.toasts.back().text.contains("saves and stops"));
    // What ended is said at once.
    log.append(StateEvent{.state = RunState::Failed, .reason = "no room on the disk"});
    studio->runs->refresh();
    QVERIFY(test::waitUntil([&] { return badge(&page, RunState::Failed) != nullptr; }));
    QVERIFY(test::labelWith(&page, "no room on the disk"));
    QVERIFY(test::button(&page, "Resume"));
  }

  void cardOpensItsRun() {
    auto home = std::make_unique<test::TemporaryHome>();
    const RunFolder run = makeRun(home->runs(), "done");
    {
      EventWriter log(run.events_path());
      log.append(StateEvent{.state = RunState::Finished, .step = 0});
    }
    const auto studio = test::makeStudio(std::move(home));
    HomePage page(*studio->studio);
    QVERIFY(test::show(page, {1000, 660}));
    QVERIFY(test::waitUntil([&] { return test::button(&page, "Open") != nullptr; }));
    QVERIFY(test::click(test::button(&page, "Open")));
    QCOMPARE(studio->navigator.opened.back().page, "monitor");
    QCOMPARE(studio->navigator.opened.back().subject, QString::fromStdString(run.id()));
  }

  void settingsApplyAtOnce() {
    const auto studio = test::makeStudio();
    studio->preferences->registerShortcut("view.palette", "Find anything", "Ctrl+K");
    SettingsPage page(*studio->studio);
    QVERIFY(test::show(page, {936, 660}));
    test::picture(page, "settings/all");
    auto* theme = page.findChild<QComboBox*>();
    QVERIFY(theme);
    theme->setFocus();
    QTest::keyClick(theme, Qt::Key_End);
    QTest::keyClick(theme, Qt::Key_Return);
    studio->preferences->setTheme("dark");
    QCOMPARE(theme->currentData().toString(), "dark");  // follows, too
    auto* notice = page.findChild<QCheckBox*>();
    const bool before = notice->isChecked();
    QVERIFY(test::click(notice, QPoint(8, notice->height() / 2)));
    QCOMPARE(notice->isChecked(), !before);
    QVERIFY(!studio->preferences->notifies(Preferences::Notice::Finished));
    auto* disk = page.findChild<QSpinBox*>();
    disk->setValue(7);
    QCOMPARE(studio->preferences->diskWarningBytes(), 7e9);
  }

  void alertsAreChosen() {
    const auto studio = test::makeStudio();
    SettingsPage page(*studio->studio);
    QVERIFY(test::show(page, {936, 660}));
    const auto control = [&page](auto* kind, const QString& name) {
      const auto all = page.findChildren<std::remove_pointer_t<decltype(kind)>*>();
      const auto found = std::find_if(
          all.begin(), all.end(), [&](const QWidget* w) { return w->accessibleName() == name; });
      return found == all.end() ? nullptr : *found;
    };
    QVERIFY(test::waitUntil([&] {
      const QWidget* box = control(static_cast<QComboBox*>(nullptr), "A run makes no progress");
      return box && box->isVisible();
    }));
    auto* action = control(static_cast<QComboBox*>(nullptr), "A run makes no progress");
    auto* limit = control(static_cast<QDoubleSpinBox*>(nullptr), "Limit: A run makes no progress");
    QVERIFY(action && limit);
    const auto rule = [&] {
      return alertRules(*studio->preferences)[std::size_t(AlertKind::NoProgress)];
    };
    QCOMPARE(rule(), (AlertRule{AlertRule::Action::Tell, 15}));
    action->setFocus();
    QTest::keyClick(action, Qt::Key_End);
    QCOMPARE(rule().action, AlertRule::Action::TellAndStop);
    limit->setFocus();
    QTest::keyClick(limit, Qt::Key_Up);
    QCOMPARE(rule(), (AlertRule{AlertRule::Action::TellAndStop, 16}));
    test::picture(page, "settings/alerts");
    action->setFocus();
    QTest::keyClick(action, Qt::Key_Home);
    QVERIFY(!limit->isEnabled());
    // Reset, and the way back.
    page.commands()[0]->trigger();
    QCOMPARE(rule(), (AlertRule{AlertRule::Action::Tell, 15}));
    QCOMPARE(action->currentIndex(), 1);
    studio->navigator.toasts.back().undo();
    QCOMPARE(rule(), (AlertRule{AlertRule::Action::Nothing, 16}));
    // What is no rule is the usual one.
    studio->preferences->setValue("alerts/no_progress_action", "shout");
    studio->preferences->setValue("alerts/no_progress_limit", "a while");
    QCOMPARE(rule(), (AlertRule{AlertRule::Action::Tell, 15}));
  }

  void settingsAreFound() {
    const auto studio = test::makeStudio();
    SettingsPage page(*studio->studio);
    QVERIFY(test::show(page, {936, 660}));
    auto* search = page.findChild<SearchField*>();
    QVERIFY(test::typeInto(search, "dark"));
    QVERIFY(test::waitUntil([&] { return !test::labelWith(&page, "Data folder"); }));
    QVERIFY(test::labelWith(&page, "Theme"));
    QCOMPARE(page.location().arguments.value("find"), "dark");
    QVERIFY(test::typeInto(search, "qqq"));
    QVERIFY(
        test::waitUntil([&] { return test::labelWith(&page, "No setting is called") != nullptr; }));
    test::picture(page, "settings/none");
    QVERIFY(test::click(test::button(&page, "Show all settings")));
    QVERIFY(test::waitUntil([&] { return test::labelWith(&page, "Data folder") != nullptr; }));
    page.open(Location::fromText("page/settings?find=language"));
    QVERIFY(test::waitUntil([&] { return !test::labelWith(&page, "Data folder"); }));
  }

  void hostsShowsThisMachine() {
    const auto studio = test::makeStudio();
    HostsPage page(*studio->studio);
    QVERIFY(test::show(page, {936, 660}));
    QVERIFY(test::waitUntil([&] { return test::labelWith(&page, "free of") != nullptr; }));
    QVERIFY(test::labelWith(&page, "thread"));
    QVERIFY(test::labelWith(&page, "Not measured"));
    QVERIFY(test::labelWith(&page, "None yet"));
    test::picture(page, "hosts/light");
  }

  /// What is being read or selected is not replaced by the next look at the machine.
  void hostsChangesInPlaceAndDrawsItsHistory() {
    const auto studio = test::makeStudio();
    HostsPage page(*studio->studio);
    QVERIFY(test::show(page, {936, 900}));
    page.setActivity(true, true);
    QVERIFY(test::waitUntil([&] { return test::labelWith(&page, "free of") != nullptr; }));
    auto* memory = qobject_cast<QLabel*>(test::labelWith(&page, "free of"));
    memory->setSelection(0, 4);
    HostMonitor& host = HostMonitor::of(*studio->runs);
    const auto before = host.history().size();
    QVERIFY(test::waitUntil([&] { return host.history().size() >= before + 2; }, 20'000));
    QCOMPARE(test::labelWith(&page, "free of"), memory);
    auto* chart = page.findChild<GaugeHistory*>();
    QVERIFY(chart && chart->isVisible());
    QVERIFY(chart->lines().size() >= 2);
    const QLineSeries* used = chart->lines()[1];
    QCOMPARE(used->name(), QStringLiteral("Memory"));
    QCOMPARE(used->count(), static_cast<int>(host.history().size()));
    QCOMPARE(used->at(used->count() - 1).x(), 0.0);
    QVERIFY(std::abs(used->at(0).y() - 100 * double(host.history().front().memory)) < 1e-9);
    test::picture(page, "hosts/history");
    QStringList labels;  // of the axes, as they are read
    for (QGraphicsItem* item : chart->findChild<QGraphicsView*>()->scene()->items()) {
      if (const auto* text = qgraphicsitem_cast<QGraphicsTextItem*>(item)) {
        labels << text->toPlainText();
      }
    }
    QVERIFY2(labels.contains(QStringLiteral("100 %")), qPrintable(labels.join(u'|')));
    // However long it is watched, no more points are drawn than Qt Charts takes at once.
    for (const QLineSeries* line : chart->lines()) {
      QVERIFY(line->count() <= GaugeHistory::kMostPoints && !line->useOpenGL());
    }
  }

  /// The same measurement as a terminal's, and as the Plan pane of Configure asks for.
  void hostsMeasuresAndRemembers() {
    const auto studio = test::makeStudio();
    HostsPage page(*studio->studio);
    QVERIFY(test::show(page, {936, 660}));
    QCOMPARE(page.command(), "tessera bench product");
    QVERIFY(test::click(test::button(&page, "Measure")));
    QVERIFY(!test::button(&page, "Measure")->isEnabled());
    QCOMPARE(studio->tasks->running(), 1);
    QVERIFY(test::waitUntil([&] { return test::labelWith(&page, "FLOP/s"); }, 120'000));
    QVERIFY(test::labelWith(&page, "in BF16, measured on"));
    QVERIFY(test::button(&page, "Measure")->isEnabled());
    QCOMPARE(studio->tasks->running(), 0);
    const std::vector<Measurement> kept = read_measurements();
    QVERIFY(kept.size() == 2 && kept[0].kind == "product" && kept[0].product_flops > 0);
    // Measured elsewhere, it is shown when the page is gone to.
    Measurement other = kept[0];
    other.product_flops = 157.1e9;
    add_measurement(other);
    page.open(page.location());
    QVERIFY(test::waitUntil(
        [&] { return test::labelWith(&page, QStringLiteral("157\u00a0GFLOP/s")); }));
  }

  /// Hosts are added, checked by the program and forgotten; what is wrong stands there with the
  /// next step.
  void hostsAreAddedCheckedAndForgotten() {
    const auto studio = test::makeStudio();
    const QString ssh = QString::fromStdString((home_folder() / "ssh").string());
    std::filesystem::create_directories(home_folder());
    std::ofstream(ssh.toStdString())
        << "#!/bin/sh\n"
           "echo 'ssh: Could not resolve hostname lost: Name or service not known' >&2\nexit 255\n";
    std::filesystem::permissions(ssh.toStdString(), std::filesystem::perms::owner_all);
    qputenv("TESSERA_SSH", ssh.toUtf8());
    HostsPage page(*studio->studio);
    QVERIFY(test::show(page, {936, 1100}));
    QVERIFY(test::waitUntil([&] { return test::button(&page, "Add a host...") != nullptr; }));
    QVERIFY(test::click(test::button(&page, "Add a host...")));
    auto* dialog = page.findChild<QInputDialog*>();
    QVERIFY(dialog);
    dialog->setTextValue(QStringLiteral("lost,other"));
    dialog->accept();
    const auto state = [&](const char* host) {
      auto* row = page.findChild<QWidget*>(QStringLiteral("host.") + QLatin1String(host));
      auto* label = row ? row->findChild<QLabel*>(QStringLiteral("state")) : nullptr;
      return label ? label->text() : QString();
    };
    QVERIFY(test::waitUntil([&] { return state("lost") == QLatin1String("Not checked yet"); }));
    auto* row = page.findChild<QWidget*>(QStringLiteral("host.lost"));
    QVERIFY(test::waitUntil([&] { return test::button(row, "Check") != nullptr; }));
    QVERIFY(test::click(test::button(row, "Check")));
    QVERIFY(
        test::waitUntil([&] { return state("lost").contains(QLatin1String("problem")); }, 60'000));
    QVERIFY(test::waitUntil([&] { return test::labelWith(&page, "lost") != nullptr; }));
    QVERIFY(test::labelWith(&page, "checked just now"));
    QCOMPARE(state("other"), QStringLiteral("Not checked yet"));
    test::picture(page, "hosts/known");
    // The terminal sees the same list.
    QCOMPARE(read_host_book().hosts.size(), std::size_t(2));
    QCOMPARE(read_host_book().hosts[0].count(HostCheck::Level::Bad), 1);
    auto* forget = page.findChild<QWidget*>(QStringLiteral("host.lost"))->findChild<QToolButton*>();
    QVERIFY(test::click(forget));
    QVERIFY(test::waitUntil([&] { return state("lost").isEmpty(); }));
    QCOMPARE(read_host_book().hosts.size(), std::size_t(1));
    // A list that is none is told and changes nothing.
    QVERIFY(test::click(test::button(&page, "Add a host...")));
    page.findChild<QInputDialog*>()->setTextValue(QStringLiteral("x,x"));
    page.findChild<QInputDialog*>()->accept();
    QVERIFY(test::waitUntil([&] { return !studio->navigator.notices.empty(); }));
    QVERIFY(studio->navigator.notices.back().text.contains(QLatin1String("x")));
    QCOMPARE(read_host_book().hosts.size(), std::size_t(1));
    qunsetenv("TESSERA_SSH");
  }

  void aMeasurementThatFailsIsSaid() {
    const auto studio = test::makeStudio();
    std::filesystem::create_directories(home_folder() / "bench");
    std::ofstream(home_folder() / "bench" / "measurements.json") << "{ not json";
    HostsPage page(*studio->studio);
    QVERIFY(test::show(page, {936, 660}));
    QVERIFY(test::waitUntil([&] { return studio->navigator.notices.size() == 1; }));
    QVERIFY(test::click(test::button(&page, "Measure")));
    QVERIFY(test::waitUntil([&] { return studio->navigator.notices.size() == 2; }, 120'000));
    QVERIFY(studio->navigator.notices[1].text.contains("measurements.json"));
    QCOMPARE(studio->navigator.notices[1].action, "Try again");
  }
};

TESSERA_UI_MAIN(HomePagesTest)
#include "home_pages_test.moc"
