// SPDX-License-Identifier: MIT
// Signs that plots and legends share: pieces of lines, and marks for what happened at a step.
#include <QCoreApplication>
#include <QPainter>
#include <algorithm>
#include <cmath>

#include "ui/theme/theme.h"
#include "ui/widgets/chart/chart_scene.h"

namespace tessera::ui::chart {

int dashPixels(int dash, double ratio) {
  static constexpr int kPatterns[] = {0, 5, 2, 9};
  return static_cast<int>(std::lround(kPatterns[dash % 4] * ratio));
}

void drawSample(QPainter& painter, const QRectF& box, const QColor& color, int dash, bool points) {
  const double y = std::round(box.center().y()) + 0.5;
  const int pattern = dashPixels(dash, 1);
  painter.setPen(QPen(color, 2));
  if (pattern == 0) {
    painter.drawLine(QPointF(box.left(), y), QPointF(box.right(), y));
  } else {
    for (double x = box.left(); x < box.right(); x += 2 * pattern) {
      painter.drawLine(QPointF(x, y), QPointF(std::min(x + pattern, box.right()), y));
    }
  }
  if (points) {
    painter.setBrush(theme::colors().raised);
    painter.setPen(QPen(color, 1.5));
    painter.drawEllipse(QPointF(box.center().x(), y), 2.5, 2.5);
  }
}

void drawMark(QPainter& painter, const QPointF& at, ChartMark::Kind kind) {
  const theme::Colors& c = theme::colors();
  painter.setPen(Qt::NoPen);
  const auto polygon = [&](const QColor& color, std::initializer_list<QPointF> offsets) {
    QPolygonF p;
    for (const QPointF& o : offsets) p << at + o;
    painter.setBrush(color);
    painter.drawPolygon(p);
  };
  switch (kind) {
    case ChartMark::Kind::Checkpoint:
      polygon(c.accent, {{-3, -3}, {3, -3}, {3, 3}, {-3, 3}});
      break;
    case ChartMark::Kind::Resume:
      polygon(c.good, {{-3, -4}, {4, 0}, {-3, 4}});
      break;
    case ChartMark::Kind::Rollback:
      polygon(c.warning, {{3, -4}, {-4, 0}, {3, 4}});
      break;
    case ChartMark::Kind::Spike:
      polygon(c.bad, {{0, -4}, {4, 3.5}, {-4, 3.5}});
      break;
    case ChartMark::Kind::Stage:
      polygon(c.textSecondary, {{0, -4}, {4, 0}, {0, 4}, {-4, 0}});
      break;
  }
}

QString nameOf(ChartMark::Kind kind) {
  const auto translated = [](const char* text) {
    return QCoreApplication::translate("Chart", text);
  };
  switch (kind) {
    case ChartMark::Kind::Checkpoint:
      return translated(QT_TRANSLATE_NOOP("Chart", "Checkpoint"));
    case ChartMark::Kind::Resume:
      return translated(QT_TRANSLATE_NOOP("Chart", "Resumed"));
    case ChartMark::Kind::Rollback:
      return translated(QT_TRANSLATE_NOOP("Chart", "Rolled back"));
    case ChartMark::Kind::Spike:
      return translated(QT_TRANSLATE_NOOP("Chart", "Loss spike"));
    case ChartMark::Kind::Stage:
      return translated(QT_TRANSLATE_NOOP("Chart", "Stage begins"));
  }
  return {};
}

}  // namespace tessera::ui::chart
