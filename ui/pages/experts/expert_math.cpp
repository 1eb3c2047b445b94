// SPDX-License-Identifier: MIT
#include "ui/pages/experts/expert_math.h"

#include <QCoreApplication>
#include <algorithm>
#include <cmath>

#include "ui/widgets/chart/scale.h"
#include "ui/widgets/numbers.h"

namespace tessera::ui {

namespace {
constexpr float kNone = std::numeric_limits<float>::quiet_NaN();
QString translated(const char* text) {
  return QCoreApplication::translate("Experts", text);
}

std::size_t cells(const ExpertsEvent& e) {
  return static_cast<std::size_t>(e.layers) * static_cast<std::size_t>(e.experts);
}
std::size_t place(const ExpertsEvent& e, int layer, int expert) {
  return static_cast<std::size_t>(layer) * static_cast<std::size_t>(e.experts) +
         static_cast<std::size_t>(expert);
}

double meanLoad(const ExpertsEvent& e, int layer) {
  std::int64_t sum = 0;
  for (int i = 0; i < e.experts; ++i) sum += e.counts[place(e, layer, i)];
  return static_cast<double>(sum) / std::max(1, e.experts);
}

std::vector<float> ratiosOf(const ExpertsEvent& e) {
  std::vector<float> values(cells(e), kNone);
  if (e.counts.size() != values.size()) return values;
  for (int layer = 0; layer < e.layers; ++layer) {
    const double mean = meanLoad(e, layer);
    if (!(mean > 0)) continue;
    for (int i = 0; i < e.experts; ++i) {
      const std::size_t at = place(e, layer, i);
      values[at] = static_cast<float>(static_cast<double>(e.counts[at]) / mean);
    }
  }
  return values;
}

QString text(double v) {
  return chart::valueText(v, chart::ValueKind::Number);
}
}  // namespace

bool sameShape(const ExpertsEvent& a, const ExpertsEvent& b) {
  return a.layers == b.layers && a.experts == b.experts;
}

double useRatio(const ExpertsEvent& e, int layer, int expert) {
  if (e.counts.size() != cells(e)) return std::nan("");
  const double mean = meanLoad(e, layer);
  if (!(mean > 0)) return std::nan("");
  return static_cast<double>(e.counts[place(e, layer, expert)]) / mean;
}

std::vector<float> expertValues(ExpertMode mode, const ExpertsEvent& e, const ExpertsEvent* base) {
  std::vector<float> values(cells(e), kNone);
  switch (mode) {
    case ExpertMode::Load:
      if (e.counts.size() == values.size()) {
        std::transform(e.counts.begin(), e.counts.end(), values.begin(),
                       [](std::int64_t n) { return static_cast<float>(n); });
      }
      break;
    case ExpertMode::UseRatio:
      return ratiosOf(e);
    case ExpertMode::Bias:
      if (e.biases.size() == values.size()) values = e.biases;
      break;
    case ExpertMode::Change: {
      if (!base || !sameShape(e, *base)) break;
      values = ratiosOf(e);
      const std::vector<float> before = ratiosOf(*base);
      for (std::size_t i = 0; i < values.size(); ++i) values[i] -= before[i];
      break;
    }
  }
  return values;
}

std::vector<float> maxVioOf(const ExpertsEvent& e) {
  std::vector<float> result(static_cast<std::size_t>(e.layers), kNone);
  if (e.counts.size() != cells(e)) return result;
  for (int layer = 0; layer < e.layers; ++layer) {
    const double mean = meanLoad(e, layer);
    if (!(mean > 0)) continue;
    std::int64_t most = 0;
    for (int i = 0; i < e.experts; ++i) most = std::max(most, e.counts[place(e, layer, i)]);
    result[static_cast<std::size_t>(layer)] =
        static_cast<float>(static_cast<double>(most) / mean - 1);
  }
  return result;
}

HeatScale expertScale(ExpertMode mode, const std::vector<float>& values, const ExpertsEvent& e) {
  double most = 0, extent = 0;
  for (const float v : values) {
    if (!std::isfinite(v)) continue;
    most = std::max(most, double(v));
    extent = std::max(extent, std::abs(double(v)));
  }
  HeatScale s;
  switch (mode) {
    case ExpertMode::Load: {
      double mean = 0;
      for (int layer = 0; layer < e.layers; ++layer) mean += meanLoad(e, layer);
      mean /= std::max(1, e.layers);
      // The fair load lies in the middle of the colours, so that the map reads the same at any
      // batch; twice the fair load or the largest, whichever is more, is the bright end.
      s.centred = mean > 0;
      s.centre = mean;
      s.high = std::max({most, 2 * mean, 1.0});
      s.title = translated(QT_TRANSLATE_NOOP("Experts", "Load"));
      s.unit = translated(QT_TRANSLATE_NOOP("Experts", "tokens a step"));
      s.ticks = {{0, QStringLiteral("0")},
                 {mean, translated(QT_TRANSLATE_NOOP("Experts", "%1 fair"))
                            .arg(numbers::count(std::round(mean)))},
                 {s.high, numbers::count(s.high)}};
      return s;
    }
    case ExpertMode::UseRatio:
      s.diverging = s.logarithmic = true;
      s.low = 0.25;
      s.centre = 1;
      s.high = 4;
      s.title = translated(QT_TRANSLATE_NOOP("Experts", "Use ratio"));
      s.unit = translated(QT_TRANSLATE_NOOP("Experts", "load / mean"));
      s.ticks = {{0.25, QStringLiteral("\u2264 1/4")},
                 {0.5, QStringLiteral("1/2")},
                 {1, translated(QT_TRANSLATE_NOOP("Experts", "1 fair"))},
                 {2, QStringLiteral("2")},
                 {4, QStringLiteral("\u2265 4")}};
      return s;
    case ExpertMode::Bias:
    case ExpertMode::Change:
      s.diverging = true;
      s.high = extent > 0 ? extent : 1e-3;
      if (mode == ExpertMode::Change) s.high = std::max(s.high, 0.5);
      s.low = -s.high;
      s.title = mode == ExpertMode::Bias ? translated(QT_TRANSLATE_NOOP("Experts", "Bias"))
                                         : translated(QT_TRANSLATE_NOOP("Experts", "Change"));
      s.unit = mode == ExpertMode::Bias ? translated(QT_TRANSLATE_NOOP("Experts", "of affinity"))
                                        : translated(QT_TRANSLATE_NOOP("Experts", "of use ratio"));
      s.ticks = {{s.low, text(s.low)},
                 {0, QStringLiteral("0")},
                 {s.high, QLatin1Char('+') + text(s.high)}};
      return s;
  }
  return s;
}

std::vector<ExpertAlarm> deadExperts(const std::vector<ExpertsFrame>& window) {
  std::vector<ExpertAlarm> dead;
  if (window.empty()) return dead;
  for (const ExpertsFrame& frame : window) {
    if (!frame || !sameShape(*frame, *window.front()) || frame->counts.size() != cells(*frame)) {
      return dead;
    }
  }
  const ExpertsEvent& first = *window.front();
  for (int layer = 0; layer < first.layers; ++layer) {
    for (int i = 0; i < first.experts; ++i) {
      const std::size_t at = place(first, layer, i);
      const bool silent = std::all_of(window.begin(), window.end(),
                                      [at](const ExpertsFrame& f) { return f->counts[at] == 0; });
      if (silent) dead.push_back({layer, i, 0});
    }
  }
  return dead;
}

std::vector<ExpertAlarm> hotExperts(const ExpertsEvent& e, double times) {
  std::vector<ExpertAlarm> hot;
  const std::vector<float> ratios = ratiosOf(e);
  for (int layer = 0; layer < e.layers; ++layer) {
    for (int i = 0; i < e.experts; ++i) {
      const double ratio = double(ratios[place(e, layer, i)]);
      if (ratio > times) hot.push_back({layer, i, ratio});
    }
  }
  std::stable_sort(hot.begin(), hot.end(),
                   [](const auto& a, const auto& b) { return a.ratio > b.ratio; });
  return hot;
}

std::vector<std::uint8_t> signsOf(const ExpertsEvent& e, const std::vector<ExpertAlarm>& dead,
                                  const std::vector<ExpertAlarm>& hot) {
  std::vector<std::uint8_t> signs(cells(e), HeatMap::None);
  for (const ExpertAlarm& a : hot) signs[place(e, a.layer, a.expert)] = HeatMap::Hot;
  for (const ExpertAlarm& a : dead) signs[place(e, a.layer, a.expert)] = HeatMap::Dead;
  return signs;
}

}  // namespace tessera::ui
