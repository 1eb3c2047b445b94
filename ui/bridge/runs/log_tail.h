// SPDX-License-Identifier: MIT
// LogTail: follows a growing text file. Lines come in batches, a few times a second, however many
// there are; an end without a line break waits for the rest of its line.
#pragma once

#include <QObject>
#include <QString>
#include <QStringList>
#include <memory>

namespace tessera::ui {

class LogTail : public QObject {
  Q_OBJECT
 public:
  explicit LogTail(QObject* parent = nullptr);
  ~LogTail() override;

  /// Begins anew with the last `mostLines` of a file, which may not exist yet; empty: none.
  void follow(const QString& path, int mostLines);
  const QString& path() const { return m_path; }
  void setPaused(bool paused);  ///< nobody looks

 Q_SIGNALS:
  void restarted();  ///< another file, or the file was replaced: forget the lines
  void lines(const QStringList& batch);

 private:
  class Worker;
  struct State;
  QString m_path;
  quint64 m_generation = 0;
  std::unique_ptr<State> m_state;
};

}  // namespace tessera::ui
