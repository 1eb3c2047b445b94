// SPDX-License-Identifier: MIT
// Links: tessera_ui_page_configure
// From a draft to a run: drafts that are kept, files, forks and clones, the command, queue and
// launch.
#include <signal.h>

#include <QClipboard>
#include <QComboBox>
#include <QFile>
#include <QFileInfo>
#include <QGuiApplication>
#include <QLabel>
#include <QLineEdit>
#include <QListWidget>
#include <QLocale>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QScrollArea>
#include <QScrollBar>
#include <QTableWidget>
#include <QToolButton>
#include <QUndoStack>
#include <utility>

#include "core/plan/plan.h"
#include "core/run/run_folder.h"
#include "core/spec/spec_table.h"
#include "tests/build_paths.h"
#include "tests/ui/configure_scene.h"
#include "tests/ui/harness.h"
#include "ui/bridge/desktop/preferences.h"
#include "ui/bridge/draft/draft_shelf.h"
#include "ui/bridge/draft/draft_spec.h"
#include "ui/bridge/launch/launcher.h"
#include "ui/bridge/runs/run_store.h"
#include "ui/pages/configure/configure_page.h"
#include "ui/pages/configure/data_dialog.h"
#include "ui/pages/configure/plan_pane.h"
#include "ui/pages/configure/spec_form.h"
#include "ui/pages/configure/spec_text.h"
#include "ui/theme/theme.h"
#include "ui/widgets/engine_words.h"
#include "ui/widgets/spec/field_editor.h"
#include "ui/widgets/spec/field_row.h"
#include "ui/widgets/spec/rate_editor.h"

namespace tessera::ui {

using namespace test;

class ConfigureLaunchTest : public QObject, protected ConfigureScene {
  Q_OBJECT

 private Q_SLOTS:
  void initTestCase() { findProgram(); }
  void init() { setUp(); }
  void cleanup() { tearDown(); }

  void tellsOfALaunchedDraft();
  void keepsDraftsOnAShelf();
  void refusesForksThatCannotWork();
  void copiesTheCommand();
  void savesAndOpens();
  void launchesNothingWhileAnotherIsRead();
  void enqueues();
  void opensAClone();
  void opensAFork();
  void fromPresetToMonitor();
};

/// A launched draft says so: its text is a run's by now.
void ConfigureLaunchTest::tellsOfALaunchedDraft() {
  QVERIFY(load(QStringLiteral("demo")));
  QVERIFY(!draft().setValue("model.hidden_size", spec::Value(std::int64_t{96})));
  QVERIFY(planned());
  QVERIFY(waitUntil([&] { return listDrafts().size() == 1; }));
  QVERIFY(listDrafts().front().dirty() && !listDrafts().front().launched());
  draft().markLaunched(draft().text());
  QVERIFY(waitUntil([&] { return listDrafts().front().launched(); }));
  QVERIFY(!draft().setValue("model.hidden_size", spec::Value(std::int64_t{64})));
  QVERIFY(waitUntil([&] { return draft().settled() && !listDrafts().front().launched(); }));
}

void ConfigureLaunchTest::keepsDraftsOnAShelf() {
  QVERIFY(load(QStringLiteral("demo")));
  QVERIFY(!draft().setValue("model.hidden_size", spec::Value(std::int64_t{96})));
  QVERIFY(planned());
  const Location place = m_page->location();
  const QString id = place.arguments.value(QStringLiteral("draft"));
  QVERIFY(!id.isEmpty());
  QVERIFY(waitUntil([&] { return listDrafts().size() == 1; }));
  QCOMPARE(listDrafts().front().changes, 1);
  QVERIFY(load(QStringLiteral("small-20m")));
  m_page->open(place);
  QVERIFY(waitUntil(
      [&] { return draft().origin().name == QStringLiteral("demo") && draft().settled(); }));
  QCOMPARE(draft().spec().model.hidden_size, 96);
  QVERIFY(draft().dirty());
  QCOMPARE(draft().differenceCount(), 1);
  // Put back as it was, there is nothing to keep.
  draft().reset("model.hidden_size");
  QVERIFY(waitUntil([&] { return listDrafts().empty(); }));
}

/// What the checkpoint's weights do not allow is told before there is a run.
void ConfigureLaunchTest::refusesForksThatCannotWork() {
  const QString id = makeRun(read_preset("demo").spec);
  QVERIFY(!id.isEmpty());
  m_page->open({QStringLiteral("configure"), {}, {{QStringLiteral("fork"), id}}});
  QVERIFY(waitUntil([&] { return draft().loaded() && draft().settled(); }));
  QVERIFY(section(QStringLiteral("Model")));
  QVERIFY(!draft().setValue("model.num_hidden_layers", spec::Value(std::int64_t{5})));
  QVERIFY(planned());
  QVERIFY(waitUntil([&] {
    return labelWith(row("model.num_hidden_layers"), QStringLiteral("another shape")) != nullptr;
  }));
  QVERIFY(!button(m_page.get(), QStringLiteral("Launch fork"))->isEnabled());
  auto* pane = m_page->findChild<PlanPane*>();
  QAbstractButton* fix = button(pane, QStringLiteral("Fix: Set model.num_hidden_layers to 4"));
  QVERIFY(fix && click(fix));
  QVERIFY(waitUntil([&] { return draft().spec().model.num_hidden_layers == 4; }));
}

void ConfigureLaunchTest::copiesTheCommand() {
  QVERIFY(load(QStringLiteral("demo")));
  QVERIFY(click(button(m_page.get(), QStringLiteral("Copy the command"))));
  QCOMPARE(QGuiApplication::clipboard()->text(), QStringLiteral("tessera train demo"));
  QVERIFY(!draft().setValue("run.name", spec::Value(std::string("a b"))));
  QVERIFY(waitUntil([&] { return draft().settled(); }));
  QCOMPARE(m_page->command(), QStringLiteral("tessera train demo --set 'run.name=\"a b\"'"));
}

void ConfigureLaunchTest::savesAndOpens() {
  QVERIFY(load(QStringLiteral("demo")));
  QVERIFY(!draft().setValue("model.hidden_size", spec::Value(std::int64_t{64})));
  const QString path = m_studio->home->home() + QStringLiteral("/mine.toml");
  QSignalSpy saved(&draft(), &DraftSpec::saved);
  draft().save(path);
  QVERIFY(saved.wait());
  QVERIFY(!draft().dirty());
  QFile file(path);
  QVERIFY(file.open(QIODevice::ReadOnly));
  QCOMPARE(QString::fromUtf8(file.readAll()), text()->toPlainText());
  QVERIFY(load(QStringLiteral("small-20m")));
  m_page->open({QStringLiteral("configure"), {}, {{QStringLiteral("spec"), path}}});
  QVERIFY(waitUntil([&] { return draft().loaded() && draft().spec().model.hidden_size == 64; }));
  QCOMPARE(m_page->location().arguments.value(QStringLiteral("spec")), path);
  QVERIFY(draft().differs("model.hidden_size"));  // from the preset that the file names
  draft().save(QStringLiteral("/nowhere/at/all.toml"));
  QVERIFY(waitUntil([&] { return !m_studio->navigator.notices.empty(); }));
  QVERIFY(m_studio->navigator.notices.back().text.contains(QStringLiteral("/nowhere/at/all.toml")));
}

/// A spec that is still being read is not what stands there: neither can be launched.
void ConfigureLaunchTest::launchesNothingWhileAnotherIsRead() {
  QVERIFY(load(QStringLiteral("demo")));
  QAbstractButton* launch = button(m_page.get(), QStringLiteral("Launch"));
  QVERIFY(waitUntil([&] { return launch->isEnabled(); }));
  m_page->open({QStringLiteral("configure"), {}, {{QStringLiteral("preset"), "small-20m"}}});
  QVERIFY(!launch->isEnabled());
  QVERIFY(waitUntil([&] { return draft().origin().name == QStringLiteral("small-20m"); }));
  QVERIFY(waitUntil([&] { return launch->isEnabled(); }, 15000));
  // One that cannot be read leaves what stood there as it was.
  m_page->open({QStringLiteral("configure"), {}, {{QStringLiteral("spec"), "/no/such.toml"}}});
  QVERIFY(!launch->isEnabled());
  QVERIFY(waitUntil([&] { return !m_studio->navigator.notices.empty(); }));
  QVERIFY(m_studio->navigator.notices.back().text.contains(QStringLiteral("/no/such.toml")));
  QVERIFY(waitUntil([&] { return launch->isEnabled(); }, 15000));
  QCOMPARE(draft().origin().name, QStringLiteral("small-20m"));
}

void ConfigureLaunchTest::enqueues() {
  QVERIFY(load(QStringLiteral("demo")));
  m_studio->launcher->setQueuePaused(true);
  QVERIFY(waitUntil([&] { return button(m_page.get(), QStringLiteral("Enqueue"))->isEnabled(); }));
  QVERIFY(click(button(m_page.get(), QStringLiteral("Enqueue"))));
  QCOMPARE(m_studio->launcher->queue().size(), std::size_t{1});
  QCOMPARE(m_studio->launcher->queue()[0].name, std::string("demo"));
  QVERIFY(m_studio->launcher->queue()[0].spec.find("hidden_size = 128") != std::string::npos);
  QVERIFY(!m_studio->navigator.toasts.empty());
  m_studio->navigator.toasts.back().undo();
  QVERIFY(m_studio->launcher->queue().empty());
}

void ConfigureLaunchTest::opensAClone() {
  RunSpec spec = read_preset("demo").spec;
  spec.model.hidden_size = 96;
  const QString id = makeRun(spec);
  QVERIFY(!id.isEmpty());
  m_page->open({QStringLiteral("configure"), {}, {{QStringLiteral("clone"), id}}});
  QVERIFY(waitUntil([&] { return draft().loaded() && draft().settled(); }));
  QCOMPARE(draft().spec().model.hidden_size, 96);
  QCOMPARE(draft().differenceCount(), 0);
  QVERIFY(labelWith(m_page.get(), QStringLiteral("clone of ") + id));
}

void ConfigureLaunchTest::opensAFork() {
  const QString id = makeRun(read_preset("demo").spec);
  QVERIFY(!id.isEmpty());
  m_page->open({QStringLiteral("configure"),
                {},
                {{QStringLiteral("fork"), id}, {QStringLiteral("step"), QStringLiteral("250")}}});
  QVERIFY(waitUntil([&] { return draft().loaded() && draft().settled(); }));
  QVERIFY(labelWith(m_page.get(), QStringLiteral("fork of %1 after step 250").arg(id)));
  QVERIFY(button(m_page.get(), QStringLiteral("Launch fork")));
  QVERIFY(!draft().setValue("optimiser.clip", spec::Value(0.5)));
  QVERIFY(waitUntil([&] { return draft().settled(); }));
  QCOMPARE(m_page->command(),
           QStringLiteral("tessera resume %1 --fork --step 250 --set optimiser.clip=0.5").arg(id));
  m_page->open({QStringLiteral("configure"), {}, {{QStringLiteral("fork"), QStringLiteral("x")}}});
  QCOMPARE(m_studio->navigator.notices.back().text, QStringLiteral("There is no run x."));
}

/// Flow B: preset, the plan turns green, launch, Monitor.
void ConfigureLaunchTest::fromPresetToMonitor() {
  auto* presets = m_page->findChild<QComboBox*>();
  QVERIFY(waitUntil([&] { return presets->count() > 3; }));
  QVERIFY(choose(presets, QStringLiteral("demo")));
  QVERIFY(waitUntil([&] { return draft().loaded(); }));
  QVERIFY(planned());
  QCOMPARE(status(), QStringLiteral("Ready to launch"));
  QAbstractButton* launch = button(m_page.get(), QStringLiteral("Launch"));
  QVERIFY(waitUntil([&] { return launch->isEnabled(); }));
  QVERIFY(click(launch));
  QVERIFY(waitUntil([&] { return !m_studio->navigator.opened.empty(); }, 30000));
  const Location monitor = m_studio->navigator.opened.back();
  QCOMPARE(monitor.page, QStringLiteral("monitor"));
  QVERIFY(!monitor.subject.isEmpty());
  const RunFolder folder =
      RunFolder::open((m_studio->home->runs() + u'/' + monitor.subject).toStdString());
  QCOMPARE(folder.spec().run.preset, std::string("demo"));
  std::optional<ProcessId> process;
  QVERIFY(waitUntil([&] { return (process = status_of(folder).process).has_value(); }, 15000));
  QCOMPARE(::kill(static_cast<pid_t>(process->pid), SIGKILL), 0);
  QVERIFY(waitUntil([&] { return liveness_of(*process) == Liveness::Dead; }));
}

}  // namespace tessera::ui

TESSERA_UI_MAIN(tessera::ui::ConfigureLaunchTest)
#include "configure_launch_test.moc"
