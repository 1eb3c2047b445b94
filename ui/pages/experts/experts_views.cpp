// SPDX-License-Identifier: MIT
// What the views of the Experts page show of the frame at hand.
#include <QSignalBlocker>
#include <QSpinBox>
#include <cmath>

#include "ui/bridge/runs/run_feed.h"
#include "ui/pages/experts/alarms_panel.h"
#include "ui/pages/experts/expert_table.h"
#include "ui/pages/experts/experts_page.h"
#include "ui/pages/experts/experts_source.h"
#include "ui/pages/experts/placement_panel.h"
#include "ui/pages/experts/time_scrubber.h"
#include "ui/widgets/chart/bar_plot.h"
#include "ui/widgets/chart/fan_plot.h"
#include "ui/widgets/chart/heat_map.h"
#include "ui/widgets/chart/load_histogram.h"
#include "ui/widgets/chart/scale.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/numbers.h"

namespace tessera::ui {

namespace {
QString signedText(double v) {
  const QString text = chart::valueText(v, chart::ValueKind::Number);
  return v > 0 ? QLatin1Char('+') + text : text;
}
}  // namespace

QString ExpertsPage::stepText(std::int64_t step) const {
  const RunStatus& status = m_source->feed().status();
  const std::int64_t of = status.total_steps > 0 ? status.total_steps - 1 : status.step;
  QString text = tr("step %1 of %2").arg(numbers::whole(step), numbers::whole(of));
  if (m_scrubber->following() && !is_final(status.state)) text += tr(" (newest)");
  return text;
}

void ExpertsPage::refreshAll() {
  if (!m_frame) return;
  m_scrubber->setText(stepText(m_shownStep));
  refreshAlarms();
  refreshMap();
  refreshBars();
  refreshCell();
  m_placement->showLoads(m_source->feed().spec(), *m_frame, m_source->feed().history());
  m_fan->setStep(m_shownStep);
}

void ExpertsPage::refreshMap() {
  const ExpertsEvent& e = *m_frame;
  std::vector<float> values = expertValues(m_mode, e, m_base.get());
  HeatScale scale = expertScale(m_mode, values, e);
  const bool canCompare = m_base && sameShape(e, *m_base);
  const bool needsBase = m_comparing || m_mode == ExpertMode::Change;
  if (m_base && !canCompare) {
    m_baseNote->setText(tr("It has %1 x %2 experts: no change can be computed.")
                            .arg(m_base->layers)
                            .arg(m_base->experts));
  } else if (needsBase && m_baseWanted >= 0 && m_baseSpin->value() != m_baseWanted) {
    m_baseNote->setText(tr("Logged at step %1.").arg(m_baseWanted));
  } else {
    m_baseNote->setText({});
  }
  if (m_comparing && m_base) {
    std::vector<float> other = expertValues(
        m_mode == ExpertMode::Change ? ExpertMode::UseRatio : m_mode, *m_base, nullptr);
    // One scale for both, or the eye compares what is not comparable.
    if (m_mode == ExpertMode::Load || m_mode == ExpertMode::Bias) {
      std::vector<float> both = values;
      both.insert(both.end(), other.begin(), other.end());
      scale = expertScale(m_mode, both, e);
    }
    const HeatScale otherScale =
        m_mode == ExpertMode::Change ? expertScale(ExpertMode::UseRatio, other, *m_base) : scale;
    m_baseMap->setValues(m_base->layers, m_base->experts, std::move(other), otherScale);
    const QString whose = m_baseRun.isEmpty()
                              ? tr("Step %1").arg(numbers::whole(m_baseStep))
                              : tr("%1, step %2").arg(m_baseRun, numbers::whole(m_baseStep));
    m_baseMap->setTitles(whose, tr("Expert"));
    m_baseMap->setReader([this](int layer, int expert) {
      return m_base ? readoutOf(*m_base, layer, expert) : QString();
    });
    const QSignalBlocker blocker(m_baseMap);
    m_baseMap->setCell(m_map->row(), m_map->column());
  }
  m_map->setValues(e.layers, e.experts, std::move(values), scale);
  QString title;
  switch (m_mode) {
    case ExpertMode::Load:
      title = tr("Load by layer and expert");
      break;
    case ExpertMode::UseRatio:
      title = tr("Use ratio by layer and expert");
      break;
    case ExpertMode::Bias:
      title = tr("Bias by layer and expert");
      break;
    case ExpertMode::Change:
      title = tr("Change of use ratio since step %1").arg(numbers::whole(m_baseStep));
      break;
  }
  if (m_comparing) title = tr("Step %1").arg(numbers::whole(m_shownStep));
  m_map->setTitles(title, tr("Expert"));
  m_map->setReader([this](int layer, int expert) {
    return m_frame ? readoutOf(*m_frame, layer, expert) : QString();
  });
  m_map->setRowBars(m_comparing ? std::vector<float>() : maxVioOf(e), tr("MaxVio"),
                    QStringLiteral("maxvio"));
  m_map->setSigns(m_signs);
}

void ExpertsPage::refreshBars() {
  const ExpertsEvent& e = *m_frame;
  const int layer = std::clamp(m_map->row(), 0, e.layers - 1);
  const QStringList names = layerNames(m_source->feed());
  const QString name = layer < names.size() ? names[layer] : QString::number(layer);
  const auto row = [&](const std::vector<float>& all) {
    const auto from = all.begin() + std::ptrdiff_t(layer) * e.experts;
    return std::vector<float>(from, from + e.experts);
  };
  const bool bias = m_mode == ExpertMode::Bias;
  const ExpertMode shown = bias                         ? ExpertMode::Bias
                           : m_mode == ExpertMode::Load ? ExpertMode::Load
                                                        : ExpertMode::UseRatio;
  const std::vector<float> values = row(expertValues(shown, e, nullptr));
  double fair = std::nan("");
  if (shown == ExpertMode::UseRatio) fair = 1;
  if (shown == ExpertMode::Load) {
    fair = 0;
    for (const float v : values) fair += double(v) / e.experts;
  }
  m_bars->setTitles(bias                        ? tr("Biases of %1").arg(name)
                    : shown == ExpertMode::Load ? tr("Load in %1").arg(name)
                                                : tr("Use ratio in %1").arg(name),
                    shown == ExpertMode::Load ? tr("tokens a step") : QString(), tr("Expert"));
  m_bars->setReader([this, layer](int expert) {
    return m_frame && layer < m_frame->layers ? readoutOf(*m_frame, layer, expert) : QString();
  });
  m_bars->setValues(values, fair, bias ? QString() : tr("fair"));
  const bool other =
      m_base && sameShape(e, *m_base) && (m_comparing || m_mode == ExpertMode::Change);
  m_bars->setOther(other ? row(expertValues(shown, *m_base, nullptr)) : std::vector<float>(),
                   tr("step %1").arg(numbers::whole(m_baseStep)));
  std::vector<std::uint8_t> signs;
  if (m_signs.size() == std::size_t(e.layers) * std::size_t(e.experts)) {
    const auto from = m_signs.begin() + std::ptrdiff_t(layer) * e.experts;
    signs.assign(from, from + e.experts);
  }
  m_bars->setSigns(signs);
  m_bars->setCurrent(m_map->column());
  refreshHistogram();
}

void ExpertsPage::refreshHistogram() {
  const ExpertsEvent& e = *m_frame;
  const int layer = std::clamp(m_map->row(), 0, e.layers - 1);
  const std::vector<float> all = expertValues(ExpertMode::UseRatio, e, nullptr);
  const auto from = all.begin() + std::ptrdiff_t(layer) * e.experts;
  const QStringList names = layerNames(m_source->feed());
  m_histogram->setValues(all, {from, from + e.experts},
                         layer < names.size() ? names[layer] : QString::number(layer));
}

void ExpertsPage::refreshAlarms() {
  if (!m_frame) return;
  const bool ours = !m_window.empty() && m_window.back() == m_frame;
  const std::vector<ExpertAlarm> dead = ours ? deadExperts(m_window) : std::vector<ExpertAlarm>();
  const std::vector<ExpertAlarm> hot = hotExperts(*m_frame, m_alarms->hotTimes());
  m_alarms->setAlarms(dead, hot, !ours, int(m_window.size()), layerNames(m_source->feed()));
  std::vector<std::uint8_t> signs = signsOf(*m_frame, dead, hot);
  if (signs == m_signs) return;
  m_signs = std::move(signs);
  if (m_map->rows() == m_frame->layers && m_map->columns() == m_frame->experts) {
    m_map->setSigns(m_signs);
    refreshBars();
  }
}

void ExpertsPage::setCell(int layer, int expert) {
  if (!m_frame) return;
  const int before = m_fanLayer;
  {
    const QSignalBlocker one(m_map), two(m_baseMap);
    m_map->setCell(layer, expert);
    m_baseMap->setCell(layer, expert);
  }
  refreshBars();
  refreshCell();
  m_fan->setCurrent(m_map->column());
  if (m_map->row() != before) wantFan();
}

void ExpertsPage::wantFan() {
  if (!m_source || m_source->steps().empty() || !m_frame) return;
  const int layer = std::max(0, m_map->row());
  const QStringList names = layerNames(m_source->feed());
  const QString name = layer < names.size() ? names[layer] : QString::number(layer);
  if (layer != m_fanLayer) {
    m_fan->setValues({}, 0, {}, {});
    m_fan->setTitles(tr("Biases of %1").arg(name), tr("Reading the log."));
  }
  m_fanLayer = layer;
  m_fanSteps = std::int64_t(m_source->steps().size());
  const int points = std::clamp(m_fan->width() / 2, 60, 400);
  m_source->feed().requestBiasFan(layer, m_source->steps().front(), m_source->steps().back(),
                                  points);
}

void ExpertsPage::fillFan(const std::vector<ExpertsEvent>& points) {
  std::vector<std::int64_t> steps;
  std::vector<float> values, speed;
  int experts = 0;
  const RunHistory& history = m_source->feed().history();
  for (const ExpertsEvent& e : points) {
    if (e.layers != 1 || e.biases.size() != std::size_t(e.experts)) continue;
    if (experts != 0 && e.experts != experts) continue;
    experts = e.experts;
    steps.push_back(e.step);
    values.insert(values.end(), e.biases.begin(), e.biases.end());
    speed.push_back(float(history.metric_at(Metric::BiasSpeed, e.step)));
  }
  m_fan->setTitles(m_fan->accessibleName(), tr("No biases have been logged for this layer."));
  m_fan->setValues(std::move(steps), experts, std::move(values), std::move(speed));
  m_fan->setCurrent(m_map->column());
  m_fan->setStep(m_shownStep);
}

QString ExpertsPage::readoutOf(const ExpertsEvent& e, int layer, int expert) const {
  const auto at = std::size_t(layer) * std::size_t(e.experts) + std::size_t(expert);
  if (layer < 0 || expert < 0 || layer >= e.layers || expert >= e.experts) return {};
  const QStringList names = layerNames(m_source->feed());
  QStringList parts{layer < names.size() ? names[layer] : QString::number(layer),
                    tr("expert %1").arg(expert)};
  if (at < e.counts.size()) parts << tr("%1 tokens").arg(numbers::whole(e.counts[at]));
  const double ratio = useRatio(e, layer, expert);
  if (std::isfinite(ratio)) parts << tr("%1 x fair").arg(numbers::number(ratio, 3));
  if (at < e.biases.size()) parts << tr("bias %1").arg(signedText(double(e.biases[at])));
  if (m_base && &e != m_base.get() && sameShape(e, *m_base)) {
    const double before = useRatio(*m_base, layer, expert);
    if (std::isfinite(before) && std::isfinite(ratio)) {
      parts << tr("%1 since step %2").arg(signedText(ratio - before), numbers::whole(m_baseStep));
    }
  }
  if (&e == m_frame.get() && at < m_signs.size()) {
    if (m_signs[at] == HeatMap::Dead) parts << tr("dead");
    if (m_signs[at] == HeatMap::Hot) parts << tr("hot");
  }
  return parts.join(QStringLiteral(" · "));
}

void ExpertsPage::refreshCell() {
  if (!m_frame || m_map->row() < 0) return;
  const ExpertsEvent& e = *m_frame;
  const int layer = m_map->row(), expert = m_map->column();
  m_readout->setText(readoutOf(e, layer, expert));
  m_placement->setExpert(expert);
  const auto at = std::size_t(layer) * std::size_t(e.experts) + std::size_t(expert);
  if (at >= e.counts.size()) return;
  const double ratio = useRatio(e, layer, expert);
  const QStringList names = layerNames(m_source->feed());
  const std::vector<float> vio = maxVioOf(e);
  const bool base = m_base && sameShape(e, *m_base);
  const QString values[] = {
      layer < names.size() ? names[layer] : QString::number(layer),
      QString::number(expert),
      numbers::whole(m_shownStep),
      tr("%1 tokens").arg(numbers::whole(e.counts[at])),
      ratio > 0 ? tr("%1 tokens").arg(numbers::number(double(e.counts[at]) / ratio))
                : numbers::notMeasured(),
      numbers::number(ratio, 4),
      at < e.biases.size() ? signedText(double(e.biases[at])) : numbers::notMeasured(),
      base ? signedText(ratio - useRatio(*m_base, layer, expert)) : numbers::notMeasured(),
      numbers::fixed(double(vio[std::size_t(layer)]), 3)};
  for (std::size_t i = 0; i < m_factValues.size(); ++i) m_factValues[i]->setText(values[i]);
}

void ExpertsPage::showTable() {
  if (!m_frame) return;
  auto* dialog =
      new ExpertTableDialog(tr("Experts of %1 at step %2").arg(m_run, numbers::whole(m_shownStep)),
                            m_frame, m_base, layerNames(m_source->feed()), m_signs, this);
  dialog->setAttribute(Qt::WA_DeleteOnClose);
  dialog->show();
}

}  // namespace tessera::ui
