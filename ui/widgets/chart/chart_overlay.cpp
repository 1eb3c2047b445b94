// SPDX-License-Identifier: MIT
// What lies over a panel's plot and follows the mouse: the shared cursor, the values at it, the
// picked step.
#include <QCoreApplication>
#include <QFontMetricsF>
#include <QPainter>
#include <algorithm>
#include <cmath>

#include "ui/theme/theme.h"
#include "ui/widgets/chart/chart_panel.h"
#include "ui/widgets/numbers.h"

namespace tessera::ui {

using chart::SceneLine;
using chart::XAxis;

namespace {
constexpr double kRow = 17, kPad = 8, kSample = 14;
constexpr double kPointReach = 4;  ///< pixels from which a point is meant
constexpr std::size_t kMostRows = 10;

/// When a value that is measured now and then was measured.
QString stepNote(qint64 step) {
  // NOTE: tr() of the class would be looked for under another name than this was collected under.
  return step < 0
             ? QCoreApplication::translate("ChartPanel", "before the first step")
             : QCoreApplication::translate("ChartPanel", "at step %1").arg(numbers::whole(step));
}
}  // namespace

ChartPanel::Reading ChartPanel::readingOf(const SceneLine& line, double x) const {
  Reading r;
  r.line = &line;
  r.value = r.smooth = std::numeric_limits<double>::quiet_NaN();
  const XAxis axis = m_group.options().axis;
  const std::vector<double>& at = line.x->values(axis);
  const std::size_t rows = std::min(at.size(), line.values->size());
  const double pixel = m_drawn.plot.width() > 0 ? m_group.view().span() / m_drawn.plot.width() : 0;
  // What is measured now and then counts until it is measured again, and never before.
  const std::int64_t row =
      line.points ? line.x->rowAt(axis, x + kPointReach * pixel) : line.x->nearest(axis, x);
  if (row < 0 || static_cast<std::size_t>(row) >= rows) return r;
  const auto i = static_cast<std::size_t>(row);
  // A run that ended before the cursor says nothing there; half a row's distance is its reach.
  const double gap = rows > 1 ? (at[rows - 1] - at[0]) / static_cast<double>(rows - 1) : 1;
  const double reach = std::max(gap, kPointReach * pixel);
  const double end = std::max(at[rows - 1], line.points ? m_group.everything().high : at[rows - 1]);
  if (x > end + reach || x < at[0] - reach) return r;
  r.at = true;
  r.x = at[i];
  if (line.points) r.step = std::llround(line.x->values(XAxis::Step)[i]);
  r.value = static_cast<double>(line.values->at(i));
  if (m_group.options().smoothing <= 1 || !m_spec.smoothed || line.points) return r;
  const auto found = m_smoothing.find({line.run, line.key});
  if (found != m_smoothing.end() && i < found->second.values().size()) {
    r.smooth = static_cast<double>(found->second.values()[i]);
  }
  return r;
}

/// At the cursor, or the newest of each line.
std::vector<ChartPanel::Reading> ChartPanel::readings() const {
  std::vector<Reading> all;
  for (const SceneLine& line : lines()) {
    const std::vector<double>& at = line.x->values(m_group.options().axis);
    if (at.empty()) continue;
    all.push_back(readingOf(line, m_group.cursor().value_or(at.back())));
  }
  return all;
}

QString ChartPanel::readout() const {
  if (!m_group.cursor()) return {};
  QString text = chart::xText(*m_group.cursor(), m_group.options().axis) + QLatin1Char(':');
  for (const Reading& r : readings()) {
    if (!r.at) continue;
    text += QStringLiteral(" %1 %2").arg(r.line->title, chart::valueText(r.value, m_spec.kind));
    if (r.line->points) text += u' ' + stepNote(r.step);
    text += u',';
  }
  text.chop(1);
  return text;
}

void ChartPanel::paintCursor(QPainter& painter, const std::vector<Reading>& all) {
  if (!m_group.cursor() || m_dragging == Dragging::Pan) return;
  const double x = m_drawn.x.toPixel(*m_group.cursor());
  const QRectF& plot = m_drawn.plot;
  if (x < plot.left() - 0.5 || x > plot.right() + 0.5) return;
  QColor color = theme::colors().textSecondary;
  painter.setPen(QPen(color, 1));
  const double snapped = std::floor(x) + 0.5;
  painter.drawLine(QPointF(snapped, plot.top()), QPointF(snapped, plot.bottom()));
  if (all.size() > 12) return;
  for (const Reading& r : all) {
    if (!r.at || !std::isfinite(r.value)) continue;
    const double shown = std::isfinite(r.smooth) ? r.smooth : r.value;
    const QPointF at(m_drawn.x.toPixel(r.x), m_drawn.y.toPixel(shown));
    if (!plot.adjusted(-1, -1, 1, 1).contains(at)) continue;
    painter.setBrush(r.line->color);
    painter.setPen(QPen(theme::colors().raised, 1.5));
    painter.drawEllipse(at, 4, 4);
  }
}

void ChartPanel::paintPicked(QPainter& painter) {
  if (m_group.pickedStep() < 0) return;
  const RunCurves* run = m_group.run(m_group.pickedRun());
  if (!run && !m_group.pickedRun().isEmpty()) return;
  if (!run && !m_group.runs().empty()) run = m_group.runs().front().get();
  if (!run) return;
  const QRectF& plot = m_drawn.plot;
  const double x = m_drawn.x.toPixel(run->position(m_group.pickedStep(), m_group.options().axis));
  if (!(x >= plot.left() - 0.5 && x <= plot.right() + 0.5)) return;
  const QColor color = theme::colors().accent;
  const double snapped = std::floor(x) + 0.5;
  painter.setPen(QPen(color, 2));
  painter.drawLine(QPointF(snapped, plot.top()), QPointF(snapped, plot.bottom()));
  painter.setBrush(color);
  painter.setPen(Qt::NoPen);
  painter.drawPolygon(
      QPolygonF{{QPointF(snapped - 4, plot.top() - 6), QPointF(snapped + 4, plot.top() - 6),
                 QPointF(snapped, plot.top() + 1)}});
}

void ChartPanel::paintReadout(QPainter& painter, const std::vector<Reading>& all) {
  if (!m_group.cursor() || !m_drawn.any || !m_group.view().contains(*m_group.cursor())) return;
  std::vector<Reading> shown;
  for (const Reading& r : all) {
    if (r.at) shown.push_back(r);
  }
  if (shown.empty()) return;
  const std::size_t total = shown.size();
  if (total > kMostRows) {  // those nearest to the mouse, in order of their values
    const auto distance = [&](const Reading& r) {
      return std::isfinite(r.value) ? std::abs(m_drawn.y.toPixel(r.value) - m_last.y()) : 1e9;
    };
    std::partial_sort(shown.begin(), shown.begin() + kMostRows, shown.end(),
                      [&](const auto& a, const auto& b) { return distance(a) < distance(b); });
    shown.resize(kMostRows);
  }
  if (m_group.runs().size() > 1) {
    std::stable_sort(shown.begin(), shown.end(),
                     [](const auto& a, const auto& b) { return a.value > b.value; });
  }
  const QFont plain = theme::font(theme::TextSize::Caption);
  const QFont digits = theme::font(theme::TextSize::Caption, true, true);
  const QFontMetricsF plainMetrics(plain), digitMetrics(digits);
  QString head = chart::xText(*m_group.cursor(), m_group.options().axis);
  if (m_group.options().axis != XAxis::Step) {
    if (const RunCurves* run = primaryRun()) {
      const auto step = run->stepNear(*m_group.cursor(), m_group.options().axis);
      if (step >= 0) head += QStringLiteral("  (%1)").arg(chart::xText(double(step), XAxis::Step));
    }
  }
  double titleWidth = 0, valueWidth = 0;
  std::vector<QString> values;
  for (const Reading& r : shown) {
    QString value = chart::valueText(r.value, m_spec.kind);
    if (std::isfinite(r.smooth)) {
      value += tr("  smoothed %1").arg(chart::valueText(r.smooth, m_spec.kind));
    }
    if (r.line->points) value += QStringLiteral("  ") + stepNote(r.step);
    values.push_back(value);
    titleWidth =
        std::max(titleWidth, std::min(180.0, plainMetrics.horizontalAdvance(r.line->title)));
    valueWidth = std::max(valueWidth, digitMetrics.horizontalAdvance(value));
  }
  const QString more = total > shown.size() ? tr("%1 more").arg(total - shown.size()) : QString();
  const double rows = double(shown.size()) + 1 + (more.isEmpty() ? 0 : 1);
  const double width =
      std::max(kSample + 6 + titleWidth + 10 + valueWidth, plainMetrics.horizontalAdvance(head)) +
      2 * kPad;
  QRectF box(0, 0, width, rows * kRow + kPad);
  const double x = m_drawn.x.toPixel(*m_group.cursor());
  box.moveTopLeft(QPointF(x + 12, m_drawn.plot.top() + 4));
  if (box.right() > this->width() - 4) box.moveRight(x - 12);
  if (box.left() < 4) box.moveLeft(4);
  if (box.bottom() > height() - 4) box.moveBottom(std::max(box.height() + 2, height() - 4.0));
  const theme::Colors& c = theme::colors();
  painter.setPen(QPen(c.border, 1));
  painter.setBrush(c.raised);
  painter.drawRoundedRect(box.translated(0.5, 0.5), 3, 3);
  double y = box.top() + kPad / 2;
  painter.setFont(plain);
  painter.setPen(c.textSecondary);
  painter.drawText(QRectF(box.left() + kPad, y, width, kRow), Qt::AlignVCenter, head);
  for (std::size_t i = 0; i < shown.size(); ++i) {
    y += kRow;
    const SceneLine& line = *shown[i].line;
    double at = box.left() + kPad;
    chart::drawSample(painter, QRectF(at, y, kSample, kRow), line.color, line.dash, line.points);
    at += kSample + 6;
    painter.setFont(plain);
    painter.setPen(c.text);
    painter.drawText(QRectF(at, y, titleWidth + 4, kRow), Qt::AlignVCenter,
                     plainMetrics.elidedText(line.title, Qt::ElideMiddle, titleWidth + 1));
    painter.setFont(digits);
    if (!std::isfinite(shown[i].value)) painter.setPen(c.bad);
    painter.drawText(QRectF(at + titleWidth + 10, y, valueWidth + 4, kRow), Qt::AlignVCenter,
                     values[i]);
  }
  if (more.isEmpty()) return;
  painter.setFont(plain);
  painter.setPen(c.textSecondary);
  painter.drawText(QRectF(box.left() + kPad, y + kRow, width, kRow), Qt::AlignVCenter, more);
}

QString ChartPanel::markTextAt(const QPointF& at) const {
  if (!m_group.options().marks || at.y() < m_drawn.plot.bottom() || at.y() > height()) return {};
  QStringList texts;
  for (const auto& run : m_group.runs()) {
    if (m_group.runs().size() > 3 && run->id() != m_group.hovered()) continue;
    for (const ChartMark& mark : run->marks()) {
      const double x = m_drawn.x.toPixel(run->position(mark.step, m_group.options().axis));
      if (std::abs(x - at.x()) > 5 || texts.size() >= 8) continue;
      // A checkpoint says its own step: how many are done, as its folder counts them.
      texts << (mark.kind == ChartMark::Kind::Checkpoint
                    ? mark.text
                    : tr("Step %1: %2").arg(numbers::whole(mark.step), mark.text));
    }
  }
  return texts.join(QLatin1Char('\n'));
}

}  // namespace tessera::ui
