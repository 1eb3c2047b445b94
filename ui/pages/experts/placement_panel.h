// SPDX-License-Identifier: MIT
// Placement: which rank holds which experts, what came to each in the step shown, and how far
// tokens travelled. For runs whose experts are spread over ranks (parallel.expert).
#pragma once

#include <QWidget>
#include <vector>

#include "core/config/layout.h"
#include "core/events/events.h"
#include "core/history/run_history.h"
#include "core/spec/spec.h"

namespace tessera::ui {

class BarPlot;
class TextLabel;

/// One place of the ranks that share experts. Ranks of all replicas and stages with this place hold
/// the same experts (of their own layers).
struct ExpertPlace {
  ExpertRange experts;
  std::vector<std::int64_t> ranks;
  std::int64_t tokens = 0;  ///< over all layers; each pick of an expert counts
};
/// Empty where each rank holds all experts, and where the spec does not fit the loads.
std::vector<ExpertPlace> expertPlaces(const RunSpec& spec, const ExpertsEvent& loads);
/// Tokens of the fullest place, as a multiple of the mean; NaN without tokens.
double fullestPlace(const std::vector<ExpertPlace>& places);

class PlacementPanel : public QWidget {
  Q_OBJECT
 public:
  explicit PlacementPanel(QWidget* parent = nullptr);

  /// Hides itself where there is nothing to show.
  void show(const RunSpec* spec, const ExpertsEvent& loads, const RunHistory& history);
  const std::vector<ExpertPlace>& places() const { return m_places; }
  BarPlot& bars() { return *m_bars; }

 Q_SIGNALS:
  void placeChosen(int firstExpert);

 private:
  QString about(const RunSpec& spec, const ExpertsEvent& loads, const RunHistory& history) const;
  QString reading(int place) const;

  std::vector<ExpertPlace> m_places;
  TextLabel* m_about;
  BarPlot* m_bars;
};

}  // namespace tessera::ui
