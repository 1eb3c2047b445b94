// SPDX-License-Identifier: MIT
// ChartPanel: one chart of a group: a title with its unit, a legend that reads values at the shared
// cursor, the plot. It paints itself (docs/studio-charts.md says why).
//
// Mouse: drag zooms a box (or pans, as the group says; Shift swaps the two, the middle button
// always pans), Ctrl+wheel zooms around the cursor, and so does the wheel alone once the panel has
// the focus; Shift+wheel pans; a click picks the step, and on the mark or the ring of a spike the
// step of that spike; a double click shows everything again.
// Keys: Left, Right move the cursor (Ctrl: by one logged step), Shift+Left, Right pan, + and -
// zoom, 0 shows everything, Return picks the step, L switches the log axis, T shows the table, Menu
// opens the menu.
#pragma once

#include <QImage>
#include <QPointer>
#include <QWidget>
#include <map>
#include <optional>

#include "ui/widgets/chart/chart_scene.h"
#include "ui/widgets/chart/panel_spec.h"
#include "ui/widgets/chart/smoothing.h"

class QMenu;
class QToolButton;

namespace tessera::ui {

class ChartPanel : public QWidget {
  Q_OBJECT
 public:
  ChartPanel(ChartGroup& group, ChartPanelSpec spec, QWidget* parent = nullptr);

  const ChartPanelSpec& spec() const { return m_spec; }
  ChartGroup& group() const { return m_group; }

  bool logarithmic() const { return m_log; }
  void setLogarithmic(bool on);
  /// Of the y axis; absent: it follows the values.
  std::optional<chart::Range> heights() const { return m_heights; }
  void setHeights(std::optional<chart::Range> range);
  /// The wheel zooms without Ctrl: for a panel that does not lie in a page that scrolls.
  void setWheelZooms(bool on) { m_wheelZooms = on; }

  /// The lines of the present runs, in the order of the legend.
  const std::vector<chart::SceneLine>& lines() const;
  /// With title, unit and the whole legend, as large as asked for.
  QImage picture(const QSize& size, double ratio) const;
  /// As drawn last.
  const chart::Drawn& drawn() const { return m_drawn; }
  /// How often the plot was drawn anew; moving the cursor does not.
  int renders() const { return m_renders; }
  /// How many lines were read for that: those that have not changed are not read again.
  int linesRead() const { return m_drawing.summarised(); }
  /// What the cursor reads, for the screen reader and tests: "step 120: Loss 3.21".
  QString readout() const;
  /// What stands in the plot where no run has a value.
  QString emptyText() const;

  QSize sizeHint() const override { return {420, 250}; }
  QSize minimumSizeHint() const override { return {220, 160}; }

 Q_SIGNALS:
  void enlargeRequested();
  void tableRequested();
  void pictureRequested();
  void csvRequested();
  void menuAboutToShow(QMenu* menu);
  void heightsChanged();

 protected:
  void paintEvent(QPaintEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void mouseMoveEvent(QMouseEvent* event) override;
  void mouseReleaseEvent(QMouseEvent* event) override;
  void mouseDoubleClickEvent(QMouseEvent* event) override;
  void wheelEvent(QWheelEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  void leaveEvent(QEvent* event) override;
  void focusInEvent(QFocusEvent* event) override;
  void focusOutEvent(QFocusEvent* event) override;
  void contextMenuEvent(QContextMenuEvent* event) override;
  void changeEvent(QEvent* event) override;
  bool event(QEvent* event) override;

 private:
  struct Reading {
    const chart::SceneLine* line = nullptr;
    double x = 0, value = 0, smooth = 0;
    bool at = false;         ///< the line has a row there
    std::int64_t step = -1;  ///< for a line of points: when it was measured
  };
  enum class Dragging : std::uint8_t { None, Zoom, Pan };

  std::vector<chart::SceneLine> makeLines() const;
  void makeButtons();
  void stale();       ///< to be drawn anew
  void linesStale();  ///< to be drawn anew, of other lines
  void showLog();
  chart::Scene scene() const;
  QRectF plotArea(const QSizeF& size, double legendHeight) const;
  void renderBase();
  void paintMoved(QPainter& painter);
  void paintFrame(QPainter& painter);
  void paintHeader();
  void paintLegend(QPainter& painter);
  void paintCursor(QPainter& painter, const std::vector<Reading>& readings);
  void paintReadout(QPainter& painter, const std::vector<Reading>& readings);
  void paintPicked(QPainter& painter);
  Reading readingOf(const chart::SceneLine& line, double x) const;
  std::vector<Reading> readings() const;
  QString markTextAt(const QPointF& at) const;
  /// A step of a run that is marked in the plot.
  struct Marked {
    QString run;
    std::int64_t step = -1;
    double x = 0;
  };
  std::optional<Marked> markedAt(const QPointF& at) const;
  std::optional<Marked> tipAt(const QPointF& at) const;
  void hoverAt(const QPointF& at);
  void pickAt(const QPointF& at);
  void pickAt(double x);
  const RunCurves* primaryRun() const;
  void moveCursor(int direction, bool byRow);
  void zoomHeights(double factor, double around);
  void finishZoomBox();
  void openMenu(const QPoint& globalPos);

  ChartGroup& m_group;
  QPointer<ChartGroup> m_alive;  ///< null while a page that owns both is taken down
  ChartPanelSpec m_spec;
  bool m_log;
  bool m_wheelZooms = false;
  std::optional<chart::Range> m_heights;
  mutable std::map<std::pair<QString, QString>, chart::Smoothing> m_smoothing;  ///< by run and key
  mutable bool m_smoothingBehind = false;
  mutable std::optional<std::vector<chart::SceneLine>> m_lines;  ///< until something changes
  mutable std::size_t m_generation = 0;                          ///< the runs', for these lines
  QImage m_base;
  chart::Drawn m_drawn;
  bool m_stale = true;
  int m_renders = 0;
  QString m_hoveredKey;
  bool m_mouseInside = false;
  Dragging m_dragging = Dragging::None;
  bool m_moved = false;
  QPointF m_pressed, m_last;
  QToolButton* m_logButton = nullptr;
  QToolButton* m_menuButton = nullptr;
  chart::Drawing m_drawing;
};

}  // namespace tessera::ui
