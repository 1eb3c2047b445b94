// SPDX-License-Identifier: MIT
#include "ui/widgets/chart/bar_plot.h"

#include <QHelpEvent>
#include <QKeyEvent>
#include <QPainter>
#include <QToolTip>
#include <algorithm>
#include <cmath>

#include "ui/theme/theme.h"
#include "ui/widgets/chart/heat_map.h"
#include "ui/widgets/chart/scale.h"

namespace tessera::ui {

namespace {
constexpr double kHead = 26, kFoot = 34, kRight = 10;
}

BarPlot::BarPlot(QWidget* parent) : QWidget(parent) {
  setFocusPolicy(Qt::StrongFocus);
  setAttribute(Qt::WA_OpaquePaintEvent);
}

void BarPlot::setValues(std::vector<float> values, double reference, const QString& name) {
  m_values = std::move(values);
  m_reference = reference;
  m_referenceName = name;
  m_current = std::min(m_current, int(m_values.size()) - 1);
  update();
}

void BarPlot::setTitles(const QString& title, const QString& unit, const QString& columnsTitle) {
  m_title = title;
  m_unit = unit;
  m_columnsTitle = columnsTitle;
  setAccessibleName(title);
  update();
}

void BarPlot::setSigns(std::vector<std::uint8_t> signs) {
  m_signs = std::move(signs);
  update();
}

void BarPlot::setReader(std::function<QString(int)> reader) {
  m_reader = std::move(reader);
}

void BarPlot::setOther(std::vector<float> values, const QString& name) {
  m_other = std::move(values);
  m_otherName = name;
  update();
}

void BarPlot::setCurrent(int column) {
  column = std::min(column, int(m_values.size()) - 1);
  if (column == m_current) return;
  m_current = column;
  if (m_reader && column >= 0) setAccessibleDescription(m_reader(column));
  update();
}

void BarPlot::paintEvent(QPaintEvent*) {
  const theme::Colors& c = theme::colors();
  QPainter painter(this);
  painter.fillRect(rect(), c.raised);
  painter.setFont(theme::font(theme::TextSize::Body, false, true));
  painter.setPen(c.text);
  // At the right stands what it is compared with.
  const bool other = !m_otherName.isEmpty() && !m_other.empty();
  const QFontMetricsF small(theme::font(theme::TextSize::Caption));
  const double room = width() - 24 - (other ? small.horizontalAdvance(m_otherName) : 0);
  const QFontMetricsF bold(painter.font());
  const QString title = bold.elidedText(m_title, Qt::ElideRight, room);
  painter.drawText(QRectF(8, 0, room, kHead), Qt::AlignVCenter, title);
  const double titled = bold.horizontalAdvance(title);
  painter.setFont(theme::font(theme::TextSize::Caption));
  painter.setPen(c.textSecondary);
  if (16 + titled + small.horizontalAdvance(m_unit) <= room) {
    painter.drawText(QRectF(16 + titled, 0, room - titled, kHead), Qt::AlignVCenter, m_unit);
  }
  if (m_values.empty()) return;

  double low = 0, high = std::isfinite(m_reference) ? m_reference : 0;
  for (const std::vector<float>* values : {&m_values, &m_other}) {
    for (const float v : *values) {
      if (!std::isfinite(v)) continue;
      low = std::min(low, double(v));
      high = std::max(high, double(v));
    }
  }
  const chart::Range range =
      chart::widened({low < 0 ? low * 1.08 : 0, high > 0 ? high * 1.08 : 0}, false);
  painter.setFont(theme::font(theme::TextSize::Caption, true));
  const QFontMetricsF metrics(painter.font());
  const int most = std::clamp(int((height() - kHead - kFoot) / 32), 2, 6);
  const auto ticks = chart::ticksFor(range, false, most, chart::ValueKind::Number);
  double labels = 16;
  for (const chart::Tick& t : ticks) labels = std::max(labels, metrics.horizontalAdvance(t.text));
  m_plot = QRectF(labels + 14, kHead, std::max(20.0, width() - labels - 14 - kRight),
                  std::max(20.0, height() - kHead - kFoot));
  const chart::Scale y{range, false, m_plot.bottom(), m_plot.top()};
  for (const chart::Tick& t : ticks) {
    const double at = std::round(y.toPixel(t.value));
    painter.fillRect(QRectF(m_plot.left(), at, m_plot.width(), 1), c.gridLine);
    painter.setPen(c.textSecondary);
    painter.drawText(QRectF(0, at - 9, m_plot.left() - 6, 18), Qt::AlignRight | Qt::AlignVCenter,
                     t.text);
  }
  const double w = m_plot.width() / double(m_values.size());
  const double gap = w >= 4 ? 1 : 0;
  const double zero = y.toPixel(0);
  painter.setRenderHint(QPainter::Antialiasing);
  for (std::size_t i = 0; i < m_values.size(); ++i) {
    if (!std::isfinite(m_values[i])) continue;
    const double top = y.toPixel(double(m_values[i]));
    const QRectF bar = QRectF(QPointF(m_plot.left() + double(i) * w, top),
                              QPointF(m_plot.left() + double(i + 1) * w - gap, zero))
                           .normalized();
    painter.fillRect(bar, int(i) == m_current ? c.accent : c.neutral);
    const int sign = i < m_signs.size() ? m_signs[i] : 0;
    if (sign == HeatMap::None) continue;
    const QPointF m(bar.center().x(), std::max(m_plot.top() + 5, std::min(top, zero) - 6));
    painter.setPen(QPen(c.bad, 1.6));
    const double s = std::clamp(w * 0.4, 2.0, 3.5);
    if (sign == HeatMap::Dead) {
      painter.drawLine(m + QPointF(-s, -s), m + QPointF(s, s));
      painter.drawLine(m + QPointF(-s, s), m + QPointF(s, -s));
    } else {
      painter.drawPolyline(QPolygonF{{m + QPointF(-s, s), m + QPointF(0, -s), m + QPointF(s, s)}});
    }
  }
  if (m_other.size() == m_values.size()) {
    painter.setPen(QPen(theme::lineColor(1), 1.5));
    for (std::size_t i = 0; i < m_other.size(); ++i) {
      if (!std::isfinite(m_other[i])) continue;
      const double at = y.toPixel(double(m_other[i]));
      painter.drawLine(QPointF(m_plot.left() + double(i) * w, at),
                       QPointF(m_plot.left() + double(i + 1) * w - gap, at));
    }
  }
  if (std::isfinite(m_reference)) {
    const double at = std::round(y.toPixel(m_reference)) + 0.5;
    painter.setPen(QPen(c.text, 1, Qt::DashLine));
    painter.drawLine(QPointF(m_plot.left(), at), QPointF(m_plot.right(), at));
  }
  painter.fillRect(QRectF(m_plot.left(), std::round(zero), m_plot.width(), 1), c.border);
  painter.setPen(c.textSecondary);
  int step = 1;
  for (const int candidate : {1, 2, 4, 8, 16, 32, 64, 128}) {
    step = candidate;
    if (candidate * w >= 28) break;
  }
  for (std::size_t i = 0; i < m_values.size(); i += std::size_t(step)) {
    painter.drawText(
        QRectF(m_plot.left() + (double(i) + 0.5) * w - 20, m_plot.bottom() + 2, 40, 14),
        Qt::AlignCenter, QString::number(i));
  }
  painter.setFont(theme::font(theme::TextSize::Caption));
  QString foot = m_columnsTitle;
  if (!m_referenceName.isEmpty()) foot += QStringLiteral("   - -  ") + m_referenceName;
  painter.drawText(QRectF(m_plot.left(), m_plot.bottom() + 16, m_plot.width(), 16), Qt::AlignCenter,
                   foot);
  if (other) {
    painter.setPen(theme::lineColor(1));
    painter.drawText(QRectF(m_plot.left(), 0, m_plot.width(), kHead),
                     Qt::AlignRight | Qt::AlignVCenter, m_otherName);
  }
  if (hasFocus()) {
    painter.setPen(QPen(c.accent, 2));
    painter.drawRect(QRectF(rect()).adjusted(1, 1, -1, -1));
  }
}

int BarPlot::columnAt(const QPointF& at) const {
  if (m_values.empty() || at.x() < m_plot.left() || at.x() >= m_plot.right()) return -1;
  return std::clamp(int((at.x() - m_plot.left()) / m_plot.width() * double(m_values.size())), 0,
                    int(m_values.size()) - 1);
}

void BarPlot::mousePressEvent(QMouseEvent* event) {
  const int column = columnAt(event->position());
  if (event->button() != Qt::LeftButton || column < 0) return;
  setCurrent(column);
  Q_EMIT currentChanged(column);
}

void BarPlot::keyPressEvent(QKeyEvent* event) {
  const bool left = event->key() == Qt::Key_Left, right = event->key() == Qt::Key_Right;
  if ((!left && !right) || m_values.empty()) return QWidget::keyPressEvent(event);
  setCurrent(std::clamp(m_current + (left ? -1 : 1), 0, int(m_values.size()) - 1));
  Q_EMIT currentChanged(m_current);
}

bool BarPlot::event(QEvent* event) {
  if (event->type() != QEvent::ToolTip) return QWidget::event(event);
  const auto* help = static_cast<QHelpEvent*>(event);
  const int column = columnAt(help->pos());
  QToolTip::showText(help->globalPos(), m_reader && column >= 0 ? m_reader(column) : QString(),
                     this);
  return true;
}

}  // namespace tessera::ui
