// SPDX-License-Identifier: MIT
#include "ui/pages/configure/toml_highlighter.h"

#include <QRegularExpression>
#include <QTextCharFormat>
#include <algorithm>

#include "ui/theme/theme.h"

namespace tessera::ui {

namespace {
QTextCharFormat inColor(const QColor& color, bool bold = false) {
  QTextCharFormat f;
  f.setForeground(color);
  if (bold) f.setFontWeight(QFont::DemiBold);
  return f;
}

/// The index behind a string that begins at `at`; the length of the text where it has no end.
qsizetype endOfString(const QString& text, qsizetype at) {
  const QChar quote = text[at];
  for (qsizetype i = at + 1; i < text.size(); ++i) {
    if (text[i] == u'\\' && quote == u'"') {
      ++i;
    } else if (text[i] == quote) {
      return i + 1;
    }
  }
  return text.size();
}
}  // namespace

void TomlHighlighter::highlightBlock(const QString& text) {
  const theme::Colors& c = theme::colors();
  const qsizetype first = text.indexOf(QRegularExpression(QStringLiteral("\\S")));
  if (first < 0) return;
  const qsizetype equals = text.indexOf(u'=');
  if (text[first] == u'[' && equals < 0) {
    setFormat(0, static_cast<int>(text.size()), inColor(c.accent, true));
  } else if (equals > 0 && text[first] != u'#' && text[first] != u'{') {
    setFormat(0, static_cast<int>(equals), inColor(c.text));
  }
  for (qsizetype i = std::max<qsizetype>(0, equals); i < text.size();) {
    const QChar at = text[i];
    if (at == u'#') {
      setFormat(static_cast<int>(i), static_cast<int>(text.size() - i), inColor(c.textSecondary));
      return;
    }
    if (at == u'"' || at == u'\'') {
      const qsizetype end = endOfString(text, i);
      setFormat(static_cast<int>(i), static_cast<int>(end - i), inColor(c.good));
      i = end;
    } else if (at.isDigit() && (i == 0 || !text[i - 1].isLetterOrNumber())) {
      qsizetype end = i;
      while (end < text.size() && (text[end].isLetterOrNumber() || text[end] == u'.' ||
                                   text[end] == u'_' || text[end] == u'-')) {
        ++end;
      }
      setFormat(static_cast<int>(i), static_cast<int>(end - i), inColor(c.link));
      i = end;
    } else {
      ++i;
    }
  }
  // A comment of its own line, or a table's.
  const qsizetype comment = text.indexOf(u'#');
  if (equals < 0 && comment >= 0) {
    setFormat(static_cast<int>(comment), static_cast<int>(text.size() - comment),
              inColor(c.textSecondary));
  }
}

}  // namespace tessera::ui
