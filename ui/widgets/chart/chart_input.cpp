// SPDX-License-Identifier: MIT
// Mouse and keys of a panel.
#include <QContextMenuEvent>
#include <QKeyEvent>
#include <QMenu>
#include <QMouseEvent>
#include <QWheelEvent>
#include <algorithm>
#include <cmath>

#include "ui/widgets/chart/chart_panel.h"

namespace tessera::ui {

using chart::Range;
using chart::SceneLine;
using chart::XAxis;

namespace {
constexpr double kClick = 4;  ///< less movement than this is a click
constexpr double kNear = 14;  ///< a line is lit from this far
// From this far a mark is meant: in the plot less than in the strip of marks below it, so that the
// steps beside a spike can be picked once they are some pixels apart.
constexpr double kMarkInPlot = 4, kMarkBelow = 6, kTip = 6;
}  // namespace

const RunCurves* ChartPanel::primaryRun() const {
  if (const RunCurves* run = m_group.run(m_group.hovered())) return run;
  return m_group.runs().empty() ? nullptr : m_group.runs().front().get();
}

void ChartPanel::pickAt(double x) {
  const RunCurves* run = primaryRun();
  if (!run) return;
  const std::int64_t step = run->stepNear(x, m_group.options().axis);
  if (step >= 0) m_group.pick(run->id(), step);
}

/// A pixel stands for many steps of a long run. Whoever points at the ring of a spike means the one
/// step whose value lies in the ring.
std::optional<ChartPanel::Marked> ChartPanel::tipAt(const QPointF& at) const {
  const XAxis axis = m_group.options().axis;
  std::optional<Marked> best;
  double least = kTip;
  for (const chart::DrawnTip& tip : m_drawn.spikes) {
    const double distance = std::hypot(tip.at.x() - at.x(), tip.at.y() - at.y());
    const auto line = std::find_if(lines().begin(), lines().end(), [&](const SceneLine& l) {
      return l.run == tip.run && l.key == tip.key;
    });
    if (distance > least || line == lines().end()) continue;
    const std::vector<double>& x = line->x->values(axis);
    const std::vector<double>& steps = line->x->values(XAxis::Step);
    const std::size_t rows = std::min(x.size(), line->values->size());
    const auto first = line->x->rowAt(axis, m_drawn.x.toValue(tip.at.x() - 2));
    double off = kTip;
    for (auto i = static_cast<std::size_t>(std::max<std::int64_t>(first, 0));
         i < rows && m_drawn.x.toPixel(x[i]) <= tip.at.x() + 2; ++i) {
      const double y = m_drawn.y.toPixel(static_cast<double>(line->values->at(i)));
      if (!(std::abs(y - tip.at.y()) < off)) continue;  // also for NaN
      off = std::abs(y - tip.at.y());
      best = {tip.run, std::llround(steps[i]), x[i]};
      least = distance;
    }
  }
  return best;
}

/// The spike that a point of the plot means, or what the strip below the plot marks there.
std::optional<ChartPanel::Marked> ChartPanel::markedAt(const QPointF& at) const {
  std::optional<Marked> best = tipAt(at);
  if (best || !m_group.options().marks) return best;
  const XAxis axis = m_group.options().axis;
  const bool below = at.y() > m_drawn.plot.bottom();
  double least = below ? kMarkBelow : kMarkInPlot;
  for (const auto& run : m_group.runs()) {
    if (m_group.runs().size() > 3 && run->id() != m_group.hovered()) continue;
    for (const ChartMark& mark : run->marks()) {
      if (!below && mark.kind != ChartMark::Kind::Spike) continue;
      const double x = run->position(mark.step, axis);
      const double distance = std::abs(m_drawn.x.toPixel(x) - at.x());
      if (!(distance < least)) continue;
      const std::int64_t step = run->stepNear(x, axis);
      if (step < 0) continue;
      least = distance;
      best = {run->id(), step, run->position(step, axis)};
    }
  }
  return best;
}

void ChartPanel::pickAt(const QPointF& at) {
  const std::optional<Marked> marked = markedAt(at);
  if (marked) return m_group.pick(marked->run, marked->step);
  pickAt(m_drawn.x.toValue(at.x()));
}

void ChartPanel::mousePressEvent(QMouseEvent* event) {
  m_pressed = m_last = event->position();
  m_moved = false;
  if (!m_drawn.plot.adjusted(0, 0, 0, 14).contains(m_pressed)) return;
  const bool left = event->button() == Qt::LeftButton;
  if (!left && event->button() != Qt::MiddleButton) return;
  const bool swapped = event->modifiers() & Qt::ShiftModifier;
  const bool zooms = (m_group.options().drag == ChartDrag::Zoom) != swapped;
  m_dragging = left && zooms ? Dragging::Zoom : Dragging::Pan;
}

void ChartPanel::mouseMoveEvent(QMouseEvent* event) {
  const QPointF at = event->position();
  m_mouseInside = true;
  if (m_dragging == Dragging::None) {
    m_last = at;
    hoverAt(at);
    return;
  }
  m_moved |= (at - m_pressed).manhattanLength() > kClick;
  if (m_dragging == Dragging::Pan && m_moved) {
    setCursor(Qt::ClosedHandCursor);
    m_group.pan(m_drawn.x.toValue(m_last.x()) - m_drawn.x.toValue(at.x()));
    if (m_heights && !m_drawn.y.log) {
      const double by = m_drawn.y.toValue(m_last.y()) - m_drawn.y.toValue(at.y());
      setHeights(Range{m_heights->low + by, m_heights->high + by});
    }
  }
  m_last = at;
  update();
}

void ChartPanel::mouseReleaseEvent(QMouseEvent* event) {
  const Dragging was = m_dragging;
  m_dragging = Dragging::None;
  unsetCursor();
  m_last = event->position();
  if (was == Dragging::None) return;
  if (!m_moved) {
    if (event->button() == Qt::LeftButton) pickAt(m_last);
  } else if (was == Dragging::Zoom) {
    finishZoomBox();
  }
  update();
}

void ChartPanel::finishZoomBox() {
  const QRectF box = QRectF(m_pressed, m_last).normalized().intersected(m_drawn.plot);
  const bool wide = box.width() > 2 * kClick, high = box.height() > 4 * kClick;
  // A flat box means the x axis alone, a narrow one the y axis alone.
  const chart::Scale x = m_drawn.x, y = m_drawn.y;
  if (high && (!wide || box.height() > 0.15 * m_drawn.plot.height())) {
    setHeights(Range{y.toValue(box.bottom()), y.toValue(box.top())});
  }
  if (wide) m_group.setView(Range{x.toValue(box.left()), x.toValue(box.right())});
}

void ChartPanel::mouseDoubleClickEvent(QMouseEvent* event) {
  if (event->button() != Qt::LeftButton) return;
  if (event->position().y() < m_drawn.plot.top()) {
    Q_EMIT enlargeRequested();
  } else {
    m_group.reset();
  }
}

void ChartPanel::wheelEvent(QWheelEvent* event) {
  const QPointF at = event->position();
  const bool panning = event->modifiers() & Qt::ShiftModifier;
  const bool zooming = m_wheelZooms || hasFocus() || (event->modifiers() & Qt::ControlModifier);
  QPoint delta = event->angleDelta();
  if (delta.y() == 0)
    delta.setY(delta.x());  // Shift or Alt turn the wheel sideways on some systems
  if ((!panning && !zooming) || delta.y() == 0 || m_drawn.plot.isEmpty()) {
    event->ignore();  // the page scrolls
    return;
  }
  event->accept();
  const double notches = delta.y() / 120.0;
  if (panning) {
    m_group.pan(-notches * 0.1 * m_group.view().span());
  } else if (at.x() < m_drawn.plot.left()) {
    zoomHeights(std::pow(0.8, notches), m_drawn.y.toValue(at.y()));
  } else {
    m_group.zoom(std::pow(0.8, notches), m_drawn.x.toValue(at.x()));
  }
}

void ChartPanel::zoomHeights(double factor, double around) {
  const Range now = m_drawn.y.range;
  if (m_drawn.y.log) {
    if (!(around > 0)) return;
    setHeights(Range{around * std::pow(now.low / around, factor),
                     around * std::pow(now.high / around, factor)});
  } else {
    setHeights(Range{around - (around - now.low) * factor, around + (now.high - around) * factor});
  }
}

/// The run whose line is nearest to the mouse lights up, here and in every other panel.
void ChartPanel::hoverAt(const QPointF& at) {
  if (!m_drawn.plot.adjusted(0, -2, 0, 14).contains(at)) {
    m_group.setCursor({});
    if (!m_hoveredKey.isEmpty()) stale();
    m_hoveredKey.clear();
    m_group.setHovered({});
    return;
  }
  const double x = m_drawn.x.toValue(at.x());
  const XAxis axis = m_group.options().axis;
  double best = kNear;
  QString run, key;
  const std::vector<SceneLine>& all = lines();
  for (const SceneLine& line : all) {
    const std::vector<double>& v = line.x->values(axis);
    const std::size_t rows = std::min(v.size(), line.values->size());
    const std::int64_t row = line.x->rowAt(axis, x);
    if (row < 0 || static_cast<std::size_t>(row) >= rows) continue;
    const auto i = static_cast<std::size_t>(row);
    const std::size_t j = std::min(i + 1, rows - 1);
    const double share = j > i && v[j] > v[i] ? (x - v[i]) / (v[j] - v[i]) : 0;
    const double y0 = m_drawn.y.toPixel(static_cast<double>(line.values->at(i)));
    const double y1 = m_drawn.y.toPixel(static_cast<double>(line.values->at(j)));
    const double distance = std::abs(y0 + share * (y1 - y0) - at.y());
    if (distance < best) {  // also false for NaN
      best = distance;
      run = line.run;
      key = line.key;
    }
  }
  const bool severalKeys = std::any_of(all.begin(), all.end(), [&](const SceneLine& l) {
    return l.run == all.front().run && l.key != all.front().key;
  });
  const QString lit = severalKeys ? key : QString();
  if (lit != m_hoveredKey) {
    m_hoveredKey = lit;
    stale();
  }
  const std::optional<Marked> marked = markedAt(at);
  m_group.setCursor(marked ? marked->x : x);  // what is read is what a click picks
  m_group.setHovered(marked ? marked->run : run);
}

void ChartPanel::leaveEvent(QEvent*) {
  m_mouseInside = false;
  if (!m_hoveredKey.isEmpty()) stale();
  m_hoveredKey.clear();
  m_group.setCursor({});
  m_group.setHovered({});
  update();
}

void ChartPanel::focusInEvent(QFocusEvent* event) {
  QWidget::focusInEvent(event);
  update();
}
void ChartPanel::focusOutEvent(QFocusEvent* event) {
  QWidget::focusOutEvent(event);
  update();
}

void ChartPanel::moveCursor(int direction, bool byRow) {
  const RunCurves* run = primaryRun();
  if (!run || run->x().size() == 0) return;
  const XAxis axis = m_group.options().axis;
  const Range view = m_group.view();
  const std::vector<double>& v = run->x().values(axis);
  const double from = m_group.cursor().value_or(direction > 0 ? view.low : view.high);
  std::int64_t row = run->x().nearest(axis, from);
  if (m_group.cursor()) {
    const double pixel = view.span() / std::max(1.0, m_drawn.plot.width());
    const auto rows = static_cast<std::int64_t>(v.size());
    const double target = v[static_cast<std::size_t>(row)] + direction * pixel;
    row = std::clamp<std::int64_t>(row + direction, 0, rows - 1);
    if (!byRow) {
      const std::int64_t far = run->x().nearest(axis, target);
      row = direction > 0 ? std::max(row, far) : std::min(row, far);
    }
  }
  const double x = v[static_cast<std::size_t>(row)];
  if (x < view.low) m_group.pan(x - view.low - 0.1 * view.span());
  if (x > view.high) m_group.pan(x - view.high + 0.1 * view.span());
  m_group.setCursor(x);
  setAccessibleDescription(readout());
}

void ChartPanel::keyPressEvent(QKeyEvent* event) {
  const bool shift = event->modifiers() & Qt::ShiftModifier;
  const bool control = event->modifiers() & Qt::ControlModifier;
  const Range view = m_group.view();
  const double middle = m_group.cursor().value_or((view.low + view.high) / 2);
  switch (event->key()) {
    case Qt::Key_Left:
    case Qt::Key_Right: {
      const int direction = event->key() == Qt::Key_Right ? 1 : -1;
      if (shift) {
        m_group.pan(direction * 0.1 * view.span());
      } else {
        moveCursor(direction, control);
      }
      return;
    }
    case Qt::Key_Plus:
    case Qt::Key_Equal:
      m_group.zoom(0.7, middle);
      return;
    case Qt::Key_Minus:
      m_group.zoom(1 / 0.7, middle);
      return;
    case Qt::Key_0:
      m_group.reset();
      return;
    case Qt::Key_Return:
    case Qt::Key_Enter:
    case Qt::Key_Space:
      if (m_group.cursor()) pickAt(*m_group.cursor());
      return;
    case Qt::Key_L:
      setLogarithmic(!m_log);
      return;
    case Qt::Key_T:
      Q_EMIT tableRequested();
      return;
    case Qt::Key_Escape:
      if (m_group.cursor() || m_dragging != Dragging::None) {
        m_dragging = Dragging::None;
        m_group.setCursor({});
        update();
        return;
      }
      break;
    default:
      break;
  }
  QWidget::keyPressEvent(event);
}

void ChartPanel::contextMenuEvent(QContextMenuEvent* event) {
  openMenu(event->reason() == QContextMenuEvent::Keyboard ? mapToGlobal(rect().center())
                                                          : event->globalPos());
}

void ChartPanel::openMenu(const QPoint& globalPos) {
  auto* menu = new QMenu(this);
  menu->setAttribute(Qt::WA_DeleteOnClose);
  const auto add = [&](const QString& text, auto&& slot) {
    QAction* action = menu->addAction(text);
    connect(action, &QAction::triggered, this, slot);
    return action;
  };
  add(m_wheelZooms ? tr("Back to all charts") : tr("Enlarge"),
      [this] { Q_EMIT enlargeRequested(); });
  add(tr("Show as table"), [this] { Q_EMIT tableRequested(); });
  QAction* log = add(tr("Logarithmic axis"), [this] { setLogarithmic(!m_log); });
  log->setCheckable(true);
  log->setChecked(m_log);
  menu->addSeparator();
  add(tr("Save as picture (PNG)..."), [this] { Q_EMIT pictureRequested(); });
  add(tr("Save every logged point (CSV)..."), [this] { Q_EMIT csvRequested(); });
  menu->addSeparator();
  QAction* reset = add(tr("Show everything"), [this] { m_group.reset(); });
  reset->setEnabled(m_group.zoomed() || m_heights.has_value());
  if (!reset->isEnabled()) reset->setToolTip(tr("Everything is shown."));
  menu->setToolTipsVisible(true);
  Q_EMIT menuAboutToShow(menu);
  menu->popup(globalPos);
}

}  // namespace tessera::ui
