// SPDX-License-Identifier: MIT
// The curriculum as lanes over one axis of tokens: sequence length, batch, learning rate, mixture,
// bias speed, lambda. The curves are the trainer's own schedule. Edges between stages are dragged.
#pragma once

#include <QWidget>
#include <memory>
#include <optional>
#include <vector>

#include "core/spec/curriculum.h"
#include "core/spec/spec.h"
#include "ui/pages/curriculum/stage_axis.h"

namespace tessera::ui {

class CurriculumView : public QWidget {
  Q_OBJECT
 public:
  explicit CurriculumView(QWidget* parent = nullptr);

  /// False where the curriculum has no schedule; what was shown before stays.
  bool setSpec(const RunSpec& spec);
  int selected() const { return m_selected; }
  void select(int stage);
  /// The readout of what is under the pointer now, empty where it is elsewhere.
  void sayAgain();

  // For tests, in pixels of this widget.
  QPoint edgeAfter(int stage) const;
  QPoint middleOf(int stage) const;
  const Curriculum* curriculum() const { return m_curriculum.get(); }

  QSize sizeHint() const override { return {800, 420}; }
  QSize minimumSizeHint() const override { return {360, 250}; }

 Q_SIGNALS:
  void selectedChanged(int stage);
  /// The length of a stage, in tokens or steps, whichever it is given in.
  void lengthDragged(int stage, std::int64_t length);
  /// What is under the pointer, or of the selected stage.
  void readout(const QString& text);

 protected:
  void paintEvent(QPaintEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void mouseMoveEvent(QMouseEvent* event) override;
  void mouseReleaseEvent(QMouseEvent* event) override;
  void leaveEvent(QEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  void changeEvent(QEvent* event) override;

 private:
  enum class Lane { Length, Batch, Rate, Mixture, Bias, Lambda, Count };
  struct Curve {
    std::vector<float> values;  ///< one a column of pixels
    double least = 0, most = 0;
  };
  static double valueOf(Lane lane, const CurriculumStep& at);
  static QString valueText(Lane lane, double value);
  static QString laneTitle(Lane lane);
  void layoutLanes();
  void compute();
  QRectF laneRect(Lane lane) const;
  QRectF plot() const;
  void paintHeader(QPainter& painter) const;
  void paintLane(QPainter& painter, Lane lane) const;
  void paintCurve(QPainter& painter, Lane lane, const QRectF& rect) const;
  void paintMixture(QPainter& painter, const QRectF& rect) const;
  void paintAxis(QPainter& painter) const;
  void paintCursor(QPainter& painter) const;
  int edgeNear(double x) const;
  void say(double x);
  RunSpec m_spec;
  std::unique_ptr<Curriculum> m_curriculum;
  StageAxis m_axis;
  std::vector<Curve> m_curves;
  int m_selected = 0, m_dragged = -1;
  double m_hover = -1, m_dragFrom = 0, m_dragTokensPerPixel = 0;
  std::int64_t m_dragLength = 0, m_lengthNow = 0;
};

}  // namespace tessera::ui
