// SPDX-License-Identifier: MIT
#include "ui/widgets/chart/chart_scene.h"

#include <QFontMetricsF>
#include <QPainter>
#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <utility>

#include "ui/theme/theme.h"
#include "ui/widgets/chart/chart_text.h"
#include "ui/widgets/chart/curve_raster.h"

namespace tessera::ui::chart {

namespace {
constexpr double kTop = 10, kRight = 12, kMarks = 12, kLabel = 18;
constexpr std::size_t kFewLines = 8;  ///< with more, bands would hide each other
constexpr std::size_t kMostSigns = 160;

/// Neighbouring columns of pixels, not rows that lie further apart.
constexpr float kNext = 1.001f;

/// What the columns of a line follow from.
struct ColumnsKey {
  QString run, key;
  const Series* values = nullptr;
  std::size_t rows = 0, smooth = 0;  ///< how many there were
  int revision = 0, smoothed = 0, width = 0;
  XAxis axis = XAxis::Step;
  Range view, rowsAt;  ///< `rowsAt`: where the first and the last row lie
  bool mean = false;
  bool operator==(const ColumnsKey&) const = default;
};

ColumnsKey keyOf(const Scene& scene, const SceneLine& line, int width) {
  const std::vector<double>& x = line.x->values(scene.axis);
  return {line.run,
          line.key,
          line.values,
          std::min(line.values->size(), line.x->size()),
          line.smooth ? line.smooth->size() : 0,
          line.revision,
          line.smooth ? scene.smoothed : 0,
          width,
          scene.axis,
          scene.view,
          x.empty() ? Range{} : Range{x.front(), x.back()},
          scene.mean};
}

/// Where a y axis puts values, and what is placed.
struct Placing {
  double foot = 0, zero = 0, scale = 0;
  bool log = false, band = false;
  bool operator==(const Placing&) const = default;
};

/// What of a column reaches beyond both of its neighbours: pixels from the left edge of the plot
/// and from the top of the image.
struct Spike {
  int x = 0;
  float top = 0, foot = 0;
};

struct Prepared {
  const SceneLine* line = nullptr;
  std::optional<ColumnsKey> made;  ///< what `columns` and `missing` were made of
  std::vector<Column> columns;
  std::vector<float> x;            ///< where each column lies: read again with every drawing
  std::vector<float> last;         ///< for each column, in device pixels; NaN without values
  std::vector<float> top, bottom;  ///< the same, of lines that are drawn with their band
  std::vector<Spike> spikes;
  std::optional<Placing> placed;  ///< by which `last` to `spikes` were made of the columns
  std::array<std::optional<Range>, 2> extents;  ///< what the columns span; the second on a log axis
  Range extent;                                 ///< the values in view; low > high: none
  std::size_t missing = 0;                      ///< rows that are no numbers
  bool lit = false, faint = false;
};

constexpr std::size_t kKeptColumns = 100'000;  ///< what is beyond (a large picture) is given back

/// The buffers of the raster are wanted by one drawing at a time.
CurveRaster::Buffers& rasterBuffers() {
  thread_local CurveRaster::Buffers buffers;
  return buffers;
}
}  // namespace

/// Memory for drawing. It is kept, since that of a panel with 50 lines is a megabyte: to get it
/// anew from the system, empty pages and all, took a tenth of the time.
struct Workspace {
  std::vector<Prepared> lines;
  std::vector<float> y;
  int summarised = 0;
};

namespace {
/// How a line is drawn.
struct Stroke {
  double width;  ///< for what stands for the line: its smoothed values, where there are such
  QRgb color, raw;
  int dash;
  bool smooth;
};

bool isLit(const Scene& scene, const SceneLine& line) {
  if (!scene.hoveredKey.isEmpty() && line.run == scene.hoveredRun) {
    return line.key == scene.hoveredKey;
  }
  return line.run == scene.hoveredRun;
}

class Drawer {
 public:
  Drawer(const Scene& scene, QImage& image, const QRectF& area, Workspace& work)
      : m_scene(scene),
        m_image(image),
        m_area(area),
        m_ratio(image.devicePixelRatio()),
        m_painter(&image),
        m_work(work) {
    work.lines.resize(scene.lines.size());
    m_lines = work.lines;
  }

  Drawn run() {
    const theme::Colors& c = theme::colors();
    m_painter.fillRect(m_area, c.raised);
    // The width of the labels depends on the heights, these on the columns, these on the width:
    // labels are measured for a guess first.
    m_drawn.plot = m_area.adjusted(m_scene.labels, kTop, -kRight, -(kLabel + kMarks));
    prepare();
    chooseHeights();
    const double labels = labelWidth();
    if (labels != m_scene.labels) {
      m_drawn.plot.setLeft(m_area.left() + labels);
      prepare();
      chooseHeights();
    }
    if (m_drawn.plot.width() < 8 || m_drawn.plot.height() < 8) return m_drawn;
    if (m_drawn.any) {
      drawAxes();
      m_painter.end();  // the raster writes into the same bytes
      drawCurves();
      m_painter.begin(&m_image);
      m_painter.setRenderHint(QPainter::Antialiasing);
      drawDots();
      drawSigns();
    } else {
      m_painter.setPen(c.textSecondary);
      m_painter.setFont(theme::font(theme::TextSize::Body));
      m_painter.drawText(m_drawn.plot, Qt::AlignCenter | Qt::TextWordWrap, m_scene.emptyText);
    }
    if (m_drawn.any) drawMarks();
    return m_drawn;
  }

 private:
  int devicePixels(double v) const { return static_cast<int>(std::lround(v * m_ratio)); }
  QRect plotPixels() const {
    const QRectF& p = m_drawn.plot;
    return QRect(QPoint(devicePixels(p.left()), devicePixels(p.top())),
                 QPoint(devicePixels(p.right()) - 1, devicePixels(p.bottom()) - 1));
  }

  void prepare() {
    const QRect plot = plotPixels();
    for (std::size_t i = 0; i < m_lines.size(); ++i) {
      const SceneLine& line = m_scene.lines[i];
      m_lines[i].line = &line;
      m_lines[i].lit = !m_scene.hoveredRun.isEmpty() && isLit(m_scene, line);
      m_lines[i].faint = !m_scene.hoveredRun.isEmpty() && !m_lines[i].lit;
      ColumnsKey key = keyOf(m_scene, line, plot.width());
      if (m_lines[i].made == key) continue;
      m_lines[i].missing = summarise(*line.values, *line.x, m_scene.axis, m_scene.view,
                                     plot.width(), line.smooth, m_lines[i].columns, m_scene.mean);
      m_lines[i].made = std::move(key);
      m_lines[i].placed.reset();
      m_lines[i].extents = {};
      m_lines[i].x.resize(m_lines[i].columns.size());
      for (std::size_t c = 0; c < m_lines[i].x.size(); ++c) {
        m_lines[i].x[c] = m_lines[i].columns[c].x;
      }
      if (line.points) m_lines[i].made.reset();  // few, and read anew as a whole
      ++m_work.summarised;
    }
    m_drawn.x = {m_scene.view, false, m_drawn.plot.left(), m_drawn.plot.right()};
  }

  /// What those values of a line span that are in view and have a place on such an axis.
  Range extentOfLine(Prepared& p, bool log) const {
    std::optional<Range>& extent = p.extents[log ? 1 : 0];
    if (!extent) extent = extentOf(p.columns, plotPixels().width(), log);
    return *extent;
  }

  Range valueExtent(bool log) {
    Range all{std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};
    std::vector<float> lows, highs;
    const int width = plotPixels().width();
    for (Prepared& p : m_lines) {
      p.extent = extentOfLine(p, log);
      all = {std::min(all.low, p.extent.low), std::max(all.high, p.extent.high)};
      if (m_scene.allValues) continue;
      for (const Column& c : p.columns) {
        if (c.values == 0 || c.x < 0 || c.x > float(width) || (log && !(c.low > 0))) continue;
        lows.push_back(c.low);
        highs.push_back(c.high);
      }
    }
    if (!m_scene.allValues && !lows.empty()) all = robustExtentOf(lows, highs);
    return all;
  }

  void chooseHeights() {
    bool log = m_scene.log;
    Range extent = valueExtent(log);
    if (log && !(extent.low <= extent.high)) {
      extent = valueExtent(false);
      m_drawn.fellBackToLinear = extent.low <= extent.high;
      log = log && !m_drawn.fellBackToLinear;
    }
    m_drawn.any = extent.low <= extent.high;
    for (const Prepared& p : m_lines) m_drawn.any |= !p.columns.empty();
    Range y = widened(extent, log);
    if (m_scene.heights && (!log || m_scene.heights->low > 0)) {
      y = *m_scene.heights;
    } else if (log) {
      const double pad = std::pow(y.high / y.low, 0.05);
      y = {y.low / pad, y.high * pad};
    } else {
      const double pad = 0.05 * y.span();
      const bool fromZero = y.low >= 0 && y.low - pad < 0;
      y = {fromZero ? 0 : y.low - pad, y.high + pad};
    }
    m_drawn.y = {y, log, m_drawn.plot.bottom(), m_drawn.plot.top()};
    m_yFoot = m_drawn.y.from * m_ratio;
    m_yZero = log ? std::log(y.low) : y.low;
    const double span = log ? std::log(y.high / y.low) : y.span();
    m_yScale = (m_drawn.y.to - m_drawn.y.from) * m_ratio / span;
    const double least = 1.9 / std::abs(m_yScale);
    m_outFactor = log ? std::exp(least) : 1;
    m_outBy = log ? 0 : least;
  }

  std::vector<Tick> heightTicks() const {
    const int most = std::clamp(static_cast<int>(m_drawn.plot.height() / 28), 2, 8);
    return ticksFor(m_drawn.y.range, m_drawn.y.log, most, m_scene.kind);
  }

  double labelWidth() const {
    const QFont font = theme::font(theme::TextSize::Caption, true);
    double widest = 20;
    for (const Tick& t : heightTicks()) widest = std::max(widest, textWidth(font, t.text));
    // In steps, so that it seldom changes and panels share the rows behind their columns.
    constexpr double kStep = 8;
    return std::min(std::ceil((widest + 12) / kStep) * kStep, std::floor(m_area.width() / 2));
  }

  void drawAxes() {
    const theme::Colors& c = theme::colors();
    const QRectF& plot = m_drawn.plot;
    const QFont font = theme::font(theme::TextSize::Caption, true);
    const double line = 1 / m_ratio;
    const auto snapped = [&](double v) { return std::round(v * m_ratio) / m_ratio; };
    for (const Tick& t : heightTicks()) {
      const double y = snapped(m_drawn.y.toPixel(t.value));
      if (y < plot.top() - 1 || y > plot.bottom() + 1) continue;
      QColor color = c.gridLine;
      if (t.text.isEmpty()) color = QColor(mixed(color.rgb(), c.raised.rgb(), 0.5));
      m_painter.fillRect(QRectF(plot.left(), y, plot.width(), line), color);
      m_painter.setPen(c.textSecondary);
      drawText(m_painter, font, QRectF(m_area.left(), y - 9, plot.left() - m_area.left() - 8, 18),
               t.text, Qt::AlignRight);
    }
    const bool clock = m_scene.axis == XAxis::WallTime || m_scene.axis == XAxis::RelativeTime;
    const int most = std::clamp(static_cast<int>(plot.width() / (clock ? 84 : 60)), 2, 10);
    const double height = QFontMetricsF(font).height();
    for (const Tick& t : ticksFor(m_scene.view, most, m_scene.axis)) {
      const double x = snapped(m_drawn.x.toPixel(t.value));
      m_painter.fillRect(QRectF(x, plot.top(), line, plot.height()), c.gridLine);
      const double width = textWidth(font, t.text);
      const double left = std::min(x - width / 2, m_area.right() - width - 2);
      m_painter.setPen(c.textSecondary);
      drawText(m_painter, font, QRectF(left, plot.bottom() + kMarks, width, height), t.text);
    }
    m_painter.fillRect(QRectF(plot.left(), snapped(plot.bottom()), plot.width(), line), c.border);
  }

  /// Device pixels from the top of the image; values that a log axis cannot show at its foot.
  double yPixel(float value) const {
    const double t =
        m_drawn.y.log ? (value > 0 ? double(std::log(value)) : m_yZero) : double(value);
    return std::clamp(m_yFoot + (t - m_yZero) * m_yScale, -1e6, 1e6);
  }

  bool many() const { return m_lines.size() > kFewLines; }

  void drawCurves() {
    const QRect plot = plotPixels();
    for (Prepared& p : m_lines) place(p);
    if (many()) {
      CurveRaster beneath(m_image, plot, rasterBuffers());
      for (auto p = m_lines.rbegin(); p != m_lines.rend(); ++p) {
        if (!p->lit) drawCurve(beneath, plot, *p);
      }
      beneath.finish();
    }
    CurveRaster raster(m_image, plot);
    // Lit lines last, so that they lie on top.
    for (const bool lit : {false, true}) {
      for (const Prepared& p : m_lines) {
        if (p.lit == lit && (lit || !many())) drawCurve(raster, plot, p);
      }
    }
  }

  void placeInto(const Prepared& p, float Column::*member, std::vector<float>& y) const {
    y.resize(p.columns.size());
    if (m_drawn.y.log) {
      for (std::size_t i = 0; i < y.size(); ++i) y[i] = pixelOf(p.columns[i].*member);
      return;
    }
    const double foot = m_yFoot - m_yZero * m_yScale;
    for (std::size_t i = 0; i < y.size(); ++i) {
      const double at = foot + double(p.columns[i].*member) * m_yScale;
      y[i] = static_cast<float>(std::clamp(at, -1e6, 1e6));  // NaN stays NaN
    }
  }
  const std::vector<float>& placed(const Prepared& p, float Column::*member) {
    placeInto(p, member, m_work.y);
    return m_work.y;
  }
  float pixelOf(float value) const {
    return std::isnan(value) ? value : static_cast<float>(yPixel(value));
  }
  /// Of many lines only what lies on top of the others is drawn with its band.
  bool withBand(const Prepared& p) const { return !many() || p.lit; }

  void place(Prepared& p) const {
    const Placing by{m_yFoot, m_yZero, m_yScale, m_drawn.y.log, withBand(p)};
    if (p.placed == by) return;
    p.placed = by;
    placeInto(p, &Column::last, p.last);
    findSpikes(p);
    if (!withBand(p)) return;
    placeInto(p, &Column::high, p.top);
    placeInto(p, &Column::low, p.bottom);
  }

  Stroke strokeOf(const Prepared& p) const {
    const QRgb paper = theme::colors().raised.rgb();
    const double strength = p.faint ? 0.28 : 1;
    Stroke s;
    s.smooth = m_scene.smoothing && p.line->smooth;
    s.color = mixed(p.line->color.rgb(), paper, strength);
    s.raw = s.smooth ? mixed(p.line->color.rgb(), paper, 0.42 * strength) : s.color;
    s.width = (p.lit ? 2.4 : 1.5) * m_ratio;
    s.dash = p.lit ? 0 : dashPixels(p.line->dash, m_ratio);
    return s;
  }

  enum class Layer : std::uint8_t { Extremes, Raw, Mean, Smooth };  ///< from the lowest
  enum class Way : std::uint8_t { Segments, Columns };
  Way usualWay() const { return many() ? Way::Columns : Way::Segments; }

  void drawCurve(CurveRaster& raster, const QRect& plot, const Prepared& p) {
    const Stroke stroke = strokeOf(p);
    std::array layers{Layer::Extremes, Layer::Raw, Layer::Mean, Layer::Smooth};
    if (raster.frontToBack()) std::reverse(layers.begin(), layers.end());
    for (const Layer layer : layers) drawLayer(raster, plot, p, stroke, layer);
  }

  void drawLayer(CurveRaster& raster, const QRect& plot, const Prepared& p, const Stroke& s,
                 Layer layer) {
    if (layer == Layer::Extremes) {
      if (withBand(p)) drawBand(raster, plot, p, s.raw);
      drawSpikes(raster, plot, p, s.raw);
    } else if (layer == Layer::Raw) {
      // Values beneath their smoothed line are thin and pale: nobody sees their edges.
      const Way way = s.smooth ? Way::Columns : usualWay();
      connect(raster, plot, p, p.last, s.smooth ? m_ratio : s.width, s.raw, s.dash, way);
    } else if (layer == Layer::Mean && m_scene.mean && !p.faint) {
      const QRgb pale = mixed(s.color, theme::colors().raised.rgb(), 0.8);
      connect(raster, plot, p, placed(p, &Column::mean), m_ratio, pale, dashPixels(1, m_ratio),
              usualWay());
    } else if (layer == Layer::Smooth && s.smooth) {
      connect(raster, plot, p, placed(p, &Column::smooth), s.width, s.color, s.dash, usualWay());
    }
  }

  /// A line through `y`, as segments, or as columns: each column of pixels gets what lies between
  /// the halves of the way to its neighbours, which is many times as fast and a little rougher.
  void connect(CurveRaster& raster, const QRect& plot, const Prepared& p,
               const std::vector<float>& y, double width, QRgb color, int dash, Way way) {
    const std::vector<float>& x = p.x;
    const float next = way == Way::Columns ? kNext : 0;
    const double left = plot.left();
    for (std::size_t i = 0; i < y.size();) {
      const std::size_t begin = i++;
      if (std::isnan(y[begin])) continue;
      while (i < y.size() && x[i] - x[i - 1] <= next && !std::isnan(y[i])) ++i;
      const bool after = begin > 0 && !std::isnan(y[begin - 1]);
      if (after) {
        raster.line(left + double(x[begin - 1]), double(y[begin - 1]), left + double(x[begin]),
                    double(y[begin]), width, color, dash);
      }
      if (after && i == begin + 1) continue;
      drawRun(raster, plot.left(), std::span(x).subspan(begin, i - begin), y.data() + begin,
              static_cast<float>(width / 2), color, dash);
    }
  }

  /// Columns that are neighbours, and have values.
  static void drawRun(CurveRaster& raster, int left, std::span<const float> x, const float* y,
                      float half, QRgb color, int dash) {
    float before = y[0];
    for (std::size_t i = 0; i < x.size(); ++i) {
      const float after = i + 1 < x.size() ? (y[i] + y[i + 1]) / 2 : y[i];
      const float top = std::min({before, y[i], after}), bottom = std::max({before, y[i], after});
      before = after;
      const int pixel = left + static_cast<int>(std::floor(x[i]));
      if (dash > 0 && (pixel / dash) % 2 != 0) continue;
      raster.column(pixel, top - half, bottom + half, color);
    }
  }

  void drawBand(CurveRaster& raster, const QRect& plot, const Prepared& p, QRgb color) {
    for (std::size_t i = 0; i < p.columns.size(); ++i) {
      if (!(p.bottom[i] > p.top[i])) continue;
      raster.column(plot.left() + static_cast<int>(std::floor(p.columns[i].x)), p.top[i],
                    p.bottom[i], color, 0.35f);
    }
  }

  void findSpikes(Prepared& p) const {
    const std::vector<Column>& columns = p.columns;
    p.spikes.clear();
    for (std::size_t i = 1; i + 1 < columns.size(); ++i) {
      const Column &c = columns[i], &a = columns[i - 1], &b = columns[i + 1];
      const float roof = std::max(a.high, b.high), ground = std::min(a.low, b.low);
      const bool up = mayStandOut(c.high, roof), down = mayStandOut(ground, c.low);
      if (!(up | down) || c.values < 2 || a.values == 0 || b.values == 0) continue;
      const auto add = [&](float high, float low) {
        const float top = pixelOf(high), foot = pixelOf(low);
        if (foot - top > 2) p.spikes.push_back({static_cast<int>(std::floor(c.x)), top, foot});
      };
      if (up) add(c.high, roof);
      if (down) add(ground, c.low);
    }
  }

  /// Spikes are drawn at full strength: one sample in a million stays in sight.
  void drawSpikes(CurveRaster& raster, const QRect& plot, const Prepared& p, QRgb color) {
    for (const Spike& s : p.spikes) raster.column(plot.left() + s.x, s.top, s.foot, color);
    if (!p.line->points && withBand(p)) {
      findTips(p, plot, true);
      findTips(p, plot, false);
    }
  }

  /// False where it is less than the 2 pixels for which a spike is drawn: no logarithm is needed to
  /// see that of most columns.
  bool mayStandOut(float high, float low) const {
    return double(high) > double(low) * m_outFactor + m_outBy;
  }

  /// A tip is where a column stands out from all of those around it by more than these differ
  /// among themselves: a spike, not noise and not a slope.
  void findTips(const Prepared& p, const QRect& plot, bool up) {
    constexpr std::size_t kAround = 12, kLeast = 3;
    std::vector<double> ends;  // pixels, growing away from the rest
    std::vector<const Column*> of;
    for (std::size_t i = 0; i < p.columns.size(); ++i) {
      if (p.columns[i].values == 0) continue;
      ends.push_back(double(up ? -p.top[i] : p.bottom[i]));
      of.push_back(&p.columns[i]);
    }
    for (std::size_t i = kLeast; i + kLeast < ends.size(); ++i) {
      if (ends[i] <= ends[i - 1] || ends[i] <= ends[i + 1]) continue;
      double most = -1e9, least = 1e9;
      for (std::size_t k = i > kAround ? i - kAround : 0; k <= i + kAround && k < ends.size();
           ++k) {
        if (k == i) continue;
        most = std::max(most, ends[k]);
        least = std::min(least, ends[k]);
      }
      const double by = ends[i] - most;
      if (by < std::max(8 * m_ratio, 0.8 * (most - least))) continue;
      const double y = up ? -ends[i] : ends[i];
      if (y >= plot.top() && y <= plot.bottom()) addTip(p, of[i]->x, y, by);
    }
  }

  void addTip(const Prepared& p, float x, double y, double prominence) {
    const QRect plot = plotPixels();
    const double at = (plot.left() + double(x)) / m_ratio;
    if (at < m_drawn.plot.left() || at > m_drawn.plot.right()) return;
    m_tips.push_back({QPointF(at, y / m_ratio), prominence, p.line});
  }

  void drawDots() {
    for (const Prepared& p : m_lines) {
      const bool few = p.line->points && p.columns.size() <= 240;
      if (!few && p.columns.size() > 1) continue;  // a lone value has no line to be seen by
      m_painter.setBrush(theme::colors().raised);
      QColor color = p.line->color;
      if (p.faint) color = QColor(mixed(color.rgb(), theme::colors().raised.rgb(), 0.28));
      m_painter.setPen(QPen(color, p.lit ? 2.2 : 1.5));
      for (const Column& c : p.columns) {
        if (c.values == 0) continue;
        const QPointF at(m_drawn.plot.left() + double(c.x) / m_ratio, m_drawn.y.toPixel(c.last));
        if (m_drawn.plot.adjusted(-1, -1, 1, 1).contains(at)) m_painter.drawEllipse(at, 2.5, 2.5);
      }
    }
  }

  void drawSigns() {
    std::stable_sort(m_tips.begin(), m_tips.end(),
                     [](const Tip& a, const Tip& b) { return a.prominence > b.prominence; });
    m_painter.setBrush(Qt::NoBrush);
    for (const Tip& tip : m_tips) {
      if (m_drawn.spikes.size() >= kMostSigns) break;
      m_painter.setPen(QPen(tip.line->color, 1.5));
      m_painter.drawEllipse(tip.at, 4, 4);
      m_drawn.spikes.push_back({tip.at, tip.line->run, tip.line->key});
    }
    for (const Prepared& p : m_lines) drawMissing(p);
    drawOutside();
  }

  void drawMissing(const Prepared& p) {
    if (p.missing == 0) return;
    const double y = m_drawn.plot.top() + 1;
    double last = -100;
    for (const Column& c : p.columns) {
      if (c.missing == 0) continue;
      const double x = m_drawn.plot.left() + double(c.x) / m_ratio;
      if (x < m_drawn.plot.left() - 0.5 || x > m_drawn.plot.right() + 0.5) {
        continue;
      }
      if (x - last < 7) continue;  // one cross stands for its neighbours
      last = x;
      ++m_drawn.missing;
      m_painter.setPen(QPen(theme::colors().raised, 3.5));
      for (const bool over : {false, true}) {
        if (over) m_painter.setPen(QPen(theme::colors().bad, 1.6));
        m_painter.drawLine(QPointF(x - 3, y - 3), QPointF(x + 3, y + 3));
        m_painter.drawLine(QPointF(x - 3, y + 3), QPointF(x + 3, y - 3));
      }
    }
  }

  /// Of the values in view, those too that a log axis has no place for.
  double lowest(Prepared& p) const {
    return m_drawn.y.log ? extentOfLine(p, false).low : p.extent.low;
  }

  /// Arrows at the edge where values lie beyond the axis, and how many columns do.
  void drawOutside() {
    double lastAbove = -100, lastBelow = -100;
    for (Prepared& p : m_lines) {
      if (p.extent.high <= m_drawn.y.range.high && lowest(p) >= m_drawn.y.range.low) continue;
      for (const Column& c : p.columns) {
        const double x = m_drawn.plot.left() + double(c.x) / m_ratio;
        if (c.values == 0 || x < m_drawn.plot.left() || x > m_drawn.plot.right()) continue;
        if (double(c.high) > m_drawn.y.range.high) {
          ++m_drawn.above;
          if (std::abs(x - lastAbove) >= 8) drawArrow(lastAbove = x, true, p.line->color);
        }
        if (double(c.low) < m_drawn.y.range.low) {
          ++m_drawn.below;
          if (std::abs(x - lastBelow) >= 8) drawArrow(lastBelow = x, false, p.line->color);
        }
      }
    }
  }

  void drawArrow(double x, bool up, const QColor& color) {
    const double y = up ? m_drawn.plot.top() : m_drawn.plot.bottom();
    const double d = up ? 5 : -5;
    m_painter.setPen(Qt::NoPen);
    m_painter.setBrush(color);
    m_painter.drawPolygon(
        QPolygonF{{QPointF(x - 3.5, y + d), QPointF(x + 3.5, y + d), QPointF(x, y)}});
  }

  void drawMarks() {
    const QRectF& plot = m_drawn.plot;
    m_painter.setRenderHint(QPainter::Antialiasing);
    for (std::size_t i = 0; i < m_scene.marks.size(); ++i) {
      const double x = m_drawn.x.toPixel(m_scene.markX[i]);
      if (!(x >= plot.left() - 1 && x <= plot.right() + 1)) continue;
      if (m_scene.marks[i].kind == ChartMark::Kind::Stage) {
        m_painter.setPen(QPen(theme::colors().textSecondary, 1, Qt::DashLine));
        m_painter.drawLine(QPointF(x, plot.top()), QPointF(x, plot.bottom()));
      }
      drawMark(m_painter, QPointF(x, plot.bottom() + kMarks / 2 + 0.5), m_scene.marks[i].kind);
    }
  }

  struct Tip {
    QPointF at;
    double prominence;
    const SceneLine* line;
  };
  const Scene& m_scene;
  QImage& m_image;
  QRectF m_area;
  double m_ratio;
  QPainter m_painter;
  Drawn m_drawn;
  Workspace& m_work;
  std::span<Prepared> m_lines;
  std::vector<Tip> m_tips;
  // yPixel() is called for millions of values: what of Scale::toPixel() is the same for all.
  double m_yFoot = 0, m_yZero = 0, m_yScale = 1;
  double m_outFactor = 1, m_outBy = 0;  ///< mayStandOut()
};
}  // namespace

Drawn draw(const Scene& scene, QImage& image, const QRectF& area) {
  return Drawing().draw(scene, image, area);
}

Drawing::Drawing() : m_work(std::make_unique<Workspace>()) {}
Drawing::~Drawing() = default;

Drawn Drawing::draw(const Scene& scene, QImage& image, const QRectF& area) {
  const Drawn drawn = Drawer(scene, image, area, *m_work).run();
  m_summarised += std::exchange(m_work->summarised, 0);
  if (m_work->lines.size() * static_cast<std::size_t>(image.width()) > kKeptColumns) forget();
  return drawn;
}

void Drawing::forget() {
  *m_work = {};
}

}  // namespace tessera::ui::chart
