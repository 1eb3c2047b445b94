// SPDX-License-Identifier: MIT
// MachineSpeed: how fast this machine multiplies matrices. `tessera bench product` measures it and
// leaves it where plans find it; every page that shows or asks for it does so here.
#pragma once

#include <QObject>
#include <QString>
#include <QStringList>
#include <memory>

class QProcess;

namespace tessera::ui {

class Mailbox;
class WorkerThread;

class MachineSpeed : public QObject {
  Q_OBJECT
 public:
  explicit MachineSpeed(QObject* parent = nullptr);
  ~MachineSpeed() override;
  /// The one that pages share; made as a child of `owner` when it is first asked for.
  static MachineSpeed& of(QObject& owner);

  /// Operations per second of the newest measurement; 0: none yet.
  double fp32() const { return m_fp32; }
  double bf16() const { return m_bf16; }
  QString date() const { return m_date; }  ///< "2026-11-24"

  /// What measure() runs, after the program's name.
  static QStringList arguments();
  /// Answered by measured(). While one is under way another is not begun.
  void measure(const QString& program);
  void cancel();
  bool measuring() const { return m_process != nullptr; }
  /// Reads what was measured, by whomever; answered by changed().
  void refresh();

 Q_SIGNALS:
  void changed();
  void measuringChanged(bool measuring);
  void measured(const QString& problem);  ///< empty: it went well
  void failed(const QString& message);    ///< what was measured cannot be read

 private:
  void end(const QString& problem);
  std::shared_ptr<Mailbox> m_mailbox;
  QObject* m_worker;
  std::unique_ptr<WorkerThread> m_thread;
  QProcess* m_process = nullptr;
  double m_fp32 = 0, m_bf16 = 0;
  QString m_date;
};

}  // namespace tessera::ui
