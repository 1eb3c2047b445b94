// SPDX-License-Identifier: MIT
// Links: tessera_ui_page_configure
// Every command that Configure shows does what its Launch button would: it is taken apart by a
// shell, read as the program reads it, and some are run beside the window.
#include <QFile>
#include <QProcess>
#include <QUndoStack>

#include "core/base/files.h"
#include "core/config/paths.h"
#include "core/spec/spec_table.h"
#include "tests/build_paths.h"
#include "tests/ui/harness.h"
#include "tests/ui/real_runs.h"
#include "tests/ui/run_files.h"
#include "ui/bridge/desktop/preferences.h"
#include "ui/bridge/draft/draft_spec.h"
#include "ui/bridge/launch/launcher.h"
#include "ui/bridge/launch/terminal_command.h"
#include "ui/bridge/runs/run_store.h"

namespace tessera::ui {

using namespace test;

namespace {
constexpr int kLong = 60'000;

/// Another value that the key takes; nothing where there is none to be thought of.
std::optional<spec::Value> other(const spec::Key& key, const spec::Value& value) {
  switch (key.type) {
    case spec::KeyType::Bool:
      return spec::Value(!std::get<bool>(value));
    case spec::KeyType::Integer: {
      const auto* now = std::get_if<std::int64_t>(&value);
      return spec::Value((now ? *now : 7) + 1);
    }
    case spec::KeyType::Number: {
      const auto* now = std::get_if<double>(&value);
      return spec::Value((now ? *now : 0.3) * 0.75 + 1e-7);
    }
    case spec::KeyType::Choice:
      for (const std::string& choice : key.choices) {
        if (spec::Value(choice) != value) return spec::Value(choice);
      }
      return {};
    case spec::KeyType::TextList:
    case spec::KeyType::PathList:
      if (!key.choices.empty()) return spec::Value(key.choices);
      return spec::Value(std::vector<std::string>{"it's \"here\"", "b $HOME `x` \\"});
    case spec::KeyType::Text:
    case spec::KeyType::Path:
      return spec::Value(std::string("it's a 'new' \"one\" $HOME"));
    default:
      return {};
  }
}
}  // namespace

class CommandsTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void initTestCase() {
    qputenv("PATH", QFileInfo(QStringLiteral(TESSERA_PROGRAM)).absolutePath().toUtf8() + ":" +
                        qgetenv("PATH"));
  }
  void init() {
    m_studio = makeStudio();
    m_draft = &DraftSpec::of(*m_studio->preferences);
  }
  void cleanup() {
    killRuns(m_studio->home->runs());
    m_studio.reset();
  }

  void ofEveryKey();
  void ofLists();
  void ofAFile();
  void ofAClone();
  void ofAFork();
  void areEmptyWhereNothingCanBeRead();
  void nameTheProgramAndItsHome();
  void startTheSameRun();

 private:
  bool settled() {
    return waitUntil([&] { return m_draft->loaded() && m_draft->settled(); }, kLong);
  }
  bool loadPreset(const QString& name) {
    QSignalSpy loaded(m_draft, &DraftSpec::draftLoaded);
    m_draft->loadPreset(name);
    return loaded.wait(kLong) && settled();
  }
  bool change(const std::function<void(RunSpec&)>& edit, const std::string& path) {
    m_draft->change(QStringLiteral("test"), path, {}, edit);
    return settled();
  }

  /// The words of a command as a shell hands them to the program.
  QStringList words(const QString& command) {
    QProcess shell;
    shell.start(
        QStringLiteral("bash"),
        {QStringLiteral("-c"), QStringLiteral("tessera() { printf '%s\\0' \"$@\"; }; ") + command});
    if (!shell.waitForFinished(kLong)) return {};
    QStringList found = QString::fromUtf8(shell.readAllStandardOutput()).split(QChar(0));
    found.removeLast();
    return found;
  }

  /// The spec that the program makes a run of, as `tessera train` and `tessera resume --fork` read
  /// their words; throws where it would refuse.
  std::string meant(const QStringList& all) {
    std::string from, spec;
    std::vector<std::string> settings;
    bool fork = false;
    for (qsizetype i = 1; i < all.size(); ++i) {
      if (all[i] == QLatin1String("--set")) {
        settings.push_back(all[++i].toStdString());
      } else if (all[i] == QLatin1String("--spec")) {
        spec = all[++i].toStdString();
      } else if (all[i] == QLatin1String("--step")) {
        ++i;
      } else if (all[i] == QLatin1String("--fork")) {
        fork = true;
      } else {
        from = all[i].toStdString();
      }
    }
    if (fork && spec.empty()) {
      spec = RunFolder::find(from, runs_folder()).spec_path().string();
    } else if (!fork) {
      spec = from;
    }
    RunSpec read = load_spec(spec, settings);
    make_paths_absolute(read, std::filesystem::exists(spec)
                                  ? std::filesystem::path(spec).parent_path()
                                  : resources_folder());
    return write_spec(read);
  }

  /// Compares what the shown command means with what Launch would write. Drafts that nobody could
  /// launch are passed over.
  bool agrees() {
    if (!m_draft->ok()) return false;
    const QStringList all = words(m_draft->command());
    const std::string ours = m_draft->resolved();
    const std::string theirs = meant(all);
    if (ours != theirs) qWarning("%s", qPrintable(m_draft->command()));
    return ours == theirs;
  }

  std::unique_ptr<StudioFixture> m_studio;
  DraftSpec* m_draft = nullptr;
};

void CommandsTest::ofEveryKey() {
  QVERIFY(loadPreset(QStringLiteral("demo")));
  QVERIFY(agrees());
  QCOMPARE(m_draft->command(), QStringLiteral("tessera train demo"));
  int checked = 0;
  const WatchPause pause;
  for (const spec::Entry& entry : spec::flatten(m_draft->spec())) {
    const auto value = other(*entry.key, entry.value);
    if (!value || entry.path == "run.preset") continue;
    if (m_draft->setValue(entry.path, *value)) continue;  // out of range
    QVERIFY(settled());
    if (m_draft->ok()) {
      QVERIFY2(agrees(), entry.path.c_str());
      ++checked;
    }
    m_draft->undoStack().undo();
    QVERIFY(settled());
  }
  QVERIFY2(checked > 90, qPrintable(QString::number(checked)));
  // As it was before all of them.
  QCOMPARE(m_draft->command(), QStringLiteral("tessera train demo"));
}

void CommandsTest::ofLists() {
  QVERIFY(loadPreset(QStringLiteral("demo")));
  QVERIFY(change([](RunSpec& s) { s.curriculum[0].learning_rate[1].to = 1e-4; },
                 "curriculum[0].learning_rate"));
  QVERIFY(m_draft->command().contains(QStringLiteral("/drafts/demo-")));
  QVERIFY(agrees());
  const QString before = m_draft->command();
  QVERIFY(change(
      [](RunSpec& s) {
        s.curriculum.push_back(s.curriculum[0]);
        s.curriculum[1].name = "more";
      },
      "curriculum"));
  QVERIFY(agrees());
  QVERIFY(change([](RunSpec& s) { s.data.sources.pop_back(); }, "data.sources"));
  QVERIFY(agrees());
  QVERIFY(change([](RunSpec& s) { s.run.notes = std::string(900, 'x'); }, "run.notes"));
  QVERIFY(agrees());
  // One that was copied is still what it was.
  QVERIFY(meant(words(before)).find("name = \"more\"") == std::string::npos);
}

void CommandsTest::ofAFile() {
  const QString file = m_studio->home->home() + QStringLiteral("/a spec's.toml");
  QFile out(file);
  QVERIFY(out.open(QIODevice::WriteOnly));
  out.write("preset = \"demo\"\n[[data.sources]]\nname = \"web\"\npaths = [\"mine.txt\"]\n");
  out.close();
  m_draft->loadFile(file);
  QVERIFY(settled());
  QVERIFY(agrees());
  QVERIFY(m_draft->command().startsWith(QStringLiteral("tessera train '")));
  QVERIFY(!m_draft->setValue("optimiser.clip", spec::Value(0.5)));
  QVERIFY(settled());
  QVERIFY(m_draft->command().contains(QStringLiteral("--set optimiser.clip=0.5")));
  QVERIFY(agrees());
  // The text below may be what nobody saved yet, and the file may change under it.
  QVERIFY(out.open(QIODevice::WriteOnly | QIODevice::Append));
  out.write("[model]\nhidden_size = 64\n");
  out.close();
  QVERIFY(!m_draft->setValue("optimiser.clip", spec::Value(0.25)));
  QVERIFY(settled());
  QVERIFY(agrees());
  // Saved elsewhere, its relative path is another file.
  const QString moved = m_studio->home->runs() + QStringLiteral("/moved.toml");
  QSignalSpy saved(m_draft, &DraftSpec::saved);
  m_draft->save(moved);
  QVERIFY(saved.wait(kLong));
  QVERIFY(settled());
  QVERIFY(agrees());
  QCOMPARE(m_draft->command(), QStringLiteral("tessera train ") + moved);
}

void CommandsTest::ofAClone() {
  const WrittenRun run = finishedRun(m_studio->home->runs().toStdString(), "parent");
  const QString folder = QString::fromStdString(run.folder.path().string());
  m_draft->loadRun(run.id(), folder, false);
  QVERIFY(settled());
  QVERIFY(agrees());
  QVERIFY(!m_draft->setValue("model.hidden_size", spec::Value(std::int64_t{64})));
  QVERIFY(settled());
  QCOMPARE(m_draft->command(),
           QStringLiteral("tessera train %1/run.toml --set model.hidden_size=64").arg(folder));
  QVERIFY(agrees());
}

void CommandsTest::ofAFork() {
  const WrittenRun run = finishedRun(m_studio->home->runs().toStdString(), "parent");
  const QString folder = QString::fromStdString(run.folder.path().string());
  m_draft->loadRun(run.id(), folder, true, 19);
  QVERIFY(settled());
  QCOMPARE(m_draft->command(), QStringLiteral("tessera resume %1 --fork --step 19").arg(run.id()));
  QVERIFY(agrees());
  QVERIFY(!m_draft->setValue("optimiser.clip", spec::Value(0.5)));
  QVERIFY(settled());
  QCOMPARE(
      m_draft->command(),
      QStringLiteral("tessera resume %1 --fork --step 19 --set optimiser.clip=0.5").arg(run.id()));
  QVERIFY(agrees());
  // The learning rate is a list of pieces: the whole spec is in a file, which is there.
  QVERIFY(change([](RunSpec& s) { s.curriculum[0].learning_rate[1].to = 1e-4; },
                 "curriculum[0].learning_rate"));
  const QStringList all = words(m_draft->command());
  const qsizetype spec = all.indexOf(QStringLiteral("--spec"));
  QVERIFY(all.contains(QStringLiteral("--fork")) && spec > 0);
  QVERIFY(QFile::exists(all[spec + 1]));
  QVERIFY(agrees());
  // A run of another folder is named by its path.
  const QTemporaryDir elsewhere;
  const WrittenRun far = finishedRun(elsewhere.path().toStdString(), "far");
  m_draft->loadRun(far.id(), QString::fromStdString(far.folder.path().string()), true);
  QVERIFY(waitUntil([&] { return m_draft->origin().name == far.id(); }) && settled());
  QVERIFY(m_draft->command().contains(elsewhere.path()));
  QVERIFY(agrees());
}

void CommandsTest::areEmptyWhereNothingCanBeRead() {
  QVERIFY(loadPreset(QStringLiteral("demo")));
  m_draft->setText(QStringLiteral("preset = \"demo\"\n[model"));
  QVERIFY(waitUntil([&] { return m_draft->settled(); }));
  QVERIFY(m_draft->command().isEmpty());
  m_draft->undoStack().undo();
  QVERIFY(settled());
  QCOMPARE(m_draft->command(), QStringLiteral("tessera train demo"));
}

void CommandsTest::nameTheProgramAndItsHome() {
  QCOMPARE(inTerminal(QStringLiteral("tessera runs")), QStringLiteral("tessera runs"));
  QVERIFY(inTerminal({}).isEmpty());
  setOwnHome(QStringLiteral("/data/it's mine"));
  QCOMPARE(inTerminal(QStringLiteral("tessera runs")),
           QStringLiteral("TESSERA_HOME='/data/it'\\''s mine' tessera runs"));
  setOwnHome({});
}

/// The window's run and the command's run have the same spec to the last letter, and a fork takes
/// the same checkpoint.
void CommandsTest::startTheSameRun() {
  const WatchPause pause;
  const QString text = m_studio->home->home() + QStringLiteral("/words.txt");
  writeWords(text);
  const QString file = m_studio->home->home() + QStringLiteral("/tiny.toml");
  QFile out(file);
  QVERIFY(out.open(QIODevice::WriteOnly));
  out.write(specText(text, "tiny", 10).toUtf8());
  out.close();
  m_draft->loadFile(file);
  QVERIFY(settled());
  QVERIFY(!m_draft->setValue("optimiser.clip", spec::Value(0.5)));
  QVERIFY(settled());

  const auto byCommand = [&](const QString& command) {
    QProcess shell;
    shell.start(QStringLiteral("bash"), {QStringLiteral("-c"), command});
    shell.waitForFinished(kLong);
    const QString said = QString::fromUtf8(shell.readAllStandardOutput());
    if (shell.exitCode() != 0) qWarning("%s", shell.readAllStandardError().constData());
    return RunFolder::open(said.section(u'\n', 0, 0).mid(4).trimmed().toStdString());
  };
  const auto byWindow = [&](bool fork) {
    QSignalSpy started(m_studio->launcher.get(), &Launcher::started);
    QSignalSpy ended(m_studio->launcher.get(), &Launcher::ended);
    const QString spec = QString::fromStdString(m_draft->resolved());
    const DraftOrigin& origin = m_draft->origin();
    if (fork) {
      m_studio->launcher->fork(origin.name, origin.step, spec, QStringLiteral("t"));
    } else {
      m_studio->launcher->start(spec, QStringLiteral("t"));
    }
    waitUntil([&] { return !ended.isEmpty(); }, kLong);
    return RunFolder::open(
        (m_studio->home->runs() + u'/' + started.value(0).value(1).toString()).toStdString());
  };
  const auto specOf = [](const RunFolder& run) { return read_file(run.spec_path()); };

  const RunFolder window = byWindow(false), command = byCommand(m_draft->command());
  QCOMPARE(specOf(command), specOf(window));

  m_studio->runs->refresh();
  const QString id = QString::fromStdString(window.id());
  QVERIFY(waitUntil([&] { return m_studio->runs->run(id) != nullptr; }));
  m_draft->loadRun(id, QString::fromStdString(window.path().string()), true, 4);
  QVERIFY(waitUntil([&] { return m_draft->origin().name == id; }) && settled());
  QVERIFY(change([](RunSpec& s) { s.curriculum[0].learning_rate[0].to = 1e-4; },
                 "curriculum[0].learning_rate"));
  const RunFolder forkByWindow = byWindow(true), forkByCommand = byCommand(m_draft->command());
  QCOMPARE(specOf(forkByCommand), specOf(forkByWindow));
  QVERIFY(forkByCommand.lineage() && forkByWindow.lineage());
  QCOMPARE(forkByCommand.lineage()->checkpoint, forkByWindow.lineage()->checkpoint);
  QCOMPARE(forkByCommand.lineage()->step, std::int64_t{5});
}

}  // namespace tessera::ui

TESSERA_UI_MAIN(tessera::ui::CommandsTest)
#include "commands_test.moc"
