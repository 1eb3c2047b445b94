// SPDX-License-Identifier: MIT
// Legends: in one row on the screen, in as many as it takes in exported pictures.
#pragma once

#include <QColor>
#include <QRectF>
#include <QString>
#include <vector>

class QPainter;

namespace tessera::ui::chart {

struct LegendEntry {
  QString title, value;
  QColor color;
  int dash = 0;
  bool points = false;
  bool lit = false;
};

/// What does not fit is told as "+12 more"; a lit entry comes first. `unlisted`: how many more
/// there are behind these entries, which fill the row.
void drawLegendRow(QPainter& painter, const QRectF& box, std::vector<LegendEntry> entries,
                   std::size_t unlisted = 0);
/// How many entries a row of this width takes at the most.
std::size_t mostInLegendRow(double width);
double legendHeight(double width, const std::vector<LegendEntry>& entries);
void drawLegend(QPainter& painter, const QRectF& box, const std::vector<LegendEntry>& entries);

}  // namespace tessera::ui::chart
