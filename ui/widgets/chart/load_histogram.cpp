// SPDX-License-Identifier: MIT
#include "ui/widgets/chart/load_histogram.h"

#include <QAreaSeries>
#include <QChart>
#include <QChartView>
#include <QEvent>
#include <QLegend>
#include <QLineSeries>
#include <QVBoxLayout>
#include <QValueAxis>
#include <algorithm>
#include <cmath>
#include <utility>

#include "ui/theme/theme.h"
#include "ui/widgets/numbers.h"

namespace tessera::ui {

Histogram histogramOf(const std::vector<float>& ratios, int about) {
  Histogram made;
  double highest = 1;
  for (const float r : ratios) {
    if (std::isfinite(r)) highest = std::max(highest, double(r));
  }
  // 1 divided by a whole number, so that fair is an edge; whole numbers where ratios are large.
  const double wanted = highest / std::max(1, about);
  made.width = wanted > 1 ? std::ceil(wanted) : 1 / std::max(1.0, std::floor(1 / wanted));
  made.bins.assign(static_cast<std::size_t>(highest / made.width) + 1, 0);
  for (const float r : ratios) {
    if (!std::isfinite(r) || r < 0) {
      ++made.left;
    } else {
      // A hair more, so that what lies on an edge is not rounded below it.
      ++made.bins[static_cast<std::size_t>(double(r) / made.width + 1e-6)];
    }
  }
  while (made.bins.size() > 1 && made.bins.back() == 0) made.bins.pop_back();
  return made;
}

LoadHistogram::LoadHistogram(QWidget* parent)
    : QWidget(parent),
      m_chart(new QChart),
      m_ratio(new QValueAxis(m_chart)),
      m_count(new QValueAxis(m_chart)) {
  m_chart->addAxis(m_ratio, Qt::AlignBottom);
  m_chart->addAxis(m_count, Qt::AlignLeft);
  m_ratio->setTitleText(tr("use ratio (1 is fair)"));
  m_ratio->setTickCount(3);
  m_count->setTitleText(tr("experts"));
  m_count->setLabelFormat(QStringLiteral("%.0f"));
  m_count->setTickCount(3);
  m_everywhere = addSteps(tr("all layers"));
  m_here = addSteps(tr("this layer"));
  m_chart->legend()->setAlignment(Qt::AlignTop);
  auto* view = m_view = new QChartView(m_chart, this);
  view->hide();  // until there are loads
  view->setFocusPolicy(Qt::NoFocus);
  view->setFrameShape(QFrame::NoFrame);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->addWidget(view);
  setAccessibleName(tr("Histogram of the loads in this step"));
  dress();
}

LoadHistogram::Steps LoadHistogram::addSteps(const QString& name) {
  Steps made;
  made.edge = new QLineSeries(this);
  made.area = new QAreaSeries(made.edge);
  made.area->setName(name);
  m_chart->addSeries(made.area);
  made.area->attachAxis(m_ratio);
  made.area->attachAxis(m_count);
  return made;
}

void LoadHistogram::fill(const Steps& steps, const Histogram& of, double width, double scale) {
  QList<QPointF> points;
  for (std::size_t i = 0; i < of.bins.size(); ++i) {
    const double height = scale * static_cast<double>(of.bins[i]);
    points.append(QPointF(static_cast<double>(i) * width, height));
    points.append(QPointF(static_cast<double>(i + 1) * width, height));
  }
  steps.edge->replace(points);
}

void LoadHistogram::setValues(std::vector<float> all, std::vector<float> layer,
                              const QString& layerName) {
  m_values = std::move(all);
  m_layer = std::move(layer);
  m_layerName = layerName;
  m_behind = !isVisible();
  if (!m_behind) draw();
}

void LoadHistogram::showEvent(QShowEvent* event) {
  QWidget::showEvent(event);
  if (std::exchange(m_behind, false)) draw();
}

void LoadHistogram::draw() {
  m_view->setVisible(!m_values.empty());
  m_all = histogramOf(m_values);
  Histogram here;
  here.bins.assign(m_all.bins.size(), 0);
  std::size_t counted = 0;
  for (const float r : m_layer) {
    if (!std::isfinite(r) || r < 0) continue;
    const auto bin = static_cast<std::size_t>(double(r) / m_all.width + 1e-6);
    ++here.bins[std::min(bin, here.bins.size() - 1)];
    ++counted;
  }
  const double scale =
      counted > 0 ? static_cast<double>(m_values.size()) / static_cast<double>(counted) : 1;
  fill(m_everywhere, m_all, m_all.width, 1);
  fill(m_here, here, m_all.width, scale);
  m_here.area->setName(scale > 1.01 ? tr("%1, times %2").arg(m_layerName, numbers::number(scale, 3))
                                    : m_layerName);
  double most = 1;
  for (std::size_t i = 0; i < m_all.bins.size(); ++i) {
    most = std::max(
        {most, static_cast<double>(m_all.bins[i]), scale * static_cast<double>(here.bins[i])});
  }
  m_ratio->setRange(0, m_all.width * static_cast<double>(m_all.bins.size()));
  m_count->setRange(0, std::ceil(most));
  setAccessibleDescription(tr("%1 experts in %2 bins of width %3")
                               .arg(m_values.size())
                               .arg(m_all.bins.size())
                               .arg(numbers::number(m_all.width, 3)));
}

void LoadHistogram::dress() {
  theme::dress(*m_chart);
  const QColor all = theme::colors().textSecondary, here = theme::colors().accent;
  m_everywhere.area->setPen(Qt::NoPen);
  m_everywhere.area->setBrush(theme::mixed(theme::colors().raised, all, 0.45));
  m_here.area->setPen(QPen(here, 1.5));
  m_here.area->setBrush(Qt::NoBrush);
}

void LoadHistogram::changeEvent(QEvent* event) {
  QWidget::changeEvent(event);
  if (event->type() == QEvent::PaletteChange) dress();
}

}  // namespace tessera::ui
