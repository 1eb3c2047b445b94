// SPDX-License-Identifier: MIT
#include "ui/pages/curriculum/curriculum_view.h"

#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QPainterPath>
#include <algorithm>
#include <cmath>
#include <map>

#include "core/base/error.h"
#include "ui/theme/theme.h"
#include "ui/widgets/numbers.h"

namespace tessera::ui {

namespace {
constexpr int kLeft = 112, kRight = 16, kHeader = 34, kAxis = 30, kGap = 6;
constexpr double kLeastStage = 76;  ///< pixels: enough for a number
constexpr int kGrip = 6;            ///< pixels around an edge that take hold of it

QString nameOf(const std::string& text) {
  return QString::fromStdString(text);
}

std::int64_t lengthOf(const CurriculumStage& stage) {
  return stage.steps > 0 ? stage.steps : stage.tokens;
}
}  // namespace

CurriculumView::CurriculumView(QWidget* parent) : QWidget(parent) {
  setMouseTracking(true);
  setFocusPolicy(Qt::StrongFocus);
  setAccessibleName(tr("Curriculum over tokens"));
}

QString CurriculumView::laneTitle(Lane lane) {
  switch (lane) {
    case Lane::Length:
      return tr("sequence length");
    case Lane::Batch:
      return tr("batch, sequences");
    case Lane::Rate:
      return tr("learning rate");
    case Lane::Mixture:
      return tr("mixture");
    case Lane::Bias:
      return tr("bias speed");
    default:
      return tr("MTP lambda");
  }
}

double CurriculumView::valueOf(Lane lane, const CurriculumStep& at) {
  switch (lane) {
    case Lane::Length:
      return static_cast<double>(at.sequence_length);
    case Lane::Batch:
      return static_cast<double>(at.batch_sequences);
    case Lane::Rate:
      return at.learning_rate;
    case Lane::Bias:
      return at.bias_speed;
    case Lane::Lambda:
      return at.mtp_lambda;
    default:
      return 0;
  }
}

QString CurriculumView::valueText(Lane lane, double value) {
  if (lane == Lane::Length || lane == Lane::Batch) {
    return numbers::whole(static_cast<std::int64_t>(value));
  }
  return numbers::number(value, 3);
}

bool CurriculumView::setSpec(const RunSpec& spec) {
  try {
    m_curriculum = std::make_unique<Curriculum>(spec);
  } catch (const Error&) {
    return false;
  }
  m_spec = spec;
  m_selected = std::clamp(m_selected, 0, m_curriculum->stages() - 1);
  compute();
  QStringList words;
  for (const CurriculumStage& stage : spec.curriculum) {
    words << tr("%1: sequences of %2, batch %3")
                 .arg(nameOf(stage.name))
                 .arg(stage.sequence_length)
                 .arg(stage.batch_sequences);
  }
  setAccessibleDescription(words.join(QStringLiteral("; ")));
  return true;
}

void CurriculumView::select(int stage) {
  if (!m_curriculum || stage < 0 || stage >= m_curriculum->stages() || stage == m_selected) return;
  m_selected = stage;
  update();
  Q_EMIT selectedChanged(stage);
}

// ---- Geometry -----------------------------------------------------------------------------------

QRectF CurriculumView::plot() const {
  return QRectF(kLeft, kHeader, std::max(50, width() - kLeft - kRight),
                std::max(50, height() - kHeader - kAxis));
}

QRectF CurriculumView::laneRect(Lane lane) const {
  // The learning rate and the mixture have the most to show.
  static constexpr double kShares[] = {1, 1, 2, 1.4, 1, 1};
  double before = 0, all = 0;
  for (int i = 0; i < static_cast<int>(Lane::Count); ++i) {
    if (i < static_cast<int>(lane)) before += kShares[i];
    all += kShares[i];
  }
  const QRectF area = plot();
  const double share = kShares[static_cast<int>(lane)];
  return QRectF(area.left(), area.top() + before / all * area.height(), area.width(),
                share / all * area.height() - kGap);
}

QPoint CurriculumView::edgeAfter(int stage) const {
  return {static_cast<int>(std::lround(kLeft + m_axis.edge(stage + 1))), kHeader / 2};
}

QPoint CurriculumView::middleOf(int stage) const {
  return {static_cast<int>(kLeft + (m_axis.edge(stage) + m_axis.edge(stage + 1)) / 2), kHeader / 2};
}

void CurriculumView::compute() {
  if (!m_curriculum) return;
  std::vector<std::int64_t> tokens;
  for (int i = 0; i < m_curriculum->stages(); ++i) {
    const std::int64_t first = m_curriculum->at_step(m_curriculum->first_step(i)).tokens;
    const std::int64_t end = i + 1 < m_curriculum->stages()
                                 ? m_curriculum->at_step(m_curriculum->first_step(i + 1)).tokens
                                 : m_curriculum->total_tokens();
    tokens.push_back(std::max<std::int64_t>(1, end - first));
  }
  if (m_dragged < 0) m_axis = StageAxis(tokens, plot().width(), kLeastStage);
  const int columns = static_cast<int>(plot().width());
  m_curves.assign(static_cast<std::size_t>(Lane::Count), {});
  for (Curve& curve : m_curves) {
    curve.least = INFINITY;
    curve.most = -INFINITY;
  }
  const std::int64_t last = m_curriculum->total_tokens() - 1;
  for (int x = 0; x < columns; ++x) {
    const std::int64_t at = std::min(last, m_axis.tokensAt(x + 0.5));
    const CurriculumStep stage = m_curriculum->at_tokens(at);
    for (std::size_t lane = 0; lane < m_curves.size(); ++lane) {
      const double value = valueOf(static_cast<Lane>(lane), stage);
      m_curves[lane].values.push_back(static_cast<float>(value));
      m_curves[lane].least = std::min(m_curves[lane].least, value);
      m_curves[lane].most = std::max(m_curves[lane].most, value);
    }
  }
  update();
}

void CurriculumView::resizeEvent(QResizeEvent*) {
  compute();
}

// ---- Painting -----------------------------------------------------------------------------------

void CurriculumView::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  const theme::Colors& c = theme::colors();
  painter.fillRect(rect(), c.window);
  if (!m_curriculum) return;
  painter.setRenderHint(QPainter::Antialiasing);
  const QRectF area = plot();
  if (m_selected >= 0 && m_selected < m_axis.stages()) {
    QColor tint = c.accent;
    tint.setAlphaF(0.08f);
    painter.fillRect(
        QRectF(area.left() + m_axis.edge(m_selected), 0,
               m_axis.edge(m_selected + 1) - m_axis.edge(m_selected), area.bottom() - kGap),
        tint);
  }
  for (int lane = 0; lane < static_cast<int>(Lane::Count); ++lane) {
    paintLane(painter, static_cast<Lane>(lane));
  }
  paintHeader(painter);
  paintAxis(painter);
  paintCursor(painter);
}

void CurriculumView::paintHeader(QPainter& painter) const {
  const theme::Colors& c = theme::colors();
  const QRectF area = plot();
  for (int i = 0; i < m_axis.stages() && i < static_cast<int>(m_spec.curriculum.size()); ++i) {
    const QRectF cell(area.left() + m_axis.edge(i) + 1, 6, m_axis.edge(i + 1) - m_axis.edge(i) - 2,
                      kHeader - 12);
    const bool selected = i == m_selected;
    painter.setPen(QPen(selected ? c.accent : c.border, 1));
    painter.setBrush(selected ? c.accent : c.raised);
    painter.drawRoundedRect(cell.adjusted(0.5, 0.5, -0.5, -0.5), 4, 4);
    painter.setFont(theme::font(theme::TextSize::Caption, false, selected));
    painter.setPen(selected ? c.accentText : c.text);
    const QString name = nameOf(m_spec.curriculum[static_cast<std::size_t>(i)].name);
    painter.drawText(cell.adjusted(6, 0, -6, 0), Qt::AlignVCenter | Qt::AlignLeft,
                     painter.fontMetrics().elidedText(name, Qt::ElideRight,
                                                      static_cast<int>(cell.width()) - 12));
  }
  painter.setFont(theme::font(theme::TextSize::Caption));
  painter.setPen(c.textSecondary);
  painter.drawText(QRectF(8, 6, kLeft - 16, kHeader - 12), Qt::AlignVCenter | Qt::AlignRight,
                   tr("stage"));
}

void CurriculumView::paintLane(QPainter& painter, Lane lane) const {
  const theme::Colors& c = theme::colors();
  const QRectF rect = laneRect(lane);
  painter.setPen(QPen(c.gridLine, 1));
  painter.setBrush(Qt::NoBrush);
  painter.drawLine(rect.bottomLeft(), rect.bottomRight());
  for (int i = 1; i < m_axis.stages(); ++i) {
    const double x = rect.left() + m_axis.edge(i);
    painter.drawLine(QPointF(x, rect.top()), QPointF(x, rect.bottom()));
  }
  painter.setFont(theme::font(theme::TextSize::Caption));
  painter.setPen(c.textSecondary);
  painter.drawText(QRectF(8, rect.top(), kLeft - 16, rect.height()),
                   Qt::AlignVCenter | Qt::AlignRight | Qt::TextWordWrap, laneTitle(lane));
  if (lane == Lane::Mixture) {
    paintMixture(painter, rect);
  } else {
    paintCurve(painter, lane, rect);
  }
}

void CurriculumView::paintCurve(QPainter& painter, Lane lane, const QRectF& rect) const {
  const theme::Colors& c = theme::colors();
  const Curve& curve = m_curves[static_cast<std::size_t>(lane)];
  if (curve.values.empty()) return;
  painter.setFont(theme::font(theme::TextSize::Caption, true));
  const double text = painter.fontMetrics().height();
  // Lengths and batches differ by powers of two; the rest starts at 0.
  const bool log = lane == Lane::Length && curve.least > 0 && curve.most > 4 * curve.least;
  const auto scale = [log](double v) { return log ? std::log2(v) : v; };
  const double low = log ? scale(curve.least) - 1 : 0;
  const double span = std::max(1e-12, scale(curve.most) - low);
  const double top = rect.top() + text + 1, room = rect.bottom() - top - 2;
  const auto y = [&](double v) { return rect.bottom() - 2 - (scale(v) - low) / span * room; };
  QPainterPath path;
  for (std::size_t x = 0; x < curve.values.size(); ++x) {
    const QPointF point(rect.left() + static_cast<double>(x) + 0.5,
                        y(static_cast<double>(curve.values[x])));
    x == 0 ? path.moveTo(point) : path.lineTo(point);
  }
  const QColor line = c.lines[static_cast<std::size_t>(lane) % c.lines.size()];
  QPainterPath filled = path;
  filled.lineTo(rect.left() + static_cast<double>(curve.values.size()) - 0.5, rect.bottom() - 1);
  filled.lineTo(rect.left(), rect.bottom() - 1);
  filled.closeSubpath();
  QColor tint = line;
  tint.setAlphaF(0.14f);
  painter.fillPath(filled, tint);
  painter.setPen(QPen(line, 2));
  painter.setBrush(Qt::NoBrush);
  painter.drawPath(path);

  // The value where a stage begins and, where it changes, what it ends with.
  painter.setPen(c.text);
  for (int i = 0; i < m_axis.stages(); ++i) {
    const auto first = static_cast<std::size_t>(std::max(0.0, m_axis.edge(i) + 1));
    const auto last = static_cast<std::size_t>(std::max(0.0, m_axis.edge(i + 1) - 2));
    if (first >= curve.values.size() || last >= curve.values.size()) break;
    const std::int64_t step = m_curriculum->first_step(i + 1) - 1;
    const double begin = valueOf(lane, m_curriculum->at_step(m_curriculum->first_step(i)));
    const double end = valueOf(lane, m_curriculum->at_step(step));
    double most = begin;
    for (std::size_t x = first; x <= last; ++x) {
      most = std::max(most, static_cast<double>(curve.values[x]));
    }
    const bool flat = begin == end && most <= begin * (1 + 1e-6);
    const QRectF cell(rect.left() + m_axis.edge(i) + 4, rect.top(),
                      m_axis.edge(i + 1) - m_axis.edge(i) - 8, text);
    // Up to the end, or down to it from the most on the way.
    const double from = end >= most * (1 - 1e-6) ? begin : most;
    const QString words =
        flat ? valueText(lane, begin)
             : valueText(lane, from) + QStringLiteral(" → ") + valueText(lane, end);
    const QString shown = painter.fontMetrics().horizontalAdvance(words) <= cell.width()
                              ? words
                              : valueText(lane, end);
    if (painter.fontMetrics().horizontalAdvance(shown) > cell.width()) continue;
    painter.drawText(cell, Qt::AlignLeft | Qt::AlignVCenter, shown);
  }
}

/// Shares of the sources, stacked; a stage may have its own.
void CurriculumView::paintMixture(QPainter& painter, const QRectF& rect) const {
  const theme::Colors& c = theme::colors();
  const double band = rect.height() - 4;
  painter.setFont(theme::font(theme::TextSize::Caption));
  for (int i = 0; i < m_axis.stages() && i < static_cast<int>(m_spec.curriculum.size()); ++i) {
    const CurriculumStage& stage = m_spec.curriculum[static_cast<std::size_t>(i)];
    std::map<std::string, double> weights;
    double sum = 0;
    for (const auto& [name, weight] : stage.mixture) weights[name] = weight;
    if (stage.mixture.empty()) {
      for (const DataSource& source : m_spec.data.sources) weights[source.name] = source.weight;
    }
    for (const auto& [name, weight] : weights) sum += weight;
    if (sum <= 0) continue;
    double top = rect.top() + 2;
    for (std::size_t s = 0; s < m_spec.data.sources.size(); ++s) {
      const std::string& name = m_spec.data.sources[s].name;
      const double share = weights.count(name) ? weights[name] / sum : 0;
      const QRectF part(rect.left() + m_axis.edge(i) + 1, top,
                        m_axis.edge(i + 1) - m_axis.edge(i) - 2, share * band);
      top += share * band;
      QColor color = c.lines[s % c.lines.size()];
      color.setAlphaF(0.35f);
      painter.fillRect(part, color);
      if (part.height() < painter.fontMetrics().height() - 2) continue;
      painter.setPen(c.text);
      const QString words = nameOf(name) + QStringLiteral(" ") + numbers::percent(share);
      painter.drawText(part.adjusted(4, 0, -4, 0), Qt::AlignLeft | Qt::AlignVCenter,
                       painter.fontMetrics().elidedText(words, Qt::ElideRight,
                                                        static_cast<int>(part.width()) - 8));
    }
  }
}

void CurriculumView::paintAxis(QPainter& painter) const {
  const theme::Colors& c = theme::colors();
  const QRectF area = plot();
  painter.setFont(theme::font(theme::TextSize::Caption, true));
  painter.setPen(c.textSecondary);
  double free = -1;
  for (int i = 0; i <= m_axis.stages(); ++i) {
    const QString text = numbers::count(static_cast<double>(
        i < m_axis.stages() ? m_axis.firstToken(i) : m_curriculum->total_tokens()));
    const double width = painter.fontMetrics().horizontalAdvance(text);
    const double x = area.left() + m_axis.edge(i);
    const double left = i == 0 ? x : i == m_axis.stages() ? x - width : x - width / 2;
    if (left < free) continue;
    painter.drawText(QPointF(left, area.bottom() + painter.fontMetrics().ascent()), text);
    free = left + width + 8;
  }
  painter.setFont(theme::font(theme::TextSize::Caption));
  const QString title = m_axis.distorted() ? tr("tokens trained (short stages are drawn wider)")
                                           : tr("tokens trained");
  painter.drawText(QRectF(area.left(), height() - kAxis + 12, area.width(), kAxis - 12),
                   Qt::AlignHCenter | Qt::AlignVCenter, title);
}

void CurriculumView::paintCursor(QPainter& painter) const {
  const theme::Colors& c = theme::colors();
  const QRectF area = plot();
  if (m_hover >= 0) {
    painter.setPen(QPen(c.textSecondary, 1, Qt::DashLine));
    const double x = area.left() + m_hover;
    painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom() - kGap));
  }
  // Grips of the edges, so that one sees what can be dragged.
  for (int i = 1; i <= m_axis.stages(); ++i) {
    const double x = area.left() + m_axis.edge(i);
    painter.setPen(Qt::NoPen);
    painter.setBrush(i - 1 == m_dragged ? c.accent : c.textSecondary);
    painter.drawRoundedRect(QRectF(x - 2, 8, 4, kHeader - 16), 2, 2);
  }
  if (hasFocus()) {
    painter.setPen(QPen(c.accent, 1));
    painter.setBrush(Qt::NoBrush);
    painter.drawRect(rect().adjusted(0, 0, -1, -1));
  }
}

// ---- By hand ------------------------------------------------------------------------------------

int CurriculumView::edgeNear(double x) const {
  for (int i = 1; i <= m_axis.stages(); ++i) {
    if (std::abs(x - m_axis.edge(i)) <= kGrip) return i - 1;
  }
  return -1;
}

void CurriculumView::sayAgain() {
  if (m_dragged >= 0) return;
  if (m_hover >= 0) {
    say(m_hover);
  } else {
    Q_EMIT readout({});
  }
}

void CurriculumView::say(double x) {
  if (!m_curriculum) return;
  const CurriculumStep at =
      m_curriculum->at_tokens(std::min(m_curriculum->total_tokens() - 1, m_axis.tokensAt(x)));
  Q_EMIT readout(tr("%1: step %2, %3, sequences of %4, batch %5, rate %6, bias speed %7, lambda %8")
                     .arg(nameOf(m_spec.curriculum[static_cast<std::size_t>(at.stage)].name),
                          numbers::whole(at.step), numbers::tokens(static_cast<double>(at.tokens)),
                          numbers::whole(at.sequence_length), numbers::whole(at.batch_sequences),
                          numbers::number(at.learning_rate, 3), numbers::number(at.bias_speed, 3),
                          numbers::number(at.mtp_lambda, 3)));
}

void CurriculumView::mousePressEvent(QMouseEvent* event) {
  if (event->button() != Qt::LeftButton || !m_curriculum) return;
  const double x = event->position().x() - kLeft;
  const int edge = edgeNear(x);
  if (edge < 0) {
    if (const int stage = m_axis.stageAt(x); stage >= 0) select(stage);
    return;
  }
  select(edge);
  const CurriculumStage& stage = m_spec.curriculum[static_cast<std::size_t>(edge)];
  m_dragged = edge;
  m_dragFrom = x;
  m_dragLength = m_lengthNow = lengthOf(stage);
  m_dragTokensPerPixel = m_axis.tokensPerPixel(edge);
  update();
}

void CurriculumView::mouseMoveEvent(QMouseEvent* event) {
  const double x = event->position().x() - kLeft;
  if (m_dragged < 0) {
    setCursor(edgeNear(x) >= 0 ? Qt::SplitHCursor : Qt::ArrowCursor);
    m_hover = x >= 0 && x < plot().width() ? x : -1;
    if (m_hover >= 0) say(x);
    update();
    return;
  }
  const CurriculumStage& stage = m_spec.curriculum[static_cast<std::size_t>(m_dragged)];
  const std::int64_t tokens = m_axis.firstToken(m_dragged + 1) - m_axis.firstToken(m_dragged);
  // In the unit that the stage is given in.
  const double perPixel = m_dragTokensPerPixel * static_cast<double>(m_dragLength) /
                          static_cast<double>(std::max<std::int64_t>(1, tokens));
  const double wanted = static_cast<double>(m_dragLength) + (x - m_dragFrom) * perPixel;
  m_lengthNow = roundedLength(std::max(wanted, perPixel), perPixel);
  Q_EMIT readout(stage.steps > 0
                     ? tr("%1: %2 steps").arg(nameOf(stage.name), numbers::whole(m_lengthNow))
                     : tr("%1: %2").arg(nameOf(stage.name),
                                        numbers::tokens(static_cast<double>(m_lengthNow))));
  m_hover = std::clamp(x, 0.0, plot().width() - 1);
  update();
}

void CurriculumView::mouseReleaseEvent(QMouseEvent*) {
  if (m_dragged < 0) return;
  const int stage = std::exchange(m_dragged, -1);
  if (m_lengthNow != m_dragLength) Q_EMIT lengthDragged(stage, m_lengthNow);
  update();
}

void CurriculumView::leaveEvent(QEvent*) {
  m_hover = -1;
  sayAgain();
  update();
}

void CurriculumView::keyPressEvent(QKeyEvent* event) {
  if (!m_curriculum) return QWidget::keyPressEvent(event);
  const bool longer = event->key() == Qt::Key_Right, shorter = event->key() == Qt::Key_Left;
  if (!longer && !shorter) return QWidget::keyPressEvent(event);
  if (!event->modifiers().testFlag(Qt::ControlModifier))
    return select(m_selected + (longer ? 1 : -1));
  const auto length =
      static_cast<double>(lengthOf(m_spec.curriculum[static_cast<std::size_t>(m_selected)]));
  const double grain = std::max(1.0, length / 20);
  Q_EMIT lengthDragged(m_selected, roundedLength(length + (longer ? grain : -grain), grain));
}

void CurriculumView::changeEvent(QEvent* event) {
  QWidget::changeEvent(event);
  if (event->type() == QEvent::PaletteChange || event->type() == QEvent::FontChange) update();
}

}  // namespace tessera::ui
