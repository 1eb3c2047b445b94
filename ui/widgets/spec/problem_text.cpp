// SPDX-License-Identifier: MIT
#include "ui/widgets/spec/problem_text.h"

#include <QCoreApplication>

#include "ui/widgets/engine_words.h"

namespace tessera::ui {

namespace {
QString say(const char* english) {
  return QCoreApplication::translate("Problem", english);
}
QString plain(const std::string& text) {
  return QString::fromStdString(text);
}
}  // namespace

QString problemText(const Problem& problem, bool withKey) {
  QString text = engineWord(problem.message);
  if (withKey && !problem.key.empty()) text = plain(problem.key) + QStringLiteral(": ") + text;
  if (!problem.expected.empty()) {
    text += say(QT_TRANSLATE_NOOP("Problem", "; expected %1")).arg(engineWord(problem.expected));
  }
  if (!problem.nearest.empty()) {
    text += say(QT_TRANSLATE_NOOP("Problem", "; did you mean \"%1\"?")).arg(plain(problem.nearest));
  }
  return text;
}

QString fixText(const Fix& fix) {
  if (!fix.rename_to.empty()) {
    return say(QT_TRANSLATE_NOOP("Problem", "Rename to %1")).arg(plain(fix.rename_to));
  }
  QStringList parts;
  for (const auto& [key, value] : fix.settings) {
    const QString to = say(QT_TRANSLATE_NOOP("Problem", "%1 to %2"));
    parts << to.arg(plain(key), plain(value));
  }
  return say(QT_TRANSLATE_NOOP("Problem", "Set %1")).arg(parts.join(QStringLiteral(", ")));
}

}  // namespace tessera::ui
