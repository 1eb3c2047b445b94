// SPDX-License-Identifier: MIT
#include "ui/widgets/chart/heat_map.h"

#include <QHelpEvent>
#include <QKeyEvent>
#include <QPainter>
#include <QToolTip>
#include <algorithm>
#include <cmath>
#include <functional>

#include "ui/theme/theme.h"
#include "ui/widgets/glossary.h"
#include "ui/widgets/numbers.h"

namespace tessera::ui {

namespace {
constexpr double kHead = 26, kFoot = 34, kBars = 84, kLegend = 84, kGap = 12;
}

double HeatScale::position(double value) const {
  if (!diverging && !centred)
    return std::clamp((value - low) / std::max(high - low, 1e-300), 0.0, 1.0);
  double t;
  if (logarithmic) {
    const double ratio = std::max(value, 1e-9) / centre;
    t = ratio < 1 ? -std::log(ratio) / std::log(low / centre)
                  : std::log(ratio) / std::log(high / centre);
  } else {
    t = value < centre ? -(centre - value) / std::max(centre - low, 1e-300)
                       : (value - centre) / std::max(high - centre, 1e-300);
  }
  return 0.5 + 0.5 * std::clamp(t, -1.0, 1.0);
}

QRgb HeatScale::color(double value) const {
  if (std::isnan(value)) return theme::colors().window.rgb();
  const double t = position(value);
  return diverging ? theme::diverging(t) : theme::sequential(t);
}

HeatMap::HeatMap(QWidget* parent) : QWidget(parent) {
  setFocusPolicy(Qt::StrongFocus);
  setMouseTracking(true);
  setAttribute(Qt::WA_OpaquePaintEvent);
}

void HeatMap::setValues(int rows, int columns, std::vector<float> values, const HeatScale& scale) {
  Q_ASSERT(values.size() == std::size_t(rows) * std::size_t(columns));
  const bool shape = rows != m_rows || columns != m_columns;
  m_rows = rows;
  m_columns = columns;
  m_values = std::move(values);
  m_scale = scale;
  m_stale = true;
  if (shape) {
    m_signs.clear();
    m_bars.clear();
    m_hoverRow = m_hoverColumn = -1;
    m_row = std::min(m_row, rows - 1);
    m_column = std::min(m_column, columns - 1);
  }
  if (m_row >= 0) setAccessibleDescription(readout());
  update();
}

void HeatMap::setRowNames(QStringList names) {
  m_names = std::move(names);
  update();
}

void HeatMap::setTitles(const QString& title, const QString& columnsTitle) {
  m_title = title;
  m_columnsTitle = columnsTitle;
  setAccessibleName(title);
  update();
}

void HeatMap::setRowBars(std::vector<float> values, const QString& title, const QString& term) {
  m_bars = std::move(values);
  m_barsTitle = title;
  m_barsTerm = term;
  update();
}

void HeatMap::setSigns(std::vector<std::uint8_t> signs) {
  m_signs = std::move(signs);
  update();
}

void HeatMap::setReader(std::function<QString(int, int)> reader) {
  m_reader = std::move(reader);
}

QString HeatMap::readout() const {
  return m_reader && m_row >= 0 && m_column >= 0 ? m_reader(m_row, m_column) : QString();
}

void HeatMap::setCell(int row, int column) {
  if (m_rows == 0 || m_columns == 0) return;
  row = std::clamp(row, 0, m_rows - 1);
  column = std::clamp(column, 0, m_columns - 1);
  if (row == m_row && column == m_column) return;
  m_row = row;
  m_column = column;
  setAccessibleDescription(readout());
  update();
  Q_EMIT cellChanged(row, column);
}

void HeatMap::arrange() {
  const QFontMetricsF metrics(theme::font(theme::TextSize::Caption, true));
  double names = 20;
  for (const QString& name : m_names) names = std::max(names, metrics.horizontalAdvance(name));
  const double bars = m_bars.empty() ? 0 : kBars + kGap;
  const double left = std::ceil(names) + 16;
  const double width = std::max(40.0, this->width() - left - bars - kLegend - 2 * kGap);
  const double height = std::max(20.0, this->height() - kHead - kFoot);
  m_map = QRectF(left, kHead, width, height);
  // Whole pixels a cell where that costs little: equal cells look equal.
  if (m_columns > 0 && width / m_columns >= 3) {
    m_map.setWidth(std::floor(width / m_columns) * m_columns);
  }
  const double tallest = std::clamp(2 * m_map.width() / std::max(1, m_columns), 40.0, 72.0);
  if (m_rows > 0 && height / m_rows >= 3) {
    m_map.setHeight(std::min(std::floor(height / m_rows), tallest) * m_rows);
  }
  m_barArea = QRectF(m_map.right() + kGap, m_map.top(), bars > 0 ? kBars : 0, m_map.height());
  m_legend = QRectF(this->width() - kLegend, kHead + 18, 14, std::max(40.0, height - 18));
}

QRectF HeatMap::cellArea(int row, int column) const {
  const double w = m_map.width() / std::max(1, m_columns), h = m_map.height() / std::max(1, m_rows);
  return {m_map.left() + column * w, m_map.top() + row * h, w, h};
}

QRect HeatMap::cellRect(int row, int column) const {
  return cellArea(row, column).toRect();
}

bool HeatMap::cellAt(const QPointF& at, int& row, int& column) const {
  if (m_rows == 0 || m_columns == 0 || !m_map.contains(at)) return false;
  row = std::clamp(int((at.y() - m_map.top()) / m_map.height() * m_rows), 0, m_rows - 1);
  column = std::clamp(int((at.x() - m_map.left()) / m_map.width() * m_columns), 0, m_columns - 1);
  return true;
}

void HeatMap::paintImage() {
  m_image = QImage(std::max(1, m_columns), std::max(1, m_rows), QImage::Format_RGB32);
  for (int r = 0; r < m_rows; ++r) {
    auto* line = reinterpret_cast<QRgb*>(m_image.scanLine(r));
    const float* values = m_values.data() + std::size_t(r) * std::size_t(m_columns);
    for (int c = 0; c < m_columns; ++c) line[c] = m_scale.color(double(values[c])) | 0xff000000u;
  }
  m_stale = false;
}

void HeatMap::paintEvent(QPaintEvent*) {
  arrange();
  if (m_stale) paintImage();
  const theme::Colors& c = theme::colors();
  QPainter painter(this);
  painter.fillRect(rect(), c.raised);
  painter.setPen(c.text);
  painter.setFont(theme::font(theme::TextSize::Body, false, true));
  const double room = (m_bars.empty() ? m_legend.left() : m_barArea.left()) - 8 - kGap;
  painter.drawText(QRectF(8, 0, room, kHead), Qt::AlignVCenter,
                   painter.fontMetrics().elidedText(m_title, Qt::ElideRight, int(room)));
  if (m_rows > 0 && m_columns > 0) {
    painter.drawImage(m_map, m_image);  // nearest neighbour: cells stay cells
    const double w = m_map.width() / m_columns, h = m_map.height() / m_rows;
    painter.setPen(QPen(c.raised, 1));
    for (int i = 1; i < m_columns && w >= 8; ++i) {
      painter.drawLine(QPointF(m_map.left() + i * w, m_map.top()),
                       QPointF(m_map.left() + i * w, m_map.bottom()));
    }
    for (int i = 1; i < m_rows && h >= 6; ++i) {
      painter.drawLine(QPointF(m_map.left(), m_map.top() + i * h),
                       QPointF(m_map.right(), m_map.top() + i * h));
    }
    paintNames(painter);
    paintSigns(painter);
    paintBars(painter);
    paintLegend(painter);
  }
  painter.setBrush(Qt::NoBrush);
  if (m_hoverRow >= 0) {
    painter.setPen(QPen(c.text, 1));
    painter.drawRect(cellArea(m_hoverRow, m_hoverColumn));
  }
  if (m_row >= 0 && m_column >= 0) {
    // Dark and light together: seen on every colour of the map.
    const QRectF cell = cellArea(m_row, m_column);
    painter.setPen(QPen(c.raised, 4));
    painter.drawRect(cell.adjusted(-1, -1, 1, 1));
    painter.setPen(QPen(c.accent, 2));
    painter.drawRect(cell.adjusted(-1, -1, 1, 1));
  }
  if (hasFocus()) {
    painter.setPen(QPen(c.accent, 2));
    painter.drawRect(QRectF(rect()).adjusted(1, 1, -1, -1));
  }
}

void HeatMap::paintNames(QPainter& painter) {
  const theme::Colors& c = theme::colors();
  painter.setFont(theme::font(theme::TextSize::Caption, true));
  const double h = m_map.height() / m_rows;
  const int every = std::max(1, int(std::ceil(13 / h)));
  for (int r = 0; r < m_rows && r < m_names.size(); ++r) {
    const bool selected = r == m_row;
    if (r % every != 0 && !selected) continue;
    if (!selected && m_row >= 0 && std::abs(r - m_row) * h < 13) continue;  // room for its name
    painter.setPen(selected ? c.text : c.textSecondary);
    painter.drawText(QRectF(4, m_map.top() + (r + 0.5) * h - 9, m_map.left() - 10, 18),
                     Qt::AlignRight | Qt::AlignVCenter, m_names[r]);
  }
  const double w = m_map.width() / m_columns;
  int step = 1;
  for (const int candidate : {1, 2, 4, 8, 16, 32, 64, 128}) {
    step = candidate;
    if (candidate * w >= 28) break;
  }
  painter.setPen(c.textSecondary);
  for (int i = 0; i < m_columns; i += step) {
    painter.drawText(QRectF(m_map.left() + (i + 0.5) * w - 20, m_map.bottom() + 2, 40, 14),
                     Qt::AlignCenter, QString::number(i));
  }
  painter.setFont(theme::font(theme::TextSize::Caption));
  painter.drawText(QRectF(m_map.left(), m_map.bottom() + 16, m_map.width(), 16), Qt::AlignCenter,
                   m_columnsTitle);
}

void HeatMap::paintSigns(QPainter& painter) {
  if (m_signs.size() != m_values.size()) return;
  const theme::Colors& c = theme::colors();
  painter.save();
  painter.setRenderHint(QPainter::Antialiasing);
  for (int r = 0; r < m_rows; ++r) {
    for (int i = 0; i < m_columns; ++i) {
      const auto sign = m_signs[std::size_t(r) * std::size_t(m_columns) + std::size_t(i)];
      if (sign == None) continue;
      const QRectF cell = cellArea(r, i);
      const double size = std::clamp(std::min(cell.width(), cell.height()) * 0.25, 1.5, 5.0);
      const QPointF m = cell.center();
      for (const bool over : {false, true}) {
        const double width = over ? std::max(1.0, size * 0.4) : std::max(2.0, size * 0.9);
        painter.setPen(QPen(over ? c.bad : c.raised, width));
        if (sign == Dead) {
          painter.drawLine(m + QPointF(-size, -size), m + QPointF(size, size));
          painter.drawLine(m + QPointF(-size, size), m + QPointF(size, -size));
        } else {
          painter.drawPolyline(QPolygonF{
              {m + QPointF(-size, size), m + QPointF(0, -size), m + QPointF(size, size)}});
        }
      }
    }
  }
  painter.restore();
}

void HeatMap::paintBars(QPainter& painter) {
  if (m_bars.size() != std::size_t(m_rows)) return;
  const theme::Colors& c = theme::colors();
  float most = 0;
  for (const float v : m_bars) {
    if (std::isfinite(v)) most = std::max(most, v);
  }
  const double h = m_map.height() / m_rows;
  painter.setFont(theme::font(theme::TextSize::Caption));
  painter.setPen(c.textSecondary);
  painter.drawText(QRectF(m_barArea.left(), 4, m_barArea.width(), kHead - 4), Qt::AlignVCenter,
                   m_barsTitle);
  painter.setFont(theme::font(theme::TextSize::Caption, true));
  const double text = 32;
  for (int r = 0; r < m_rows; ++r) {
    const float v = m_bars[std::size_t(r)];
    if (!std::isfinite(v)) continue;
    const double length = most > 0 ? double(v / most) * (m_barArea.width() - text) : 0;
    const double y = m_map.top() + r * h;
    const double thick = std::clamp(h - 2, 1.0, 12.0);
    painter.fillRect(QRectF(m_barArea.left(), y + (h - thick) / 2, std::max(1.0, length), thick),
                     r == m_row ? c.accent : c.neutral);
    if (h < 12 && r != m_row) continue;
    painter.setPen(c.text);
    painter.drawText(QRectF(m_barArea.left() + length + 4, y + h / 2 - 8, text, 16),
                     Qt::AlignVCenter, numbers::fixed(double(v), 2));
  }
}

void HeatMap::paintLegend(QPainter& painter) {
  const theme::Colors& c = theme::colors();
  painter.setFont(theme::font(theme::TextSize::Caption));
  painter.setPen(c.textSecondary);
  painter.drawText(QRectF(m_legend.left(), 4, kLegend, kHead - 4), Qt::AlignVCenter, m_scale.title);
  painter.drawText(QRectF(m_legend.left(), kHead - 4, kLegend, 18), Qt::AlignVCenter, m_scale.unit);
  const int steps = int(m_legend.height());
  for (int i = 0; i < steps; ++i) {
    const double t = 1 - (i + 0.5) / steps;
    const QRgb color = m_scale.diverging ? theme::diverging(t) : theme::sequential(t);
    painter.fillRect(QRectF(m_legend.left(), m_legend.top() + i, m_legend.width(), 1),
                     QColor(color));
  }
  painter.setFont(theme::font(theme::TextSize::Caption, true));
  for (const HeatScale::Tick& tick : m_scale.ticks) {
    const double y = m_legend.bottom() - m_scale.position(tick.value) * m_legend.height();
    painter.setPen(c.textSecondary);
    painter.drawLine(QPointF(m_legend.right(), y), QPointF(m_legend.right() + 4, y));
    painter.setPen(c.text);
    const double text = std::clamp(y - 8, m_legend.top() - 4, m_legend.bottom() - 12);
    painter.drawText(QRectF(m_legend.right() + 7, text, kLegend - 21, 16), Qt::AlignVCenter,
                     tick.text);
  }
}

void HeatMap::mousePressEvent(QMouseEvent* event) {
  int r = 0, c = 0;
  if (event->button() == Qt::LeftButton && cellAt(event->position(), r, c)) setCell(r, c);
}

void HeatMap::mouseMoveEvent(QMouseEvent* event) {
  int r = -1, c = -1;
  if (!cellAt(event->position(), r, c)) r = c = -1;
  if (event->buttons() & Qt::LeftButton && r >= 0) setCell(r, c);
  if (r == m_hoverRow && c == m_hoverColumn) return;
  m_hoverRow = r;
  m_hoverColumn = c;
  update();
  Q_EMIT cellHovered(r, c);
}

void HeatMap::leaveEvent(QEvent*) {
  if (m_hoverRow < 0) return;
  m_hoverRow = m_hoverColumn = -1;
  update();
  Q_EMIT cellHovered(-1, -1);
}

void HeatMap::keyPressEvent(QKeyEvent* event) {
  const bool far = event->modifiers() & Qt::ControlModifier;
  const int r = std::max(m_row, 0), c = std::max(m_column, 0);
  const bool none = m_row < 0;  // the first key only shows the cell
  switch (event->key()) {
    case Qt::Key_Left:
      return setCell(r, none ? 0 : far ? c - 16 : c - 1);
    case Qt::Key_Right:
      return setCell(r, none ? 0 : far ? c + 16 : c + 1);
    case Qt::Key_Up:
      return setCell(none ? 0 : r - 1, c);
    case Qt::Key_Down:
      return setCell(none ? 0 : r + 1, c);
    case Qt::Key_PageUp:
      return setCell(r - 10, c);
    case Qt::Key_PageDown:
      return setCell(r + 10, c);
    case Qt::Key_Home:
      return setCell(far ? 0 : r, 0);
    case Qt::Key_End:
      return setCell(far ? m_rows - 1 : r, m_columns - 1);
    default:
      QWidget::keyPressEvent(event);
  }
}

void HeatMap::changeEvent(QEvent* event) {
  if (event->type() == QEvent::PaletteChange) {
    m_stale = true;
    update();
  }
  QWidget::changeEvent(event);
}

bool HeatMap::event(QEvent* event) {
  if (event->type() != QEvent::ToolTip) return QWidget::event(event);
  const auto* help = static_cast<QHelpEvent*>(event);
  int r = 0, c = 0;
  QString text;
  if (cellAt(help->pos(), r, c) && m_reader) {
    text = m_reader(r, c);
  } else if (!m_barsTerm.isEmpty() && m_barArea.adjusted(0, -kHead, 0, 0).contains(help->pos())) {
    text = glossaryTip(m_barsTerm);
  }
  QToolTip::showText(help->globalPos(), text, this);
  return true;
}

}  // namespace tessera::ui
