// SPDX-License-Identifier: MIT
#include "ui/widgets/chart/run_curves.h"

#include <QCoreApplication>
#include <algorithm>
#include <cmath>

#include "ui/models/feed_models.h"
#include "ui/widgets/numbers.h"

namespace tessera::ui {

using chart::XAxis;

namespace {
constexpr auto kMetrics = static_cast<std::size_t>(Metric::Count);
QString translated(const char* text) {
  return QCoreApplication::translate("Chart", text);
}

bool hasValue(const Series& series) {
  if (series.empty()) return false;
  return std::isfinite(series.at(series.size() - 1)) ||
         series.extremes(0, series.size()).values > 0;
}
}  // namespace

QStringList moeLayerNames(const ModelConfig& model) {
  QStringList names;
  if (model.n_routed_experts == 0) return names;
  for (std::int64_t i = model.first_k_dense_replace; i < model.num_hidden_layers; ++i) {
    names << translated(QT_TRANSLATE_NOOP("Chart", "layer %1")).arg(i);
  }
  if (model.num_nextn_predict_layers > 0) names << translated(QT_TRANSLATE_NOOP("Chart", "MTP"));
  return names;
}

RunCurves::RunCurves(QString id, QString title) : m_id(std::move(id)), m_title(std::move(title)) {}

void RunCurves::update(const RunHistory& history, std::shared_ptr<const void> owner) {
  const std::size_t before = m_x.size();
  const double lastStep = before ? m_x.values(XAxis::Step).back() : 0;
  m_history = &history;
  m_owner = std::move(owner);
  m_x.update(history.step, history.tokens, history.time, origin());
  const bool grown =
      m_x.size() >= before && (before == 0 || m_x.values(XAxis::Step)[before - 1] == lastStep);
  if (!grown) ++m_revision;
  if (!grown || m_validations != history.validations.size()) readValidation();
  readMarks();
}

/// When the first step or validation was logged: both count their time from there.
double RunCurves::origin() const {
  double first = std::numeric_limits<double>::quiet_NaN();
  if (!m_history->time.empty()) first = m_history->time.front();
  if (!m_history->validations.empty())
    first = std::fmin(first, m_history->validations.front().time);
  return first;
}

void RunCurves::restart() {
  m_x.clear();
  m_validationX.clear();
  m_validations = static_cast<std::size_t>(-1);
  ++m_revision;
}

void RunCurves::setStages(std::vector<std::pair<std::int64_t, QString>> stages) {
  m_stages = std::move(stages);
  readMarks();
}

void RunCurves::readValidation() {
  std::vector<std::int64_t> step, tokens;
  std::vector<double> time;
  std::map<QString, std::vector<float>> values;
  constexpr float kNone = std::numeric_limits<float>::quiet_NaN();
  for (const RunHistory::Validation& v : m_history->validations) {
    step.push_back(v.step);
    tokens.push_back(v.tokens);
    time.push_back(v.time);
    values[QStringLiteral("validation")].push_back(static_cast<float>(v.loss));
    for (const auto& [name, loss] : v.sources) {
      auto& column = values[QStringLiteral("validation/") + QString::fromStdString(name)];
      column.resize(step.size() - 1, kNone);  // a source that came later has none before
      column.push_back(static_cast<float>(loss));
    }
  }
  m_validations = step.size();
  m_validationX.update(step, tokens, time, origin());
  m_validation.clear();
  for (auto& [key, column] : values) {
    column.resize(step.size(), kNone);
    m_validation[key].assign(std::move(column));
  }
}

void RunCurves::readMarks() {
  m_marks.clear();
  if (!m_history) return;
  const auto add = [&](ChartMark::Kind kind, std::int64_t step, const QString& text) {
    m_marks.push_back({kind, step, text});
  };
  for (const Event& event : m_history->checkpoints) {
    if (const auto* c = std::get_if<CheckpointEvent>(&event.body)) {
      add(ChartMark::Kind::Checkpoint, c->step,
          translated(QT_TRANSLATE_NOOP("Chart", "Checkpoint after %1 steps"))
              .arg(numbers::whole(checkpointStep(*c))));
    }
  }
  for (const Event& event : m_history->spikes) {
    if (const auto* s = std::get_if<SpikeEvent>(&event.body)) {
      add(ChartMark::Kind::Spike, s->step,
          translated(QT_TRANSLATE_NOOP("Chart", "Loss spike: %1, usually %2"))
              .arg(chart::valueText(s->loss, chart::ValueKind::Number))
              .arg(chart::valueText(s->usual, chart::ValueKind::Number)));
    }
  }
  for (const Event& event : m_history->story) {
    if (const auto* r = std::get_if<ResumeEvent>(&event.body)) {
      add(ChartMark::Kind::Resume, std::max<std::int64_t>(r->step, 0),
          translated(QT_TRANSLATE_NOOP("Chart", "Resumed")));
    } else if (const auto* b = std::get_if<RollbackEvent>(&event.body)) {
      add(ChartMark::Kind::Rollback, std::max<std::int64_t>(b->to_step, 0),
          translated(QT_TRANSLATE_NOOP("Chart", "Rolled back from step %1")).arg(b->from_step));
    }
  }
  for (const auto& [step, name] : m_stages) {
    if (step > 0)
      add(ChartMark::Kind::Stage, step,
          translated(QT_TRANSLATE_NOOP("Chart", "Stage: %1")).arg(name));
  }
  std::stable_sort(m_marks.begin(), m_marks.end(),
                   [](const ChartMark& a, const ChartMark& b) { return a.step < b.step; });
}

RunCurves::Curve RunCurves::curve(const QString& key) const {
  if (!m_history) return {};
  const auto shown = [](const Series& values, const chart::XColumn& x, bool points) {
    return hasValue(values) || (!values.empty() && points) ? Curve{&values, &x, points} : Curve{};
  };
  if (const auto found = m_validation.find(key); found != m_validation.end()) {
    return shown(found->second, m_validationX, true);
  }
  if (key.startsWith(QLatin1String("max_vio/"))) {
    bool ok = false;
    const int layer = key.mid(8).toInt(&ok);
    const auto& layers = m_history->layer_max_vio;
    if (!ok || layer < 0 || layer >= static_cast<int>(layers.size())) return {};
    return shown(layers[static_cast<std::size_t>(layer)], m_x, false);
  }
  for (std::size_t m = 0; m < kMetrics; ++m) {
    if (key == QLatin1String(metric_info(static_cast<Metric>(m)).id)) {
      const Series& values = m_history->metrics[m];
      // NOTE: a quantity that is NaN in every row was not measured; one that became NaN is shown.
      return shown(values, m_x, false);
    }
  }
  return {};
}

std::size_t RunCurves::generation() const {
  // Layers are in a vector that may move when the first step of a run is read.
  const auto layers =
      m_history ? reinterpret_cast<std::size_t>(m_history->layer_max_vio.data()) : 0;
  return layers * 31 + static_cast<std::size_t>(m_revision);
}

QStringList RunCurves::keys(const QString& pattern) const {
  if (!pattern.endsWith(QLatin1String("/*"))) {
    return curve(pattern).values ? QStringList{pattern} : QStringList{};
  }
  QStringList found;
  const QString stem = pattern.chopped(1);
  for (const auto& [key, series] : m_validation) {
    if (key.startsWith(stem) && !series.empty()) found << key;
  }
  if (stem == QLatin1String("max_vio/") && m_history) {
    for (std::size_t i = 0; i < m_history->layer_max_vio.size(); ++i) {
      const QString key = stem + QString::number(i);
      if (curve(key).values) found << key;
    }
  }
  return found;
}

QString RunCurves::keyTitle(const QString& key) const {
  if (key == QLatin1String("validation"))
    return translated(QT_TRANSLATE_NOOP("Chart", "validation"));
  if (key.startsWith(QLatin1String("validation/"))) return key.mid(11);
  if (key.startsWith(QLatin1String("max_vio/"))) {
    const int layer = key.mid(8).toInt();
    if (layer < m_layerNames.size()) return m_layerNames[layer];
    return translated(QT_TRANSLATE_NOOP("Chart", "MoE layer %1")).arg(layer + 1);
  }
  for (std::size_t m = 0; m < kMetrics; ++m) {
    const MetricInfo& info = metric_info(static_cast<Metric>(m));
    if (key == QLatin1String(info.id)) return QCoreApplication::translate("Metric", info.title);
  }
  return key;
}

double RunCurves::position(std::int64_t step, XAxis axis) const {
  const std::vector<double>& steps = m_x.values(XAxis::Step);
  const std::vector<double>& x = m_x.values(axis);
  if (steps.empty()) return std::numeric_limits<double>::quiet_NaN();
  const auto at = static_cast<double>(step);
  if (axis == XAxis::Step) return at;
  const auto row = static_cast<std::size_t>(std::max<std::int64_t>(m_x.rowAt(XAxis::Step, at), 0));
  if (row + 1 >= steps.size() || at <= steps[row]) return x[row];
  const double share = (at - steps[row]) / (steps[row + 1] - steps[row]);
  return x[row] + share * (x[row + 1] - x[row]);
}

std::int64_t RunCurves::stepNear(double at, XAxis axis) const {
  const std::int64_t row = m_x.nearest(axis, at);
  if (row < 0) return -1;
  return std::llround(m_x.values(XAxis::Step)[static_cast<std::size_t>(row)]);
}

}  // namespace tessera::ui
