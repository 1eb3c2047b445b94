// SPDX-License-Identifier: MIT
// Where a growing Markdown text may be cut: what stands before a cut is rendered once and never
// again.
#pragma once

#include <QString>
#include <vector>

namespace tessera::ui {

struct MarkdownPiece {
  enum class Kind { Text, Code };
  Kind kind = Kind::Text;
  QString text;        ///< Markdown, or the lines of code without their fences
  QString language;    ///< the code's, as the fence names it
  bool closed = true;  ///< false: more of it may come
  qsizetype end = 0;   ///< where the next one begins
};

/// The pieces of `text` from `from` on, which must be where a piece begins. All but the last are
/// closed; when `finished`, that one too. Lists with empty lines between their items stay in one
/// piece, up to a size.
std::vector<MarkdownPiece> markdownPieces(const QString& text, qsizetype from, bool finished);

}  // namespace tessera::ui
