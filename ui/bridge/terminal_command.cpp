// SPDX-License-Identifier: MIT
#include "ui/bridge/terminal_command.h"

#include <QFileInfo>
#include <QStandardPaths>

#include "ui/bridge/launcher.h"

namespace tessera::ui {

namespace {
QString& ownHome() {
  static QString folder;
  return folder;
}

QString quoted(const QString& path) {
  if (!path.contains(u' ') && !path.contains(u'\'')) return path;
  return u'\'' + QString(path).replace(u'\'', QStringLiteral("'\\''")) + u'\'';
}

/// Looked for once: the answer changes only when something is installed.
const QString& program() {
  static const QString word = [] {
    const QString found = QStandardPaths::findExecutable(QStringLiteral("tessera"));
    const QString ours = Launcher::program();
    const bool same = ours.isEmpty() ||
                      QFileInfo(found).canonicalFilePath() == QFileInfo(ours).canonicalFilePath();
    return same ? QStringLiteral("tessera") : quoted(ours);
  }();
  return word;
}
}  // namespace

void setOwnHome(const QString& folder) {
  ownHome() = folder;
}

QString inTerminal(const QString& command) {
  const QString name = QStringLiteral("tessera ");
  if (!command.startsWith(name)) return command;
  const QString words = program() + u' ' + command.mid(name.size());
  return ownHome().isEmpty() ? words
                             : QStringLiteral("TESSERA_HOME=%1 ").arg(quoted(ownHome())) + words;
}

}  // namespace tessera::ui
