// SPDX-License-Identifier: MIT
#include "ui/pages/chat/markdown_view.h"

#include <QClipboard>
#include <QDesktopServices>
#include <QElapsedTimer>
#include <QGuiApplication>
#include <QKeyEvent>
#include <QScrollBar>
#include <QTextBlock>
#include <QTextTable>
#include <QTimer>
#include <QUrl>
#include <QWheelEvent>
#include <algorithm>

#include "ui/pages/chat/markdown_copy.h"
#include "ui/theme/theme.h"

namespace tessera::ui {

namespace {
constexpr int kSliceMs = 12, kTailPauseMs = 75, kLongestPauseMs = 1000;
/// The tail may take one part in so many of the time.
constexpr int kTailShare = 16;
constexpr qsizetype kPlainSlice = 32 * 1024;
const QString kCopyScheme = QStringLiteral("copy");
}  // namespace

MarkdownView::MarkdownView(Format format, QWidget* parent)
    : QTextBrowser(parent), m_format(format), m_more(new QTimer(this)), m_pause(new QTimer(this)) {
  setFrameShape(QFrame::NoFrame);
  setVerticalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
  setOpenLinks(false);
  setUndoRedoEnabled(false);
  setTextInteractionFlags(Qt::TextBrowserInteraction);
  viewport()->setAutoFillBackground(false);
  // What is written stays where it is when the view grows: only what is new is painted.
  for (QWidget* part : {static_cast<QWidget*>(this), viewport()}) {
    part->setAttribute(Qt::WA_StaticContents);
  }
  document()->setDocumentMargin(0);
  setWordWrapMode(QTextOption::WrapAtWordBoundaryOrAnywhere);
  setFont(theme::font(theme::TextSize::Body));
  m_more->setSingleShot(true);
  m_more->setInterval(0);
  m_pause->setSingleShot(true);
  m_pause->setInterval(kTailPauseMs);
  connect(m_more, &QTimer::timeout, this, &MarkdownView::render);
  connect(m_pause, &QTimer::timeout, this, &MarkdownView::render);
  connect(this, &QTextBrowser::anchorClicked, this, &MarkdownView::follow);
}

void MarkdownView::setText(const QString& text, bool finished) {
  m_text = text;
  m_finished = finished;
  restart();
}

void MarkdownView::showText(const QString& text, bool finished) {
  if (text.size() < m_text.size() || !text.startsWith(m_text) ||
      (m_finished && !m_text.isEmpty())) {
    if (text == m_text && finished == m_finished) return;
    return setText(text, finished);
  }
  m_text = text;
  m_finished = finished;
  if (finished) m_pause->stop();
  if (!m_pause->isActive()) render();
}

bool MarkdownView::settled() const {
  const qsizetype shown = m_tail.text.isEmpty() ? m_done : m_tail.end;
  return !m_more->isActive() && shown >= m_text.size();
}

void MarkdownView::restart() {
  m_more->stop();
  m_pause->stop();
  clear();
  m_codes.clear();
  m_done = m_donePosition = 0;
  m_tail = {};
  m_openCode = {};
  render();
}

/// What is closed goes in for good, a slice of time at once; then the tail, which goes in again.
void MarkdownView::render() {
  if (m_format == Format::Plain) {
    renderPlain();
  } else {
    const std::vector<MarkdownPiece> pieces = markdownPieces(m_text, m_done, m_finished);
    if (renderClosed(pieces) && !pieces.empty() && !pieces.back().closed) {
      renderTail(pieces.back());
    }
  }
  fit();
}

void MarkdownView::renderPlain() {
  QTextCursor at(document());
  at.movePosition(QTextCursor::End);
  const QString part = m_text.mid(m_done, kPlainSlice);
  at.insertText(part);
  m_done += part.size();
  if (m_done < m_text.size()) m_more->start();
}

/// False when there was not enough time for all.
bool MarkdownView::renderClosed(const std::vector<MarkdownPiece>& pieces) {
  QElapsedTimer clock;
  clock.start();
  for (const MarkdownPiece& piece : pieces) {
    if (!piece.closed) break;
    if (clock.elapsed() >= kSliceMs) {
      m_more->start();
      return false;
    }
    dropTail();
    insertPiece(piece);
    m_done = piece.end;
    m_donePosition = document()->characterCount() - 1;
  }
  return true;
}

void MarkdownView::dropTail() {
  if (m_tail.text.isEmpty()) return;
  QTextCursor at(document());
  at.setPosition(m_donePosition);
  at.movePosition(QTextCursor::End, QTextCursor::KeepAnchor);
  at.removeSelectedText();
  if (m_tail.kind == MarkdownPiece::Kind::Code) m_codes.pop_back();
  m_tail = {};
  m_openCode = {};
}

/// Code only ever grows at its end; text is rendered anew, since its next characters may change
/// what the ones before mean.
void MarkdownView::renderTail(const MarkdownPiece& piece) {
  QElapsedTimer clock;
  clock.start();
  if (piece.kind == m_tail.kind && piece.end == m_tail.end && !m_tail.text.isEmpty()) return;
  const bool grows = m_tail.kind == MarkdownPiece::Kind::Code && piece.kind == m_tail.kind &&
                     !m_openCode.isNull() && piece.text.startsWith(m_tail.text) &&
                     !m_tail.text.isEmpty();
  if (grows) {
    m_openCode.insertText(piece.text.mid(m_tail.text.size()));
    m_codes.back() = piece.text;
  } else {
    dropTail();
    if (piece.text.isEmpty()) return;
    insertPiece(piece);
  }
  m_tail = piece;
  // A paragraph of thousands of words costs more each time: it is rendered the more rarely.
  const auto cost = static_cast<int>(clock.nsecsElapsed() / 1'000'000);
  m_pause->start(std::clamp(kTailShare * cost, kTailPauseMs, kLongestPauseMs));
}

/// The end of the document, in an empty block.
QTextCursor MarkdownView::freshBlock() {
  QTextCursor at(document());
  at.movePosition(QTextCursor::End);
  if (at.block().length() > 1) at.insertBlock(QTextBlockFormat(), QTextCharFormat());
  return at;
}

void MarkdownView::insertPiece(const MarkdownPiece& piece) {
  if (piece.kind == MarkdownPiece::Kind::Code) return insertCode(piece);
  QTextCursor at = freshBlock();
  at.beginEditBlock();
  insertMarkdownStyled(at, piece.text);
  at.endEditBlock();
}

void MarkdownView::insertCode(const MarkdownPiece& piece) {
  QTextCursor at = freshBlock();
  at.beginEditBlock();
  QTextTableFormat frame;
  frame.setCellPadding(theme::kGrid);
  frame.setCellSpacing(0);
  frame.setBorder(1);
  frame.setBorderCollapse(true);
  frame.setBorderStyle(QTextFrameFormat::BorderStyle_Solid);
  frame.setBorderBrush(theme::colors().border);
  frame.setBackground(theme::colors().window);
  frame.setTopMargin(theme::kHalf);
  frame.setBottomMargin(theme::kGrid);
  frame.setWidth(QTextLength(QTextLength::PercentageLength, 100));
  QTextTable* box = at.insertTable(1, 1, frame);
  at = box->cellAt(0, 0).firstCursorPosition();

  QTextCharFormat caption;
  caption.setFont(theme::font(theme::TextSize::Caption));
  caption.setForeground(theme::colors().textSecondary);
  at.insertText(piece.language.isEmpty() ? tr("Code") : piece.language, caption);
  at.insertText(QStringLiteral("  ·  "), caption);
  QTextCharFormat link = caption;
  link.setAnchor(true);
  link.setAnchorHref(QStringLiteral("%1:%2").arg(kCopyScheme).arg(m_codes.size()));
  link.setForeground(theme::colors().link);
  at.insertText(tr("Copy"), link);

  QTextCharFormat code;
  code.setFont(theme::monospace());
  code.setForeground(theme::colors().text);
  at.insertBlock(QTextBlockFormat(), code);
  at.insertText(piece.text, code);
  at.endEditBlock();
  m_codes.push_back(piece.text);
  m_openCode = at;
}

/// As high as the text is at this width.
void MarkdownView::fit() {
  // NOTE: it lays out all of the document, also where the width is the one it has.
  const double width = viewport()->width();
  if (document()->textWidth() != width) document()->setTextWidth(width);
  const int height = static_cast<int>(document()->size().height()) + 1;
  if (height == m_height) return;
  m_height = height;
  setFixedHeight(height);
  Q_EMIT heightChanged();
}

QSize MarkdownView::sizeHint() const {
  return {480, std::max(m_height, 16)};
}

QVariant MarkdownView::loadResource(int, const QUrl&) {
  return {};
}

void MarkdownView::follow(const QUrl& link) {
  if (link.scheme() == kCopyScheme) {
    const auto index = link.path().toULongLong();
    if (index < m_codes.size()) QGuiApplication::clipboard()->setText(m_codes[index]);
  } else if (link.scheme() == QLatin1String("https") || link.scheme() == QLatin1String("http")) {
    QDesktopServices::openUrl(link);
  }
}

void MarkdownView::changeEvent(QEvent* event) {
  QTextBrowser::changeEvent(event);
  // Colours are in the text's formats. Later: the theme sets many palettes in a row.
  if (event->type() == QEvent::PaletteChange && !m_text.isEmpty()) {
    QMetaObject::invokeMethod(this, &MarkdownView::restart, Qt::QueuedConnection);
  }
}

void MarkdownView::resizeEvent(QResizeEvent* event) {
  // NOTE: a resize lays out all of the document too, and a growing text gets higher many times a
  // second at the same width. All of it is in sight: there is nothing to scroll.
  if (event->size().width() == event->oldSize().width()) {
    QAbstractScrollArea::resizeEvent(event);
    verticalScrollBar()->setRange(0, 0);
    return;
  }
  QTextBrowser::resizeEvent(event);
  fit();
}

void MarkdownView::wheelEvent(QWheelEvent* event) {
  event->ignore();  // the list scrolls
}

void MarkdownView::keyPressEvent(QKeyEvent* event) {
  switch (event->key()) {
    case Qt::Key_PageUp:
    case Qt::Key_PageDown:
    case Qt::Key_Up:
    case Qt::Key_Down:
      event->ignore();
      return;
    default:
      QTextBrowser::keyPressEvent(event);
  }
}

}  // namespace tessera::ui
