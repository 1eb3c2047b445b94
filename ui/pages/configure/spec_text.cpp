// SPDX-License-Identifier: MIT
#include "ui/pages/configure/spec_text.h"

#include <QHelpEvent>
#include <QPainter>
#include <QScrollBar>
#include <QTextBlock>
#include <QToolTip>
#include <QUndoStack>

#include "ui/bridge/draft/draft_spec.h"
#include "ui/pages/configure/toml_highlighter.h"
#include "ui/theme/theme.h"
#include "ui/widgets/spec/problem_text.h"

namespace tessera::ui {

namespace {
/// The strip at the left.
class Numbers : public QWidget {
 public:
  explicit Numbers(SpecText* text) : QWidget(text), m_text(text) {}
  QSize sizeHint() const override { return {m_text->numbersWidth(), 0}; }

 protected:
  void paintEvent(QPaintEvent* event) override { m_text->paintNumbers(event); }
  bool event(QEvent* event) override {
    if (event->type() == QEvent::ToolTip) {
      auto* help = static_cast<QHelpEvent*>(event);
      const QTextCursor at = m_text->cursorForPosition({0, help->pos().y()});
      QToolTip::showText(help->globalPos(), m_text->problemIn(at.blockNumber() + 1), this);
      return true;
    }
    return QWidget::event(event);
  }

 private:
  SpecText* m_text;
};
}  // namespace

SpecText::SpecText(DraftSpec& draft, QWidget* parent)
    : QPlainTextEdit(parent), m_draft(draft), m_numbers(new Numbers(this)) {
  setLineWrapMode(QPlainTextEdit::NoWrap);
  setUndoRedoEnabled(false);  // the draft's own undo knows of form and text
  setTabChangesFocus(true);
  setAccessibleName(tr("Text of the spec"));
  setFrameShape(QFrame::NoFrame);
  new TomlHighlighter(document());
  restyle();
  connect(this, &QPlainTextEdit::blockCountChanged, this,
          [this] { setViewportMargins(numbersWidth(), 0, 0, 0); });
  connect(this, &QPlainTextEdit::updateRequest, this, [this](const QRect& rect, int dy) {
    if (dy != 0) {
      m_numbers->scroll(0, dy);
    } else {
      m_numbers->update(0, rect.y(), m_numbers->width(), rect.height());
    }
  });
  connect(this, &QPlainTextEdit::textChanged, this, [this] {
    if (!m_taking) m_draft.setText(toPlainText());
  });
  connect(&m_draft, &DraftSpec::textReplaced, this, &SpecText::takeText);
  takeText();
}

void SpecText::restyle() {
  setFont(theme::monospace());
  setViewportMargins(numbersWidth(), 0, 0, 0);
}

void SpecText::changeEvent(QEvent* event) {
  QPlainTextEdit::changeEvent(event);
  if (event->type() != QEvent::PaletteChange) return;
  if (auto* colours = findChild<QSyntaxHighlighter*>()) colours->rehighlight();
  mark();
  m_numbers->update();
}

/// Only what differs is exchanged: the cursor stays on its word, the view where it is.
void SpecText::takeText() {
  const QString now = toPlainText(), wanted = m_draft.text();
  if (now == wanted) return;
  qsizetype from = 0;
  const qsizetype shorter = std::min(now.size(), wanted.size());
  while (from < shorter && now[from] == wanted[from]) ++from;
  qsizetype same = 0;
  while (same < shorter - from && now[now.size() - 1 - same] == wanted[wanted.size() - 1 - same]) {
    ++same;
  }
  const int scroll = verticalScrollBar()->value();
  m_taking = true;
  QTextCursor cursor(document());
  cursor.setPosition(static_cast<int>(from));
  cursor.setPosition(static_cast<int>(now.size() - same), QTextCursor::KeepAnchor);
  cursor.insertText(wanted.mid(from, wanted.size() - same - from));
  m_taking = false;
  verticalScrollBar()->setValue(scroll);
}

void SpecText::setProblems(const std::vector<PlanProblem>& problems) {
  m_marks.clear();
  for (const PlanProblem& p : problems) {
    if (p.problem.file != "draft" || p.problem.line < 1) continue;
    Mark& mark = m_marks[p.problem.line];
    mark.error |= p.problem.severity == Severity::Error;
    if (!mark.text.isEmpty()) mark.text += u'\n';
    mark.text += problemText(p.problem);
  }
  mark();
  m_numbers->update();
}

QString SpecText::problemIn(int line) const {
  const auto found = m_marks.find(line);
  return found == m_marks.end() ? QString() : found->second.text;
}

void SpecText::mark() {
  const theme::Colors& c = theme::colors();
  QList<QTextEdit::ExtraSelection> marks;
  for (const auto& [line, problem] : m_marks) {
    const QTextBlock block = document()->findBlockByNumber(line - 1);
    if (!block.isValid()) continue;
    QTextEdit::ExtraSelection selection;
    selection.cursor = QTextCursor(block);
    selection.cursor.movePosition(QTextCursor::EndOfBlock, QTextCursor::KeepAnchor);
    selection.format.setUnderlineStyle(QTextCharFormat::WaveUnderline);
    selection.format.setUnderlineColor(problem.error ? c.bad : c.warning);
    marks << selection;
  }
  setExtraSelections(marks);
}

void SpecText::goToLine(int line) {
  const QTextBlock block = document()->findBlockByNumber(line - 1);
  if (!block.isValid()) return;
  setTextCursor(QTextCursor(block));
  centerCursor();
  setFocus(Qt::OtherFocusReason);
}

int SpecText::numbersWidth() const {
  const int digits = std::max<int>(3, static_cast<int>(QString::number(blockCount()).size()));
  return fontMetrics().horizontalAdvance(u'9') * digits + 3 * theme::kGrid;
}

void SpecText::paintNumbers(QPaintEvent* event) {
  const theme::Colors& c = theme::colors();
  QPainter painter(m_numbers);
  painter.fillRect(event->rect(), c.surface);
  painter.setFont(font());
  painter.setRenderHint(QPainter::Antialiasing);
  QTextBlock block = firstVisibleBlock();
  QRectF rect = blockBoundingGeometry(block).translated(contentOffset());
  const int here = textCursor().blockNumber();
  for (; block.isValid() && rect.top() <= event->rect().bottom(); block = block.next()) {
    rect.setHeight(blockBoundingRect(block).height());
    const int number = block.blockNumber();
    painter.setPen(number == here ? c.text : c.textSecondary);
    painter.drawText(QRectF(0, rect.top(), m_numbers->width() - theme::kGrid, rect.height()),
                     Qt::AlignRight | Qt::AlignVCenter, QString::number(number + 1));
    if (const auto found = m_marks.find(number + 1); found != m_marks.end()) {
      painter.setPen(Qt::NoPen);
      painter.setBrush(found->second.error ? c.bad : c.warning);
      const QPointF centre(theme::kGrid, rect.center().y());
      // A disc for errors, a triangle for warnings: not by colour alone.
      if (found->second.error) {
        painter.drawEllipse(centre, 4, 4);
      } else {
        painter.drawPolygon(
            QPolygonF({centre + QPointF(-4, 4), centre + QPointF(4, 4), centre + QPointF(0, -4)}));
      }
    }
    rect.translate(0, rect.height());
  }
}

void SpecText::resizeEvent(QResizeEvent* event) {
  QPlainTextEdit::resizeEvent(event);
  const QRect inside = contentsRect();
  m_numbers->setGeometry(inside.left(), inside.top(), numbersWidth(), inside.height());
}

void SpecText::keyPressEvent(QKeyEvent* event) {
  if (event->matches(QKeySequence::Undo)) return m_draft.undoStack().undo();
  if (event->matches(QKeySequence::Redo)) return m_draft.undoStack().redo();
  QPlainTextEdit::keyPressEvent(event);
}

bool SpecText::event(QEvent* event) {
  if (event->type() == QEvent::ToolTip) {
    auto* help = static_cast<QHelpEvent*>(event);
    const QPoint at = viewport()->mapFrom(this, help->pos());
    QToolTip::showText(help->globalPos(), problemIn(cursorForPosition(at).blockNumber() + 1), this);
    return true;
  }
  return QPlainTextEdit::event(event);
}

}  // namespace tessera::ui
