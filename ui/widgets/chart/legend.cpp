// SPDX-License-Identifier: MIT
#include "ui/widgets/chart/legend.h"

#include <QCoreApplication>
#include <QPainter>
#include <algorithm>

#include "ui/theme/theme.h"
#include "ui/widgets/chart/chart_scene.h"
#include "ui/widgets/chart/chart_text.h"

namespace tessera::ui::chart {

namespace {
constexpr double kSample = 16, kGap = 5, kBetween = 14, kRow = 18, kMostTitle = 220;

struct Cell {
  QString title, value;
  double titleWidth = 0, width = 0;
};

Cell cellOf(const LegendEntry& e, double most) {
  // As it is drawn: what is lit is bolder, and wider.
  const QFont plain = theme::font(theme::TextSize::Caption, false, e.lit);
  const QFont digits = theme::font(theme::TextSize::Caption, true, true);
  Cell cell;
  cell.value = e.value;
  const double valueWidth = e.value.isEmpty() ? 0 : kGap + textWidth(digits, e.value);
  const double room = std::max(24.0, std::min(kMostTitle, most - kSample - kGap - valueWidth));
  cell.title = elided(plain, e.title, Qt::ElideMiddle, room);
  cell.titleWidth = textWidth(plain, cell.title);
  cell.width = kSample + kGap + cell.titleWidth + valueWidth;
  return cell;
}

void drawCell(QPainter& painter, double x, double y, const LegendEntry& e, const Cell& cell) {
  const theme::Colors& c = theme::colors();
  drawSample(painter, QRectF(x, y, kSample, kRow), e.color, e.dash, e.points);
  painter.setPen(e.lit ? c.text : c.textSecondary);
  x += kSample + kGap;
  drawText(painter, theme::font(theme::TextSize::Caption, false, e.lit),
           QRectF(x, y, cell.titleWidth + 8, kRow), cell.title);
  if (cell.value.isEmpty()) return;
  painter.setPen(c.text);
  drawText(painter, theme::font(theme::TextSize::Caption, true, true),
           QRectF(x + cell.titleWidth + kGap, y, cell.width, kRow), cell.value);
}

/// Calls place(entry, cell, x, row) for each, and returns the rows.
template <class Place>
int layOut(double width, const std::vector<LegendEntry>& entries, const Place& place) {
  double x = 0;
  int row = 0;
  for (const LegendEntry& e : entries) {
    const Cell cell = cellOf(e, width);
    if (x > 0 && x + cell.width > width) {
      x = 0;
      ++row;
    }
    place(e, cell, x, row);
    x += cell.width + kBetween;
  }
  return entries.empty() ? 0 : row + 1;
}
}  // namespace

std::size_t mostInLegendRow(double width) {
  return static_cast<std::size_t>(std::max(0.0, width) / (kSample + kGap + kBetween)) + 1;
}

void drawLegendRow(QPainter& painter, const QRectF& box, std::vector<LegendEntry> entries,
                   std::size_t unlisted) {
  std::stable_partition(entries.begin(), entries.end(), [](const LegendEntry& e) { return e.lit; });
  const QFont plain = theme::font(theme::TextSize::Caption);
  double x = box.left();
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const std::size_t left = entries.size() - i + unlisted;
    const QString more = QCoreApplication::translate("Chart", "+%1 more").arg(left);
    const double kept = left > 1 ? textWidth(plain, more) + kBetween : 0;
    const Cell cell = cellOf(entries[i], box.width());
    if (i > 0 && x + cell.width > box.right() - kept) {
      painter.setPen(theme::colors().textSecondary);
      drawText(painter, plain, QRectF(x, box.top(), box.right() - x, kRow), more);
      return;
    }
    drawCell(painter, x, box.top(), entries[i], cell);
    x += cell.width + kBetween;
  }
}

double legendHeight(double width, const std::vector<LegendEntry>& entries) {
  return kRow * layOut(width, entries, [](const auto&, const Cell&, double, int) {});
}

void drawLegend(QPainter& painter, const QRectF& box, const std::vector<LegendEntry>& entries) {
  layOut(box.width(), entries, [&](const LegendEntry& e, const Cell& cell, double x, int row) {
    drawCell(painter, box.left() + x, box.top() + row * kRow, e, cell);
  });
}

}  // namespace tessera::ui::chart
