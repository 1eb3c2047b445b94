// SPDX-License-Identifier: MIT
#include "ui/pages/runs/sweep_plots.h"

#include <QHelpEvent>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QToolTip>
#include <algorithm>
#include <cmath>

#include "ui/theme/theme.h"

namespace tessera::ui {

namespace {
constexpr double kReach = 8;  // pixels from a line or a point that still mean it
constexpr double kTop = 46, kFoot = 14, kSide = 44, kLabelGap = 5;
constexpr int kMostTicks = 4;
constexpr double kPointsTop = 24, kPointsLeft = 58, kPointsFoot = 24, kPointsRight = 14;

double distanceToLine(const QPointF& p, const QPointF& a, const QPointF& b) {
  const QPointF along = b - a, from = p - a;
  const double length = QPointF::dotProduct(along, along);
  const double t = length > 0 ? std::clamp(QPointF::dotProduct(from, along) / length, 0.0, 1.0) : 0;
  const QPointF away = from - t * along;
  return std::hypot(away.x(), away.y());
}

QString elidedText(const QFont& font, const QString& text, double room) {
  return QFontMetricsF(font).elidedText(text, Qt::ElideMiddle, room);
}
}  // namespace

// ---- What both are ------------------------------------------------------------------------------

SweepPlot::SweepPlot(QWidget* parent) : QWidget(parent) {
  setMouseTracking(true);
  setFocusPolicy(Qt::StrongFocus);
  setAttribute(Qt::WA_OpaquePaintEvent);
}

void SweepPlot::setTable(std::shared_ptr<const SweepTable> table) {
  m_table = std::move(table);
  m_shown.clear();
  m_current = -1;
  update();
}

void SweepPlot::setShown(std::vector<bool> shown) {
  m_shown = std::move(shown);
  update();
}

void SweepPlot::setCurrent(int run) {
  if (run == m_current) return;
  m_current = run;
  const bool any = m_table && run >= 0 && run < std::ssize(m_table->runs);
  setAccessibleDescription(any ? m_table->reading(m_table->runs[static_cast<std::size_t>(run)])
                               : QString());
  update();
}

QColor SweepPlot::colorOf(std::size_t run) const {
  const theme::Colors& c = theme::colors();
  const double place = m_table->loss.placeOf(m_table->runs[run].finalLoss());
  return std::isnan(place) ? c.neutral
                           : theme::mixed(c.accent, c.neutral, std::clamp(place, 0., 1.));
}

void SweepPlot::paintFocus(QPainter& painter) const {
  if (!hasFocus()) return;
  painter.setBrush(Qt::NoBrush);
  painter.setPen(QPen(theme::colors().accent, 2));
  painter.drawRect(QRectF(rect()).adjusted(1, 1, -1, -1));
}

void SweepPlot::mouseMoveEvent(QMouseEvent* event) {
  const int run = runAt(event->position());
  setCursor(run >= 0 ? Qt::PointingHandCursor : Qt::ArrowCursor);
  if (run == m_current) return;
  setCurrent(run);
  Q_EMIT currentChanged(run);
}

void SweepPlot::mouseReleaseEvent(QMouseEvent* event) {
  const int run = runAt(event->position());
  if (event->button() == Qt::LeftButton && !m_dragged && run >= 0) Q_EMIT openRequested(run);
  m_dragged = false;
}

void SweepPlot::leaveEvent(QEvent*) {
  if (m_current < 0 || hasFocus()) return;
  setCurrent(-1);
  Q_EMIT currentChanged(-1);
}

/// Through the runs that are shown, from the best to the worst.
void SweepPlot::keyPressEvent(QKeyEvent* event) {
  const bool back = event->key() == Qt::Key_Left || event->key() == Qt::Key_Up;
  const bool on = event->key() == Qt::Key_Right || event->key() == Qt::Key_Down;
  const bool opens = event->key() == Qt::Key_Return || event->key() == Qt::Key_Enter;
  if (opens && m_current >= 0) {
    Q_EMIT openRequested(m_current);
    return;
  }
  if (!m_table || (!back && !on)) return QWidget::keyPressEvent(event);
  const int count = static_cast<int>(m_table->runs.size());
  int run = m_current;
  do {
    run += on ? 1 : -1;
  } while (run >= 0 && run < count && !isShown(static_cast<std::size_t>(run)));
  if (run < 0 || run >= count) return;
  setCurrent(run);
  Q_EMIT currentChanged(run);
}

bool SweepPlot::event(QEvent* event) {
  if (event->type() != QEvent::ToolTip) return QWidget::event(event);
  const auto* help = static_cast<QHelpEvent*>(event);
  const int run = m_table ? runAt(help->pos()) : -1;
  QToolTip::showText(
      help->globalPos(),
      run >= 0 ? m_table->reading(m_table->runs[static_cast<std::size_t>(run)]) : QString(), this);
  return true;
}

// ---- Parallel coordinates -----------------------------------------------------------------------

SweepLines::SweepLines(QWidget* parent) : SweepPlot(parent) {
  setAccessibleName(tr("Runs over all keys, the loss at the right"));
}

void SweepLines::setTable(std::shared_ptr<const SweepTable> table) {
  const bool same =
      m_table && table && m_table->tag == table->tag && m_table->keys.size() == table->keys.size();
  SweepPlot::setTable(std::move(table));
  measureLabels();
  if (!same) m_brushes.assign(static_cast<std::size_t>(axes()), std::nullopt);
}

/// The labels of the last axis stand beyond it, and are shown whole.
void SweepLines::measureLabels() {
  m_right = kSide;
  if (!m_table) return;
  const QFontMetricsF metrics(theme::font(theme::TextSize::Caption, true));
  for (const chart::Tick& tick : axis(axes() - 1).ticks(kMostTicks)) {
    m_right = std::max(m_right, metrics.horizontalAdvance(tick.text) + 2 * kLabelGap);
  }
}

void SweepLines::changeEvent(QEvent* event) {
  SweepPlot::changeEvent(event);
  if (event->type() == QEvent::FontChange || event->type() == QEvent::StyleChange) measureLabels();
}

double SweepLines::spanOfAxes() const {
  return std::max(1.0, width() - kSide - m_right);
}

const SweepAxisLine& SweepLines::axis(int a) const {
  const auto at = static_cast<std::size_t>(a);
  return at < m_table->keys.size() ? m_table->keys[at] : m_table->loss;
}

double SweepLines::placeOf(const SweepRun& run, int a) const {
  const auto at = static_cast<std::size_t>(a);
  return axis(a).placeOf(at < run.values.size() ? run.values[at] : run.finalLoss());
}

QPointF SweepLines::pointOf(int a, double place) const {
  const double x = axes() > 1 ? kSide + spanOfAxes() * a / (axes() - 1) : width() / 2.0;
  return {x, height() - kFoot - place * (height() - kTop - kFoot)};
}

double SweepLines::placeAt(double y) const {
  return std::clamp((height() - kFoot - y) / std::max(1.0, height() - kTop - kFoot), 0.0, 1.0);
}

int SweepLines::axisAt(double x) const {
  for (int a = 0; a < axes(); ++a) {
    if (std::abs(pointOf(a, 0).x() - x) <= kReach) return a;
  }
  return -1;
}

int SweepLines::runAt(const QPointF& at) const {
  int best = -1;
  double nearest = kReach;
  for (std::size_t r = 0; m_table && r < m_table->runs.size(); ++r) {
    if (!isShown(r)) continue;
    for (int a = 0; a + 1 < axes(); ++a) {
      const double from = placeOf(m_table->runs[r], a), to = placeOf(m_table->runs[r], a + 1);
      if (std::isnan(from) || std::isnan(to)) continue;
      const double away = distanceToLine(at, pointOf(a, from), pointOf(a + 1, to));
      if (away >= nearest) continue;
      nearest = away;
      best = static_cast<int>(r);
    }
  }
  return best;
}

void SweepLines::setBrush(int a, std::optional<chart::Range> brush) {
  m_brushes.at(static_cast<std::size_t>(a)) = brush;
  setShown(withinBrushes());
  Q_EMIT brushesChanged();
}

void SweepLines::clearBrushes() {
  m_brushes.assign(m_brushes.size(), std::nullopt);
  setShown({});
  Q_EMIT brushesChanged();
}

bool SweepLines::hasBrush() const {
  return std::any_of(m_brushes.begin(), m_brushes.end(), [](const auto& b) { return bool(b); });
}

std::vector<bool> SweepLines::withinBrushes() const {
  std::vector<bool> within(m_table ? m_table->runs.size() : 0, true);
  for (std::size_t r = 0; r < within.size(); ++r) {
    for (int a = 0; a < axes(); ++a) {
      const auto& brush = m_brushes[static_cast<std::size_t>(a)];
      if (brush && !brush->contains(placeOf(m_table->runs[r], a))) within[r] = false;
    }
  }
  return within;
}

void SweepLines::paintAxis(QPainter& painter, int a) const {
  const theme::Colors& c = theme::colors();
  const QPointF foot = pointOf(a, 0), top = pointOf(a, 1);
  const bool last = a + 1 == axes();
  painter.setPen(QPen(c.border, 1));
  painter.drawLine(foot, top);
  const QFont font = theme::font(theme::TextSize::Caption, true);
  painter.setFont(font);
  const double room = axes() > 1 ? spanOfAxes() / (axes() - 1) - 8 : spanOfAxes();
  painter.setPen(c.textSecondary);
  for (const chart::Tick& tick : axis(a).ticks(kMostTicks)) {
    if (tick.text.isEmpty() || tick.value < -0.01 || tick.value > 1.01) continue;
    const double y = pointOf(a, tick.value).y();
    painter.drawLine(QPointF(foot.x() - 3, y), QPointF(foot.x() + 3, y));
    const QString text = last ? tick.text : elidedText(font, tick.text, room / 2);
    painter.drawText(QRectF(foot.x() + kLabelGap, y - 9, last ? m_right - kLabelGap : room, 18),
                     Qt::AlignLeft | Qt::AlignVCenter, text);
  }
  painter.setPen(c.text);
  // Titles stand in two rows by turns, so that long keys have room.
  const double wide = std::max(60.0, 2 * room);
  const double left = std::clamp(foot.x() - wide / 2, 4.0, std::max(4.0, width() - wide - 4.0));
  const Qt::Alignment side = a == 0 ? Qt::AlignLeft : last ? Qt::AlignRight : Qt::AlignHCenter;
  const QString title = axis(a).isLog ? tr("%1 (log)").arg(axis(a).title) : axis(a).title;
  painter.drawText(QRectF(left, a % 2 ? 20 : 4, wide, 16), side | Qt::AlignVCenter,
                   elidedText(font, title, wide));
  const auto& brush = m_brushes[static_cast<std::size_t>(a)];
  if (!brush) return;
  QColor veil = c.accent;
  veil.setAlpha(70);
  painter.fillRect(QRectF(QPointF(foot.x() - 5, pointOf(a, brush->high).y()),
                          QPointF(foot.x() + 5, pointOf(a, brush->low).y())),
                   veil);
}

void SweepLines::paintRun(QPainter& painter, std::size_t run, bool lit) const {
  const theme::Colors& c = theme::colors();
  // Paler, and not transparent: 200 runs take 12 ms then, and 50 with a colour that is blended.
  const double pale = !isShown(run) ? 0.89 : m_table->runs.size() > 60 ? 0.45 : 0.18;
  const QColor color = lit ? c.text : theme::mixed(colorOf(run), c.raised, pale);
  const bool hasLoss = !std::isnan(m_table->runs[run].finalLoss());
  painter.setPen(QPen(color, lit ? 2.4 : 1.2, hasLoss ? Qt::SolidLine : Qt::DashLine));
  for (int a = 0; a + 1 < axes(); ++a) {
    const double from = placeOf(m_table->runs[run], a), to = placeOf(m_table->runs[run], a + 1);
    if (std::isnan(from) || std::isnan(to)) continue;
    painter.drawLine(pointOf(a, from), pointOf(a + 1, to));
  }
}

void SweepLines::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  painter.fillRect(rect(), theme::colors().raised);
  if (!m_table) return;
  painter.setRenderHint(QPainter::Antialiasing);
  // The best lie on top, and those that a brush leaves out below all others.
  for (const bool shown : {false, true}) {
    for (std::size_t r = m_table->runs.size(); r-- > 0;) {
      if (isShown(r) == shown) paintRun(painter, r, false);
    }
  }
  for (int a = 0; a < axes(); ++a) paintAxis(painter, a);
  const bool any = m_current >= 0 && m_current < std::ssize(m_table->runs);
  if (any) paintRun(painter, static_cast<std::size_t>(m_current), true);
  paintFocus(painter);
}

void SweepLines::mousePressEvent(QMouseEvent* event) {
  m_dragged = false;
  m_pressedAxis = event->button() == Qt::LeftButton ? axisAt(event->position().x()) : -1;
  m_pressedPlace = placeAt(event->position().y());
}

void SweepLines::mouseMoveEvent(QMouseEvent* event) {
  if (m_pressedAxis < 0 || !(event->buttons() & Qt::LeftButton)) {
    SweepPlot::mouseMoveEvent(event);
    if (axisAt(event->position().x()) >= 0) setCursor(Qt::SizeVerCursor);
    return;
  }
  const double place = placeAt(event->position().y());
  const double pixels = std::abs(pointOf(0, place).y() - pointOf(0, m_pressedPlace).y());
  if (!m_dragged && pixels < 4) return;
  m_dragged = true;
  setBrush(m_pressedAxis,
           chart::Range{std::min(place, m_pressedPlace), std::max(place, m_pressedPlace)});
}

/// A click on an axis without dragging takes its brush away.
void SweepLines::mouseReleaseEvent(QMouseEvent* event) {
  const int pressed = std::exchange(m_pressedAxis, -1);
  if (pressed >= 0 && !m_dragged && m_brushes[static_cast<std::size_t>(pressed)]) {
    setBrush(pressed, std::nullopt);
    return;
  }
  SweepPlot::mouseReleaseEvent(event);
}

void SweepLines::keyPressEvent(QKeyEvent* event) {
  if (event->key() == Qt::Key_Escape && hasBrush()) return clearBrushes();
  SweepPlot::keyPressEvent(event);
}

// ---- Loss against one key -----------------------------------------------------------------------

SweepPoints::SweepPoints(int key, QWidget* parent) : SweepPlot(parent), m_key(key) {
  setAccessibleName(tr("Final loss against one key"));
}

QRectF SweepPoints::plot() const {
  return {kPointsLeft, kPointsTop, std::max(20.0, width() - kPointsLeft - kPointsRight),
          std::max(20.0, height() - kPointsTop - kPointsFoot)};
}

QPointF SweepPoints::pointOf(const SweepRun& run) const {
  const QRectF area = plot();
  const double x = axis().placeOf(run.values[static_cast<std::size_t>(m_key)]);
  return {area.left() + x * area.width(),
          area.bottom() - m_table->loss.placeOf(run.finalLoss()) * area.height()};
}

int SweepPoints::runAt(const QPointF& at) const {
  int best = -1;
  double nearest = kReach;
  for (std::size_t r = 0; m_table && r < m_table->runs.size(); ++r) {
    const QPointF point = pointOf(m_table->runs[r]);
    if (!isShown(r) || std::isnan(point.x()) || std::isnan(point.y())) continue;
    const double away = std::hypot(point.x() - at.x(), point.y() - at.y());
    if (away >= nearest) continue;
    nearest = away;
    best = static_cast<int>(r);
  }
  return best;
}

void SweepPoints::paintScales(QPainter& painter) const {
  const theme::Colors& c = theme::colors();
  const QRectF area = plot();
  const QFont font = theme::font(theme::TextSize::Caption, true);
  painter.setFont(font);
  const int high = std::clamp(static_cast<int>(area.height() / 34), 2, 5);
  for (const chart::Tick& tick : m_table->loss.ticks(high)) {
    if (tick.text.isEmpty()) continue;
    const double y = std::round(area.bottom() - tick.value * area.height());
    painter.fillRect(QRectF(area.left(), y, area.width(), 1), c.gridLine);
    painter.setPen(c.textSecondary);
    painter.drawText(QRectF(0, y - 9, area.left() - 6, 18), Qt::AlignRight | Qt::AlignVCenter,
                     tick.text);
  }
  const int wide = std::clamp(static_cast<int>(area.width() / 70), 2, 6);
  for (const chart::Tick& tick : axis().ticks(wide)) {
    if (tick.text.isEmpty()) continue;
    const double x = area.left() + tick.value * area.width();
    const double left = std::clamp(x - 40, 0.0, width() - 80.0);
    painter.drawText(QRectF(left, area.bottom() + 3, 80, 16), Qt::AlignCenter,
                     elidedText(font, tick.text, 78));
  }
  painter.setFont(theme::font(theme::TextSize::Caption, false, true));
  painter.setPen(c.text);
  const QString title = axis().isLog ? tr("%1 (log)").arg(axis().title) : axis().title;
  painter.drawText(QRectF(8, 2, width() - 16, 18), Qt::AlignVCenter,
                   elidedText(painter.font(), title, width() - 16));
}

void SweepPoints::paintEvent(QPaintEvent*) {
  const theme::Colors& c = theme::colors();
  QPainter painter(this);
  painter.fillRect(rect(), c.raised);
  if (!m_table || m_key >= std::ssize(m_table->keys)) return;
  paintScales(painter);
  painter.setRenderHint(QPainter::Antialiasing);
  for (std::size_t r = m_table->runs.size(); r-- > 0;) {
    const QPointF point = pointOf(m_table->runs[r]);
    if (std::isnan(point.x()) || std::isnan(point.y())) continue;
    QColor color = colorOf(r);
    if (!isShown(r)) color.setAlpha(40);
    // A run that has not come to its end is hollow: it is not compared fairly.
    const bool whole = m_table->runs[r].state == RunState::Finished;
    painter.setPen(QPen(color, 1.5));
    painter.setBrush(whole ? QBrush(color) : QBrush(c.raised));
    painter.drawEllipse(point, 3.5, 3.5);
  }
  if (m_current >= 0 && m_current < std::ssize(m_table->runs)) {
    const QPointF point = pointOf(m_table->runs[static_cast<std::size_t>(m_current)]);
    painter.setBrush(Qt::NoBrush);
    painter.setPen(QPen(c.text, 2));
    if (!std::isnan(point.x()) && !std::isnan(point.y())) painter.drawEllipse(point, 6.5, 6.5);
  }
  paintFocus(painter);
}

}  // namespace tessera::ui
