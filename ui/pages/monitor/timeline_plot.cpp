// SPDX-License-Identifier: MIT
#include "ui/pages/monitor/timeline_plot.h"

#include <QHelpEvent>
#include <QImage>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QToolTip>
#include <algorithm>
#include <array>
#include <cmath>

#include "ui/theme/theme.h"
#include "ui/widgets/numbers.h"

namespace tessera::ui {

namespace {
constexpr double kAxis = 22, kLabels = 118, kRight = 10, kLeastLane = 9, kMostLane = 28;
constexpr double kLeastView_ns = 200;

using Starts = std::vector<std::int64_t>::const_iterator;

/// The first of [from, end) that is larger, looked for near `from` first: times rise by pixels.
Starts firstLater(Starts from, Starts end, std::int64_t ns) {
  std::ptrdiff_t step = 1;
  while (end - from > step && from[step] <= ns) {
    from += step;
    step *= 2;
  }
  return std::upper_bound(from, from + std::min(step + 1, end - from), ns);
}
}  // namespace

QString timelineTime(double ns, double resolutionNs, double largestNs) {
  struct Unit {
    double ns;
    const char* name;
  };
  static constexpr std::array<Unit, 4> kUnits{{{1, "ns"}, {1e3, "µs"}, {1e6, "ms"}, {1e9, "s"}}};
  const auto last = std::find_if(kUnits.rbegin(), kUnits.rend(),
                                 [&](const Unit& unit) { return std::abs(largestNs) >= unit.ns; });
  const Unit unit = last == kUnits.rend() ? kUnits.front() : *last;
  // Times are recorded in whole nanoseconds: finer places would say nothing.
  const double places = std::ceil(std::log10(unit.ns / std::max(resolutionNs, 1.0)) - 1e-9);
  return numbers::fixed(ns / unit.ns, static_cast<int>(std::clamp(places, 0.0, 9.0))) +
         numbers::kSpace + QString::fromUtf8(unit.name);
}

QString timelineKindName(TimelineKind kind) {
  switch (kind) {
    case TimelineKind::Forward:
      return TimelinePlot::tr("Forward");
    case TimelineKind::Backward:
      return TimelinePlot::tr("Backward");
    case TimelineKind::Weights:
      return TimelinePlot::tr("Weights");
    case TimelineKind::AllToAll:
      return TimelinePlot::tr("All-to-all");
    case TimelineKind::Sum:
      return TimelinePlot::tr("Sums");
    case TimelineKind::Send:
      return TimelinePlot::tr("Send");
    case TimelineKind::Wait:
      return TimelinePlot::tr("Wait");
    case TimelineKind::Optimiser:
      return TimelinePlot::tr("Optimiser");
    case TimelineKind::Other:
      break;
  }
  return TimelinePlot::tr("Other");
}

std::vector<chart::Tick> timelineTicks(const chart::Range& view, int most) {
  std::vector<chart::Tick> ticks = chart::ticksFor(view, false, most, chart::ValueKind::Number);
  const double step = ticks.size() > 1 ? ticks[1].value - ticks[0].value : view.span();
  const double largest = std::max(std::abs(view.low), std::abs(view.high));
  for (chart::Tick& tick : ticks) tick.text = timelineTime(tick.value, step, largest);
  return ticks;
}

QColor timelineKindColor(TimelineKind kind) {
  if (kind == TimelineKind::Wait) return theme::colors().border;
  if (kind == TimelineKind::Other) return theme::colors().neutral;
  constexpr std::array kLines = {0, 1, 2, 3, 4, 5, 0, 6};
  return theme::lineColor(kLines.at(static_cast<std::size_t>(kind)));
}

TimelinePlot::TimelinePlot(QWidget* parent) : QWidget(parent) {
  setMouseTracking(true);
  setFocusPolicy(Qt::StrongFocus);
  setAttribute(Qt::WA_OpaquePaintEvent);
  setAccessibleName(tr("Ranks over time"));
}

void TimelinePlot::setTimeline(std::shared_ptr<const RunTimeline> timeline) {
  m_timeline = std::move(timeline);
  updateGeometry();
  showAll();
}

QSize TimelinePlot::minimumSizeHint() const {
  return {320, static_cast<int>(kAxis + kLeastLane * std::max(1, lanes()))};
}

void TimelinePlot::showAll() {
  setView({0, m_timeline ? static_cast<double>(m_timeline->length_ns) : 1});
}

/// Never beyond what there is, never closer than some hundred nanoseconds.
void TimelinePlot::setView(chart::Range view) {
  const double all = m_timeline ? static_cast<double>(m_timeline->length_ns) : 1;
  const double span = std::clamp(view.span(), std::min(all, kLeastView_ns), std::max(all, 1.0));
  const double low = std::clamp(view.low, 0.0, std::max(0.0, all - span));
  m_view = {low, low + span};
  update();
}

void TimelinePlot::zoom(double factor, double aroundNs) {
  setView(
      {aroundNs - (aroundNs - m_view.low) * factor, aroundNs + (m_view.high - aroundNs) * factor});
}

void TimelinePlot::pan(double ns) {
  setView({m_view.low + ns, m_view.high + ns});
}

double TimelinePlot::laneHeight() const {
  return std::clamp((height() - kAxis) / std::max(1, lanes()), kLeastLane, kMostLane);
}

int TimelinePlot::laneAt(double y) const {
  const int lane = static_cast<int>(std::floor((y - kAxis) / laneHeight()));
  return y >= kAxis && lane < lanes() ? lane : -1;
}

chart::Scale TimelinePlot::scale() const {
  return {m_view, false, kLabels, std::max(kLabels + 20, width() - kRight)};
}

QPointF TimelinePlot::pointOf(int rank, double ns) const {
  return {scale().toPixel(ns), kAxis + (rank + 0.5) * laneHeight()};
}

/// What each pixel's middle shows: the innermost span there, as one line of pixels that is drawn as
/// high as the lane. So a lane costs the same however many spans are in sight.
QImage TimelinePlot::lineOf(const TimelineLane& lane) const {
  const chart::Scale x = scale();
  const int width = static_cast<int>(x.to) - static_cast<int>(x.from);
  const double nsPerPixel = m_view.span() / (x.to - x.from);
  std::array<QRgb, kTimelineKinds> colors{};
  for (int kind = 0; kind < kTimelineKinds; ++kind) {
    colors[static_cast<std::size_t>(kind)] =
        timelineKindColor(static_cast<TimelineKind>(kind)).rgb();
  }
  const QRgb none = theme::colors().raised.rgb();
  QImage line(std::max(1, width), 1, QImage::Format_RGB32);
  line.fill(none);
  auto* pixels = reinterpret_cast<QRgb*>(line.scanLine(0));
  int begin = 0;
  std::int32_t owner = -1;
  const auto fill = [&](int end) {
    if (owner < 0 || end <= begin) return;
    const TimelineKind kind = lane.spans[static_cast<std::size_t>(owner)].kind;
    std::fill(pixels + begin, pixels + end, colors[static_cast<std::size_t>(kind)]);
    // Neighbours of one kind stay two where there is room to see it.
    if (end - begin > 4) pixels[end - 1] = none;
  };
  auto piece = lane.starts.begin();  // the first that begins later
  for (int pixel = 0; pixel < width; ++pixel) {
    const auto ns = static_cast<std::int64_t>(m_view.low + (pixel + 0.5) * nsPerPixel);
    piece = firstLater(piece, lane.starts.end(), ns);
    const auto at = piece - lane.starts.begin();
    const std::int32_t now = at == 0 ? -1 : lane.owners[static_cast<std::size_t>(at - 1)];
    if (now == owner) continue;
    fill(pixel);
    begin = pixel;
    owner = now;
  }
  fill(width);
  return line;
}

void TimelinePlot::paintLane(QPainter& painter, int lane) const {
  const theme::Colors& c = theme::colors();
  const TimelineLane& all = m_timeline->lanes[static_cast<std::size_t>(lane)];
  const double high = laneHeight(), top = kAxis + lane * high, gap = high > 12 ? 2 : 1;
  const QImage line = lineOf(all);
  painter.drawImage(QRectF(kLabels, top, line.width(), high - gap), line);
  painter.setPen(c.textSecondary);
  if (high < 11 && lane % 2) return;  // every second label where lanes are thin
  painter.drawText(QRectF(4, top - 3, kLabels - 10, high + 4), Qt::AlignLeft | Qt::AlignVCenter,
                   tr("rank %1").arg(lane));
  painter.drawText(QRectF(4, top - 3, kLabels - 10, high + 4), Qt::AlignRight | Qt::AlignVCenter,
                   tr("idle %1").arg(numbers::percent(all.idle)));
}

void TimelinePlot::paintAxis(QPainter& painter, double top) const {
  const theme::Colors& c = theme::colors();
  painter.fillRect(QRectF(0, top, width(), kAxis - 1), c.raised);
  const chart::Scale x = scale();
  const int most = std::max(2, static_cast<int>((x.to - x.from) / 110));
  painter.setPen(c.textSecondary);
  for (const chart::Tick& tick : timelineTicks(m_view, most)) {
    const double at = std::round(x.toPixel(tick.value));
    painter.fillRect(QRectF(at, top + kAxis - 5, 1, 4), c.textSecondary);
    painter.drawText(QRectF(at - 55, top, 110, kAxis - 5), Qt::AlignCenter, tick.text);
  }
}

void TimelinePlot::paintEvent(QPaintEvent* event) {
  const theme::Colors& c = theme::colors();
  QPainter painter(this);
  painter.fillRect(event->rect(), c.raised);
  if (!m_timeline) return;
  painter.setFont(theme::font(theme::TextSize::Caption, true));
  for (int lane = 0; lane < lanes(); ++lane) {
    const double top = kAxis + lane * laneHeight();
    if (top + laneHeight() >= event->rect().top() && top <= event->rect().bottom()) {
      paintLane(painter, lane);
    }
  }
  // At the top of what is in sight, where there are more lanes than fit.
  paintAxis(painter, std::max(0, visibleRegion().boundingRect().top()));
  if (hasFocus()) {
    painter.setPen(QPen(c.accent, 2));
    painter.drawRect(QRectF(rect()).adjusted(1, 1, -1, -1));
  }
}

QString TimelinePlot::readingAt(const QPointF& at) const {
  const int lane = laneAt(at.y());
  const chart::Scale x = scale();
  if (lane < 0 || at.x() < x.from || at.x() > x.to) return {};
  const TimelineLane& all = m_timeline->lanes[static_cast<std::size_t>(lane)];
  const auto owner = all.owner_at(static_cast<std::int64_t>(x.toValue(at.x())));
  if (owner < 0) return tr("rank %1 · idle").arg(lane);
  const TimelineSpan& span = all.spans[static_cast<std::size_t>(owner)];
  QStringList words{tr("rank %1").arg(lane), QString::fromStdString(m_timeline->names[span.name]),
                    tr("step %1").arg(span.step)};
  if (span.stage >= 0) words << tr("stage %1").arg(span.stage);
  if (span.micro_batch >= 0) words << tr("micro-batch %1").arg(span.micro_batch);
  // As exact as the pixels are: two spans that can be told apart have different times. A length is
  // told by three digits at least.
  const double pixel = m_view.span() / (x.to - x.from);
  const auto from = static_cast<double>(span.from_ns);
  const auto length = static_cast<double>(span.to_ns - span.from_ns);
  words << tr("from %1").arg(timelineTime(from, pixel, from))
        << tr("for %1").arg(timelineTime(length, std::min(pixel, length / 100), length));
  if (span.bytes >= 0) words << numbers::bytes(static_cast<double>(span.bytes));
  return words.join(QStringLiteral(" · "));
}

void TimelinePlot::wheelEvent(QWheelEvent* event) {
  const bool panning = event->modifiers() & Qt::ShiftModifier;
  const bool zooming = hasFocus() || (event->modifiers() & Qt::ControlModifier);
  const int turned = event->angleDelta().y() ? event->angleDelta().y() : event->angleDelta().x();
  if ((!panning && !zooming) || turned == 0) return event->ignore();  // the lanes scroll
  event->accept();
  const double notches = turned / 120.0;
  if (panning) return pan(-notches * 0.1 * m_view.span());
  zoom(std::pow(0.8, notches), scale().toValue(event->position().x()));
}

void TimelinePlot::mousePressEvent(QMouseEvent* event) {
  m_pans = event->button() == Qt::LeftButton;
  m_pressedX = event->position().x();
  m_pressedView = m_view;
}

void TimelinePlot::mouseMoveEvent(QMouseEvent* event) {
  if (!m_pans) return;
  const double ns = (m_pressedX - event->position().x()) * m_view.span() / (scale().to - kLabels);
  setView({m_pressedView.low + ns, m_pressedView.high + ns});
}

void TimelinePlot::mouseReleaseEvent(QMouseEvent*) {
  m_pans = false;
}

void TimelinePlot::mouseDoubleClickEvent(QMouseEvent*) {
  showAll();
}

void TimelinePlot::keyPressEvent(QKeyEvent* event) {
  const double middle = (m_view.low + m_view.high) / 2;
  switch (event->key()) {
    case Qt::Key_Left:
      return pan(-0.1 * m_view.span());
    case Qt::Key_Right:
      return pan(0.1 * m_view.span());
    case Qt::Key_Plus:
    case Qt::Key_Equal:
      return zoom(0.5, middle);
    case Qt::Key_Minus:
      return zoom(2, middle);
    case Qt::Key_0:
    case Qt::Key_Home:
      return showAll();
    default:
      QWidget::keyPressEvent(event);
  }
}

bool TimelinePlot::event(QEvent* event) {
  if (event->type() != QEvent::ToolTip) return QWidget::event(event);
  const auto* help = static_cast<QHelpEvent*>(event);
  QToolTip::showText(help->globalPos(), m_timeline ? readingAt(help->pos()) : QString(), this);
  return true;
}

}  // namespace tessera::ui
