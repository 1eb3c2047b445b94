// SPDX-License-Identifier: MIT
#include "ui/pages/chat/token_view.h"

#include <QHelpEvent>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QScrollBar>
#include <QTextBlock>
#include <QTimer>
#include <QToolTip>
#include <QWheelEvent>
#include <algorithm>
#include <cmath>

#include "ui/theme/theme.h"
#include "ui/widgets/numbers.h"

namespace tessera::ui {

namespace {
constexpr int kSlice = 4000;  ///< tokens laid out at once
}

QColor probabilityColor(float probability) {
  // 0 for certain, 1 at one in a thousand.
  const double surprise = std::clamp(-std::log10(std::max(probability, 1e-6f)) / 3.0, 0.0, 1.0);
  if (surprise < 0.02) return Qt::transparent;
  const QColor& warm = theme::colors().lines[1];
  return theme::mixed(theme::colors().surface, warm, 0.08 + 0.37 * std::sqrt(surprise));
}

TokenView::TokenView(QWidget* parent) : QTextEdit(parent) {
  setFrameShape(QFrame::NoFrame);
  setReadOnly(true);
  setUndoRedoEnabled(false);
  setVerticalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
  setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
  viewport()->setAutoFillBackground(false);
  // What is written stays where it is when the view grows: only what is new is painted.
  for (QWidget* part : {static_cast<QWidget*>(this), viewport()}) {
    part->setAttribute(Qt::WA_StaticContents);
  }
  viewport()->setCursor(Qt::PointingHandCursor);
  document()->setDocumentMargin(0);
  setWordWrapMode(QTextOption::WrapAtWordBoundaryOrAnywhere);
  setFont(theme::font(theme::TextSize::Body));
  setAccessibleName(tr("Tokens of the answer; left and right pick one"));
  connect(this, &QTextEdit::selectionChanged, this, &TokenView::reportSpan);
}

void TokenView::showTokens(const QString& text, std::shared_ptr<const TokenRecord> record) {
  const int had = static_cast<int>(m_positions.size()) - 1;
  const bool grows = m_record && record && had >= 0 && had <= record->size() &&
                     text.startsWith(m_text.left(m_record->empty() ? 0 : record->begin(had)));
  m_text = text;
  m_record = std::move(record);
  if (!m_record) m_record = std::make_shared<const TokenRecord>();
  if (grows) {
    append();
  } else {
    restart();
  }
}

void TokenView::restart() {
  clear();
  m_positions = {0};
  append();
}

void TokenView::append() {
  QTextCursor at(document());
  at.movePosition(QTextCursor::End);
  at.beginEditBlock();
  const int from = static_cast<int>(m_positions.size()) - 1;
  const int to = std::min(m_record->size(), from + kSlice);
  for (int token = from; token < to; ++token) {
    QTextCharFormat format;
    const QColor color = probabilityColor(m_record->probability(token));
    if (color.alpha() > 0) format.setBackground(color);
    at.insertText(m_text.mid(m_record->begin(token), m_record->length(token)), format);
    m_positions.push_back(at.position());
  }
  at.endEditBlock();
  fit();
  if (to < m_record->size()) QTimer::singleShot(0, this, &TokenView::append);
}

int TokenView::tokenAtPosition(int position) const {
  const auto after = std::upper_bound(m_positions.begin(), m_positions.end(), position);
  const int token = static_cast<int>(after - m_positions.begin()) - 1;
  return token < static_cast<int>(m_positions.size()) - 1 ? token : -1;
}

void TokenView::pick(int token) {
  if (token >= static_cast<int>(m_positions.size()) - 1) token = -1;
  m_picked = token;
  QList<QTextEdit::ExtraSelection> marks;
  if (token >= 0) {
    QTextEdit::ExtraSelection mark;
    mark.cursor = QTextCursor(document());
    mark.cursor.setPosition(m_positions[static_cast<std::size_t>(token)]);
    mark.cursor.setPosition(m_positions[static_cast<std::size_t>(token) + 1],
                            QTextCursor::KeepAnchor);
    mark.format.setBackground(theme::colors().accent);
    mark.format.setForeground(theme::colors().accentText);
    marks.append(mark);
  }
  setExtraSelections(marks);
}

QPoint TokenView::positionOf(int token) const {
  QTextCursor at(document());
  at.setPosition(m_positions[static_cast<std::size_t>(token)]);
  const QRect begin = cursorRect(at);
  at.setPosition(m_positions[static_cast<std::size_t>(token) + 1]);
  const QRect end = cursorRect(at);
  const int right = end.top() == begin.top() ? end.left() : begin.left() + 8;
  return {(begin.left() + right) / 2, begin.center().y()};
}

void TokenView::reportSpan() {
  const QTextCursor cursor = textCursor();
  if (!cursor.hasSelection()) return Q_EMIT spanPicked(0, 0);
  const int from = tokenAtPosition(cursor.selectionStart());
  const int last = tokenAtPosition(cursor.selectionEnd() - 1);
  if (from >= 0 && last >= from) Q_EMIT spanPicked(from, last + 1);
}

void TokenView::mouseReleaseEvent(QMouseEvent* event) {
  QTextEdit::mouseReleaseEvent(event);
  if (event->button() != Qt::LeftButton || textCursor().hasSelection()) return;
  // The cursor stands between characters: the one under the mouse may be before it.
  const QPoint at = event->position().toPoint();
  QTextCursor cursor = cursorForPosition(at);
  int position = cursor.position();
  if (cursorRect(cursor).left() > at.x() && position > 0) --position;
  const int token = tokenAtPosition(position);
  if (token < 0) return;
  pick(token);
  Q_EMIT tokenPicked(token);
}

void TokenView::keyPressEvent(QKeyEvent* event) {
  const int count = static_cast<int>(m_positions.size()) - 1;
  const int step = event->key() == Qt::Key_Right ? 1 : event->key() == Qt::Key_Left ? -1 : 0;
  if (step != 0 && event->modifiers() == Qt::NoModifier && count > 0) {
    pick(std::clamp(m_picked < 0 ? 0 : m_picked + step, 0, count - 1));
    Q_EMIT tokenPicked(m_picked);
    return;
  }
  if (event->key() == Qt::Key_Up || event->key() == Qt::Key_Down ||
      event->key() == Qt::Key_PageUp || event->key() == Qt::Key_PageDown) {
    return event->ignore();
  }
  QTextEdit::keyPressEvent(event);
}

bool TokenView::event(QEvent* event) {
  if (event->type() == QEvent::ToolTip) {
    const auto* help = static_cast<QHelpEvent*>(event);
    const QPoint at = viewport()->mapFromGlobal(help->globalPos());
    const int token = tokenAtPosition(cursorForPosition(at).position());
    if (token >= 0) {
      QToolTip::showText(help->globalPos(),
                         tr("“%1”, probability %2")
                             .arg(m_record->shown(token, m_text).toHtmlEscaped(),
                                  numbers::percent(double(m_record->probability(token)))),
                         this);
      return true;
    }
  }
  return QTextEdit::event(event);
}

void TokenView::fit() {
  // NOTE: it lays out all of the document, also where the width is the one it has.
  const double width = viewport()->width();
  if (document()->textWidth() != width) document()->setTextWidth(width);
  const int height = static_cast<int>(document()->size().height()) + 1;
  if (height == m_height) return;
  m_height = height;
  setFixedHeight(height);
  Q_EMIT heightChanged();
}

QSize TokenView::sizeHint() const {
  return {480, std::max(m_height, 16)};
}

void TokenView::changeEvent(QEvent* event) {
  QTextEdit::changeEvent(event);
  if (event->type() != QEvent::PaletteChange || !m_record) return;
  QMetaObject::invokeMethod(
      this,
      [this] {
        const int picked = m_picked;
        restart();
        pick(picked);
      },
      Qt::QueuedConnection);
}

void TokenView::resizeEvent(QResizeEvent* event) {
  // NOTE: a resize lays out all of the document too, and a growing text gets higher many times a
  // second at the same width. All of it is in sight: there is nothing to scroll.
  if (event->size().width() == event->oldSize().width()) {
    QAbstractScrollArea::resizeEvent(event);
    verticalScrollBar()->setRange(0, 0);
    return;
  }
  QTextEdit::resizeEvent(event);
  fit();
}

void TokenView::wheelEvent(QWheelEvent* event) {
  event->ignore();  // the list scrolls
}

}  // namespace tessera::ui
