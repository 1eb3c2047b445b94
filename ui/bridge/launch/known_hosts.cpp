// SPDX-License-Identifier: MIT
#include "ui/bridge/launch/known_hosts.h"

#include <QProcess>
#include <utility>

#include "core/base/error.h"
#include "ui/bridge/desktop/last_words.h"
#include "ui/bridge/desktop/worker_thread.h"

namespace tessera::ui {

KnownHosts::KnownHosts(QObject* parent)
    : QObject(parent),
      m_mailbox(std::make_shared<Mailbox>(this)),
      m_worker(new QObject),
      m_thread(std::make_unique<WorkerThread>(QStringLiteral("hosts"), m_worker)) {
  refresh();
}

KnownHosts::~KnownHosts() {
  m_mailbox->close();
  QList<QProcess*> processes = m_checks.values();
  if (m_probe) processes << m_probe;
  for (QProcess* process : std::as_const(processes)) {
    process->disconnect(this);
    process->setParent(nullptr);
    connect(process, &QProcess::finished, process, &QObject::deleteLater);
    process->terminate();
  }
}

KnownHosts& KnownHosts::of(QObject& owner) {
  auto* hosts = owner.findChild<KnownHosts*>(QString(), Qt::FindDirectChildrenOnly);
  return hosts ? *hosts : *new KnownHosts(&owner);
}

void KnownHosts::refresh() {
  edit(nullptr);
}

void KnownHosts::add(const QString& list) {
  edit([text = list.toStdString()](HostBook& book) { book.add(text); });
}

void KnownHosts::remove(const QString& host) {
  edit([name = host.toStdString()](HostBook& book) { book.remove(name); });
}

void KnownHosts::edit(const std::function<void(HostBook&)>& change) {
  tell(m_worker, [this, mailbox = m_mailbox, change] {
    try {
      if (change) edit_host_book(change);
      mailbox->post([this, hosts = read_host_book().hosts] {
        m_hosts = hosts;
        m_loaded = true;
        Q_EMIT changed();
      });
    } catch (const std::exception& problem) {
      mailbox->post([this, text = QString::fromUtf8(problem.what())] { Q_EMIT failed(text); });
    }
  });
}

QStringList KnownHosts::checkArguments(const QString& host) {
  return {QStringLiteral("hosts"), QStringLiteral("check"), host, QStringLiteral("--json")};
}

void KnownHosts::check(const QString& program, const QString& host) {
  if (isChecking(host)) return;
  auto* process = new QProcess(this);
  m_checks.insert(host, process);
  connect(process, &QProcess::finished, this,
          [this, host, process](int code, QProcess::ExitStatus status) {
            // 1: something stands in the way of a launch, and the list says what.
            const bool told = status == QProcess::NormalExit &&
                              (code == 0 || !process->readAllStandardOutput().isEmpty());
            ended(host, told ? QString() : lastWords(process->readAllStandardError()));
          });
  connect(process, &QProcess::errorOccurred, this,
          [this, host, process](QProcess::ProcessError error) {
            if (error == QProcess::FailedToStart) ended(host, process->errorString());
          });
  process->start(program, checkArguments(host));
  process->closeWriteChannel();
  Q_EMIT changed();
}

void KnownHosts::probe(const QString& program) {
  if (m_probe) return;
  m_probe = new QProcess(this);
  const auto done = [this](const QString& problem) {
    std::exchange(m_probe, nullptr)->deleteLater();
    Q_EMIT probed(problem);
    refresh();
  };
  connect(m_probe, &QProcess::finished, this, [this, done](int code, QProcess::ExitStatus status) {
    const bool good = status == QProcess::NormalExit && code == 0;
    const QString said = lastWords(m_probe->readAllStandardError());
    done(good ? QString() : said.isEmpty() ? tr("it was ended") : said);
  });
  connect(m_probe, &QProcess::errorOccurred, this, [this, done](QProcess::ProcessError error) {
    if (error == QProcess::FailedToStart) done(m_probe->errorString());
  });
  m_probe->start(program,
                 {QStringLiteral("hosts"), QStringLiteral("probe"), QStringLiteral("--json")});
  m_probe->closeWriteChannel();
  Q_EMIT changed();
}

void KnownHosts::cancelProbe() {
  if (m_probe) m_probe->terminate();
}

void KnownHosts::ended(const QString& host, const QString& problem) {
  m_checks.take(host)->deleteLater();
  if (!problem.isEmpty()) Q_EMIT failed(tr("%1 could not be checked: %2").arg(host, problem));
  refresh();
}

}  // namespace tessera::ui
