// SPDX-License-Identifier: MIT
#include "ui/bridge/runs/numbers_note.h"

#include <QCoreApplication>
#include <QStringList>

namespace tessera::ui {

namespace {
QString say(const char* text) {
  return QCoreApplication::translate("RunNumbers", text);
}
}  // namespace

QString numbersNote(const NumbersWritten& written) {
  QStringList notes;
  if (written.undone > 0) {
    notes << say(QT_TRANSLATE_NOOP("RunNumbers",
                                   "%1 rows that a resume or a rollback undid are left out"))
                 .arg(written.undone);
  }
  if (!written.damage.empty()) {
    notes << say(QT_TRANSLATE_NOOP("RunNumbers", "the log is damaged: %1"))
                 .arg(QString::fromStdString(written.damage));
  }
  return notes.join(QStringLiteral("; "));
}

}  // namespace tessera::ui
