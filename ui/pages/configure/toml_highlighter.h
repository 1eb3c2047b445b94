// SPDX-License-Identifier: MIT
// Colours of a spec's text: tables, keys, strings, numbers, comments.
#pragma once

#include <QSyntaxHighlighter>

namespace tessera::ui {

class TomlHighlighter : public QSyntaxHighlighter {
  Q_OBJECT
 public:
  using QSyntaxHighlighter::QSyntaxHighlighter;

 protected:
  void highlightBlock(const QString& text) override;
};

}  // namespace tessera::ui
