// SPDX-License-Identifier: MIT
#include <QAbstractAxis>
#include <QBrush>
#include <QChart>
#include <QGraphicsLayout>
#include <QLegend>
#include <QLocale>
#include <QPen>

#include "ui/theme/theme.h"

namespace tessera::ui::theme {

namespace {
void dress(QAbstractAxis& axis) {
  const Colors& c = colors();
  axis.setLabelsFont(font(TextSize::Caption, true));
  axis.setLabelsColor(c.textSecondary);
  axis.setTitleFont(font(TextSize::Caption));
  axis.setTitleBrush(c.textSecondary);
  axis.setLinePen(QPen(c.border, 1));
  axis.setGridLinePen(QPen(c.gridLine, 1));
  axis.setMinorGridLinePen(QPen(mixed(c.raised, c.gridLine, 0.5), 1));
  axis.setShadesVisible(false);
}
}  // namespace

void dress(QChart& chart) {
  const Colors& c = colors();
  chart.setBackgroundBrush(c.raised);
  chart.setBackgroundPen(Qt::NoPen);
  chart.setBackgroundRoundness(0);
  chart.setDropShadowEnabled(false);
  chart.setPlotAreaBackgroundVisible(false);
  chart.setAnimationOptions(QChart::NoAnimation);
  chart.setLocalizeNumbers(true);
  chart.setLocale(QLocale());
  chart.setTitleFont(font(TextSize::Body, false, true));
  chart.setTitleBrush(c.text);
  chart.setMargins(QMargins(kHalf, kHalf, kHalf, kHalf));
  if (chart.layout()) chart.layout()->setContentsMargins(0, 0, 0, 0);
  if (QLegend* legend = chart.legend()) {
    legend->setFont(font(TextSize::Caption));
    legend->setLabelColor(c.text);
    legend->setBrush(Qt::NoBrush);
    legend->setPen(Qt::NoPen);
  }
  for (QAbstractAxis* axis : chart.axes()) dress(*axis);
}

}  // namespace tessera::ui::theme
