// SPDX-License-Identifier: MIT
#include "ui/pages/chat/markdown_copy.h"

#include <QHash>
#include <QTextBlock>
#include <QTextCursor>
#include <QTextDocument>
#include <QTextFrame>
#include <QTextList>
#include <QTextTable>

#include "ui/theme/theme.h"

namespace tessera::ui {

namespace {
constexpr int kQuoteMargin = 2 * theme::kGrid;

QTextCharFormat styled(const QTextCharFormat& from, int heading, bool quoted) {
  QTextCharFormat format;
  QFont font = theme::font(heading == 1 ? theme::TextSize::Heading : theme::TextSize::Body);
  const bool code = from.fontFixedPitch();
  if (code) font = theme::monospace();
  font.setBold(heading > 0 || from.fontWeight() > QFont::Normal);
  font.setItalic(from.fontItalic());
  font.setStrikeOut(from.fontStrikeOut());
  format.setFont(font);
  format.setForeground(quoted ? theme::colors().textSecondary : theme::colors().text);
  if (code) format.setBackground(theme::colors().hover);
  if (from.isAnchor() && !from.anchorHref().isEmpty()) {
    format.setAnchor(true);
    format.setAnchorHref(from.anchorHref());
    format.setToolTip(from.anchorHref());
    format.setForeground(theme::colors().link);
    format.setFontUnderline(true);
  }
  return format;
}

QTextBlockFormat styled(const QTextBlock& from) {
  QTextBlockFormat format;
  const int quote = from.blockFormat().intProperty(QTextFormat::BlockQuoteLevel);
  const bool item = from.textList() != nullptr;
  format.setHeadingLevel(from.blockFormat().headingLevel());
  format.setMarker(from.blockFormat().marker());
  format.setLeftMargin(quote * kQuoteMargin);
  format.setTopMargin(format.headingLevel() > 0 ? theme::kGrid : 0);
  format.setBottomMargin(item ? theme::kHalf / 2 : theme::kGrid);
  format.setLineHeight(120, QTextBlockFormat::ProportionalHeight);
  return format;
}

/// Copies blocks, lists and tables of a document one by one.
class Copier {
 public:
  explicit Copier(QTextCursor& at) : m_at(at) {}

  void frame(QTextFrame* frame) {
    for (auto it = frame->begin(); !it.atEnd(); ++it) {
      if (auto* table = qobject_cast<QTextTable*>(it.currentFrame())) {
        copyTable(table);
      } else if (it.currentFrame()) {
        this->frame(it.currentFrame());
      } else {
        block(it.currentBlock());
      }
    }
  }

 private:
  void begin(const QTextBlockFormat& format) {
    if (m_first) {
      m_at.setBlockFormat(format);
    } else {
      m_at.insertBlock(format, QTextCharFormat());
    }
    m_first = false;
  }

  void block(const QTextBlock& from) {
    const QTextBlockFormat format = styled(from);
    begin(format);
    if (QTextList* list = from.textList()) {
      QTextList*& to = m_lists[list];
      if (to) {
        to->add(m_at.block());
      } else {
        to = m_at.createList(list->format());
      }
    } else if (m_at.block().textList()) {
      m_at.block().textList()->remove(m_at.block());
    }
    text(from, format.headingLevel());
  }

  void text(const QTextBlock& from, int heading) {
    const bool quoted = from.blockFormat().intProperty(QTextFormat::BlockQuoteLevel) > 0;
    for (auto it = from.begin(); !it.atEnd(); ++it) {
      const QTextFragment fragment = it.fragment();
      const QTextCharFormat format = fragment.charFormat();
      if (format.isImageFormat()) {
        const QString name = format.toImageFormat().name();
        m_at.insertText(QStringLiteral("[%1]").arg(name), styled(QTextCharFormat(), heading, true));
      } else {
        m_at.insertText(fragment.text(), styled(format, heading, quoted));
      }
    }
  }

  void copyTable(QTextTable* table) {
    if (m_first) begin(QTextBlockFormat());
    QTextTableFormat format;
    format.setCellPadding(theme::kHalf);
    format.setCellSpacing(0);
    format.setBorder(1);
    format.setBorderCollapse(true);
    format.setBorderStyle(QTextFrameFormat::BorderStyle_Solid);
    format.setBorderBrush(theme::colors().border);
    format.setBottomMargin(theme::kGrid);
    QTextTable* to = m_at.insertTable(table->rows(), table->columns(), format);
    for (int row = 0; row < table->rows(); ++row) {
      for (int column = 0; column < table->columns(); ++column) {
        m_at = to->cellAt(row, column).firstCursorPosition();
        const QTextBlock from = table->cellAt(row, column).firstCursorPosition().block();
        m_at.setBlockFormat(QTextBlockFormat());
        text(from, row == 0 ? 2 : 0);
      }
    }
    m_at = to->lastCursorPosition();
    m_at.movePosition(QTextCursor::NextBlock);
    m_first = true;  // the block behind a table is empty
  }

  QTextCursor& m_at;
  QHash<QTextList*, QTextList*> m_lists;
  bool m_first = true;
};
}  // namespace

void insertMarkdownStyled(QTextCursor& at, const QString& markdown) {
  QTextDocument parsed;
  parsed.setUndoRedoEnabled(false);
  parsed.setMarkdown(markdown,
                     QTextDocument::MarkdownFeatures(QTextDocument::MarkdownDialectGitHub) |
                         QTextDocument::MarkdownNoHTML);
  Copier(at).frame(parsed.rootFrame());
}

}  // namespace tessera::ui
