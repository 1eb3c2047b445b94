// SPDX-License-Identifier: MIT
#include "ui/bridge/draft/machine_speed.h"

#include <QProcess>

#include "core/base/call_record.h"
#include "core/base/error.h"
#include "core/plan/measurements.h"
#include "ui/bridge/desktop/last_words.h"
#include "ui/bridge/desktop/worker_thread.h"

namespace tessera::ui {

MachineSpeed::MachineSpeed(QObject* parent)
    : QObject(parent),
      m_mailbox(std::make_shared<Mailbox>(this)),
      m_worker(new QObject),
      m_thread(std::make_unique<WorkerThread>(QStringLiteral("speed"), m_worker)) {
  refresh();
}

MachineSpeed::~MachineSpeed() {
  m_mailbox->close();
  if (!m_process) return;
  // The measurement is of no use to anybody now; it must not hold up the window's end.
  m_process->disconnect(this);
  m_process->setParent(nullptr);
  connect(m_process, &QProcess::finished, m_process, &QObject::deleteLater);
  m_process->kill();
}

MachineSpeed& MachineSpeed::of(QObject& owner) {
  auto* speed = owner.findChild<MachineSpeed*>(QString(), Qt::FindDirectChildrenOnly);
  return speed ? *speed : *new MachineSpeed(&owner);
}

QStringList MachineSpeed::arguments() {
  return {QStringLiteral("bench"), QStringLiteral("product")};
}

void MachineSpeed::refresh() {
  tell(m_worker, [this, mailbox = m_mailbox] {
    double fp32 = 0, bf16 = 0;
    std::string date;
    try {
      const std::string here = host_name();
      for (const Measurement& one : read_measurements()) {  // the newest is the last
        if (one.kind != "product" || one.host != here || one.device != Device::Cpu) continue;
        (one.operand == DType::BF16 ? bf16 : fp32) = one.product_flops;
        date = one.date;
      }
    } catch (const std::exception& problem) {
      mailbox->post([this, text = QString::fromUtf8(problem.what())] { Q_EMIT failed(text); });
      return;
    }
    mailbox->post([this, fp32, bf16, date = QString::fromStdString(date)] {
      m_fp32 = fp32;
      m_bf16 = bf16;
      m_date = date;
      Q_EMIT changed();
    });
  });
}

void MachineSpeed::measure(const QString& program) {
  if (m_process) return;
  m_process = new QProcess(this);
  connect(m_process, &QProcess::finished, this, [this](int code, QProcess::ExitStatus status) {
    if (status == QProcess::NormalExit && code == 0) return end({});
    const QString said = lastWords(m_process->readAllStandardError());
    end(said.isEmpty() ? tr("`tessera bench product` ended with code %1").arg(code) : said);
  });
  connect(m_process, &QProcess::errorOccurred, this, [this](QProcess::ProcessError error) {
    if (error == QProcess::FailedToStart) end(m_process->errorString());
  });
  Q_EMIT measuringChanged(true);
  m_process->start(program, arguments());
}

void MachineSpeed::cancel() {
  if (m_process) m_process->kill();
}

void MachineSpeed::end(const QString& problem) {
  m_process->deleteLater();
  m_process = nullptr;
  if (problem.isEmpty()) refresh();
  Q_EMIT measuringChanged(false);
  Q_EMIT measured(problem);
}

}  // namespace tessera::ui
