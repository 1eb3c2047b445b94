// SPDX-License-Identifier: MIT
// ChartToolbar: what applies to all panels of a group: x axis, smoothing, mean, outliers, marks,
// what dragging does, show everything, search.
#pragma once

#include <QWidget>

#include "ui/widgets/chart/chart_group.h"

class QCheckBox;
class QComboBox;
class QPushButton;
class QToolButton;

namespace tessera::ui {

class ChartGrid;

class ChartToolbar : public QWidget {
  Q_OBJECT
 public:
  ChartToolbar(ChartGroup& group, ChartGrid& grid, QWidget* parent = nullptr);

  QComboBox* axisBox() const { return m_axis; }
  QComboBox* smoothingBox() const { return m_smoothing; }
  QPushButton* resetButton() const { return m_reset; }

 private:
  void take();
  void reflect();
  ChartGroup& m_group;
  QComboBox *m_axis, *m_smoothing;
  QCheckBox *m_mean, *m_outliers, *m_marks;
  QToolButton *m_zoom, *m_pan;
  QPushButton *m_reset, *m_back;
};

}  // namespace tessera::ui
