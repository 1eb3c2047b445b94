// SPDX-License-Identifier: MIT
// TimelinePlot: a lane for each rank, time from left to right, colours by what is done. The wheel
// and + and - zoom, dragging and the arrows pan, 0 shows all.
#pragma once

#include <QWidget>
#include <array>
#include <memory>
#include <vector>

#include "core/history/run_timeline.h"
#include "ui/widgets/chart/scale.h"

namespace tessera::ui {

/// "Forward", "All-to-all"
QString timelineKindName(TimelineKind kind);
QColor timelineKindColor(TimelineKind kind);
/// A time in the largest unit that `largestNs` has one of, with places enough to tell apart times
/// that lie `resolutionNs` from each other: "1.234 ms".
QString timelineTime(double ns, double resolutionNs, double largestNs);
/// Ticks of a view in ns, at most about `most`, with times that tell neighbours apart.
std::vector<chart::Tick> timelineTicks(const chart::Range& view, int most);

class TimelinePlot : public QWidget {
  Q_OBJECT
 public:
  explicit TimelinePlot(QWidget* parent = nullptr);

  void setTimeline(std::shared_ptr<const RunTimeline> timeline);
  const RunTimeline* timeline() const { return m_timeline.get(); }
  /// ns
  const chart::Range& view() const { return m_view; }
  void setView(chart::Range view);
  void showAll();
  void zoom(double factor, double aroundNs);
  /// What is under a point, for people; empty: nothing is.
  QString readingAt(const QPointF& at) const;
  /// Where a rank has a time, in pixels.
  QPointF pointOf(int rank, double ns) const;

  QSize sizeHint() const override { return {800, 320}; }
  QSize minimumSizeHint() const override;

 protected:
  void paintEvent(QPaintEvent* event) override;
  void wheelEvent(QWheelEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void mouseMoveEvent(QMouseEvent* event) override;
  void mouseReleaseEvent(QMouseEvent* event) override;
  void mouseDoubleClickEvent(QMouseEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  bool event(QEvent* event) override;

 private:
  int lanes() const { return m_timeline ? static_cast<int>(m_timeline->lanes.size()) : 0; }
  double laneHeight() const;
  int laneAt(double y) const;
  chart::Scale scale() const;
  void pan(double ns);
  QImage lineOf(const TimelineLane& lane) const;
  void paintLane(QPainter& painter, int lane) const;
  void paintAxis(QPainter& painter, double top) const;

  std::shared_ptr<const RunTimeline> m_timeline;
  chart::Range m_view;
  double m_pressedX = 0;
  chart::Range m_pressedView;
  bool m_pans = false;
};

}  // namespace tessera::ui
