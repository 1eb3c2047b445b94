// SPDX-License-Identifier: MIT
// DataLook: the first documents of each source of a spec, read by `tessera data look` in a process
// of its own, so that no file, however large or damaged, holds up the window.
#pragma once

#include <QObject>
#include <QPair>
#include <QString>
#include <QStringList>
#include <vector>

class QProcess;
class QTemporaryFile;

namespace tessera::ui {

struct LookedDocument {
  QString file;
  qint64 line = 0;   ///< the JSON record's, counted from 1; 0: a whole file
  qint64 bytes = 0;  ///< length of the text; 0: it could not be read
  QString text;      ///< its beginning
  QString dropped;   ///< the reason, as core/data names it; empty: it is kept
  QString note;      ///< more on the reason
};

struct LookedSource {
  QString name;
  qint64 files = 0, bytes = 0, read = 0, kept = 0;
  bool whole = false;                           ///< every document was read
  std::vector<QPair<QString, qint64>> drops{};  ///< reason and documents, the most first
  QStringList warnings{};
  std::vector<LookedDocument> documents{};
};

class DataLook : public QObject {
  Q_OBJECT
 public:
  explicit DataLook(QObject* parent = nullptr);
  ~DataLook() override;

  /// Reads the sources of a spec with absolute paths; answered by ended(). One at a time: what runs
  /// is cancelled without an answer.
  void start(const QString& program, const std::string& spec);
  void cancel();
  bool running() const { return m_process != nullptr; }
  const std::vector<LookedSource>& sources() const { return m_sources; }

 Q_SIGNALS:
  /// `problem` is empty where sources() are new, and after cancel().
  void ended(const QString& problem, bool cancelled);

 private:
  void take(int code);
  void end(const QString& problem, bool cancelled = false);
  void drop();
  QProcess* m_process = nullptr;
  QTemporaryFile* m_spec = nullptr;
  std::vector<LookedSource> m_sources;
};

}  // namespace tessera::ui
