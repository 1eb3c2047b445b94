// SPDX-License-Identifier: MIT
// SlurmJobs: asks Slurm now and then how the jobs of this user's runs stand, by `tessera slurm
// jobs`, which keeps the answers in the runs' folders. Requests to such runs go the same way as in
// a terminal: a job that waits is cancelled, a run that trains saves and stops.
#pragma once

#include <QObject>
#include <QString>
#include <QStringList>
#include <functional>
#include <vector>

class QProcess;
class QTimer;

namespace tessera::ui {

class SlurmJobs : public QObject {
  Q_OBJECT
 public:
  /// `program`: Launcher::program().
  explicit SlurmJobs(std::function<QString()> program, QObject* parent = nullptr);
  ~SlurmJobs() override;

  /// Folders of runs in which some run has a job that has not ended; they are asked for every
  /// kAskEveryMs, and at once where they are new.
  void follow(const QStringList& folders);
  void ask();
  /// Runs `tessera WORDS`; answered by failed() where it says why not.
  void run(const QString& runId, const QStringList& words);
  bool isAsking() const { return m_asking != nullptr; }
  static constexpr int kAskEveryMs = 10'000;

 Q_SIGNALS:
  void asked();  ///< what is known now stands in the folders
  void failed(const QString& runId, const QString& message);
  /// Why Slurm does not answer; empty once it does. Each told once.
  void troubleChanged(const QString& trouble);

 private:
  QProcess* start(const QStringList& words, const std::function<void(QProcess&)>& done);
  void askNext();

  std::function<QString()> m_program;
  QStringList m_folders, m_left;
  QTimer* m_timer;
  QProcess* m_asking = nullptr;
  QString m_trouble, m_told;
  bool m_again = false;
};

}  // namespace tessera::ui
