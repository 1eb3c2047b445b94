// SPDX-License-Identifier: MIT
#include "ui/widgets/chart/panel_spec.h"

#include <QCoreApplication>
#include <algorithm>

#include "core/history/metrics.h"
#include "ui/widgets/engine_words.h"

namespace tessera::ui {

namespace {
QString inChart(const char* text) {
  return QCoreApplication::translate("Chart", text);
}

ChartPanelSpec ofMetric(Metric metric) {
  const MetricInfo& info = metric_info(metric);
  ChartPanelSpec spec;
  spec.id = QLatin1String(info.id);
  spec.title = QCoreApplication::translate("Metric", info.title);
  spec.unit = engineWord(info.unit);
  if (QLatin1String(info.unit) == QLatin1String("bytes")) {
    spec.kind = chart::ValueKind::Bytes;
    spec.unit.clear();  // each tick names its own
  }
  spec.keys = {spec.id};
  spec.term = QLatin1String(info.term);
  spec.log = info.logarithmic();
  spec.smoothed = info.smoothed();
  spec.emptyText = inChart(info.without);
  return spec;
}

/// What stands beside a metric: panels of values that are logged by source and by layer.
void addRelated(Metric metric, std::vector<ChartPanelSpec>& all) {
  if (metric == Metric::Loss) {
    ChartPanelSpec& loss = all.back();
    loss.title = inChart(QT_TRANSLATE_NOOP("Chart", "Loss: training and validation"));
    loss.keys << QStringLiteral("validation");
    ChartPanelSpec sources = loss;
    sources.id = QStringLiteral("validation");
    sources.title = inChart(QT_TRANSLATE_NOOP("Chart", "Validation loss by source"));
    sources.keys = QStringList{QStringLiteral("validation"), QStringLiteral("validation/*")};
    sources.smoothed = false;
    sources.emptyText = inChart(
        QT_TRANSLATE_NOOP("Chart", "No validation yet: [validation] every_steps says how often."));
    all.push_back(sources);
  } else if (metric == Metric::MaxVio) {
    ChartPanelSpec layers = all.back();
    layers.id = QStringLiteral("max_vio_layers");
    layers.title = inChart(QT_TRANSLATE_NOOP("Chart", "MaxVio by layer"));
    layers.keys = QStringList{QStringLiteral("max_vio/*")};
    all.push_back(layers);
  }
}

/// Several panels as one: what they have in common stays, and keys are drawn together.
void join(ChartPanelSpec& spec, const ChartPanelSpec& other) {
  spec.id += u'+' + other.id;
  spec.title += QStringLiteral(" \u00B7 ") + other.title;
  if (spec.unit != other.unit) spec.unit.clear();
  if (spec.kind != other.kind) spec.kind = chart::ValueKind::Number;
  for (const QString& key : other.keys) {
    if (!spec.keys.contains(key)) spec.keys << key;
  }
  spec.log = spec.log && other.log;
  spec.smoothed = spec.smoothed || other.smoothed;
  if (spec.emptyText != other.emptyText) {
    spec.emptyText = inChart(metric_info(Metric::LearningRate).without);
  }
}
}  // namespace

std::vector<ChartPanelSpec> standardPanels() {
  std::vector<ChartPanelSpec> all;
  for (std::size_t m = 0; m < kMetricCount; ++m) {
    const auto metric = static_cast<Metric>(m);
    all.push_back(ofMetric(metric));
    addRelated(metric, all);
  }
  return all;
}

std::optional<ChartPanelSpec> panelOf(const QString& id) {
  const std::vector<ChartPanelSpec> all = standardPanels();
  std::optional<ChartPanelSpec> made;
  for (const QString& part : id.split(u'+')) {
    const auto found = std::find_if(all.begin(), all.end(),
                                    [&](const ChartPanelSpec& spec) { return spec.id == part; });
    if (found == all.end()) return {};
    if (made) {
      join(*made, *found);
    } else {
      made = *found;
    }
  }
  return made;
}

}  // namespace tessera::ui
