// SPDX-License-Identifier: MIT
#include "ui/bridge/launch/terminal_command.h"

#include <QFileInfo>
#include <QStandardPaths>

#include "ui/bridge/launch/launcher.h"

namespace tessera::ui {

namespace {
QString& ownHome() {
  static QString folder;
  return folder;
}

/// Looked for once: the answer changes only when something is installed.
const QString& program() {
  static const QString word = [] {
    const QString found = QStandardPaths::findExecutable(QStringLiteral("tessera"));
    const QString ours = Launcher::program();
    const bool same = ours.isEmpty() ||
                      QFileInfo(found).canonicalFilePath() == QFileInfo(ours).canonicalFilePath();
    return same ? QStringLiteral("tessera") : shellWord(ours);
  }();
  return word;
}
}  // namespace

std::string shellWord(const std::string& word) {
  static const std::string kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/=+:,@%";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + '\'';
}

QString shellWord(const QString& word) {
  return QString::fromStdString(shellWord(word.toStdString()));
}

void setOwnHome(const QString& folder) {
  ownHome() = folder;
}

QString inTerminal(const QString& command) {
  const QString name = QStringLiteral("tessera ");
  if (!command.startsWith(name)) return command;
  const QString words = program() + u' ' + command.mid(name.size());
  return ownHome().isEmpty() ? words
                             : QStringLiteral("TESSERA_HOME=%1 ").arg(shellWord(ownHome())) + words;
}

}  // namespace tessera::ui
