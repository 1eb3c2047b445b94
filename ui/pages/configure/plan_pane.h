// SPDX-License-Identifier: MIT
// The plan of the draft: what it will need, how fast it will go, what it will cost, and what stands
// in the way. The same numbers as `tessera plan`.
#pragma once

#include <QWidget>
#include <vector>

#include "ui/bridge/draft/plan_service.h"

class QDoubleSpinBox;
class QLabel;
class QPushButton;
class QVBoxLayout;

namespace tessera::ui {

class BarList;
class CostChart;
class IconLabel;
class MachineSpeed;
class ProblemLine;
class TextLabel;

class PlanPane : public QWidget {
  Q_OBJECT
 public:
  PlanPane(PlanService& service, MachineSpeed& speed, QWidget* parent);

  double price() const;
  void setPrice(double perHour);
  /// 0: this machine's.
  double memoryGigabytes() const;
  void setMemoryGigabytes(double gigabytes);
  /// Where the run is to start does not fit it: the pane does not call it ready then.
  void setPlaceFits(bool fits);

 Q_SIGNALS:
  void fixed(const tessera::PlanProblem& problem);
  void goTo(const QString& key, int line);
  void assumptionsChanged();
  void measureAsked();

 private:
  struct Value {
    TextLabel* value;
    TextLabel* note;
  };
  void buildNeeds();
  void buildSpeed(MachineSpeed& speed);
  void buildCost();
  QVBoxLayout* part(const QString& title, const QString& term);
  Value value(QVBoxLayout* layout, const QString& name);
  void show(const PlanPtr& plan);
  void showStatus();
  void showProblems(const Plan& plan);
  void showParameters(const Plan& plan);
  void showMemory(const Plan& plan);
  void showRecompute(const MemoryPlan& memory);
  void showSpeed(const Plan& plan);
  void showStages(const SpeedPlan& speed);

  PlanService& m_service;
  QVBoxLayout* m_column;
  IconLabel* m_statusIcon;
  TextLabel* m_status;
  bool m_placeFits = true;
  QWidget* m_numbers;
  QVBoxLayout* m_problemRows;
  std::vector<ProblemLine*> m_problems;
  Value m_total, m_active, m_memory, m_cache, m_operations, m_rate, m_step, m_time, m_cost, m_disk;
  BarList* m_groups;
  BarList* m_terms;
  BarList* m_recompute;
  BarList* m_stages;
  CostChart* m_chart;
  TextLabel* m_memoryNote;
  TextLabel* m_rateNote;
  QPushButton* m_measure;
  QDoubleSpinBox* m_price;
  QDoubleSpinBox* m_memoryLimit;
};

}  // namespace tessera::ui
