// SPDX-License-Identifier: MIT
#include "ui/pages/configure/bar_list.h"

#include <QHelpEvent>
#include <QPainter>
#include <QToolTip>
#include <algorithm>

#include "ui/theme/theme.h"

namespace tessera::ui {

namespace {
constexpr int kBar = 3;
}

BarList::BarList(const QString& name, QWidget* parent) : QWidget(parent), m_name(name) {
  setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
  setAccessibleName(name);
}

int BarList::rowHeight() const {
  return QFontMetrics(theme::font(theme::TextSize::Caption)).height() + kBar + theme::kHalf + 2;
}

void BarList::setRows(std::vector<Row> rows) {
  const bool resized = rows.size() != m_rows.size();
  m_rows = std::move(rows);
  QStringList words;
  for (const Row& row : m_rows) words << row.name + QStringLiteral(": ") + row.value;
  setAccessibleDescription(words.join(QStringLiteral("; ")));
  if (resized) updateGeometry();
  update();
}

QSize BarList::sizeHint() const {
  return {200, static_cast<int>(m_rows.size()) * rowHeight()};
}

void BarList::paintEvent(QPaintEvent*) {
  const theme::Colors& c = theme::colors();
  QPainter painter(this);
  const QFont names = theme::font(theme::TextSize::Caption);
  const QFont numbers = theme::font(theme::TextSize::Caption, true);
  const int height = rowHeight();
  for (std::size_t i = 0; i < m_rows.size(); ++i) {
    const Row& row = m_rows[i];
    const QRect line(0, static_cast<int>(i) * height, width(), height - kBar - theme::kHalf);
    painter.setFont(numbers);
    painter.setPen(c.text);
    painter.drawText(line, Qt::AlignRight | Qt::AlignVCenter, row.value);
    const int taken = painter.fontMetrics().horizontalAdvance(row.value) + theme::kGrid;
    painter.setFont(names);
    painter.setPen(c.textSecondary);
    const QString name =
        painter.fontMetrics().elidedText(row.name, Qt::ElideRight, width() - taken);
    painter.drawText(line, Qt::AlignLeft | Qt::AlignVCenter, name);
    const QRect bar(0, line.bottom() + 1, width(), kBar);
    painter.fillRect(bar, c.gridLine);
    QRect filled = bar;
    filled.setWidth(std::max(row.share > 0 ? 1 : 0,
                             static_cast<int>(std::clamp(row.share, 0.0, 1.0) * bar.width())));
    QColor light = c.accent;
    if (row.second >= 0) light.setAlphaF(0.4f);
    painter.fillRect(filled, light);
    if (row.second < 0) continue;
    filled.setWidth(static_cast<int>(std::clamp(row.second, 0.0, 1.0) * bar.width()));
    painter.fillRect(filled, c.accent);
  }
}

void BarList::changeEvent(QEvent* event) {
  QWidget::changeEvent(event);
  if (event->type() == QEvent::PaletteChange || event->type() == QEvent::FontChange) update();
}

bool BarList::event(QEvent* event) {
  if (event->type() == QEvent::ToolTip) {
    auto* help = static_cast<QHelpEvent*>(event);
    const auto index = static_cast<std::size_t>(std::max(0, help->pos().y() / rowHeight()));
    QString tip;
    if (index < m_rows.size()) {
      const Row& row = m_rows[index];
      tip = row.tip.isEmpty() ? row.name + QStringLiteral(": ") + row.value : row.tip;
    }
    QToolTip::showText(help->globalPos(), tip, this);
    return true;
  }
  return QWidget::event(event);
}

}  // namespace tessera::ui
