// SPDX-License-Identifier: MIT
#include "ui/bridge/desktop/last_words.h"

namespace tessera::ui {

QString lastWords(const QByteArray& written) {
  const QString line =
      QString::fromUtf8(written).trimmed().section(QLatin1Char('\n'), -1).trimmed();
  const QString own = QStringLiteral("tessera: ");
  return line.startsWith(own) ? line.mid(own.size()) : line;
}

}  // namespace tessera::ui
