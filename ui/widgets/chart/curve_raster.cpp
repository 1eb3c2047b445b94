// SPDX-License-Identifier: MIT
// Coverage of a pixel is its distance to the line, as for a distance field; in each column only the
// rows near the line are visited.
#include "ui/widgets/chart/curve_raster.h"

#include <algorithm>
#include <cmath>

namespace tessera::ui::chart {

QRgb mixed(QRgb a, QRgb b, double share) {
  const int t = static_cast<int>(std::clamp(share, 0.0, 1.0) * 256 + 0.5);
  const auto mix = [&](int x, int y) { return (x * t + y * (256 - t)) >> 8; };
  return qRgb(mix(qRed(a), qRed(b)), mix(qGreen(a), qGreen(b)), mix(qBlue(a), qBlue(b)));
}

CurveRaster::CurveRaster(QImage& image, const QRect& clip)
    : m_bits(image.bits()),
      m_stride(image.bytesPerLine()),
      m_clip(clip.intersected(QRect(QPoint(0, 0), image.size()))),
      m_top(static_cast<float>(m_clip.top())),
      m_bottom(static_cast<float>(m_clip.bottom() + 1)) {
  Q_ASSERT(image.format() == QImage::Format_RGB32);
}

inline void CurveRaster::blend(QRgb* pixel, QRgb color, float coverage) const {
  if (coverage >= 0.998f) {
    *pixel = color | 0xff000000u;
    return;
  }
  // Red and blue together, green apart: 8 bits each with 8 free above.
  const auto t = static_cast<quint32>(coverage * 256.0f);
  const quint32 dst = *pixel;
  const quint32 rb = ((color & 0xff00ffu) * t + (dst & 0xff00ffu) * (256 - t)) >> 8;
  const quint32 g = ((color & 0x00ff00u) * t + (dst & 0x00ff00u) * (256 - t)) >> 8;
  *pixel = 0xff000000u | (rb & 0xff00ffu) | (g & 0x00ff00u);
}

void CurveRaster::line(double x0, double y0, double x1, double y1, double width, QRgb color,
                       int dash) {
  if (!(x1 >= x0) || x1 < m_clip.left() || x0 > m_clip.right() + 1 || m_clip.isEmpty()) return;
  const double dx = x1 - x0;
  const double half = width / 2;
  if (dx < 1e-9) {
    column(static_cast<int>(std::floor(x0)), static_cast<float>(std::min(y0, y1) - half),
           static_cast<float>(std::max(y0, y1) + half), color);
    return;
  }
  const double slope = (y1 - y0) / dx;
  const double across = 1 / std::sqrt(1 + slope * slope);  // vertical distance to distance
  const double top = std::min(y0, y1) - half, bottom = std::max(y0, y1) + half;
  const double reach = (half + 0.5) / across;
  // The columns whose centre the segment covers, or the one it lies in.
  int from = static_cast<int>(std::ceil(std::max(x0, double(m_clip.left())) - 0.5));
  int to = static_cast<int>(std::floor(std::min(x1, m_clip.right() + 1.0) - 0.5));
  if (from > to) from = to = static_cast<int>(std::floor((x0 + x1) / 2));
  from = std::max(from, m_clip.left());
  to = std::min(to, m_clip.right());
  for (int x = from; x <= to; ++x) {
    if (dash > 0 && (x / dash) % 2 != 0) continue;
    const double y = y0 + slope * (x + 0.5 - x0);
    const double high = std::max(y - reach, top - 0.5), low = std::min(y + reach, bottom + 0.5);
    const int first = static_cast<int>(std::max(std::floor(high), double(m_clip.top())));
    const int last = static_cast<int>(std::min(std::floor(low), double(m_clip.bottom())));
    uchar* at = m_bits + first * m_stride + qsizetype(x) * 4;
    for (int py = first; py <= last; ++py, at += m_stride) {
      const double centre = py + 0.5;
      double cover = half + 0.5 - std::abs(centre - y) * across;
      cover = std::min({cover, centre - top + 0.5, bottom - centre + 0.5, 1.0});
      if (cover > 0) blend(reinterpret_cast<QRgb*>(at), color, static_cast<float>(cover));
    }
  }
}

void CurveRaster::column(int x, float top, float bottom, QRgb color, float opacity) {
  if (x < m_clip.left() || x > m_clip.right()) return;
  const float high = std::max(top, m_top), low = std::min(bottom, m_bottom);
  if (!(low > high)) return;
  const int first = static_cast<int>(high);  // the clip does not reach above the image
  const int last = std::min(static_cast<int>(low), m_clip.bottom());
  uchar* at = m_bits + first * m_stride + qsizetype(x) * 4;
  const auto pixel = [&at] { return reinterpret_cast<QRgb*>(at); };
  if (first == last) return blend(pixel(), color, (low - high) * opacity);
  blend(pixel(), color, (static_cast<float>(first + 1) - high) * opacity);
  at += m_stride;
  if (opacity >= 1) {
    const QRgb opaque = color | 0xff000000u;
    for (int py = first + 1; py < last; ++py, at += m_stride) *pixel() = opaque;
  } else {
    for (int py = first + 1; py < last; ++py, at += m_stride) blend(pixel(), color, opacity);
  }
  blend(pixel(), color, (low - static_cast<float>(last)) * opacity);
}

}  // namespace tessera::ui::chart
