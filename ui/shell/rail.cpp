// SPDX-License-Identifier: MIT
#include "ui/shell/rail.h"

#include <QButtonGroup>
#include <QKeySequence>
#include <QPainter>
#include <QVBoxLayout>

#include "ui/theme/theme.h"

namespace tessera::ui {

namespace {
constexpr int kItemHeight = 54;
}

RailButton::RailButton(const QString& icon, const QString& title, QWidget* parent)
    : QToolButton(parent) {
  setText(title);
  setIcon(theme::icon(icon));
  setCheckable(true);
  setAutoRaise(true);
  setFocusPolicy(Qt::TabFocus);
  setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
  setAccessibleName(title);
}

void RailButton::setMark(int count) {
  if (count == m_mark) return;
  m_mark = count;
  update();
}

QSize RailButton::sizeHint() const {
  return {theme::kRailWidth - 1, kItemHeight};
}

void RailButton::paintEvent(QPaintEvent*) {
  const theme::Colors& c = theme::colors();
  QPainter painter(this);
  painter.setRenderHint(QPainter::Antialiasing);
  const QRect box = rect().adjusted(6, 3, -6, -3);
  painter.setPen(hasFocus() && window()->testAttribute(Qt::WA_KeyboardFocusChange)
                     ? QPen(c.accent, 1)
                     : QPen(Qt::NoPen));
  if (isChecked()) {
    painter.setBrush(c.selection);
  } else if (underMouse() && isEnabled()) {
    painter.setBrush(c.hover);
  }
  painter.drawRoundedRect(QRectF(box).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6);
  const QRect mark((width() - theme::kIcon) / 2, box.top() + 5, theme::kIcon, theme::kIcon);
  icon().paint(&painter, mark, Qt::AlignCenter, isChecked() ? QIcon::Selected : QIcon::Normal);
  painter.setFont(theme::font(theme::TextSize::Caption, false, isChecked()));
  painter.setPen(isChecked() ? c.selectionText : c.textSecondary);
  const QRect label(2, mark.bottom() + 3, width() - 4, 16);
  painter.drawText(label, Qt::AlignCenter,
                   painter.fontMetrics().elidedText(text(), Qt::ElideRight, label.width()));
  if (m_mark <= 0) return;
  const QString count = m_mark > 99 ? QStringLiteral("99+") : QString::number(m_mark);
  painter.setFont(theme::font(theme::TextSize::Caption, true, true));
  const int wide = std::max(16, painter.fontMetrics().horizontalAdvance(count) + 8);
  const QRect pill(mark.right() - 4, mark.top() - 3, wide, 15);
  painter.setPen(Qt::NoPen);
  painter.setBrush(c.accent);
  painter.drawRoundedRect(pill, 7.5, 7.5);
  painter.setPen(c.accentText);
  painter.drawText(pill, Qt::AlignCenter, count);
}

Rail::Rail(QWidget* parent)
    : QWidget(parent), m_box(new QVBoxLayout(this)), m_group(new QButtonGroup(this)) {
  setFixedWidth(theme::kRailWidth);
  setAccessibleName(tr("Pages"));
  m_box->setContentsMargins(0, theme::kHalf, 1, theme::kHalf);
  m_box->setSpacing(0);
  m_box->addStretch();
}

RailButton* Rail::add(const QString& page, const QString& icon, const QString& title,
                      const QString& shortcut, bool low) {
  auto* button = new RailButton(icon, title, this);
  button->setObjectName(QStringLiteral("rail.") + page);
  const QString keys = QKeySequence(shortcut).toString(QKeySequence::NativeText);
  button->setToolTip(keys.isEmpty() ? title : QStringLiteral("%1 (%2)").arg(title, keys));
  low ? m_box->addWidget(button) : m_box->insertWidget(m_high++, button);
  m_group->addButton(button);
  m_buttons.push_back(button);
  connect(button, &QToolButton::clicked, this, [this, page] { Q_EMIT chosen(page); });
  return button;
}

RailButton* Rail::button(const QString& page) const {
  for (RailButton* button : m_buttons) {
    if (button->objectName() == QStringLiteral("rail.") + page) return button;
  }
  return nullptr;
}

void Rail::setCurrent(const QString& page) {
  if (RailButton* it = button(page)) return it->setChecked(true);
  m_group->setExclusive(false);
  for (RailButton* other : m_buttons) other->setChecked(false);
  m_group->setExclusive(true);
}

void Rail::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  painter.fillRect(rect(), theme::colors().window);
  painter.fillRect(QRect(width() - 1, 0, 1, height()), theme::colors().border);
}

}  // namespace tessera::ui
