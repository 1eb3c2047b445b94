// SPDX-License-Identifier: MIT
// CurveRaster: smooth lines and bands of graphs of functions, straight into an image. A page of 24
// panels with 50 lines each is half a million segments; QPainter's antialiased paths take about a
// microsecond a segment, this takes a few nanoseconds a pixel touched.
#pragma once

#include <QImage>
#include <QRect>

namespace tessera::ui::chart {

/// Coordinates are device pixels of the image, y downwards; the centre of pixel i lies at i + 0.5.
class CurveRaster {
 public:
  /// `image` is Format_RGB32 and outlives this. Nothing is drawn outside `clip`.
  CurveRaster(QImage& image, const QRect& clip);

  /// A segment, x0 <= x1. `dash` > 0: only where (x / dash) is even, a pattern along x.
  void line(double x0, double y0, double x1, double y1, double width, QRgb color, int dash = 0);
  /// One column of pixels from `top` to `bottom`, its ends antialiased, with this opacity.
  void column(int x, float top, float bottom, QRgb color, float opacity = 1);

 private:
  void blend(QRgb* pixel, QRgb color, float coverage) const;
  uchar* m_bits;
  qsizetype m_stride;
  QRect m_clip;
  float m_top, m_bottom;  ///< of the clip
};

/// `share` of `a` over `b`, opaque.
QRgb mixed(QRgb a, QRgb b, double share);

}  // namespace tessera::ui::chart
