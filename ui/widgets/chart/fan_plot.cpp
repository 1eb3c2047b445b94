// SPDX-License-Identifier: MIT
#include "ui/widgets/chart/fan_plot.h"

#include <QMouseEvent>
#include <QPainter>
#include <algorithm>
#include <cmath>

#include "ui/theme/theme.h"
#include "ui/widgets/chart/curve_raster.h"
#include "ui/widgets/numbers.h"

namespace tessera::ui {

namespace {
constexpr double kFanHead = 26, kFanFoot = 20, kFanSigns = 26, kFanRight = 10;
}

FanPlot::FanPlot(QWidget* parent) : QWidget(parent) {
  setMouseTracking(true);
  setAttribute(Qt::WA_OpaquePaintEvent);
}

void FanPlot::setValues(std::vector<std::int64_t> steps, int lines, std::vector<float> values,
                        std::vector<float> speed) {
  Q_ASSERT(values.size() == steps.size() * std::size_t(lines));
  m_steps = std::move(steps);
  m_lines = lines;
  m_values = std::move(values);
  m_speed = std::move(speed);
  m_current = std::min(m_current, lines - 1);
  m_hover = -1;
  m_stale = true;
  update();
}

void FanPlot::setTitles(const QString& title, const QString& emptyText) {
  m_title = title;
  m_emptyText = emptyText;
  setAccessibleName(title);
  m_stale = true;
  update();
}

void FanPlot::setCurrent(int line) {
  if (line == m_current) return;
  m_current = std::min(line, m_lines - 1);
  m_stale = true;
  update();
}

void FanPlot::setStep(std::int64_t step) {
  m_step = step;
  update();
}

double FanPlot::updateSign(std::size_t i, int line) const {
  if (i == 0 || i >= m_steps.size()) return std::nan("");
  const double moved = double(at(i, line)) - double(at(i - 1, line));
  const double updates = double(m_steps[i] - m_steps[i - 1]);
  const double speed = i < m_speed.size() ? double(m_speed[i]) : std::nan("");
  if (speed > 0) return std::clamp(moved / (speed * updates), -1.0, 1.0);
  return moved > 0 ? 1 : moved < 0 ? -1 : 0;
}

void FanPlot::renderBase() {
  const theme::Colors& c = theme::colors();
  const double ratio = devicePixelRatioF();
  m_base = QImage(size() * ratio, QImage::Format_RGB32);
  m_base.setDevicePixelRatio(ratio);
  m_base.fill(c.raised);
  m_stale = false;
  QPainter painter(&m_base);
  m_plot = {};
  if (m_steps.empty() || m_lines == 0) {
    painter.setFont(theme::font(theme::TextSize::Body));
    painter.setPen(c.textSecondary);
    painter.drawText(QRectF(rect()).adjusted(12, kFanHead, -12, -8),
                     Qt::AlignCenter | Qt::TextWordWrap, m_emptyText);
    return;
  }
  float low = 0, high = 0;
  for (const float v : m_values) {
    if (!std::isfinite(v)) continue;
    low = std::min(low, v);
    high = std::max(high, v);
  }
  const double pad = 0.06 * double(high - low);
  const chart::Range heights = chart::widened({double(low) - pad, double(high) + pad}, false);
  painter.setFont(theme::font(theme::TextSize::Caption, true));
  const QFontMetricsF metrics(painter.font());
  const int most = std::clamp(int((height() - kFanHead - kFanFoot - kFanSigns) / 30), 2, 6);
  const auto ticks = chart::ticksFor(heights, false, most, chart::ValueKind::Number);
  double labels = 16;
  for (const chart::Tick& t : ticks) labels = std::max(labels, metrics.horizontalAdvance(t.text));
  m_plot = QRectF(labels + 14, kFanHead, std::max(20.0, width() - labels - 14 - kFanRight),
                  std::max(20.0, height() - kFanHead - kFanFoot - kFanSigns));
  m_signs = QRectF(m_plot.left(), m_plot.bottom() + 2, m_plot.width(), kFanSigns - 4);
  m_x = {chart::widened({double(m_steps.front()), double(m_steps.back())}, false), false,
         m_plot.left(), m_plot.right()};
  m_y = {heights, false, m_plot.bottom(), m_plot.top()};
  for (const chart::Tick& t : ticks) {
    const double at = std::round(m_y.toPixel(t.value));
    painter.fillRect(QRectF(m_plot.left(), at, m_plot.width(), 1), c.gridLine);
    painter.setPen(c.textSecondary);
    painter.drawText(QRectF(0, at - 9, m_plot.left() - 6, 18), Qt::AlignRight | Qt::AlignVCenter,
                     t.text);
  }
  const int across = std::clamp(int(m_plot.width() / 68), 2, 8);
  for (const chart::Tick& t : chart::ticksFor(m_x.range, across, chart::XAxis::Step)) {
    const double at = std::round(m_x.toPixel(t.value));
    painter.setPen(c.textSecondary);
    const double wide = metrics.horizontalAdvance(t.text);
    painter.drawText(QPointF(std::min(at - wide / 2, width() - wide - 2), height() - 6), t.text);
  }
  painter.end();  // the raster writes into the same bytes
  const auto px = [&](double v) { return v * ratio; };
  const QRect clip(QPoint(int(px(m_plot.left())), int(px(m_plot.top()))),
                   QPoint(int(px(m_plot.right())), int(px(m_plot.bottom()))));
  chart::CurveRaster raster(m_base, clip);
  const QRgb faint = chart::mixed(c.neutral.rgb(), c.raised.rgb(), m_lines > 64 ? 0.3 : 0.5);
  const auto drawLine = [&](int line, double width, QRgb color) {
    for (std::size_t i = 1; i < m_steps.size(); ++i) {
      const float a = at(i - 1, line), b = at(i, line);
      if (!std::isfinite(a) || !std::isfinite(b)) continue;
      raster.line(px(m_x.toPixel(double(m_steps[i - 1]))), px(m_y.toPixel(double(a))),
                  px(m_x.toPixel(double(m_steps[i]))), px(m_y.toPixel(double(b))), width * ratio,
                  color);
    }
  };
  for (int line = 0; line < m_lines; ++line) {
    if (line != m_current) drawLine(line, 1, faint);
  }
  if (m_current >= 0) drawLine(m_current, 2.2, c.accent.rgb());
}

/// Bars up and down from a middle line: how much of the updates since the logged step before went
/// each way.
void FanPlot::paintSigns(QPainter& painter) {
  const theme::Colors& c = theme::colors();
  const double middle = m_signs.center().y();
  painter.fillRect(QRectF(m_signs.left(), middle, m_signs.width(), 1), c.border);
  painter.setFont(theme::font(theme::TextSize::Caption));
  painter.setPen(c.textSecondary);
  painter.drawText(QRectF(0, m_signs.top(), m_signs.left() - 6, m_signs.height()),
                   Qt::AlignRight | Qt::AlignVCenter, tr("+/-"));
  if (m_current < 0) return;
  for (std::size_t i = 1; i < m_steps.size(); ++i) {
    const double sign = updateSign(i, m_current);
    if (!std::isfinite(sign) || sign == 0) continue;
    const double x0 = m_x.toPixel(double(m_steps[i - 1])), x1 = m_x.toPixel(double(m_steps[i]));
    const double length = sign * (m_signs.height() / 2 - 1);
    const double wide = std::max(1.0, x1 - x0 - (x1 - x0 > 4 ? 1 : 0));
    painter.fillRect(QRectF(x0, length > 0 ? middle - length : middle + 1, wide, std::abs(length)),
                     sign > 0 ? theme::lineColor(0) : theme::lineColor(1));
  }
}

namespace {
/// The title, with as much of it as `reading` at the right leaves.
void paintHead(QPainter& painter, int width, const QString& title, const QString& reading) {
  const theme::Colors& c = theme::colors();
  const QRectF head(8, 0, width - 16, kFanHead);
  painter.setFont(theme::font(theme::TextSize::Caption, true));
  painter.setPen(c.textSecondary);
  painter.drawText(head, Qt::AlignRight | Qt::AlignVCenter, reading);
  const double taken = QFontMetricsF(painter.font()).horizontalAdvance(reading);
  painter.setFont(theme::font(theme::TextSize::Body, false, true));
  painter.setPen(c.text);
  const double room = head.width() - (reading.isEmpty() ? 0 : taken + 8);
  painter.drawText(head, Qt::AlignVCenter,
                   QFontMetricsF(painter.font()).elidedText(title, Qt::ElideRight, room));
}
}  // namespace

void FanPlot::paintEvent(QPaintEvent*) {
  if (m_stale || m_base.size() != size() * devicePixelRatioF()) renderBase();
  QPainter painter(this);
  painter.drawImage(QPointF(0, 0), m_base);
  if (m_plot.isEmpty()) return paintHead(painter, width(), m_title, {});
  const theme::Colors& c = theme::colors();
  paintSigns(painter);
  const auto drawStep = [&](double step, const QColor& color, double width) {
    const double x = m_x.toPixel(step);
    if (x < m_plot.left() - 1 || x > m_plot.right() + 1) return;
    painter.setPen(QPen(color, width));
    painter.drawLine(QPointF(x, m_plot.top()), QPointF(x, m_signs.bottom()));
  };
  if (m_step >= 0) drawStep(double(m_step), c.accent, 2);
  QString text;
  if (m_hover >= 0 && std::size_t(m_hover) < m_steps.size()) {
    const auto i = std::size_t(m_hover);
    drawStep(double(m_steps[i]), c.textSecondary, 1);
    text = tr("step %1").arg(numbers::whole(m_steps[i]));
    if (m_current >= 0) {
      text += tr(" · expert %1: %2")
                  .arg(m_current)
                  .arg(chart::valueText(double(at(i, m_current)), chart::ValueKind::Number));
      const double sign = updateSign(i, m_current);
      if (std::isfinite(sign))
        text += tr(" · updates %1")
                    .arg((sign > 0 ? QStringLiteral("+") : QString()) + numbers::fixed(sign, 2));
    }
  } else if (m_current >= 0 && !m_steps.empty()) {
    text = tr("expert %1 lit").arg(m_current);
  }
  paintHead(painter, width(), m_title, text);
}

std::size_t FanPlot::nearest(double x) const {
  const double step = m_x.toValue(x);
  const auto after =
      std::lower_bound(m_steps.begin(), m_steps.end(), static_cast<std::int64_t>(std::ceil(step)));
  auto i = std::size_t(after - m_steps.begin());
  if (i == m_steps.size()) return i - 1;
  if (i > 0 && step - double(m_steps[i - 1]) < double(m_steps[i]) - step) --i;
  return i;
}

void FanPlot::mouseMoveEvent(QMouseEvent* event) {
  const bool inside = m_plot.united(m_signs).contains(event->position()) && !m_steps.empty();
  const std::int64_t hover = inside ? std::int64_t(nearest(event->position().x())) : -1;
  if (hover == m_hover) return;
  m_hover = hover;
  update();
}

void FanPlot::leaveEvent(QEvent*) {
  m_hover = -1;
  update();
}

/// The nearest line is lit, and the step picked.
void FanPlot::mousePressEvent(QMouseEvent* event) {
  if (event->button() != Qt::LeftButton || m_steps.empty()) return;
  if (!m_plot.united(m_signs).contains(event->position())) return;
  const std::size_t i = nearest(event->position().x());
  if (m_plot.contains(event->position())) {
    int best = -1;
    double distance = 8;
    for (int line = 0; line < m_lines; ++line) {
      const double d = std::abs(m_y.toPixel(double(at(i, line))) - event->position().y());
      if (d < distance) {
        distance = d;
        best = line;
      }
    }
    if (best >= 0 && best != m_current) {
      setCurrent(best);
      Q_EMIT currentChanged(best);
    }
  }
  Q_EMIT stepPicked(m_steps[i]);
}

void FanPlot::resizeEvent(QResizeEvent*) {
  m_stale = true;
}

void FanPlot::changeEvent(QEvent* event) {
  if (event->type() == QEvent::PaletteChange) {
    m_stale = true;
    update();
  }
  QWidget::changeEvent(event);
}

}  // namespace tessera::ui
