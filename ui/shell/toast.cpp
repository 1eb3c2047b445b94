// SPDX-License-Identifier: MIT
#include "ui/shell/toast.h"

#include <QCursor>
#include <QEvent>
#include <QHBoxLayout>
#include <QPainter>
#include <QPushButton>
#include <QTimer>
#include <QToolButton>

#include "ui/shell/kept_clear.h"
#include "ui/widgets/controls.h"

namespace tessera::ui {

namespace {
constexpr int kSecondsMs = 4'000, kWithUndoMs = 9'000;
}

Toast::Toast(QWidget* over)
    : QFrame(over),
      m_text(new TextLabel),
      m_undo(new QPushButton(tr("Undo"))),
      m_timer(new QTimer(this)) {
  setObjectName(QStringLiteral("toast"));
  auto* row = new QHBoxLayout(this);
  row->setContentsMargins(2 * theme::kGrid, theme::kHalf + 2, theme::kGrid, theme::kHalf + 2);
  m_text->setAttribute(Qt::WA_TransparentForMouseEvents);  // moves over it are this line's
  setMouseTracking(true);
  row->addWidget(m_text, 1);
  row->addWidget(m_undo);
  auto* close = iconButton(QStringLiteral("close"), tr("Close"));
  row->addWidget(close);
  m_timer->setSingleShot(true);
  connect(m_timer, &QTimer::timeout, this, &Toast::dismiss);
  connect(close, &QToolButton::clicked, this, &Toast::dismiss);
  connect(m_undo, &QPushButton::clicked, this, [this] {
    const auto undo = m_shown.undo;
    dismiss();
    if (undo) undo();
  });
  over->installEventFilter(this);
  hide();
}

void Toast::say(const QString& text, std::function<void()> undo) {
  m_waiting.push_back({text, std::move(undo)});
  if (!isVisible()) return showNext();
  // A line without an Undo has been read by the time the next one comes.
  if (!m_shown.undo) dismiss();
}

QString Toast::text() const {
  return m_text->text();
}

void Toast::dismiss() {
  m_timer->stop();
  hide();
  showNext();
}

void Toast::showNext() {
  if (m_waiting.empty()) return;
  m_shown = std::move(m_waiting.front());
  m_waiting.pop_front();
  m_text->setText(m_shown.text);
  m_undo->setVisible(static_cast<bool>(m_shown.undo));
  setAccessibleName(m_shown.text);
  m_pointer = QCursor::pos();
  place();
  show();
  raise();
  m_timer->start(m_shown.undo ? kWithUndoMs : kSecondsMs);
}

void Toast::place() {
  const QRect room = parentWidget()->rect();
  const int width = std::min(sizeHint().width() + theme::kGrid, room.width() - 4 * theme::kGrid);
  const int height = sizeHint().height();
  const QRect at((room.width() - width) / 2, room.height() - height - 2 * theme::kGrid, width,
                 height);
  setGeometry(movedAbove(at, keptClear(*parentWidget(), *this, true), room));
}

bool Toast::eventFilter(QObject* watched, QEvent* event) {
  if (event->type() == QEvent::Resize && isVisible()) place();
  if (watched == parentWidget() && isVisible()) {
    // A dock or a banner that is shown later would lie over it, and over its Undo.
    if (event->type() == QEvent::ChildAdded || event->type() == QEvent::LayoutRequest) raise();
  }
  return QFrame::eventFilter(watched, event);
}

/// A pointer that rests where the line comes up, in a field that is typed into, say, reads nothing:
/// only one that moves keeps the line.
void Toast::enterEvent(QEnterEvent*) {
  if (QCursor::pos() != m_pointer) m_timer->stop();
}
void Toast::mouseMoveEvent(QMouseEvent*) {
  m_timer->stop();
}
void Toast::leaveEvent(QEvent*) {
  if (isVisible()) m_timer->start(kSecondsMs);
}

void Toast::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  painter.setRenderHint(QPainter::Antialiasing);
  painter.setPen(QPen(theme::colors().textDisabled, 1));
  painter.setBrush(theme::colors().raised);
  painter.drawRoundedRect(QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6);
}

}  // namespace tessera::ui
