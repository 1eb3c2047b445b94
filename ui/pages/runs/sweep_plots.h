// SPDX-License-Identifier: MIT
// What came of a sweep, drawn: parallel coordinates of all its keys, and the final loss against one
// of them. Both show one table, light the same run, and open it by a click.
#pragma once

#include <QWidget>
#include <memory>
#include <optional>
#include <vector>

#include "ui/pages/runs/sweep_data.h"

namespace tessera::ui {

/// What the plots share: which run is lit, and which are left out by brushes.
class SweepPlot : public QWidget {
  Q_OBJECT
 public:
  explicit SweepPlot(QWidget* parent);

  virtual void setTable(std::shared_ptr<const SweepTable> table);
  /// By run of the table, true for those that are shown; empty: all.
  void setShown(std::vector<bool> shown);
  void setCurrent(int run);  ///< -1: none
  int current() const { return m_current; }

 Q_SIGNALS:
  void currentChanged(int run);
  void openRequested(int run);

 protected:
  /// The run drawn closest to a point, within some pixels; -1: none.
  virtual int runAt(const QPointF& at) const = 0;
  bool isShown(std::size_t run) const { return m_shown.empty() || m_shown[run]; }
  /// The best in the accent, the worst grey.
  QColor colorOf(std::size_t run) const;
  void paintFocus(QPainter& painter) const;

  void mouseMoveEvent(QMouseEvent* event) override;
  void mouseReleaseEvent(QMouseEvent* event) override;
  void leaveEvent(QEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  bool event(QEvent* event) override;

  std::shared_ptr<const SweepTable> m_table;
  std::vector<bool> m_shown;
  int m_current = -1;
  bool m_dragged = false;  ///< the press that ends is no click
};

/// A line for each run over an axis for each key, the loss at the right. Dragging along an axis
/// leaves only the runs that cross it there.
class SweepLines : public SweepPlot {
  Q_OBJECT
 public:
  explicit SweepLines(QWidget* parent = nullptr);

  void setTable(std::shared_ptr<const SweepTable> table) override;
  /// Places from 0 to 1 along axis `axis`; the loss is the last one.
  void setBrush(int axis, std::optional<chart::Range> brush);
  void clearBrushes();
  bool hasBrush() const;
  /// By run: within all brushes.
  std::vector<bool> withinBrushes() const;
  int axes() const { return m_table ? static_cast<int>(m_table->keys.size()) + 1 : 0; }
  /// Where axis `axis` has the place `place`, in pixels.
  QPointF pointOf(int axis, double place) const;
  /// What stands at the right of the last axis has this many pixels.
  double rightRoom() const { return m_right; }

  QSize sizeHint() const override { return {560, 260}; }
  QSize minimumSizeHint() const override { return {280, 150}; }

 Q_SIGNALS:
  void brushesChanged();

 protected:
  int runAt(const QPointF& at) const override;
  void paintEvent(QPaintEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void mouseMoveEvent(QMouseEvent* event) override;
  void mouseReleaseEvent(QMouseEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  void changeEvent(QEvent* event) override;

 private:
  void measureLabels();
  double spanOfAxes() const;
  const SweepAxisLine& axis(int a) const;
  double placeOf(const SweepRun& run, int a) const;
  double placeAt(double y) const;
  int axisAt(double x) const;
  void paintAxis(QPainter& painter, int a) const;
  void paintRun(QPainter& painter, std::size_t run, bool lit) const;

  std::vector<std::optional<chart::Range>> m_brushes;
  double m_right = 0;  ///< pixels at the right of the last axis, for its labels
  int m_pressedAxis = -1;
  double m_pressedPlace = 0;
};

/// A point for each run: its final loss over the value of one key.
class SweepPoints : public SweepPlot {
  Q_OBJECT
 public:
  SweepPoints(int key, QWidget* parent = nullptr);

  int key() const { return m_key; }
  QPointF pointOf(const SweepRun& run) const;

  QSize sizeHint() const override { return {300, 150}; }
  QSize minimumSizeHint() const override { return {200, 120}; }

 protected:
  int runAt(const QPointF& at) const override;
  void paintEvent(QPaintEvent* event) override;

 private:
  QRectF plot() const;
  const SweepAxisLine& axis() const { return m_table->keys[static_cast<std::size_t>(m_key)]; }
  void paintScales(QPainter& painter) const;

  int m_key;
};

}  // namespace tessera::ui
