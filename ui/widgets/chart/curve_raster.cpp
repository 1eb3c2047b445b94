// SPDX-License-Identifier: MIT
// Coverage of a pixel is its distance to the line, as for a distance field; in each column only the
// rows near the line are visited.
#include "ui/widgets/chart/curve_raster.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace tessera::ui::chart {

QRgb mixed(QRgb a, QRgb b, double share) {
  const int t = static_cast<int>(std::clamp(share, 0.0, 1.0) * 256 + 0.5);
  const auto mix = [&](int x, int y) { return (x * t + y * (256 - t)) >> 8; };
  return qRgb(mix(qRed(a), qRed(b)), mix(qGreen(a), qGreen(b)), mix(qBlue(a), qBlue(b)));
}

namespace {
constexpr float kOpaque = 0.998f, kInfinity = std::numeric_limits<float>::infinity();

void blend(QRgb* pixel, QRgb color, float coverage) {
  if (coverage >= kOpaque) {
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
}  // namespace

CurveRaster::CurveRaster(QImage& image, const QRect& clip)
    : m_bits(image.bits()),
      m_stride(image.bytesPerLine()),
      m_clip(clip.intersected(QRect(QPoint(0, 0), image.size()))),
      m_top(static_cast<float>(m_clip.top())),
      m_bottom(static_cast<float>(m_clip.bottom() + 1)) {
  Q_ASSERT(image.format() == QImage::Format_RGB32);
}

CurveRaster::CurveRaster(QImage& image, const QRect& clip, Buffers& buffers)
    : CurveRaster(image, clip) {
  m_buffers = &buffers;
  m_words = (static_cast<std::size_t>(std::max(0, m_clip.height())) + 63) / 64;
  const auto width = static_cast<std::size_t>(std::max(0, m_clip.width()));
  buffers.covered.assign(m_words * width, 0);
  buffers.runs.assign(width, {kInfinity, -kInfinity});
  buffers.partial.clear();
}

/// What covers a pixel in part lies above all that is drawn there later, and is blended last.
void CurveRaster::finish() {
  if (!m_buffers) return;
  std::vector<Buffers::Partial>& partial = m_buffers->partial;
  for (auto p = partial.rbegin(); p != partial.rend(); ++p) blend(p->pixel, p->color, p->coverage);
  partial.clear();
}

inline void CurveRaster::put(int x, int y, QRgb color, float coverage) {
  if (!m_buffers) return blend(pixel(x, y), color, coverage);
  const auto row = static_cast<std::size_t>(y - m_clip.top());
  std::uint64_t& word = m_buffers->covered[columnIndex(x) * m_words + row / 64];
  const std::uint64_t bit = std::uint64_t(1) << (row % 64);
  if (word & bit) return;
  if (coverage < kOpaque) return m_buffers->partial.push_back({pixel(x, y), color, coverage});
  word |= bit;
  *pixel(x, y) = color | 0xff000000u;
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
    for (int py = first; py <= last; ++py) {
      const double centre = py + 0.5;
      double cover = half + 0.5 - std::abs(centre - y) * across;
      cover = std::min({cover, centre - top + 0.5, bottom - centre + 0.5, 1.0});
      if (cover > 0) put(x, py, color, static_cast<float>(cover));
    }
  }
}

void CurveRaster::columnOver(int x, float top, float bottom, QRgb color, float opacity) {
  if (!(bottom > top)) return;
  const int first = static_cast<int>(top);  // the clip does not reach above the image
  const int last = std::min(static_cast<int>(bottom), m_clip.bottom());
  if (first == last) return blend(pixel(x, first), color, (bottom - top) * opacity);
  blend(pixel(x, first), color, (static_cast<float>(first + 1) - top) * opacity);
  uchar* at = m_bits + (first + 1) * m_stride + qsizetype(x) * 4;
  const auto here = [&at] { return reinterpret_cast<QRgb*>(at); };
  if (opacity >= 1) {
    const QRgb opaque = color | 0xff000000u;
    for (int py = first + 1; py < last; ++py, at += m_stride) *here() = opaque;
  } else {
    for (int py = first + 1; py < last; ++py, at += m_stride) blend(here(), color, opacity);
  }
  blend(here(), color, (bottom - static_cast<float>(last)) * opacity);
}

void CurveRaster::columnBeneath(int x, float top, float bottom, QRgb color) {
  if (!(bottom > top)) return;
  const int first = static_cast<int>(top);
  const int last = std::min(static_cast<int>(bottom), m_clip.bottom());
  if (first == last) return put(x, first, color, bottom - top);
  put(x, first, color, static_cast<float>(first + 1) - top);
  put(x, last, color, bottom - static_cast<float>(last));
  if (first + 1 < last) cover(x, first + 1, last, color);
}

/// Writes what is free of the rows from `first` up to `end`, found 64 at a time.
void CurveRaster::cover(int x, int first, int end, QRgb color) {
  const QRgb opaque = color | 0xff000000u;
  std::uint64_t* const covered = m_buffers->covered.data() + columnIndex(x) * m_words;
  const auto from = static_cast<std::size_t>(first - m_clip.top());
  const auto to = static_cast<std::size_t>(end - m_clip.top());
  for (std::size_t w = from / 64; w * 64 < to; ++w) {
    std::uint64_t rows = ~std::uint64_t(0);
    if (from > w * 64) rows &= ~std::uint64_t(0) << (from - w * 64);
    if (to < (w + 1) * 64) rows &= ~(~std::uint64_t(0) << (to - w * 64));
    std::uint64_t open = rows & ~covered[w];
    covered[w] |= rows;
    for (; open; open &= open - 1) {
      *pixel(x, m_clip.top() + static_cast<int>(w) * 64 + std::countr_zero(open)) = opaque;
    }
  }
  // What touches the run makes it longer; of two that do not the longer one hides more.
  Buffers::Run& run = m_buffers->runs[columnIndex(x)];
  const auto high = static_cast<float>(first), low = static_cast<float>(end);
  if (high <= run.bottom && low >= run.top) {
    run = {std::min(run.top, high), std::max(run.bottom, low)};
  } else if (low - high > run.bottom - run.top) {
    run = {high, low};
  }
}

}  // namespace tessera::ui::chart
