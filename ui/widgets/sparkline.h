// SPDX-License-Identifier: MIT
// A small curve without axes: how the loss went. Gaps where values are missing.
#pragma once

#include <QColor>
#include <QWidget>
#include <span>
#include <vector>

class QPainter;

namespace tessera::ui {

/// For delegates. Values that are not finite leave a gap; a mark shows where the curve ends.
void paintSparkline(QPainter& painter, const QRectF& rect, std::span<const float> values,
                    const QColor& color);

class Sparkline : public QWidget {
  Q_OBJECT
 public:
  explicit Sparkline(QWidget* parent = nullptr);
  /// `what` names the curve for screen readers and in the tip: "Loss".
  void setValues(std::vector<float> values, const QString& what = {});
  void setColor(const QColor& color);  ///< invalid: the accent
  QSize sizeHint() const override { return {120, 32}; }
  QSize minimumSizeHint() const override { return {48, 20}; }

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  std::vector<float> m_values;
  QColor m_color;
};

}  // namespace tessera::ui
