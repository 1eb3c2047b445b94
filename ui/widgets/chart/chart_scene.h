// SPDX-License-Identifier: MIT
// ChartScene: one panel's plot as data, and drawing it: axes, bands, lines, marks. The same code
// draws on the screen and into exported pictures.
//
// What is drawn of each line: in every column of pixels a band from the smallest to the largest
// value, a line through the last values, the smoothed line on top with the raw one behind it, a
// cross where values are not numbers, a ring at the tip of a spike of few samples, an arrow with
// a count where values lie outside the axis.
#pragma once

#include <QColor>
#include <QImage>
#include <QRectF>
#include <QString>
#include <memory>
#include <optional>
#include <vector>

#include "ui/widgets/chart/chart_group.h"
#include "ui/widgets/chart/columns.h"

class QPainter;

namespace tessera::ui::chart {

struct Workspace;

struct SceneLine {
  QString run, key, title;
  QColor color;
  int dash = 0;  ///< 0: solid; else one of some patterns
  bool points = false;
  int revision = 0;  ///< its run's: counts up when values are gone or others stand in their place
  const Series* values = nullptr;
  const XColumn* x = nullptr;
  const std::vector<float>* smooth = nullptr;
};

struct Scene {
  std::vector<SceneLine> lines;
  std::vector<ChartMark> marks;
  std::vector<double> markX;  ///< where each mark is on the axis
  XAxis axis = XAxis::Step;
  Range view;
  std::optional<Range> heights;  ///< the y axis; absent: from the values
  bool log = false, smoothing = false, mean = false, allValues = true;
  int smoothed = 0;  ///< points that the smoothed lines span
  ValueKind kind = ValueKind::Number;
  QString hoveredRun, hoveredKey;  ///< lit, the others faint; empty: all alike
  QString emptyText;
  double labels = 56;  ///< width of the y axis's labels, a guess: that of the last drawing
};

/// A ring at the tip of a spike.
struct DrawnTip {
  QPointF at;
  QString run, key;  ///< as its line has them
};

/// What was drawn where, for the mouse, the cursor and tests.
struct Drawn {
  QRectF plot;  ///< device-independent pixels
  Scale x, y;
  bool any = false;               ///< some value is in view
  bool fellBackToLinear = false;  ///< a log axis was asked for and no value is above 0
  int missing = 0;                ///< columns marked for NaN or infinity
  std::vector<DrawnTip> spikes;   ///< tips marked
  int above = 0, below = 0;       ///< columns with values outside the axis
};

/// Draws into `area` of `image` (Format_RGB32, with its device pixel ratio set), background
/// included.
Drawn draw(const Scene& scene, QImage& image, const QRectF& area);

/// The same for a panel that is drawn again and again: it keeps what it made of each line, and
/// makes anew only what has grown or is looked at otherwise.
class Drawing {
 public:
  Drawing();
  ~Drawing();
  Drawn draw(const Scene& scene, QImage& image, const QRectF& area);
  void forget();  ///< the lines may be others at the same place in memory
  int summarised() const { return m_summarised; }  ///< lines in all drawings so far, for tests

 private:
  std::unique_ptr<Workspace> m_work;
  int m_summarised = 0;
};

/// Pattern along x in device pixels for a dash number; 0: solid.
int dashPixels(int dash, double ratio);
/// A piece of line as the legend shows it.
void drawSample(QPainter& painter, const QRectF& box, const QColor& color, int dash, bool points);
/// The sign of a mark, about 9 pixels large, centred.
void drawMark(QPainter& painter, const QPointF& at, ChartMark::Kind kind);
QString nameOf(ChartMark::Kind kind);

}  // namespace tessera::ui::chart
