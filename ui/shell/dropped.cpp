// SPDX-License-Identifier: MIT
#include "ui/shell/dropped.h"

#include <QCoreApplication>
#include <QDir>
#include <QDirIterator>
#include <QFile>
#include <QFileInfo>

#include "core/run/run_folder.h"

namespace tessera::ui {

namespace {
constexpr int kMostLooks = 2'000;  ///< files of a folder that are looked at for one of text
constexpr qint64 kSniffed = 8192;  ///< bytes

QString say(const char* text) {
  return QCoreApplication::translate("Dropped", text);
}

bool hasTextName(const QString& name) {
  static const QStringList endings = {QStringLiteral(".txt"),   QStringLiteral(".md"),
                                      QStringLiteral(".json"),  QStringLiteral(".csv"),
                                      QStringLiteral(".html"),  QStringLiteral(".jsonl"),
                                      QStringLiteral(".ndjson")};
  QString bare = name.toLower();
  for (const char* packed : {".gz", ".zst"}) {
    if (bare.endsWith(QLatin1String(packed))) bare.chop(static_cast<int>(qstrlen(packed)));
  }
  for (const QString& ending : endings) {
    if (bare.endsWith(ending)) return true;
  }
  return false;
}

/// Sources take any file of text, whatever it is called: programs, notes, lists.
bool isText(const QString& path) {
  if (hasTextName(path)) return true;
  QFile file(path);
  if (!file.open(QIODevice::ReadOnly)) return false;
  const QByteArray beginning = file.read(kSniffed);
  return !beginning.isEmpty() && !beginning.contains('\0');
}

bool holdsText(const QString& folder) {
  QDirIterator files(folder, QDir::Files, QDirIterator::Subdirectories);
  for (int i = 0; i < kMostLooks && files.hasNext(); ++i) {
    if (isText(files.next())) return true;
  }
  return false;
}

/// The run folder that a path is in, at most three folders up; empty: none.
QString runAround(const QString& path) {
  QDir dir(QFileInfo(path).isDir() ? path : QFileInfo(path).path());
  for (int up = 0; up < 3; ++up) {
    if (RunFolder::is_run(dir.path().toStdString())) return dir.absolutePath();
    if (!dir.cdUp()) break;
  }
  return {};
}
}  // namespace

DroppedPath classifyDropped(const QString& path) {
  const QFileInfo info(path);
  if (!info.exists())
    return {Dropped::Nothing, path, say(QT_TRANSLATE_NOOP("Dropped", "%1 is not there")).arg(path)};
  if (info.isDir() && info.dir().dirName() == QLatin1String("checkpoints") &&
      info.fileName().startsWith(QLatin1String("step-"))) {
    return {Dropped::Checkpoint, info.absoluteFilePath(), {}};
  }
  if (const QString run = runAround(path); !run.isEmpty()) return {Dropped::Run, run, {}};
  if (info.isFile() && path.endsWith(QLatin1String(".toml"))) return {Dropped::Spec, path, {}};
  if (info.isFile() && isText(path)) return {Dropped::Text, path, {}};
  if (info.isDir() && QFileInfo::exists(path + QStringLiteral("/config.json"))) {
    return {Dropped::Checkpoint, path, {}};
  }
  if (info.isDir() && holdsText(path)) return {Dropped::Text, path, {}};
  return {Dropped::Nothing, path,
          say(QT_TRANSLATE_NOOP("Dropped",
                                "%1 is neither a spec (.toml), a run, a model folder with "
                                "config.json, nor text that a run can learn from"))
              .arg(path)};
}

}  // namespace tessera::ui
