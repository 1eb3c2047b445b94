// SPDX-License-Identifier: MIT
#include "ui/bridge/launch/slurm_jobs.h"

#include <QProcess>
#include <QTimer>
#include <utility>

#include "ui/bridge/desktop/last_words.h"

namespace tessera::ui {

namespace {
/// How a program that did not do its work has ended; empty: it did.
QString endOf(const QProcess& process) {
  if (process.error() == QProcess::FailedToStart || process.exitStatus() == QProcess::CrashExit) {
    return QStringLiteral("%1: %2").arg(process.program(), process.errorString());
  }
  if (process.exitCode() == 0) return {};
  return SlurmJobs::tr("%1 ended with %2 and said nothing")
      .arg(process.program())
      .arg(process.exitCode());
}
}  // namespace

SlurmJobs::SlurmJobs(std::function<QString()> program, QObject* parent)
    : QObject(parent), m_program(std::move(program)), m_timer(new QTimer(this)) {
  m_timer->setInterval(kAskEveryMs);
  connect(m_timer, &QTimer::timeout, this, &SlurmJobs::ask);
}

SlurmJobs::~SlurmJobs() {
  for (QProcess* process : findChildren<QProcess*>()) {
    process->disconnect(this);
    process->setParent(nullptr);
    connect(process, &QProcess::finished, process, &QObject::deleteLater);
  }
}

void SlurmJobs::follow(const QStringList& folders) {
  if (folders == m_folders) return;
  bool isNew = false;
  for (const QString& folder : folders) isNew = isNew || !m_folders.contains(folder);
  m_folders = folders;
  if (folders.isEmpty()) return m_timer->stop();
  if (!m_timer->isActive()) m_timer->start();
  if (isNew) ask();
}

void SlurmJobs::ask() {
  if (m_asking) {
    m_again = true;
    return;
  }
  m_left = m_folders;
  m_trouble.clear();
  askNext();
}

void SlurmJobs::askNext() {
  if (m_left.isEmpty()) {
    if (std::exchange(m_told, m_trouble) != m_trouble) Q_EMIT troubleChanged(m_trouble);
    Q_EMIT asked();
    if (std::exchange(m_again, false)) ask();
    return;
  }
  m_asking = start({QStringLiteral("slurm"), QStringLiteral("jobs"), QStringLiteral("--runs"),
                    m_left.takeFirst()},
                   [this](QProcess& process) {
                     m_asking = nullptr;
                     const QString said = lastWords(process.readAllStandardError());
                     const QString problem = said.isEmpty() ? endOf(process) : said;
                     if (!problem.isEmpty()) m_trouble = problem;
                     askNext();
                   });
}

QProcess* SlurmJobs::start(const QStringList& words, const std::function<void(QProcess&)>& done) {
  auto* process = new QProcess(this);
  connect(process, &QProcess::finished, this, [process, done] {
    process->deleteLater();
    done(*process);
  });
  connect(process, &QProcess::errorOccurred, this, [process, done](QProcess::ProcessError error) {
    if (error != QProcess::FailedToStart) return;
    process->deleteLater();
    done(*process);
  });
  process->start(m_program(), words);
  process->closeWriteChannel();
  return process;
}

void SlurmJobs::run(const QString& runId, const QStringList& words) {
  start(words, [this, runId](QProcess& process) {
    const QString said = lastWords(process.readAllStandardError()), end = endOf(process);
    if (!end.isEmpty()) Q_EMIT failed(runId, said.isEmpty() ? end : said);
    ask();
  });
}

}  // namespace tessera::ui
