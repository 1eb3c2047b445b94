// SPDX-License-Identifier: MIT
// Time and cost of a planned run over its tokens: one curve, as a rank's hour has one price, with
// hours at the left and money at the right.
#pragma once

#include <QChartView>

#include "core/plan/speed_plan.h"

class QLineSeries;
class QScatterSeries;
class QValueAxis;

namespace tessera::ui {

class CostChart : public QChartView {
  Q_OBJECT
 public:
  explicit CostChart(QWidget* parent = nullptr);
  /// Where no speed is known there is nothing to draw: answers false.
  bool setPlan(const SpeedPlan& plan);
  QSize sizeHint() const override;
  QSize minimumSizeHint() const override { return {160, sizeHint().height()}; }

 protected:
  void changeEvent(QEvent* event) override;
  /// The pane around it scrolls.
  void wheelEvent(QWheelEvent* event) override;

 private:
  QLineSeries* m_curve;
  QScatterSeries* m_stages;  ///< where stages end; none for a single one
  QValueAxis *m_tokens, *m_time, *m_cost;
};

}  // namespace tessera::ui
