// SPDX-License-Identifier: MIT
// FanPlot: the biases of all experts of a layer over the steps, one lit; under it, which way the
// lit one was moved: the mean sign of the updates between two logged steps.
#pragma once

#include <QImage>
#include <QWidget>
#include <cstdint>
#include <vector>

#include "ui/widgets/chart/scale.h"

namespace tessera::ui {

class FanPlot : public QWidget {
  Q_OBJECT
 public:
  explicit FanPlot(QWidget* parent = nullptr);

  /// `values` (steps, lines) row by row. `speed` of each step: how far one update moves a line,
  /// which makes a difference a count of updates; 0 or NaN: the sign alone is shown.
  void setValues(std::vector<std::int64_t> steps, int lines, std::vector<float> values,
                 std::vector<float> speed);
  void setTitles(const QString& title, const QString& emptyText);
  void setCurrent(int line);
  void setStep(std::int64_t step);  ///< drawn as the picked one; -1: none
  /// Mean sign of the updates of a line between logged steps i-1 and i, -1..1; NaN for i = 0.
  double updateSign(std::size_t i, int line) const;

  QSize sizeHint() const override { return {360, 180}; }
  QSize minimumSizeHint() const override { return {200, 110}; }

 Q_SIGNALS:
  void currentChanged(int line);
  void stepPicked(qint64 step);

 protected:
  void paintEvent(QPaintEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void mouseMoveEvent(QMouseEvent* event) override;
  void leaveEvent(QEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;
  void changeEvent(QEvent* event) override;

 private:
  void renderBase();
  void paintSigns(QPainter& painter);
  std::size_t nearest(double x) const;
  float at(std::size_t i, int line) const {
    return m_values[i * std::size_t(m_lines) + std::size_t(line)];
  }
  std::vector<std::int64_t> m_steps;
  int m_lines = 0, m_current = -1;
  std::vector<float> m_values, m_speed;
  QString m_title, m_emptyText;
  std::int64_t m_step = -1;
  std::int64_t m_hover = -1;  ///< index of a logged step
  QImage m_base;
  bool m_stale = true;
  QRectF m_plot, m_signs;
  chart::Scale m_x, m_y;
};

}  // namespace tessera::ui
