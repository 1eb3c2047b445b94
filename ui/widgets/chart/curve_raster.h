// SPDX-License-Identifier: MIT
// CurveRaster: smooth lines and bands of graphs of functions, straight into an image. A page of 24
// panels with 50 lines each is half a million segments; QPainter's antialiased paths take about a
// microsecond a segment, this takes a few nanoseconds a pixel touched.
#pragma once

#include <QImage>
#include <QRect>
#include <algorithm>
#include <cstdint>
#include <vector>

namespace tessera::ui::chart {

/// Coordinates are device pixels of the image, y downwards; the centre of pixel i lies at i + 0.5.
class CurveRaster {
 public:
  /// Memory that front-to-back drawing needs; kept by whoever draws often.
  struct Buffers {
    struct Partial {
      QRgb* pixel;
      QRgb color;
      float coverage;
    };
    struct Run {
      float top, bottom;
    };
    std::vector<std::uint64_t> covered;  ///< a bit each pixel, column by column
    std::vector<Run> runs;               ///< for each column: covered from top to bottom at least
    std::vector<Partial> partial;        ///< ends of columns that were free, topmost first
  };

  /// `image` is Format_RGB32 and outlives this. Nothing is drawn outside `clip`.
  CurveRaster(QImage& image, const QRect& clip);
  /// Front to back: of what is drawn later only pixels that are free are written, so that of many
  /// lines most cost a look. The picture is the same. `buffers` outlive this.
  CurveRaster(QImage& image, const QRect& clip, Buffers& buffers);
  /// To be called at the end of drawing front to back.
  void finish();
  bool frontToBack() const { return m_buffers != nullptr; }

  /// A segment, x0 <= x1. `dash` > 0: only where (x / dash) is even, a pattern along x.
  void line(double x0, double y0, double x1, double y1, double width, QRgb color, int dash = 0);
  /// One column of pixels from `top` to `bottom`, its ends antialiased, with this opacity (1 when
  /// drawing front to back).
  void column(int x, float top, float bottom, QRgb color, float opacity = 1) {
    if (x < m_clip.left() || x > m_clip.right()) return;
    top = std::max(top, m_top);
    bottom = std::min(bottom, m_bottom);
    if (!m_buffers) return columnOver(x, top, bottom, color, opacity);
    const Buffers::Run& run = m_buffers->runs[columnIndex(x)];
    if (!(top >= run.top && bottom <= run.bottom)) columnBeneath(x, top, bottom, color);
  }

 private:
  QRgb* pixel(int x, int y) const { return reinterpret_cast<QRgb*>(m_bits + y * m_stride) + x; }
  std::size_t columnIndex(int x) const { return static_cast<std::size_t>(x - m_clip.left()); }
  void put(int x, int y, QRgb color, float coverage);
  void columnOver(int x, float top, float bottom, QRgb color, float opacity);
  void columnBeneath(int x, float top, float bottom, QRgb color);
  void cover(int x, int first, int end, QRgb color);

  uchar* m_bits;
  qsizetype m_stride;
  QRect m_clip;
  float m_top, m_bottom;         ///< where the clip ends
  Buffers* m_buffers = nullptr;  ///< null: back to front
  std::size_t m_words = 0;       ///< in `covered` for a column
};

/// `share` of `a` over `b`, opaque.
QRgb mixed(QRgb a, QRgb b, double share);

}  // namespace tessera::ui::chart
