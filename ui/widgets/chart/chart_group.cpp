// SPDX-License-Identifier: MIT
#include "ui/widgets/chart/chart_group.h"

#include <QTimer>
#include <algorithm>
#include <cmath>
#include <utility>

#include "ui/theme/theme.h"

namespace tessera::ui {

using chart::Range;
using chart::XAxis;

namespace {
/// How long one turn of the event loop may draw: with what else there is to paint, it stays below a
/// frame of 33 ms on slow processors too.
constexpr double kTurnMs = 13;
}  // namespace

void ChartGroup::setRuns(Runs runs) {
  m_runs = std::move(runs);
  m_hovered.clear();
  measure();
  Q_EMIT runsChanged();
}

RunCurves* ChartGroup::run(const QString& id) const {
  for (const auto& run : m_runs) {
    if (run->id() == id) return run.get();
  }
  return nullptr;
}

void ChartGroup::dataChanged() {
  measure();
  Q_EMIT dataUpdated();
}

void ChartGroup::measure() {
  Range all{std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};
  for (const auto& run : m_runs) {
    for (const chart::XColumn* column : {&run->x(), &run->validationX()}) {
      const std::vector<double>& x = column->values(m_options.axis);
      if (x.empty()) continue;
      all.low = std::min(all.low, x.front());
      all.high = std::max(all.high, x.back());
    }
  }
  m_everything = chart::widened(all, false);
}

void ChartGroup::setOptions(const ChartOptions& options) {
  if (options == m_options) return;
  const bool axis = options.axis != m_options.axis;
  // What was zoomed into stays in sight on another axis, as seen from the first run.
  std::optional<Range> view;
  if (axis && m_view && !m_runs.empty()) {
    const RunCurves& run = *m_runs.front();
    const auto low = run.stepNear(m_view->low, m_options.axis);
    const auto high = run.stepNear(m_view->high, m_options.axis);
    if (low >= 0 && high > low) {
      view = Range{run.position(low, options.axis), run.position(high, options.axis)};
    }
  }
  m_options = options;
  if (axis) {
    m_view = view;
    m_cursor.reset();
    measure();
  }
  Q_EMIT optionsChanged();
  if (axis) Q_EMIT viewChanged();
}

Range ChartGroup::view() const {
  return m_view.value_or(m_everything);
}

void ChartGroup::setView(std::optional<Range> view) {
  if (view) {
    const double least = std::max(m_everything.span() * 1e-7, 1e-6);
    if (!(view->span() >= least)) {
      const double middle = (view->low + view->high) / 2;
      view = Range{middle - least / 2, middle + least / 2};
    }
    if (view->low <= m_everything.low && view->high >= m_everything.high) view.reset();
  }
  if (view == m_view) return;
  m_view = view;
  Q_EMIT viewChanged();
}

void ChartGroup::zoom(double factor, double around) {
  const Range now = view();
  Range next{around - (around - now.low) * factor, around + (now.high - around) * factor};
  if (factor > 1) {  // never further out than what there is
    next.low = std::max(next.low, m_everything.low);
    next.high = std::min(next.high, m_everything.high);
  }
  setView(next);
}

void ChartGroup::pan(double by) {
  if (!m_view) return;
  const double low = std::min(m_everything.low, m_view->low);
  const double high = std::max(m_everything.high, m_view->high);
  by = std::clamp(by, low - m_view->low, high - m_view->high);
  setView(Range{m_view->low + by, m_view->high + by});
}

void ChartGroup::reset() {
  setView({});
  Q_EMIT resetRequested();
}

void ChartGroup::setCursor(std::optional<double> x) {
  if (x == m_cursor) return;
  m_cursor = x;
  Q_EMIT cursorChanged();
}

void ChartGroup::setHovered(const QString& runId) {
  if (runId == m_hovered) return;
  m_hovered = runId;
  Q_EMIT hoverChanged();
}

void ChartGroup::showPicked(const QString& runId, std::int64_t step) {
  if (runId == m_pickedRun && step == m_pickedStep) return;
  m_pickedRun = runId;
  m_pickedStep = step;
  Q_EMIT pickedChanged();
}

void ChartGroup::pick(const QString& runId, std::int64_t step) {
  showPicked(runId, step);
  Q_EMIT stepPicked(runId, step);
}

bool ChartGroup::mayDraw(QWidget* panel) {
  const auto known = std::find(m_waiting.begin(), m_waiting.end(), panel);
  if (m_spentMs < kTurnMs) {
    if (known != m_waiting.end()) m_waiting.erase(known);
    return true;
  }
  drawSoon(panel);
  return false;
}

void ChartGroup::drawSoon(QWidget* panel) {
  if (std::find(m_waiting.begin(), m_waiting.end(), panel) == m_waiting.end()) {
    m_waiting.emplace_back(panel);
  }
  queueTurn();
}

void ChartGroup::drew(double milliseconds) {
  m_spentMs += milliseconds;
  m_usualMs += 0.2 * (milliseconds - m_usualMs);
  queueTurn();
}

void ChartGroup::queueTurn() {
  if (m_turnQueued) return;
  m_turnQueued = true;
  QTimer::singleShot(0, this, [this] { nextTurn(); });
}

/// Only panels that are likely to be drawn are painted again: the others show what they have.
void ChartGroup::nextTurn() {
  m_turnQueued = false;
  m_spentMs = 0;
  const auto fitting = static_cast<std::size_t>(std::max(1.0, kTurnMs / m_usualMs));
  const auto end =
      m_waiting.begin() + static_cast<std::ptrdiff_t>(std::min(fitting, m_waiting.size()));
  const std::vector<QPointer<QWidget>> next(m_waiting.begin(), end);
  m_waiting.erase(m_waiting.begin(), end);
  for (const QPointer<QWidget>& panel : next) {
    if (panel) panel->update();
  }
  if (!m_waiting.empty()) queueTurn();  // those just updated may be out of sight
}

QString ChartGroup::fileStem() const {
  if (m_runs.size() == 1) return m_runs.front()->id();
  return QStringLiteral("%1-runs").arg(m_runs.size());
}

int ChartGroup::dashOf(const RunCurves& run) const {
  const QColor color = theme::lineColor(run.id());
  int same = 0;
  for (const auto& other : m_runs) {
    if (other.get() == &run) break;
    same += theme::lineColor(other->id()) == color ? 1 : 0;
  }
  return same;
}

}  // namespace tessera::ui
