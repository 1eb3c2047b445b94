// SPDX-License-Identifier: MIT
// What the window has to say: banners, toasts, problems, news of runs.
#include <QPushButton>

#include "core/base/log.h"
#include "ui/bridge/desktop/host_monitor.h"
#include "ui/bridge/desktop/preferences.h"
#include "ui/bridge/launch/launcher.h"
#include "ui/bridge/runs/run_store.h"
#include "ui/shell/banner_stack.h"
#include "ui/shell/bottom_docks.h"
#include "ui/shell/desktop.h"
#include "ui/shell/main_window.h"
#include "ui/shell/problems.h"
#include "ui/shell/run_watch.h"
#include "ui/shell/toast.h"
#include "ui/widgets/banner.h"
#include "ui/widgets/engine_words.h"
#include "ui/widgets/numbers.h"
#include "ui/widgets/state_badge.h"

namespace tessera::ui {

std::vector<Banner*> MainWindow::banners() const {
  return m_banners->banners();
}

void MainWindow::notify(const QString& severity, const QString& text, const QString& action,
                        const std::function<void()>& run) {
  showBanner(severity, text, action, run);
  if (severity == QLatin1String("info")) return;
  m_parts.problems.set({.key = QStringLiteral("notice/") + text,
                        .severity = severity,
                        .text = text,
                        .action = action,
                        .place = {},
                        .run = run,
                        .owner = this});
}

void MainWindow::setProblem(const QString& key, const QString& severity, const QString& text,
                            const Location& place) {
  m_parts.problems.set({.key = key,
                        .severity = severity,
                        .text = text,
                        .action = tr("Show"),
                        .place = place.text()});
}

void MainWindow::clearProblem(const QString& key) {
  m_parts.problems.clear(key);
}

namespace {
constexpr char kProblemKey[] = "problemKey";
}

void MainWindow::showBanner(const QString& severity, const QString& text, const QString& action,
                            const std::function<void()>& run, const QString& key) {
  m_logs->say(severityWord(severity).toLower() + QStringLiteral(": ") + text);
  for (Banner* shown : banners()) {
    if (shown->text() == text) return;
  }
  auto* banner = new Banner(severity, text, action, run);
  banner->setProperty(kProblemKey, key);
  if (banner->actionButton()) {
    // Who acts on it here has dealt with it in the dock as well.
    connect(banner->actionButton(), &QPushButton::clicked, this,
            [this, text] { m_parts.problems.clear(QStringLiteral("notice/") + text); });
  }
  m_banners->add(banner);
}

/// A problem that is no more is not told of over the page either.
void MainWindow::takeBack(const QString& key) {
  m_parts.problems.clear(key);
  for (Banner* banner : banners()) {
    if (banner->property(kProblemKey).toString() == key) Q_EMIT banner->closed();
  }
}

void MainWindow::toast(const QString& text, const std::function<void()>& undo) {
  m_toast->say(text, undo);
}

namespace {
QString alertKey(const RunNews& news, AlertKind kind) {
  return QStringLiteral("alert/%1/%2").arg(news.id, QLatin1String(alert_info(kind).id));
}
}  // namespace

void MainWindow::watchNews() {
  using Notice = Preferences::Notice;
  const Preferences& p = m_parts.preferences;
  connect(m_watch.get(), &RunWatch::finished, this, [this, &p](const RunNews& news) {
    if (!p.notifies(Notice::Finished)) return;
    showBanner(QStringLiteral("info"), news.text, tr("Open"), [this, id = news.id] {
      open({QStringLiteral("monitor"), id, {}});
    });
    desktopNotice(news, tr("Run finished"));
  });
  connect(m_watch.get(), &RunWatch::failed, this, [this, &p](const RunNews& news) {
    runProblem(news, QStringLiteral("error"));
    if (!p.notifies(Notice::Failed)) return;
    const auto show = [this, id = news.id] { open({QStringLiteral("monitor"), id, {}}); };
    showBanner(QStringLiteral("error"), news.text, tr("Open"), show,
               QStringLiteral("run/") + news.id);
    desktopNotice(news, tr("Run failed"));
  });
  connect(m_watch.get(), &RunWatch::attention, this, [this, &p](const RunNews& news) {
    runProblem(news, QStringLiteral("warning"));
    if (p.notifies(Notice::Attention)) desktopNotice(news, tr("Run needs attention"));
  });
  m_watch->setRules(alertRules(p));
  connect(&p, &Preferences::changed, m_watch.get(), [this, &p](const QString& key) {
    if (isAlertKey(key)) m_watch->setRules(alertRules(p));
  });
  connect(m_watch.get(), &RunWatch::alerted, this,
          [this](const RunNews& news, AlertKind kind, const AlertRule& rule) {
            alert(news, alertKey(news, kind), rule);
          });
  connect(m_watch.get(), &RunWatch::alertOver, this, [this](const RunNews& news, AlertKind kind) {
    // Where the run has ended, the line over the page still says what happened to it.
    const QString key = alertKey(news, kind);
    isLive(news.now) ? takeBack(key) : clearProblem(key);
  });
  connect(m_watch.get(), &RunWatch::spiked, this, [this](const RunNews& news, std::int64_t step) {
    setProblem(
        QStringLiteral("spike/") + news.id, QStringLiteral("warning"), news.text,
        {QStringLiteral("monitor"), news.id, {{QStringLiteral("step"), QString::number(step)}}});
  });
  connect(m_watch.get(), &RunWatch::calmed, this,
          [this](const RunNews& news) { clearProblem(QStringLiteral("spike/") + news.id); });
  connect(m_watch.get(), &RunWatch::recovered, this,
          [this](const RunNews& news) { takeBack(QStringLiteral("run/") + news.id); });
  connect(m_host.get(), &HostMonitor::changed, this, &MainWindow::checkDisk);
  connect(&m_parts.runs, &RunStore::failed, this,
          [this](const QString& text) { notify(QStringLiteral("error"), text); });
  connect(&m_parts.runs, &RunStore::recovered, this,
          [this](const QString& text) { notify(QStringLiteral("info"), text); });
  connect(&m_parts.launcher, &Launcher::controlFailed, this,
          [this](const QString& run, const QString& text) {
            notify(QStringLiteral("error"), QStringLiteral("%1: %2").arg(run, text));
          });
  connect(&m_parts.launcher, &Launcher::slurmTroubled, this, [this](const QString& text) {
    const QString key = QStringLiteral("slurm/jobs");
    if (text.isEmpty()) return clearProblem(key);
    setProblem(key, QStringLiteral("warning"),
               tr("Nothing is known of jobs of Slurm: %1").arg(engineWord(text.toStdString())),
               {QStringLiteral("hosts"), {}, {}});
  });
  connect(&m_parts.launcher, &Launcher::started, this, [this] { m_parts.runs.refresh(); });
  connect(&m_parts.launcher, &Launcher::queueFailed, this,
          [this](const QString& text) { notify(QStringLiteral("error"), text); });
  connect(&m_parts.launcher, &Launcher::startFailed, this,
          [this](const QString& tag, const QString& text) {
            for (const QueueEntry& entry : m_parts.launcher.queue()) {
              if (entry.id != tag.toStdString())
                continue;  // whoever started it by hand tells of it
              notify(QStringLiteral("error"),
                     tr("%1 waits in the queue and cannot start. %2")
                         .arg(QString::fromStdString(entry.name), text),
                     tr("Show the queue"), [this] {
                       open({QStringLiteral("runs"),
                             {},
                             {{QStringLiteral("view"), QStringLiteral("queue")}}});
                     });
              return;
            }
          });
}

/// Told over the page, under Problems, on the desktop, and in the log; and acted on where the rule
/// says so.
void MainWindow::alert(const RunNews& news, const QString& key, const AlertRule& rule) {
  const bool stop = rule.action == AlertRule::Action::TellAndStop;
  RunNews told = news;
  if (stop) {
    told.text += u' ' + tr("It was asked to save and stop, as the settings say.");
    m_parts.launcher.control(news.id, Control::StopSaving);
  }
  const Location monitor{QStringLiteral("monitor"), news.id, {}};
  log::warning("{}", told.text.toStdString());
  setProblem(key, QStringLiteral("error"), told.text, monitor);
  showBanner(
      QStringLiteral("error"), told.text, tr("Open"), [this, monitor] { open(monitor); }, key);
  if (m_parts.preferences.notifies(Preferences::Notice::Attention)) {
    desktopNotice(told, tr("Run needs attention"));
  }
}

void MainWindow::runProblem(const RunNews& news, const QString& severity) {
  const Location monitor{QStringLiteral("monitor"), news.id, {}};
  m_parts.problems.set({.key = QStringLiteral("run/") + news.id,
                        .severity = severity,
                        .text = news.text,
                        .action = tr("Open"),
                        .place = monitor.text()});
}

void MainWindow::desktopNotice(const RunNews& news, const QString& title) {
  if (isActiveWindow() || !m_parts.preferences.desktopNotifications()) return;
  m_parts.desktop.notify(title, news.text, [this, id = news.id, alive = QPointer(this)] {
    if (!alive) return;
    comeToFront();
    open({QStringLiteral("monitor"), id, {}});
  });
}

void MainWindow::checkDisk() {
  const HostFacts& f = m_host->facts();
  const double least = m_parts.preferences.diskWarningBytes();
  const QString key = QStringLiteral("disk");
  if (f.diskBytes <= 0 || f.diskFreeBytes >= least) return m_parts.problems.clear(key);
  m_parts.problems.set(
      {.key = key,
       .severity = QStringLiteral("warning"),
       .text = tr("%1: %2 free of %3. A run whose checkpoint finds no room stops.")
                   .arg(f.diskFolder, numbers::bytes(f.diskFreeBytes), numbers::bytes(f.diskBytes)),
       .action = tr("Show runs"),
       .place = Location{QStringLiteral("runs"), {}, {}}.text()});
}

}  // namespace tessera::ui
