// SPDX-License-Identifier: MIT
#include "ui/widgets/chart/panel_spec.h"

#include <QCoreApplication>

#include "core/history/run_history.h"

namespace tessera::ui {

namespace {
QString translated(const char* text) {
  return QCoreApplication::translate("Chart", text);
}

ChartPanelSpec ofMetric(Metric metric, bool smoothed, const char* emptyText = nullptr) {
  const MetricInfo& info = metric_info(metric);
  ChartPanelSpec spec;
  spec.id = QLatin1String(info.id);
  spec.title = QCoreApplication::translate("Metric", info.title);
  spec.unit = QLatin1String(info.unit);
  if (spec.unit == QLatin1String("bytes")) {
    spec.kind = chart::ValueKind::Bytes;
    spec.unit.clear();  // each tick names its own
  }
  spec.keys = {spec.id};
  spec.term = QLatin1String(info.term);
  spec.log = info.logarithmic;
  spec.smoothed = smoothed;
  spec.emptyText = emptyText ? translated(emptyText)
                             : translated(QT_TRANSLATE_NOOP("Chart", "Not logged by this run."));
  return spec;
}

}  // namespace

std::vector<ChartPanelSpec> standardPanels() {
  std::vector<ChartPanelSpec> all;
  ChartPanelSpec loss =
      ofMetric(Metric::Loss, true, QT_TRANSLATE_NOOP("Chart", "No step has been logged yet."));
  loss.title = translated(QT_TRANSLATE_NOOP("Chart", "Loss: training and validation"));
  loss.keys << QStringLiteral("validation");
  all.push_back(loss);

  ChartPanelSpec sources = loss;
  sources.id = QStringLiteral("validation");
  sources.title = translated(QT_TRANSLATE_NOOP("Chart", "Validation loss by source"));
  sources.keys = QStringList{QStringLiteral("validation"), QStringLiteral("validation/*")};
  sources.smoothed = false;
  sources.emptyText = translated(
      QT_TRANSLATE_NOOP("Chart", "No validation yet: [validation] every_steps says how often."));
  all.push_back(sources);

  all.push_back(ofMetric(Metric::LearningRate, false));
  all.push_back(ofMetric(Metric::GradNorm, true));
  all.push_back(ofMetric(Metric::TokensPerSecond, true));
  all.push_back(ofMetric(Metric::Mfu, true));
  all.push_back(ofMetric(Metric::Memory, false,
                         QT_TRANSLATE_NOOP("Chart", "The memory in use was not measured.")));
  all.push_back(ofMetric(Metric::MaxVio, true,
                         QT_TRANSLATE_NOOP("Chart", "A dense model has no experts to balance.")));

  ChartPanelSpec layers = ofMetric(
      Metric::MaxVio, true, QT_TRANSLATE_NOOP("Chart", "A dense model has no experts to balance."));
  layers.id = QStringLiteral("max_vio_layers");
  layers.title = translated(QT_TRANSLATE_NOOP("Chart", "MaxVio by layer"));
  layers.keys = QStringList{QStringLiteral("max_vio/*")};
  all.push_back(layers);

  all.push_back(
      ofMetric(Metric::MtpLoss, true,
               QT_TRANSLATE_NOOP("Chart", "The model has no multi-token prediction module.")));
  all.push_back(ofMetric(Metric::BalanceLoss, true,
                         QT_TRANSLATE_NOOP("Chart", "The sequence-wise balance loss is off.")));
  all.push_back(ofMetric(Metric::Clip, true));
  all.push_back(ofMetric(Metric::BiasSpeed, false));
  all.push_back(ofMetric(Metric::MtpLambda, false));
  all.push_back(ofMetric(Metric::SequenceLength, false));
  all.push_back(ofMetric(Metric::BatchSequences, false));
  return all;
}

}  // namespace tessera::ui
