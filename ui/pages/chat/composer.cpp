// SPDX-License-Identifier: MIT
#include "ui/pages/chat/composer.h"

#include <QHBoxLayout>
#include <QKeyEvent>
#include <QPainter>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QScrollBar>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/theme/theme.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/keeps_toasts_off.h"
#include "ui/widgets/numbers.h"

namespace tessera::ui {

namespace {
constexpr int kMostLines = 8, kBarWidth = 96, kBarHeight = 6;
constexpr double kNearlyFull = 0.9;
}  // namespace

ContextMeter::ContextMeter(QWidget* parent) : QWidget(parent) {
  setFont(theme::font(theme::TextSize::Caption, true));
  setUse(0, 0);
}

void ContextMeter::setUnknown(const QString& reason) {
  setUse(0, m_of);
  m_unknown = reason;
  setToolTip(reason);
  setAccessibleName(text());
  update();
}

QString ContextMeter::text() const {
  if (!m_unknown.isEmpty()) return tr("context: not counted");
  if (m_of == 0) return tr("context: no model yet");
  return tr("%1 of %2 tokens").arg(numbers::whole(m_used), numbers::whole(m_of));
}

void ContextMeter::setUse(int used, int of) {
  m_used = used;
  m_of = of;
  m_unknown.clear();
  setToolTip(tr("Tokens of the conversation and your draft, of what the model has room for"));
  setAccessibleName(tr("Context: %1").arg(text()));
  updateGeometry();
  update();
}

QSize ContextMeter::sizeHint() const {
  return {kBarWidth + theme::kGrid + fontMetrics().horizontalAdvance(text()),
          fontMetrics().height() + 2};
}

void ContextMeter::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  painter.setRenderHint(QPainter::Antialiasing);
  const QRectF bar(0, (height() - kBarHeight) / 2.0, kBarWidth, kBarHeight);
  const double share = m_of > 0 ? std::clamp(double(m_used) / m_of, 0.0, 1.0) : 0;
  painter.setPen(Qt::NoPen);
  painter.setBrush(theme::colors().gridLine);
  painter.drawRoundedRect(bar, 3, 3);
  painter.setBrush(share > kNearlyFull ? theme::colors().warning : theme::colors().accent);
  if (share > 0) {
    painter.drawRoundedRect(
        QRectF(bar.topLeft(), QSizeF(std::max(4.0, bar.width() * share), bar.height())), 3, 3);
  }
  painter.setPen(share > kNearlyFull ? theme::colors().warning : theme::colors().textSecondary);
  painter.drawText(rect().adjusted(kBarWidth + theme::kGrid, 0, 0, 0),
                   Qt::AlignLeft | Qt::AlignVCenter, text());
}

Composer::Composer(QWidget* parent)
    : QWidget(parent),
      m_field(new QPlainTextEdit(this)),
      m_button(primaryButton(tr("Send"), this)),
      m_meter(new ContextMeter(this)),
      m_speed(new TextLabel({}, theme::TextSize::Caption, this)),
      m_hint(new ElidedLabel(tr("Enter sends · Shift+Enter begins a line"), this)) {
  setProperty(kKeepsToastsOff, true);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(theme::kGrid, theme::kHalf, theme::kGrid, theme::kGrid);
  layout->setSpacing(theme::kHalf);
  layout->addWidget(makeWarning());
  auto* row = new QHBoxLayout;
  row->setSpacing(theme::kGrid);
  m_field->setPlaceholderText(tr("Write a message"));
  m_field->setAccessibleName(tr("Message"));
  m_field->setTabChangesFocus(true);
  m_field->installEventFilter(this);
  row->addWidget(m_field, 1);
  row->addWidget(m_button, 0, Qt::AlignBottom);
  layout->addLayout(row);
  auto* notes = new QHBoxLayout;
  m_speed->setTone(TextLabel::Tone::Secondary)->setTabular();
  m_hint->setFont(theme::font(theme::TextSize::Caption));
  m_hint->setForegroundRole(QPalette::PlaceholderText);
  m_hint->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
  notes->addWidget(m_meter);
  notes->addSpacing(theme::kGrid);
  notes->addWidget(m_speed);
  notes->addWidget(m_hint, 1);
  m_hint->setAlignment(Qt::AlignRight | Qt::AlignVCenter);
  layout->addLayout(notes);
  connect(m_button, &QPushButton::clicked, this, &Composer::press);
  connect(m_field, &QPlainTextEdit::textChanged, this, [this] {
    fit();
    refresh();
    Q_EMIT textChanged();
  });
  fit();
  refresh();
}

QWidget* Composer::makeWarning() {
  m_warning = new QWidget(this);
  auto* row = new QHBoxLayout(m_warning);
  row->setContentsMargins(0, 0, 0, 0);
  row->setSpacing(theme::kGrid);
  auto* icon = new IconLabel(theme::kIcon, m_warning);
  icon->setName(QStringLiteral("warning"));
  m_warningText = new TextLabel({}, theme::TextSize::Body, m_warning);
  m_warningText->setTone(TextLabel::Tone::Warning)->setWrapped()->setSelectable();
  m_fresh = new QPushButton(m_warning);
  row->addWidget(icon);
  row->addWidget(m_warningText, 1);
  row->addWidget(m_fresh);
  m_warning->hide();
  connect(m_fresh, &QPushButton::clicked, this, &Composer::freshWanted);
  return m_warning;
}

QString Composer::text() const {
  return m_field->toPlainText().trimmed();
}

void Composer::setText(const QString& text) {
  m_field->setPlainText(text);
  m_field->moveCursor(QTextCursor::End);
}

void Composer::clear() {
  m_field->clear();
}

void Composer::setBusy(bool busy) {
  m_busy = busy;
  refresh();
}

void Composer::setObstacle(const QString& reason) {
  m_obstacle = reason;
  refresh();
}

void Composer::setTooLong(const QString& reason, bool fresh) {
  m_tooLong = reason;
  m_warningText->setText(reason);
  m_fresh->setVisible(fresh);
  m_warning->setVisible(!reason.isEmpty());
  refresh();
}

void Composer::setSpeed(const QString& text) {
  m_speed->setText(text);
}

void Composer::press() {
  if (m_busy) return Q_EMIT stopped();
  const QString message = text();
  if (message.isEmpty() || !m_obstacle.isEmpty() || !m_tooLong.isEmpty()) return;
  clear();
  Q_EMIT sent(message);
}

void Composer::refresh() {
  m_button->setText(m_busy ? tr("Stop") : tr("Send"));
  m_button->setIcon(theme::icon(m_busy ? QStringLiteral("stop") : QStringLiteral("send")));
  m_fresh->setText(text().isEmpty() ? tr("Go on in a new chat") : tr("Send it in a new chat"));
  const QString obstacle = m_obstacle.isEmpty() ? m_tooLong : m_obstacle;
  const QString reason = !obstacle.isEmpty() ? obstacle : tr("Write a message first");
  setEnabledBecause(m_button, m_busy || (obstacle.isEmpty() && !text().isEmpty()), reason);
}

/// As high as the text, up to some lines.
void Composer::fit() {
  const int lines = std::clamp(m_field->document()->blockCount(), 2, kMostLines);
  const int margin =
      static_cast<int>(2 * m_field->document()->documentMargin()) + 2 * m_field->frameWidth();
  m_field->setFixedHeight(lines * m_field->fontMetrics().lineSpacing() + margin);
}

bool Composer::eventFilter(QObject* object, QEvent* event) {
  if (event->type() != QEvent::KeyPress) return QWidget::eventFilter(object, event);
  const auto* key = static_cast<QKeyEvent*>(event);
  const bool enter = key->key() == Qt::Key_Return || key->key() == Qt::Key_Enter;
  if (enter && !(key->modifiers() & Qt::ShiftModifier)) {
    if (!m_busy) press();
    return true;
  }
  if (key->key() == Qt::Key_Escape && m_busy) {
    Q_EMIT stopped();
    return true;
  }
  if (key->key() == Qt::Key_Up && text().isEmpty()) {
    Q_EMIT editLast();
    return true;
  }
  return QWidget::eventFilter(object, event);
}

void Composer::changeEvent(QEvent* event) {
  QWidget::changeEvent(event);
  if (event->type() == QEvent::PaletteChange) refresh();
}

}  // namespace tessera::ui
