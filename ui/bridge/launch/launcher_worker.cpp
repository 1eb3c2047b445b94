// SPDX-License-Identifier: MIT
#include "ui/bridge/launch/launcher_worker.h"

#include <QElapsedTimer>
#include <algorithm>
#include <stdexcept>

#include "core/base/error.h"
#include "core/config/paths.h"
#include "core/history/library.h"
#include "core/launch/detached_process.h"
#include "core/launch/local_host.h"
#include "core/launch/mirror_keeper.h"
#include "core/launch/slurm_record.h"
#include "ui/bridge/launch/slurm_jobs.h"

namespace tessera::ui {

namespace {
/// Also where its record is damaged, which the list of runs tells, it is no job to ask for.
bool hasOpenJob(const std::filesystem::path& run) {
  try {
    const auto record = slurm_record_of(run);
    return record && record->is_open();
  } catch (const Error&) {
    return false;
  }
}

constexpr int kChildMs = 100, kAroundMs = 2000, kCalmAroundMs = 15'000;
}  // namespace

Launcher::Worker::Worker(std::shared_ptr<Mailbox> mailbox, Launcher* launcher)
    : m_mailbox(std::move(mailbox)), m_launcher(launcher) {}

Launcher::Worker::~Worker() = default;

Library& Launcher::Worker::library() {
  if (!m_library) m_library = std::make_unique<Library>();
  return *m_library;
}

std::filesystem::path Launcher::Worker::folderOf(const std::string& run) {
  if (const auto row = library().run(run)) return row->folder;
  return RunFolder::find(run, runs_folder()).path();
}

std::unique_ptr<RunHost> Launcher::Worker::makeHost() {
  auto host = std::make_unique<LocalHost>(LocalHost::Paths{
      .launches = home_folder() / "launches",
      .program = [] { return Launcher::program().toStdString(); },
      .folder_of = [this](const std::string& run) { return folderOf(run); },
      .roots = [this] { return library().roots(); },
      .launched = home_folder() / "launched",
      .mirrors = home_folder() / "mirrors",
  });
  try {
    host->remove_old_files();
  } catch (const std::exception& problem) {
    trouble(problem.what());
  }
  return host;
}

void Launcher::Worker::start() {
  m_childTimer = new QTimer(this);
  m_aroundTimer = new QTimer(this);
  m_jobs = new SlurmJobs([] { return Launcher::program(); }, this);
  connect(m_jobs, &SlurmJobs::failed, this, [this](const QString& run, const QString& message) {
    m_mailbox->post([l = m_launcher, run, message] { Q_EMIT l->controlFailed(run, message); });
  });
  connect(m_jobs, &SlurmJobs::troubleChanged, this, [this](const QString& trouble) {
    m_mailbox->post([l = m_launcher, trouble] { Q_EMIT l->slurmTroubled(trouble); });
  });
  connect(m_childTimer, &QTimer::timeout, this, [this] {
    if (!m_desk->look()) m_childTimer->stop();
  });
  connect(m_aroundTimer, &QTimer::timeout, this, [this] { lookAround(); });
  try {
    m_desk = std::make_unique<LaunchDesk>(makeHost(), home_folder() / "queue.json", *this,
                                          [this](const QueueFile& queue) { beginHolder(queue); });
  } catch (const std::exception& problem) {  // there is no folder for the user's own
    m_broken = problem.what();
    trouble(m_broken);
    return;
  }
  m_desk->open();
  m_aroundTimer->start(kAroundMs);
  lookAround();
}

/// What waits is started by a process of its own, so that it goes on when the studio is closed.
void Launcher::Worker::beginHolder(const QueueFile& queue) {
  if (m_holder && !end_of(*m_holder)) return;
  m_holder = begin_queue_holder(queue, Launcher::program().toStdString());
}

/// Copies of runs on other hosts are kept by a process of their own too.
void Launcher::Worker::beginKeeper() {
  if (m_keeper && !end_of(*m_keeper)) return;
  try {
    m_keeper =
        begin_keeper(MirrorList(home_folder() / "mirrors"), Launcher::program().toStdString());
  } catch (const std::exception& problem) {
    trouble(problem.what());
  }
}

void Launcher::Worker::lookAround() {
  if (m_holder && end_of(*m_holder)) m_holder.reset();
  beginKeeper();
  QElapsedTimer took;
  took.start();
  m_desk->look_around();
  followJobs();
  // With thousands of runs a look takes longer, and comes the less often: one part in a hundred.
  m_aroundTimer->start(
      static_cast<int>(std::clamp<qint64>(100 * took.elapsed(), kAroundMs, kCalmAroundMs)));
  if (m_desk->host().watches() && !m_childTimer->isActive()) m_childTimer->start(kChildMs);
}

void Launcher::Worker::launch(const LaunchOrder& order) {
  if (!m_desk) return start_failed(order, m_broken, 0);
  m_desk->launch(order);
  if (m_desk->host().watches()) m_childTimer->start(kChildMs);
}

void Launcher::Worker::cancel(const std::string& tag) {
  if (m_desk) m_desk->cancel(tag);
}

/// Folders in which some run has a job that has not ended.
void Launcher::Worker::followJobs() {
  QStringList folders;
  try {
    for (const auto& root : library().roots()) {
      std::error_code none;
      for (const auto& entry : std::filesystem::directory_iterator(root, none)) {
        if (!std::filesystem::exists(SlurmFiles{entry.path()}.record(), none)) continue;
        if (!hasOpenJob(entry.path())) continue;
        folders << QString::fromStdString(root.string());
        break;
      }
    }
  } catch (const std::exception& problem) {
    return trouble(problem.what());
  }
  m_jobs->follow(folders);
}

/// A run with a job in Slurm is asked as a terminal asks it: one that waits has nobody who would
/// read a request in its folder. False: it has none.
bool Launcher::Worker::controlJob(const QString& runId, Control control) {
  if (control != Control::StopSaving && control != Control::StopNow) return false;
  const std::filesystem::path folder = folderOf(runId.toStdString());
  if (!hasOpenJob(folder)) return false;
  QStringList words{QStringLiteral("stop"), QString::fromStdString(folder.string())};
  if (control == Control::StopNow) words << QStringLiteral("--now");
  m_jobs->run(runId, words);
  return true;
}

void Launcher::Worker::changeQueue(const std::function<void(RunQueue&)>& change) {
  ++m_changes;
  if (!m_desk) return trouble(m_broken);
  m_desk->change_queue(change);
  if (m_desk->host().watches()) m_childTimer->start(kChildMs);
}

void Launcher::Worker::control(const QString& runId, Control control) {
  try {
    if (!m_desk) throw std::runtime_error(m_broken);
    if (controlJob(runId, control)) return;
    m_desk->host().control(runId.toStdString(), control);
  } catch (const std::exception& problem) {
    m_mailbox->post([l = m_launcher, runId, text = QString::fromUtf8(problem.what())] {
      Q_EMIT l->controlFailed(runId, text);
    });
  }
}

void Launcher::Worker::begun(const LaunchOrder& order, const std::string& run) {
  m_mailbox->post([l = m_launcher, tag = QString::fromStdString(order.tag),
                   id = QString::fromStdString(run)] { Q_EMIT l->started(tag, id); });
}

void Launcher::Worker::start_failed(const LaunchOrder& order, const std::string& message,
                                    int exitCode) {
  const QString said = message.empty()
                           ? Launcher::tr("The program ended with exit status %1.").arg(exitCode)
                           : QString::fromStdString(message);
  m_mailbox->post([l = m_launcher, tag = QString::fromStdString(order.tag), said] {
    Q_EMIT l->startFailed(tag, said);
  });
}

void Launcher::Worker::start_came_to(const LaunchOrder& order, const StartPhase& phase) {
  m_mailbox->post([l = m_launcher, tag = QString::fromStdString(order.tag), phase] {
    Q_EMIT l->startCameTo(tag, phase);
  });
}

void Launcher::Worker::start_cancelled(const LaunchOrder& order) {
  m_mailbox->post(
      [l = m_launcher, tag = QString::fromStdString(order.tag)] { Q_EMIT l->startCancelled(tag); });
}

void Launcher::Worker::ended(const std::string& run, int exitCode) {
  m_mailbox->post([l = m_launcher, id = QString::fromStdString(run), exitCode] {
    Q_EMIT l->ended(id, exitCode);
  });
}

void Launcher::Worker::queue_changed(const RunQueue& queue) {
  m_mailbox->post([l = m_launcher, queue, changes = m_changes] { l->takeQueue(queue, changes); });
}

void Launcher::Worker::running_changed(const std::string& run) {
  m_mailbox->post([l = m_launcher, id = QString::fromStdString(run)] { l->takeLocalRun(id); });
}

void Launcher::Worker::trouble(const std::string& message) {
  m_mailbox->post(
      [l = m_launcher, text = QString::fromStdString(message)] { Q_EMIT l->queueFailed(text); });
}

void Launcher::Worker::queue_set_aside(const std::string& message, const std::string& aside) {
  trouble(Launcher::tr("%1\nIt was set aside as %2, and the queue is empty now.")
              .arg(QString::fromStdString(message), QString::fromStdString(aside))
              .toStdString());
}

}  // namespace tessera::ui
