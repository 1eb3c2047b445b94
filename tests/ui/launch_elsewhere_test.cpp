// SPDX-License-Identifier: MIT
// Links: tessera_ui_page_configure
// Slow
// Runs that are started elsewhere from Configure: on hosts, which are this machine behind a script
// in the place of ssh, and as a job of Slurm, whose commands are scripts too. Hosts that are lost,
// hang, trickle and refuse; the window waits for none of them.
#include <QCheckBox>
#include <QComboBox>
#include <QDir>
#include <QLabel>
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSignalSpy>
#include <fstream>

#include "core/base/files.h"
#include "core/config/paths.h"
#include "core/launch/launch_record.h"
#include "core/launch/slurm_record.h"
#include "core/run/mirror_note.h"
#include "tests/ui/configure_scene.h"
#include "tests/ui/real_runs.h"
#include "tests/ui/run_files.h"
#include "ui/bridge/desktop/preferences.h"
#include "ui/bridge/desktop/tasks.h"
#include "ui/bridge/launch/launcher.h"
#include "ui/bridge/launch/slurm_profiles.h"
#include "ui/pages/configure/place_bar.h"
#include "ui/pages/configure/script_dialog.h"

namespace tessera::ui {

using namespace test;
namespace fs = std::filesystem;

namespace {
constexpr int kPatience = 60'000;

/// Each host has a home of its own below the folder of the script.
constexpr const char* kPretendSsh = R"sh(#!/bin/bash
folder=$(dirname "$0")
for word in "$@"; do [ "$word" = "-O" ] && exit 0; done
while [ "$1" != "--" ]; do shift; done
host=$2
echo "$host" >> "$folder/asked"
case $host in
  lost) echo "ssh: Could not resolve hostname lost: Name or service not known" >&2; exit 255 ;;
  changed) echo "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @" >&2; exit 255 ;;
  asks) echo "me@asks: Permission denied (publickey,password)." >&2; exit 255 ;;
  silent) echo "ssh: connect to host silent port 22: Connection timed out" >&2; exit 255 ;;
  hangs) echo $$ >> "$folder/hanging"; exec sleep 1000 ;;
  trickles) echo $$ >> "$folder/hanging"; while sleep 0.05; do printf x; done ;;
  old) echo "tessera: [version] 0.0 is on this host, 1 on the desk; hint: --copy sends it" >&2; exit 1 ;;
  full) echo "tessera: [/shared] cannot be written: No space left on device; hint: make room" >&2; exit 1 ;;
  bare) echo "tessera-is-not-here" >&2; exit 127 ;;
esac
export TESSERA_HOME="$folder/$host/home" TESSERA_AGENTS="$folder/agents-$host"
unset TESSERA_RUNS
exec sh -c "$3"
)sh";

constexpr const char* kPretendSbatch = R"sh(#!/bin/bash
folder=$(dirname "$0")
[ "$1" = --version ] && { echo "slurm 22.05"; exit 0; }
if [ -e "$folder/refuses" ]; then echo "sbatch: error: invalid partition specified: gpuu" >&2; exit 1; fi
cp "${@: -1}" "$folder/submitted.sh"; pwd > "$folder/submitted.in"; echo 12
)sh";
constexpr const char* kPretendSqueue = R"sh(#!/bin/bash
folder=$(dirname "$0")
[ -e "$folder/ended" ] && exit 0
cat "$folder/state"
)sh";
constexpr const char* kPretendScontrol = R"sh(#!/bin/bash
folder=$(dirname "$0")
[ -e "$folder/ended" ] && { echo "JobId=12 JobState=$(cat "$folder/ended") Reason=None NodeList=n1"; exit 0; }
echo "slurm_load_jobs error: Invalid job id specified" >&2; exit 1
)sh";
constexpr const char* kPretendScancel = R"sh(#!/bin/bash
folder=$(dirname "$0")
echo "$*" >> "$folder/cancelled"; echo CANCELLED > "$folder/ended"
)sh";

void writeProgram(const fs::path& file, const char* text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file) << text;
  fs::permissions(file, fs::perms::owner_all);
}
}  // namespace

class LaunchElsewhereTest : public QObject, protected ConfigureScene {
  Q_OBJECT

 private Q_SLOTS:
  void initTestCase() { findProgram(); }
  void init() {
    m_path = qgetenv("PATH");
    m_home = std::make_unique<TemporaryHome>();
    ssh() = (home_folder() / "ssh").string();
    writeProgram(ssh() + "/ssh", kPretendSsh);
    qputenv("TESSERA_SSH", QByteArray::fromStdString(ssh() + "/ssh"));
    qputenv("TESSERA_AGENTS", QByteArray::fromStdString(ssh() + "/agents-here"));
    m_slurm = home_folder() / "slurm-bin";
    writeProgram(m_slurm / "sbatch", kPretendSbatch);
    writeProgram(m_slurm / "squeue", kPretendSqueue);
    writeProgram(m_slurm / "scontrol", kPretendScontrol);
    writeProgram(m_slurm / "scancel", kPretendScancel);
    std::ofstream(m_slurm / "state") << "12|PENDING|0:00|1:00:00|N/A||Resources\n";
    SlurmProfile profile;
    profile.name = "gpu";
    profile.partition = "long";
    profile.ranks_per_node = 2;
    save_slurm_profile(slurm_profiles_folder(), profile, false);
    qputenv("PATH", QByteArray::fromStdString(m_slurm.string()) + ":" + m_path);
    m_words = m_home->home() + "/words.jsonl";
    writeWords(m_words);
    m_studio = makeStudio(std::move(m_home));
    m_page = std::make_unique<ConfigurePage>(*m_studio->studio);
    QVERIFY(test::show(*m_page, QSize(1024, 700)));
  }
  void cleanup() {
    m_page.reset();
    killHanging();
    killRuns(QString::fromStdString(sharedRuns().string()));
    m_studio.reset();
    qunsetenv("TESSERA_SSH");
    qunsetenv("TESSERA_AGENTS");
    qputenv("PATH", m_path);
  }

  void startsOnHostsAndFollowsTheRun();
  void saysBesideTheFieldWhatDoesNotFit();
  void tellsWhatStandsInTheWayAndLeavesNothing_data();
  void tellsWhatStandsInTheWayAndLeavesNothing();
  void waitsForNoHostAndCancels_data();
  void waitsForNoHostAndCancels();
  void goesOnWhereTheRunWas();
  void showsTheScriptAndKeepsWhatIsEdited();
  void submitsFollowsAndCancelsAJob();
  void tellsWhatSlurmRefuses();
  void queuesForElsewhere();

 private:
  std::string& ssh() { return m_ssh; }
  fs::path sharedRuns() const { return fs::path(m_ssh) / "shared"; }
  PlaceBar& place() { return m_page->place(); }
  QLabel* note() { return m_page->findChild<QLabel*>(QStringLiteral("place.note")); }
  QAbstractButton* launchButton() { return button(m_page.get(), QStringLiteral("Launch")); }
  bool openSpec(const char* name, std::int64_t steps) {
    if (!waitUntil([&] { return place().box()->findText(QStringLiteral("Slurm: gpu")) > 0; })) {
      return false;
    }
    const QString file = m_studio->home->home() + u'/' + QString::fromLatin1(name) + ".toml";
    std::ofstream(file.toStdString()) << specText(m_words, name, steps).toStdString();
    m_page->open({QStringLiteral("configure"), {}, {{QStringLiteral("spec"), file}}});
    return waitUntil([&] {
             return draft().loaded() && draft().settled() &&
                    draft().spec().run.name == std::string(name);
           }) &&
           planned();
  }
  /// As a person chooses it.
  bool chooseHosts(const QString& list) {
    if (!choose(place().box(), QStringLiteral("Hosts"))) return false;
    auto* hosts = m_page->findChild<QLineEdit*>(QStringLiteral("place.hosts"));
    auto* folder = m_page->findChild<QLineEdit*>(QStringLiteral("place.folder"));
    return typeInto(hosts, list) && typeInto(folder, QString::fromStdString(sharedRuns().string()));
  }
  bool launch() {
    return waitUntil([&] { return launchButton()->isEnabled(); }, 15'000) && click(launchButton());
  }
  bool nothingIsLeft() const {
    const QDir starts(m_studio->home->home() + "/launches");
    if (!starts.isEmpty()) return false;
    for (const LaunchRecord& record : all_launches(home_folder() / "launched")) {
      if (record.end.empty()) return false;
    }
    return !fs::exists(sharedRuns()) || fs::is_empty(sharedRuns());
  }
  void killHanging() const {
    std::ifstream numbers(m_ssh + "/hanging");
    for (pid_t number; numbers >> number;) ::kill(number, SIGKILL);
  }
  QString text(const fs::path& file) const {
    return QString::fromStdString(fs::exists(file) ? read_file(file) : std::string());
  }

  std::unique_ptr<TemporaryHome> m_home;
  std::string m_ssh;
  fs::path m_slurm;
  QString m_words;
  QByteArray m_path;
};

void LaunchElsewhereTest::startsOnHostsAndFollowsTheRun() {
  QVERIFY(openSpec("far", 1'000'000));
  QVERIFY(!note()->isVisible());
  QVERIFY(chooseHosts(QStringLiteral("a:1,b:1")));
  QCOMPARE(note()->text(), QStringLiteral("2 rank(s), parallel.data = 2"));
  const QString command = m_page->command();
  QVERIFY2(command.startsWith(QStringLiteral("tessera launch ")) &&
               command.contains(QStringLiteral(" --hosts a:1,b:1 --folder /")),
           qPrintable(command));
  test::picture(*m_page, QStringLiteral("configure/place-hosts"));
  QStringList phases;
  QObject::connect(
      m_studio->launcher.get(), &Launcher::startCameTo, m_page.get(),
      [&](const QString&, const StartPhase& phase) { phases << Launcher::phaseText(phase); });
  QVERIFY(launch());
  QCOMPARE(m_studio->tasks->running(), 1);
  auto* phase = m_page->findChild<QLabel*>(QStringLiteral("place.phase"));
  QVERIFY(phase->isVisible());
  QVERIFY(waitUntil([&] { return phases.size() >= 2; }, kPatience));
  test::picture(*m_page, QStringLiteral("configure/place-starting"));
  QVERIFY(waitUntil([&] { return !m_studio->navigator.opened.empty(); }, kPatience));
  QVERIFY(!phase->isVisible());
  QCOMPARE(m_studio->tasks->running(), 0);
  // The window looks from time to time: a phase that is over at once may pass unseen.
  QVERIFY2(!phases.contains(QString()) && phases.size() >= 2, qPrintable(phases.join('\n')));
  const QString run = m_studio->navigator.opened.back().subject;
  QCOMPARE(m_studio->navigator.opened.back().page, QStringLiteral("monitor"));
  // It is the copy of what goes on there, and says by whom that is known.
  const fs::path here = fs::path(m_studio->home->runs().toStdString()) / run.toStdString();
  const auto mirror = MirrorNote::load(here);
  QVERIFY(mirror && mirror->host == "a");
  QVERIFY(
      waitUntil([&] { return m_studio->runs->run(run)->state == RunState::Running; }, kPatience));
  QVERIFY(waitUntil([&] { return m_studio->runs->run(run)->step >= 3; }, kPatience));
  QVERIFY(QDir(m_studio->home->home() + "/launches").isEmpty());
  m_studio->launcher->control(run, Control::StopSaving);
  QVERIFY(
      waitUntil([&] { return m_studio->runs->run(run)->state == RunState::Stopped; }, kPatience));
}

void LaunchElsewhereTest::saysBesideTheFieldWhatDoesNotFit() {
  QVERIFY(openSpec("far", 10));
  QVERIFY(waitUntil([&] { return launchButton()->isEnabled(); }, 15'000));
  const std::pair<const char*, const char*> wrong[] = {
      {" ", "none is named"}, {"a,a", "a is named twice"}, {"a:x", "a:x"},
      {"a:3", "replicas"},    {"node[4-", "node[4-"},
  };
  for (const auto& [typed, said] : wrong) {
    QVERIFY(chooseHosts(QString::fromLatin1(typed)));
    QVERIFY2(note()->isVisible() && note()->text().contains(QString::fromLatin1(said)),
             qPrintable(typed + QStringLiteral(": ") + note()->text()));
    QVERIFY(!launchButton()->isEnabled());
    QVERIFY(launchButton()->toolTip() == note()->text());
    // A plan of what stood there while it was being typed comes first.
    QVERIFY(waitUntil(
        [&] { return labelWith(m_page.get(), QStringLiteral("The place does not fit")); }));
  }
  test::picture(*m_page, QStringLiteral("configure/place-refused"));
  QVERIFY(chooseHosts(QStringLiteral("a:2")));
  QVERIFY(waitUntil([&] { return launchButton()->isEnabled(); }));
  // The command and the plan are those of the place.
  QVERIFY(m_page->command().contains(QStringLiteral("--hosts a:2")));
  // What is typed stays as it is, spaces and all; only the ends are trimmed where it is used.
  QVERIFY(chooseHosts(QStringLiteral("a:1, b:1 ")));
  auto* hosts = m_page->findChild<QLineEdit*>(QStringLiteral("place.hosts"));
  QCOMPARE(hosts->text(), QStringLiteral("a:1, b:1 "));
  QCOMPARE(place().place().hosts, std::string("a:1, b:1"));
  QCOMPARE(place().data(), std::optional<std::int64_t>(2));
  QVERIFY(waitUntil([&] { return launchButton()->isEnabled(); }));
  QSignalSpy commands(m_page.get(), &Page::commandChanged);
  QVERIFY(chooseHosts(QStringLiteral("a:2")));
  QVERIFY(commands.count() > 0);
  // A layout that was chosen asks for its own number of ranks, and the note says what to set here.
  QVERIFY(!draft().setValue("parallel.data", spec::Value(std::int64_t{4})));
  QVERIFY(
      waitUntil([&] { return note()->text().contains(QStringLiteral("2 ranks are not the 4")); }));
  QVERIFY2(note()->text().endsWith(QStringLiteral("set parallel.data to 2")),
           qPrintable(note()->text()));
  QVERIFY(!place().data());
  QVERIFY(choose(place().box(), QStringLiteral("This machine")));
  QVERIFY(!note()->isVisible());
  QVERIFY(m_page->command().startsWith(QStringLiteral("tessera train ")));
}

void LaunchElsewhereTest::tellsWhatStandsInTheWayAndLeavesNothing_data() {
  QTest::addColumn<QString>("hosts");
  QTest::addColumn<QString>("said");
  QTest::newRow("unknown") << "lost"
                           << "is a name that nothing knows";
  QTest::newRow("changed key") << "changed"
                               << "ssh-keygen -R changed";
  QTest::newRow("asks for a password") << "asks"
                                       << "it must not ask for a password";
  QTest::newRow("no answer") << "silent"
                             << "does not answer";
  QTest::newRow("wrong version") << "old"
                                 << "0.0 is on this host";
  QTest::newRow("full disk") << "full"
                             << "No space left on device";
  QTest::newRow("no program") << "bare"
                              << "has no tessera";
  QTest::newRow("the second one") << "a,lost"
                                  << "is a name that nothing knows";
}

void LaunchElsewhereTest::tellsWhatStandsInTheWayAndLeavesNothing() {
  QFETCH(QString, hosts);
  QFETCH(QString, said);
  QVERIFY(openSpec("far", 10));
  QVERIFY(chooseHosts(hosts));
  QVERIFY(launch());
  QVERIFY(waitUntil([&] { return !m_studio->navigator.notices.empty(); }, kPatience));
  const auto& notice = m_studio->navigator.notices.back();
  QCOMPARE(notice.severity, QStringLiteral("error"));
  QVERIFY2(notice.text.contains(said), qPrintable(notice.text));
  QVERIFY2(notice.text.contains(QStringLiteral("; hint: ")), qPrintable(notice.text));
  QCOMPARE(notice.action, QStringLiteral("Try again"));
  QVERIFY(nothingIsLeft());
  QVERIFY(launchButton()->isEnabled());
  QCOMPARE(m_studio->tasks->running(), 0);
}

void LaunchElsewhereTest::waitsForNoHostAndCancels_data() {
  QTest::addColumn<QString>("hosts");
  QTest::newRow("hangs") << "hangs";
  QTest::newRow("trickles") << "trickles";
  QTest::newRow("the second hangs") << "a,hangs";
}

/// The harness fails where the window waits.
void LaunchElsewhereTest::waitsForNoHostAndCancels() {
  QFETCH(QString, hosts);
  QVERIFY(openSpec("far", 10));
  QVERIFY(chooseHosts(hosts));
  QVERIFY(launch());
  QVERIFY(waitUntil([&] { return fs::exists(m_ssh + "/hanging"); }, kPatience));
  QTest::qWait(300);
  QVERIFY(click(button(m_page.get(), QStringLiteral("Cancel the start"))));
  QVERIFY(waitUntil([&] { return !m_studio->navigator.toasts.empty(); }, kPatience));
  QCOMPARE(m_studio->navigator.toasts.back().text,
           QStringLiteral("The start was cancelled; nothing of it is left"));
  QVERIFY(m_studio->navigator.notices.empty());
  QVERIFY(nothingIsLeft());
  QVERIFY(waitUntil([&] { return launchButton()->isEnabled(); }));
  std::ifstream numbers(m_ssh + "/hanging");
  for (pid_t number; numbers >> number;) {
    QVERIFY2(waitUntil([&] { return ::kill(number, 0) != 0; }), "a line to the host is left");
  }
}

void LaunchElsewhereTest::goesOnWhereTheRunWas() {
  QVERIFY(openSpec("far", 1'000'000));
  QVERIFY(chooseHosts(QStringLiteral("a:2")));
  QVERIFY(launch());
  QVERIFY(waitUntil([&] { return !m_studio->navigator.opened.empty(); }, kPatience));
  const QString run = m_studio->navigator.opened.back().subject;
  const auto row = [&] { return m_studio->runs->run(run); };
  QVERIFY(waitUntil([&] { return row() && row()->step >= 6; }, kPatience));
  m_studio->launcher->control(run, Control::StopSaving);
  QVERIFY(waitUntil([&] { return row()->state == RunState::Stopped; }, kPatience));
  const auto before = row()->step;
  QSignalSpy started(m_studio->launcher.get(), &Launcher::started);
  QSignalSpy failed(m_studio->launcher.get(), &Launcher::startFailed);
  m_studio->launcher->resume(run, QStringLiteral("again"));
  QVERIFY(waitUntil([&] { return started.size() + failed.size() == 1; }, kPatience));
  QVERIFY2(failed.isEmpty(), failed.isEmpty() ? "" : qPrintable(failed[0][1].toString()));
  QCOMPARE(started[0][1].toString(), run);
  QVERIFY(waitUntil([&] { return row()->step > before + 2; }, kPatience));
  m_studio->launcher->control(run, Control::StopNow);
  QVERIFY(waitUntil([&] { return row()->state == RunState::Stopped; }, kPatience));
}

void LaunchElsewhereTest::showsTheScriptAndKeepsWhatIsEdited() {
  QVERIFY(openSpec("job", 10));
  QVERIFY(choose(place().box(), QStringLiteral("Slurm: gpu")));
  QCOMPARE(note()->text(), QStringLiteral("2 rank(s), parallel.data = 2"));
  QVERIFY(click(button(m_page.get(), QStringLiteral("Script..."))));
  auto* dialog = m_page->findChild<ScriptDialog*>();
  QVERIFY(dialog && dialog->isVisible());
  auto* script = dialog->findChild<QPlainTextEdit*>();
  QVERIFY(script->toPlainText().contains(QStringLiteral("#SBATCH --partition=long")));
  QVERIFY(script->toPlainText().contains(QStringLiteral("job")));
  // It follows the spec and the profile.
  QVERIFY(!draft().setValue("run.name", spec::Value(std::string("other"))));
  QVERIFY(waitUntil([&] { return script->toPlainText().contains(QStringLiteral("other")); }));
  auto& profiles = SlurmProfiles::of(*m_studio->preferences);
  SlurmProfile changed = *profiles.find(QStringLiteral("gpu"));
  changed.partition = "short";
  profiles.save(changed, true);
  QVERIFY(waitUntil(
      [&] { return script->toPlainText().contains(QStringLiteral("--partition=short")); }));
  test::picture(*dialog, QStringLiteral("configure/script"));
  // What is edited stays, and is marked.
  script->setPlainText(script->toPlainText().replace(QStringLiteral("--partition=short"),
                                                     QStringLiteral("--partition=mine")));
  QVERIFY(labelWith(dialog, QStringLiteral("Edited by hand: it differs from the profile")));
  changed.partition = "third";
  profiles.save(changed, true);
  QVERIFY(waitUntil([&] { return profiles.find(QStringLiteral("gpu"))->partition == "third"; }));
  QVERIFY(script->toPlainText().contains(QStringLiteral("--partition=mine")));
  QVERIFY(note()->text().contains(QStringLiteral("Edited by hand")));
  QVERIFY2(m_page->command().contains(QStringLiteral(" --slurm gpu")) &&
               m_page->command().contains(QStringLiteral(" --script /")),
           qPrintable(m_page->command()));
  // Nonsense is refused with its line, and nothing can be launched.
  script->setPlainText(QStringLiteral("echo no shell is named\n"));
  QVERIFY2(note()->text().contains(QStringLiteral("Line 1: ")), qPrintable(note()->text()));
  QVERIFY(!launchButton()->isEnabled());
  // An empty script is an edited one too, and comes back empty.
  script->clear();
  QVERIFY2(note()->text().contains(QStringLiteral("is empty")), qPrintable(note()->text()));
  dialog->close();
  QVERIFY(waitUntil([&] { return !m_page->findChild<ScriptDialog*>(); }));
  QVERIFY(choose(place().box(), QStringLiteral("This machine")));
  QVERIFY(choose(place().box(), QStringLiteral("Slurm: gpu")));
  QVERIFY(click(button(m_page.get(), QStringLiteral("Script..."))));
  dialog = m_page->findChild<ScriptDialog*>();
  script = dialog->findChild<QPlainTextEdit*>();
  QVERIFY(script->toPlainText().isEmpty());
  QVERIFY(click(button(dialog, QStringLiteral("Take the profile's own"))));
  QVERIFY(script->toPlainText().contains(QStringLiteral("--partition=third")));
  QVERIFY(!m_page->command().contains(QStringLiteral("--script")));
  dialog->close();
}

void LaunchElsewhereTest::submitsFollowsAndCancelsAJob() {
  QVERIFY(openSpec("job", 10));
  QVERIFY(choose(place().box(), QStringLiteral("Slurm: gpu")));
  auto* folder = m_page->findChild<QLineEdit*>(QStringLiteral("place.folder"));
  QVERIFY(typeInto(folder, QString::fromStdString(sharedRuns().string())));
  QVERIFY(launch());
  QVERIFY(waitUntil([&] { return !m_studio->navigator.opened.empty(); }, kPatience));
  QVERIFY(m_studio->navigator.notices.empty());
  const QString run = m_studio->navigator.opened.back().subject;
  const auto row = [&] { return m_studio->runs->run(run); };
  QCOMPARE(text(m_slurm / "submitted.in").trimmed(),
           QString::fromStdString((sharedRuns() / run.toStdString()).string()));
  const auto says = [&](const char* words) {
    return waitUntil([&] { return row() && row()->reason.find(words) != std::string::npos; },
                     kPatience);
  };
  QVERIFY2(says("job 12"), row() ? row()->reason.c_str() : "not listed");
  QVERIFY2(says("waits"), row()->reason.c_str());
  std::ofstream(m_slurm / "state") << "12|RUNNING|0:05|0:55|2026-11-30T18:00:00|n1|None\n";
  QVERIFY2(says("runs on n1"), row()->reason.c_str());
  std::ofstream(m_slurm / "state") << "12|PENDING|0:00|1:00:00|N/A||BeginTime\n";
  QVERIFY2(says("waits"), row()->reason.c_str());
  m_studio->launcher->control(run, Control::StopSaving);
  QVERIFY(waitUntil([&] { return text(m_slurm / "cancelled").trimmed() == "12"; }, kPatience));
  QVERIFY2(says("cancelled"), row()->reason.c_str());
}

void LaunchElsewhereTest::tellsWhatSlurmRefuses() {
  std::ofstream(m_slurm / "refuses") << "\n";
  QVERIFY(openSpec("job", 10));
  QVERIFY(choose(place().box(), QStringLiteral("Slurm: gpu")));
  auto* folder = m_page->findChild<QLineEdit*>(QStringLiteral("place.folder"));
  QVERIFY(typeInto(folder, QString::fromStdString(sharedRuns().string())));
  QVERIFY(launch());
  QVERIFY(waitUntil([&] { return !m_studio->navigator.notices.empty(); }, kPatience));
  const QString said = m_studio->navigator.notices.back().text;
  QVERIFY2(said.contains(QStringLiteral("partition")) && said.contains(QStringLiteral("hint")),
           qPrintable(said));
  QVERIFY(nothingIsLeft());
}

void LaunchElsewhereTest::queuesForElsewhere() {
  m_studio->launcher->setQueuePaused(true);
  QVERIFY(openSpec("waits", 5));
  QVERIFY(chooseHosts(QStringLiteral("a:2")));
  auto* enqueue = button(m_page.get(), QStringLiteral("Enqueue"));
  QVERIFY(waitUntil([&] { return enqueue->isEnabled(); }, 15'000));
  QVERIFY(click(enqueue));
  QCOMPARE(m_studio->launcher->queue().size(), std::size_t(1));
  QCOMPARE(m_studio->launcher->queue()[0].place.hosts, std::string("a:2"));
  // Another run has this machine; the one for the host does not wait for it.
  test::WrittenRun other(m_studio->home->runs().toStdString(), "ours");
  const RunLock lock(other.folder);
  QSignalSpy started(m_studio->launcher.get(), &Launcher::started);
  m_studio->launcher->setQueuePaused(false);
  QVERIFY(waitUntil([&] { return started.size() == 1; }, kPatience));
  const QString run = started[0][1].toString();
  QVERIFY(waitUntil(
      [&] {
        const RunRow* row = m_studio->runs->run(run);
        return row && row->state == RunState::Finished;
      },
      kPatience));
  QVERIFY(m_studio->launcher->queue().empty());
}

}  // namespace tessera::ui

TESSERA_UI_MAIN(tessera::ui::LaunchElsewhereTest)
#include "launch_elsewhere_test.moc"
