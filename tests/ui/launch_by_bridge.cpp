// SPDX-License-Identifier: MIT
// The studio's launcher and list of runs without a window, for the scripts in tests/hosts: starts a
// run at a place, follows it as the studio does, and stops it.
//
//   launch_by_bridge SPEC (--hosts LIST | --slurm PROFILE) --folder DIR (--steps N | --cancel-after
//   S)
//
// Ends with 0 where the run has made N steps and stopped when it was asked to, or where the start
// was cancelled; with 1 where it could not start, whose reason is printed; with 2 otherwise.
#include <QCoreApplication>
#include <QElapsedTimer>
#include <QFile>
#include <QTimer>
#include <cstdio>
#include <map>

#include "core/base/error.h"
#include "ui/bridge/launch/launcher.h"
#include "ui/bridge/runs/run_store.h"

using namespace tessera;
using namespace tessera::ui;

namespace {
void say(const char* what, const QString& text) {
  std::printf("%s %s\n", what, qPrintable(text));
  std::fflush(stdout);
}

/// Follows one start to its end.
class BridgeRun : public QObject {
 public:
  BridgeRun(const QString& spec, const LaunchPlace& place, std::int64_t steps, int cancelAfter_s)
      : m_steps(steps) {
    connect(&m_launcher, &Launcher::startCameTo, this, [](const QString&, const StartPhase& phase) {
      say("phase", Launcher::phaseText(phase));
    });
    connect(&m_launcher, &Launcher::startFailed, this, [](const QString&, const QString& message) {
      say("failed", message);
      QCoreApplication::exit(1);
    });
    connect(&m_launcher, &Launcher::startCancelled, this, [](const QString&) {
      say("cancelled", {});
      QCoreApplication::exit(0);
    });
    connect(&m_launcher, &Launcher::started, this, [this](const QString&, const QString& run) {
      say("run", run);
      m_run = run;
      m_runs.refresh();
    });
    connect(&m_launcher, &Launcher::controlFailed, this,
            [](const QString&, const QString& message) { say("refused", message); });
    connect(&m_runs, &RunStore::runsChanged, this, [this] { look(); });
    m_launcher.start(spec, QStringLiteral("it"), place);
    if (cancelAfter_s > 0) {
      QTimer::singleShot(cancelAfter_s * 1000, this,
                         [this] { m_launcher.cancel(QStringLiteral("it")); });
    }
  }

 private:
  void look() {
    const RunRow* row = m_run.isEmpty() ? nullptr : m_runs.run(m_run);
    if (!row) return;
    const QString state = QString::fromUtf8(name_of(row->state).data());
    if (state != m_state) say("state", m_state = state);
    const QString reason = QString::fromStdString(row->reason);
    if (reason != m_reason) say("reason", m_reason = reason);
    // Asked to stop once, and only where steps are awaited: a run without one proves nothing.
    if (m_steps > 0 && row->step + 1 >= m_steps && !m_asked) {
      m_asked = true;
      m_launcher.control(m_run, Control::StopSaving);
    }
    if (is_final(row->state)) {
      QCoreApplication::exit(row->state == RunState::Stopped && m_asked ? 0 : 2);
    }
  }

  Launcher m_launcher;
  RunStore m_runs;
  QString m_run, m_state, m_reason;
  std::int64_t m_steps;
  bool m_asked = false;
};
}  // namespace

int main(int argc, char** argv) {
  QCoreApplication app(argc, argv);
  const QStringList words = QCoreApplication::arguments();
  std::map<QString, QString> given;
  for (qsizetype i = 2; i + 1 < words.size(); i += 2) given[words[i]] = words[i + 1];
  QFile spec(words.value(1));
  if (!spec.open(QIODevice::ReadOnly)) {
    say("failed", QStringLiteral("no spec is named"));
    return 2;
  }
  LaunchPlace place;
  const bool slurm = given.count(QStringLiteral("--slurm")) > 0;
  place.kind = slurm ? LaunchPlace::Kind::Slurm : LaunchPlace::Kind::Hosts;
  place.hosts = given[QStringLiteral("--hosts")].toStdString();
  place.profile = given[QStringLiteral("--slurm")].toStdString();
  place.folder = given[QStringLiteral("--folder")].toStdString();
  const BridgeRun run(QString::fromUtf8(spec.readAll()), place,
                      given[QStringLiteral("--steps")].toLongLong(),
                      given[QStringLiteral("--cancel-after")].toInt());
  return QCoreApplication::exec();
}
