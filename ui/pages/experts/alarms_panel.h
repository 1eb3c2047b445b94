// SPDX-License-Identifier: MIT
// AlarmsPanel: which experts are dead or hot at the step shown, by thresholds that the user sets.
#pragma once

#include <QStringList>
#include <QWidget>
#include <vector>

#include "ui/pages/experts/expert_math.h"

class QBoxLayout;
class QDoubleSpinBox;
class QListWidget;
class QSpinBox;

namespace tessera::ui {

class Preferences;
class TextLabel;

class AlarmsPanel : public QWidget {
  Q_OBJECT
 public:
  explicit AlarmsPanel(Preferences& preferences, QWidget* parent = nullptr);

  int deadSteps() const;    ///< logged steps without a token that make an expert dead
  double hotTimes() const;  ///< times the mean load that make it hot
  /// `looking`: the dead are not known yet, the steps before are still being read.
  void setAlarms(const std::vector<ExpertAlarm>& dead, const std::vector<ExpertAlarm>& hot,
                 bool looking, int steps, const QStringList& layerNames);
  /// Dead and hot experts beside each other, in few lines.
  void setFlat(bool flat);
  QListWidget* deadList() const { return m_dead; }
  QListWidget* hotList() const { return m_hot; }

 Q_SIGNALS:
  void thresholdsChanged();
  void chosen(int layer, int expert);

 private:
  void fill(QListWidget* list, const std::vector<ExpertAlarm>& alarms, const QStringList& names,
            bool ratios);
  QBoxLayout* m_parts = nullptr;
  TextLabel *m_deadTitle, *m_hotTitle;
  QSpinBox* m_steps;
  QDoubleSpinBox* m_times;
  QListWidget *m_dead, *m_hot;
};

}  // namespace tessera::ui
