// SPDX-License-Identifier: MIT
#include "ui/widgets/gauge_history.h"

#include <QChart>
#include <QChartView>
#include <QEvent>
#include <QLegend>
#include <QLineSeries>
#include <QVBoxLayout>
#include <QValueAxis>
#include <algorithm>
#include <cmath>

#include "ui/bridge/desktop/host_monitor.h"
#include "ui/theme/theme.h"
#include "ui/widgets/numbers.h"

namespace tessera::ui {

namespace {
constexpr double kLeastMinutes = 2;

/// NaN where the sample says nothing of that line.
float valueOf(const HostSample& sample, std::size_t line) {
  if (line == 0) return sample.processor;
  if (line == 1) return sample.memory;
  return line - 2 < sample.gpus.size() ? sample.gpus[line - 2] : std::nanf("");
}
}  // namespace

GaugeHistory::GaugeHistory(HostMonitor& host, QWidget* parent)
    : QWidget(parent),
      m_host(host),
      m_chart(new QChart),
      m_view(new QChartView(m_chart, this)),
      m_minutes(new QValueAxis(m_chart)),
      m_percent(new QValueAxis(m_chart)) {
  m_chart->addAxis(m_minutes, Qt::AlignBottom);
  m_chart->addAxis(m_percent, Qt::AlignLeft);
  m_minutes->setLabelFormat(QStringLiteral("%.0f"));
  m_minutes->setTitleText(tr("minutes from now"));
  m_percent->setRange(0, 100);
  m_percent->setTickCount(3);
  // NOTE: of a chart whose numbers are localised, Qt shows "%%" as it stands.
  m_percent->setLabelFormat(QStringLiteral("%.0f %"));
  m_chart->legend()->setAlignment(Qt::AlignTop);
  m_chart->legend()->setMarkerShape(QLegend::MarkerShapeFromSeries);
  m_view->setRenderHint(QPainter::Antialiasing);
  m_view->setFocusPolicy(Qt::NoFocus);
  m_view->setFrameShape(QFrame::NoFrame);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->addWidget(m_view);
  setAccessibleName(tr("History of processor, memory and GPUs"));
  needLines(2);
  dress();
  connect(&m_host, &HostMonitor::changed, this, [this] {
    if (isVisible()) refresh();
  });
}

void GaugeHistory::needLines(std::size_t count) {
  while (m_lines.size() < count) {
    auto* line = new QLineSeries(m_chart);
    const std::size_t at = m_lines.size();
    line->setName(at == 0 ? tr("Processor") : at == 1 ? tr("Memory") : tr("GPU %1").arg(at - 2));
    m_chart->addSeries(line);
    line->attachAxis(m_minutes);
    line->attachAxis(m_percent);
    m_lines.push_back(line);
  }
}

void GaugeHistory::dress() {
  theme::dress(*m_chart);
  for (std::size_t i = 0; i < m_lines.size(); ++i) {
    m_lines[i]->setPen(QPen(theme::lineColor(static_cast<int>(i)), 1.5));
  }
}

/// With more samples than points, each point stands for several samples and shows the highest.
void GaugeHistory::refresh() {
  const auto& history = m_host.history();
  if (history.empty()) return;
  const std::size_t before = m_lines.size();
  needLines(2 + history.back().gpus.size());
  if (m_lines.size() != before) dress();
  const double now = history.back().time;
  const std::size_t stride = history.size() / static_cast<std::size_t>(kMostPoints) + 1;
  QStringList words;
  for (std::size_t line = 0; line < m_lines.size(); ++line) {
    QList<QPointF> points;
    for (std::size_t i = 0; i < history.size(); i += stride) {
      const std::size_t end = std::min(i + stride, history.size());
      float highest = std::nanf("");
      for (std::size_t k = i; k < end; ++k) highest = std::fmax(highest, valueOf(history[k], line));
      if (!std::isnan(highest)) {
        points.append(QPointF((history[end - 1].time - now) / 60, 100 * double(highest)));
      }
    }
    if (!points.isEmpty()) {
      words << QStringLiteral("%1 %2").arg(m_lines[line]->name(),
                                           numbers::percent(points.back().y() / 100));
    }
    m_lines[line]->replace(points);
  }
  showMinutes(std::max(kLeastMinutes, (now - history.front().time) / 60));
  setAccessibleDescription(words.join(QStringLiteral(", ")));
}

/// Whole minutes at every tick, so that no label stands twice.
void GaugeHistory::showMinutes(double minutes) {
  constexpr int kMostIntervals = 4;
  int whole = static_cast<int>(std::ceil(minutes));
  if (whole > kMostIntervals) whole += (kMostIntervals - whole % kMostIntervals) % kMostIntervals;
  m_minutes->setRange(-whole, 0);
  m_minutes->setTickCount(std::min(whole, kMostIntervals) + 1);
}

void GaugeHistory::showEvent(QShowEvent* event) {
  QWidget::showEvent(event);
  refresh();
}

void GaugeHistory::changeEvent(QEvent* event) {
  QWidget::changeEvent(event);
  if (event->type() == QEvent::PaletteChange) dress();
}

}  // namespace tessera::ui
