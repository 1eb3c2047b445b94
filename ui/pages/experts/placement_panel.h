// SPDX-License-Identifier: MIT
// Placement: which rank holds which experts, what came to each in the step shown, and how far
// tokens travelled. For runs whose experts are spread over ranks (parallel.expert).
#pragma once

#include <QWidget>
#include <cstdint>
#include <optional>
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
/// By place, with no tokens yet. Empty where each rank holds all experts, and where the layout of
/// the spec cannot be.
std::vector<ExpertPlace> expertPlaces(const RunSpec& spec);
/// The places with what came to each. Empty where the loads are those of another model.
std::vector<ExpertPlace> withTokens(std::vector<ExpertPlace> places, const ExpertsEvent& loads);
/// Which of the places holds an expert; -1: none does.
int placeOfExpert(const std::vector<ExpertPlace>& places, std::int64_t expert);
/// Tokens of the fullest place, as a multiple of the mean; NaN without tokens.
double fullestPlace(const std::vector<ExpertPlace>& places);

class PlacementPanel : public QWidget {
  Q_OBJECT
 public:
  explicit PlacementPanel(QWidget* parent = nullptr);

  /// Another run: its places are found once, when its loads are first shown.
  void clear();
  /// Hides itself where there is nothing to show. `spec` is the run's and may be null.
  void showLoads(const RunSpec* spec, const ExpertsEvent& loads, const RunHistory& history);
  /// Marks the place that holds it, in whatever layer.
  void setExpert(int expert);
  const std::vector<ExpertPlace>& places() const { return m_places; }
  BarPlot& bars() { return *m_bars; }

 Q_SIGNALS:
  void placeChosen(int firstExpert);

 private:
  QString about(const RunSpec& spec, const ExpertsEvent& loads, const RunHistory& history) const;
  QString reading(int place) const;

  std::optional<std::vector<ExpertPlace>> m_layout;  ///< the run's; absent: not yet found
  std::vector<ExpertPlace> m_places;
  int m_expert = -1;
  TextLabel* m_about;
  BarPlot* m_bars;
};

}  // namespace tessera::ui
