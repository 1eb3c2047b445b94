// SPDX-License-Identifier: MIT
// What the logged loads and biases of experts say: values of each mode of the map, MaxVio, which
// experts are dead or hot. Pure functions of events.
#pragma once

#include <memory>
#include <vector>

#include "core/events/events.h"
#include "ui/widgets/chart/heat_map.h"

namespace tessera::ui {

using ExpertsFrame = std::shared_ptr<const ExpertsEvent>;

enum class ExpertMode : std::uint8_t {
  Load,      ///< tokens routed to the expert in the step
  UseRatio,  ///< load / mean load of its layer: 1 is fair
  Bias,      ///< the selection's, after the step's update
  Change,    ///< use ratio now less that of the base frame
};

/// Load over the layer's mean; NaN where the layer got no token.
double useRatio(const ExpertsEvent& e, int layer, int expert);
/// (layers, experts) of a mode; `base` is for Change, NaN everywhere without one of the same shape.
std::vector<float> expertValues(ExpertMode mode, const ExpertsEvent& e, const ExpertsEvent* base);
bool sameShape(const ExpertsEvent& a, const ExpertsEvent& b);
/// Of each layer: max load / mean load - 1.
std::vector<float> maxVioOf(const ExpertsEvent& e);
/// How values of a mode are coloured; `values` fixes the ends where they are not natural.
HeatScale expertScale(ExpertMode mode, const std::vector<float>& values, const ExpertsEvent& e);

struct ExpertAlarm {
  int layer = 0, expert = 0;
  double ratio = 0;  ///< hot ones: use ratio now
};
/// Got no token in any of the frames; none where a frame is missing or of another shape.
std::vector<ExpertAlarm> deadExperts(const std::vector<ExpertsFrame>& window);
/// More than `times` the mean, hottest first.
std::vector<ExpertAlarm> hotExperts(const ExpertsEvent& e, double times);
/// HeatMap::Sign of each cell.
std::vector<std::uint8_t> signsOf(const ExpertsEvent& e, const std::vector<ExpertAlarm>& dead,
                                  const std::vector<ExpertAlarm>& hot);

}  // namespace tessera::ui
