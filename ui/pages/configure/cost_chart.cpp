// SPDX-License-Identifier: MIT
#include "ui/pages/configure/cost_chart.h"

#include <QChart>
#include <QLegend>
#include <QLineSeries>
#include <QScatterSeries>
#include <QValueAxis>
#include <QWheelEvent>
#include <array>

#include "ui/theme/theme.h"
#include "ui/widgets/numbers.h"

namespace tessera::ui {

namespace {
constexpr int kHeight = 170;

struct Unit {
  double size;
  QString name;
};

/// The largest unit that `most` is at least twice of.
template <std::size_t N>
Unit unitFor(double most, const std::array<Unit, N>& units) {
  for (const Unit& unit : units) {
    if (most >= 2 * unit.size) return unit;
  }
  return units.back();
}

Unit timeUnit(double seconds) {
  const std::array<Unit, 4> units{{{86'400, CostChart::tr("days")},
                                   {3'600, CostChart::tr("hours")},
                                   {60, CostChart::tr("minutes")},
                                   {1, CostChart::tr("seconds")}}};
  return unitFor(seconds, units);
}

Unit tokenUnit(double tokens) {
  const std::array<Unit, 5> units{{{1e12, CostChart::tr("T tokens")},
                                   {1e9, CostChart::tr("B tokens")},
                                   {1e6, CostChart::tr("M tokens")},
                                   {1e3, CostChart::tr("k tokens")},
                                   {1, CostChart::tr("tokens")}}};
  return unitFor(tokens, units);
}
}  // namespace

CostChart::CostChart(QWidget* parent)
    : QChartView(new QChart, parent),
      m_curve(new QLineSeries(this)),
      m_stages(new QScatterSeries(this)),
      m_tokens(new QValueAxis(this)),
      m_time(new QValueAxis(this)),
      m_cost(new QValueAxis(this)) {
  setFrameShape(QFrame::NoFrame);
  setRenderHint(QPainter::Antialiasing);
  setFocusPolicy(Qt::NoFocus);
  setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
  QChart* of = chart();
  of->legend()->hide();
  of->setLocalizeNumbers(true);
  of->addAxis(m_tokens, Qt::AlignBottom);
  of->addAxis(m_time, Qt::AlignLeft);
  of->addAxis(m_cost, Qt::AlignRight);
  for (QXYSeries* series : {static_cast<QXYSeries*>(m_curve), static_cast<QXYSeries*>(m_stages)}) {
    of->addSeries(series);
    series->attachAxis(m_tokens);
    series->attachAxis(m_time);
  }
  for (QValueAxis* axis : {m_tokens, m_time, m_cost}) {
    axis->setTickCount(3);
    axis->setLabelFormat(QStringLiteral("%.3g"));
  }
  m_stages->setMarkerSize(7);
  m_stages->setPen(Qt::NoPen);
  theme::dress(*of);
  m_cost->setGridLineVisible(false);
}

bool CostChart::setPlan(const SpeedPlan& plan) {
  if (plan.basis == SpeedBasis::None || plan.stages.empty() || plan.seconds <= 0) return false;
  const Unit tokens = tokenUnit(static_cast<double>(plan.tokens)), time = timeUnit(plan.seconds);
  QList<QPointF> ends{{0, 0}};
  double seconds = 0;
  for (const StagePlan& stage : plan.stages) {
    seconds += stage.seconds;
    ends << QPointF(static_cast<double>(stage.first_token + stage.tokens) / tokens.size,
                    seconds / time.size);
  }
  m_curve->replace(ends);
  m_stages->replace(plan.stages.size() > 1 ? ends.mid(1) : QList<QPointF>());
  const QColor color = theme::colors().accent;
  m_curve->setPen(QPen(color, 2));
  m_stages->setColor(color);
  m_tokens->setRange(0, ends.back().x());
  m_time->setRange(0, ends.back().y());
  m_cost->setRange(0, plan.cost);
  m_tokens->setTitleText(tokens.name);
  m_time->setTitleText(time.name);
  m_cost->setTitleText(QStringLiteral("$"));
  const QString text = tr("Time and cost over tokens: %1, %2 and $ %3 at the end")
                           .arg(numbers::tokens(static_cast<double>(plan.tokens)),
                                numbers::duration(plan.seconds), numbers::fixed(plan.cost, 2));
  setAccessibleName(text);
  setToolTip(text);
  return true;
}

QSize CostChart::sizeHint() const {
  return {240, kHeight};
}

void CostChart::changeEvent(QEvent* event) {
  QChartView::changeEvent(event);
  if (event->type() != QEvent::PaletteChange) return;
  theme::dress(*chart());
  m_cost->setGridLineVisible(false);
  m_curve->setPen(QPen(theme::colors().accent, 2));
  m_stages->setColor(theme::colors().accent);
}

void CostChart::wheelEvent(QWheelEvent* event) {
  event->ignore();
}

}  // namespace tessera::ui
