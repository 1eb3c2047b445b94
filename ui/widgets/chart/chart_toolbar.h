// SPDX-License-Identifier: MIT
// ChartToolbar: what applies to all panels of a group: x axis, smoothing, mean, outliers, marks,
// what dragging does, show everything, search.
#pragma once

#include <QWidget>

#include "ui/widgets/chart/chart_group.h"

class QCheckBox;
class QComboBox;
class QGridLayout;
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
  QSize minimumSizeHint() const override;  ///< that of the wider of its two rows

 protected:
  void resizeEvent(QResizeEvent* event) override;

 private:
  void arrange();
  void take();
  void reflect();
  ChartGroup& m_group;
  QComboBox *m_axis, *m_smoothing;
  QCheckBox *m_mean, *m_outliers, *m_marks;
  QToolButton *m_zoom, *m_pan;
  QPushButton *m_reset, *m_back;
  QWidget *m_shown, *m_moved;  ///< what is shown; how it is moved, and the search
  QGridLayout* m_rows;
  bool m_narrow = false;
};

}  // namespace tessera::ui
