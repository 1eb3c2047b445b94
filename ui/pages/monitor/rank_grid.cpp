// SPDX-License-Identifier: MIT
#include "ui/pages/monitor/rank_grid.h"

#include <QHelpEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QToolTip>
#include <algorithm>
#include <cmath>

#include "ui/theme/theme.h"

namespace tessera::ui {

namespace {
constexpr int kCellWidth = 40, kCellHeight = theme::kRowHeight, kGap = 2;
constexpr int kLegendWidth = 120, kLegendHeight = 10;

bool isBright(QRgb color) {
  return 0.299 * qRed(color) + 0.587 * qGreen(color) + 0.114 * qBlue(color) > 140;
}
}  // namespace

RankGrid::RankGrid(QWidget* parent) : QWidget(parent) {
  QSizePolicy policy(QSizePolicy::Expanding, QSizePolicy::Fixed);
  policy.setHeightForWidth(true);
  setSizePolicy(policy);
  setFont(theme::font(theme::TextSize::Caption, true));
  setAccessibleName(tr("Ranks by colour; the table below has the same numbers"));
}

void RankGrid::show(std::vector<Cell> cells, QString low, QString high) {
  const bool resized = cells.size() != m_cells.size();
  m_cells = std::move(cells);
  m_low = std::move(low);
  m_high = std::move(high);
  m_least = std::numeric_limits<double>::infinity();
  m_most = -m_least;
  for (const Cell& cell : m_cells) {
    if (!std::isfinite(cell.value)) continue;
    m_least = std::min(m_least, cell.value);
    m_most = std::max(m_most, cell.value);
  }
  if (resized) updateGeometry();
  update();
}

void RankGrid::setSelected(int rank) {
  if (std::exchange(m_selected, rank) != rank) update();
}

QPoint RankGrid::placeOf(int rank) const {
  return cellOf(rank).center();
}

int RankGrid::columns(int width) const {
  return std::max(1, (width + kGap) / (kCellWidth + kGap));
}

QSize RankGrid::sizeHint() const {
  return {400, heightForWidth(400)};
}

int RankGrid::heightForWidth(int width) const {
  const int all = static_cast<int>(m_cells.size()), across = columns(width);
  const int rows = (all + across - 1) / across;
  return rows * (kCellHeight + kGap) + theme::kHalf + fontMetrics().height();
}

QRect RankGrid::cellOf(int rank) const {
  const int across = columns(width());
  return {rank % across * (kCellWidth + kGap), rank / across * (kCellHeight + kGap), kCellWidth,
          kCellHeight};
}

int RankGrid::rankAt(const QPoint& place) const {
  for (int rank = 0; rank < static_cast<int>(m_cells.size()); ++rank) {
    if (cellOf(rank).contains(place)) return rank;
  }
  return -1;
}

void RankGrid::paintLegend(QPainter& painter, int y) const {
  const int height = fontMetrics().height();
  int x = 0;
  const auto write = [&](const QString& text) {
    painter.setPen(theme::colors().textSecondary);
    const int width = fontMetrics().horizontalAdvance(text);
    painter.drawText(QRect(x, y, width + 1, height), Qt::AlignVCenter, text);
    x += width + theme::kGrid;
  };
  if (!std::isfinite(m_least)) return write(tr("Not measured"));
  if (m_least == m_most) return write(tr("All: %1").arg(m_high));
  write(m_low);
  for (int i = 0; i < kLegendWidth; ++i) {
    painter.fillRect(x + i, y + (height - kLegendHeight) / 2, 1, kLegendHeight,
                     QColor(theme::sequential(double(i) / (kLegendWidth - 1))));
  }
  x += kLegendWidth + theme::kGrid;
  write(m_high);
}

void RankGrid::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  const theme::Colors& colors = theme::colors();
  for (int rank = 0; rank < static_cast<int>(m_cells.size()); ++rank) {
    const Cell& cell = m_cells[std::size_t(rank)];
    const QRect box = cellOf(rank);
    QColor text = colors.text;
    if (cell.wrong) {
      painter.fillRect(box, colors.raised);
      painter.fillRect(QRect(box.left(), box.top(), 4, box.height()), colors.bad);
    } else if (!std::isfinite(cell.value)) {
      painter.fillRect(box, colors.raised);
    } else {
      const double span = m_most - m_least;
      const QRgb fill = theme::sequential(span > 0 ? (cell.value - m_least) / span : 0.5);
      painter.fillRect(box, QColor(fill));
      text = isBright(fill) ? Qt::black : Qt::white;
    }
    painter.setPen(text);
    painter.drawText(box, Qt::AlignCenter,
                     cell.wrong ? QStringLiteral("%1 !").arg(rank) : QString::number(rank));
    if (rank == m_selected) {
      painter.setPen(QPen(colors.accent, 2));
      painter.drawRect(box.adjusted(1, 1, -1, -1));
    }
  }
  if (m_cells.empty()) return;
  paintLegend(painter, cellOf(int(m_cells.size()) - 1).bottom() + 1 + theme::kHalf);
}

void RankGrid::mousePressEvent(QMouseEvent* event) {
  const int rank = rankAt(event->pos());
  if (rank >= 0) Q_EMIT picked(rank);
}

bool RankGrid::event(QEvent* event) {
  if (event->type() == QEvent::ToolTip) {
    auto* help = static_cast<QHelpEvent*>(event);
    const int rank = rankAt(help->pos());
    if (rank < 0) {
      QToolTip::hideText();
    } else {
      QToolTip::showText(help->globalPos(), m_cells[std::size_t(rank)].tip, this, cellOf(rank));
    }
    return true;
  }
  return QWidget::event(event);
}

}  // namespace tessera::ui
