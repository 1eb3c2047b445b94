// SPDX-License-Identifier: MIT
// What a panel is made of and how it is painted: the plot once per change into an image, then
// legend, cursor and picked step over it, so that moving the mouse draws no curve.
#include "ui/widgets/chart/chart_panel.h"

#include <time.h>

#include <QEvent>
#include <QHelpEvent>
#include <QPainter>
#include <QToolButton>
#include <QToolTip>
#include <algorithm>
#include <cmath>

#include "ui/theme/theme.h"
#include "ui/widgets/chart/chart_text.h"
#include "ui/widgets/chart/legend.h"

namespace tessera::ui {

using chart::Drawn;
using chart::Scene;
using chart::SceneLine;
using chart::XAxis;

namespace {
constexpr double kHeader = 30, kLegend = 20, kEdge = 8;
/// Processor time of this thread: what drawing takes, not what else the machine does.
double threadMs() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return double(now.tv_sec) * 1e3 + double(now.tv_nsec) * 1e-6;
}
/// About 2 ms of smoothing a frame; what is left follows in the next.
constexpr std::size_t kSmoothPerFrame = 400'000;
}  // namespace

ChartPanel::ChartPanel(ChartGroup& group, ChartPanelSpec spec, QWidget* parent)
    : QWidget(parent), m_group(group), m_alive(&group), m_spec(std::move(spec)), m_log(m_spec.log) {
  setObjectName(QStringLiteral("chart-") + m_spec.id);
  setFocusPolicy(Qt::StrongFocus);
  setMouseTracking(true);
  setAttribute(Qt::WA_OpaquePaintEvent);
  setAccessibleName(tr("Chart: %1").arg(m_spec.title));
  makeButtons();
  connect(&group, &ChartGroup::dataUpdated, this, [this] {
    m_stale = true;
    m_lines.reset();
    // While all of a run is in sight, its picture is only a little older than the run.
    if (!m_mouseInside && !hasFocus() && isVisible()) return m_group.drawSoon(this);
    update();
  });
  connect(&group, &ChartGroup::runsChanged, this, [this] {
    m_smoothing.clear();
    m_drawing.forget();
    linesStale();
  });
  connect(&group, &ChartGroup::optionsChanged, this, &ChartPanel::stale);
  connect(&group, &ChartGroup::viewChanged, this, &ChartPanel::stale);
  connect(&group, &ChartGroup::hoverChanged, this, &ChartPanel::stale);
  connect(&group, &ChartGroup::cursorChanged, this, [this] { update(); });
  connect(&group, &ChartGroup::pickedChanged, this, [this] { update(); });
  connect(&group, &ChartGroup::resetRequested, this, [this] { setHeights({}); });
}

void ChartPanel::makeButtons() {
  m_logButton = new QToolButton(this);
  m_logButton->setText(tr("log"));
  m_logButton->setCheckable(true);
  m_logButton->setAutoRaise(true);
  m_logButton->setFocusPolicy(Qt::NoFocus);  // the key L does the same
  m_logButton->setFont(theme::font(theme::TextSize::Caption));
  m_logButton->setToolTip(tr("Logarithmic axis (L)"));
  m_logButton->setAccessibleName(tr("Logarithmic axis of %1").arg(m_spec.title));
  connect(m_logButton, &QToolButton::clicked, this, &ChartPanel::setLogarithmic);
  m_menuButton = new QToolButton(this);
  m_menuButton->setText(QStringLiteral("\u22ee"));
  m_menuButton->setAutoRaise(true);
  m_menuButton->setFocusPolicy(Qt::NoFocus);
  m_menuButton->setToolTip(tr("Enlarge, table, export"));
  m_menuButton->setAccessibleName(tr("Menu of %1").arg(m_spec.title));
  connect(m_menuButton, &QToolButton::clicked, this,
          [this] { openMenu(m_menuButton->mapToGlobal(QPoint(0, m_menuButton->height()))); });
  showLog();
}

void ChartPanel::showLog() {
  m_logButton->setChecked(m_log);
  update();
}

void ChartPanel::setLogarithmic(bool on) {
  if (on != m_log) {
    m_log = on;
    m_heights.reset();
    stale();
  }
  showLog();
}

void ChartPanel::setHeights(std::optional<chart::Range> range) {
  if (range == m_heights) return;
  m_heights = range;
  stale();
  Q_EMIT heightsChanged();
}

void ChartPanel::stale() {
  m_stale = true;
  update();  // Qt leaves hidden widgets alone
}

void ChartPanel::linesStale() {
  m_lines.reset();
  stale();
}

const std::vector<SceneLine>& ChartPanel::lines() const {
  std::size_t generation = 0;
  for (const auto& run : m_group.runs()) generation = generation * 31 + run->generation();
  if (!m_lines || generation != m_generation) m_lines = makeLines();
  m_generation = generation;
  return *m_lines;
}

std::vector<SceneLine> ChartPanel::makeLines() const {
  std::vector<SceneLine> lines;
  const bool alone = m_group.runs().size() == 1;
  std::vector<QStringList> keysOf;
  bool several = false;  // one curve of a run that has no more is named as those of the others
  for (const auto& run : m_group.runs()) {
    QStringList& keys = keysOf.emplace_back();
    for (const QString& pattern : m_spec.keys) keys += run->keys(pattern);
    several |= keys.size() > 1;
  }
  std::size_t at = 0;
  for (const auto& run : m_group.runs()) {
    const QStringList& keys = keysOf[at++];
    const QColor color = theme::lineColor(run->id());
    // Dashes of very many lines would only be dust.
    const int dash = m_group.runs().size() <= 16 ? m_group.dashOf(*run) : 0;
    for (qsizetype k = 0; k < keys.size(); ++k) {
      const RunCurves::Curve curve = run->curve(keys[k]);
      SceneLine line;
      line.run = run->id();
      line.key = keys[k];
      line.values = curve.values;
      line.x = curve.x;
      line.points = curve.points;
      line.revision = run->revision();
      const bool training = several && keys[k] == QLatin1String("loss");
      const auto keyTitle = [&] { return training ? tr("training") : run->keyTitle(keys[k]); };
      if (alone) {
        line.title = keyTitle();
        line.color = keys.size() > 1 ? theme::lineColor(static_cast<int>(k)) : color;
        line.dash = static_cast<int>(k) / 8;  // past the eight colours
      } else {
        line.title = several ? run->title() + QStringLiteral(" · ") + keyTitle() : run->title();
        line.color = color;
        line.dash = dash + static_cast<int>(k);
      }
      lines.push_back(line);
    }
  }
  return lines;
}

/// Until something was logged nothing is known of what a run has and has not.
QString ChartPanel::emptyText() const {
  const bool logged = std::any_of(m_group.runs().begin(), m_group.runs().end(),
                                  [](const auto& run) { return run->x().size() > 0; });
  return logged ? m_spec.emptyText : tr("No step has been logged yet.");
}

Scene ChartPanel::scene() const {
  Scene s;
  const ChartOptions& options = m_group.options();
  s.lines = lines();
  s.axis = options.axis;
  s.view = m_group.view();
  s.heights = m_heights;
  s.log = m_log;
  s.smoothing = options.smoothing > 1 && m_spec.smoothed;
  s.mean = options.mean;
  s.smoothed = options.smoothing;
  s.allValues = options.allValues;
  s.kind = m_spec.kind;
  s.hoveredRun = m_group.hovered();
  s.hoveredKey = m_hoveredKey;
  s.emptyText = emptyText();
  if (m_drawn.plot.left() > 1) s.labels = m_drawn.plot.left() - 1;  // plotArea() begins at 1
  if (m_group.runs().size() == 1 && s.hoveredKey.isEmpty()) s.hoveredRun.clear();
  m_smoothingBehind = false;
  if (s.smoothing) {
    std::size_t budget = kSmoothPerFrame;
    for (SceneLine& line : s.lines) {
      if (line.points) continue;  // few values: validation is shown as it is
      const RunCurves* run = m_group.run(line.run);
      chart::Smoothing& smoothing = m_smoothing[{line.run, line.key}];
      const std::size_t done =
          smoothing.follow(*line.values, options.smoothing, run->revision(), budget);
      budget -= done;
      m_smoothingBehind |= smoothing.values().size() < line.values->size();
      line.smooth = &smoothing.values();
    }
  }
  if (options.marks) {
    for (const auto& run : m_group.runs()) {
      // With many runs the marks would be a carpet: those of the lit run.
      if (m_group.runs().size() > 3 && run->id() != m_group.hovered()) continue;
      for (const ChartMark& mark : run->marks()) {
        s.marks.push_back(mark);
        s.markX.push_back(run->position(mark.step, s.axis));
      }
    }
  }
  return s;
}

QRectF ChartPanel::plotArea(const QSizeF& size, double legendHeight) const {
  return QRectF(1, kHeader + legendHeight, size.width() - 2,
                size.height() - kHeader - legendHeight - 1);
}

void ChartPanel::renderBase() {
  const double ratio = devicePixelRatioF();
  const QSize pixels = size() * ratio;
  if (m_base.size() != pixels) {
    m_base = QImage(pixels, QImage::Format_RGB32);
    m_base.setDevicePixelRatio(ratio);
    m_base.fill(theme::colors().raised);
  }
  m_drawn = m_drawing.draw(scene(), m_base, plotArea(size(), kLegend));
  paintHeader();
  m_stale = false;
  ++m_renders;
  if (m_smoothingBehind) {
    QMetaObject::invokeMethod(this, &ChartPanel::stale, Qt::QueuedConnection);
  }
}

void ChartPanel::paintEvent(QPaintEvent*) {
  const bool stale = m_stale || m_base.size() != size() * devicePixelRatioF();
  // What the user has the mouse or the focus on is never late.
  const bool first = m_mouseInside || hasFocus();
  const bool late = stale && !first && !m_group.mayDraw(this);
  if (stale && !late) {
    const double begun = threadMs();
    renderBase();
    m_group.drew(threadMs() - begun);
  }
  QPainter painter(this);
  if (late) {
    paintMoved(painter);
  } else {
    painter.drawImage(QPointF(0, 0), m_base);
  }
  painter.setRenderHint(QPainter::Antialiasing);
  paintLegend(painter);
  std::vector<Reading> all;
  if (m_group.cursor() || m_mouseInside) all = readings();
  if (m_drawn.any) {
    paintPicked(painter);
    paintCursor(painter, all);
  }
  if (m_dragging == Dragging::Zoom && m_moved) {
    QColor fill = theme::colors().accent;
    painter.setPen(QPen(fill, 1));
    fill.setAlphaF(0.15f);
    painter.setBrush(fill);
    painter.drawRect(QRectF(m_pressed, m_last).normalized().intersected(m_drawn.plot));
  } else if (m_mouseInside && m_dragging == Dragging::None) {
    paintReadout(painter, all);
  }
  paintFrame(painter);
}

/// Four fills: the outline of a large rectangle costs an antialiased path.
void ChartPanel::paintFrame(QPainter& painter) {
  const QColor color = hasFocus() ? theme::colors().accent : theme::colors().border;
  const double line = hasFocus() ? 2 : 1, w = width(), h = height();
  for (const QRectF& side :
       {QRectF(0, 0, w, line), QRectF(0, h - line, w, line), QRectF(0, line, line, h - 2 * line),
        QRectF(w - line, line, line, h - 2 * line)}) {
    painter.fillRect(side, color);
  }
}

/// What was drawn last, where it belongs in the present view.
void ChartPanel::paintMoved(QPainter& painter) {
  const QRectF& plot = m_drawn.plot;
  const bool fits = m_base.size() == size() * devicePixelRatioF();
  if (!fits) painter.fillRect(rect(), theme::colors().raised);
  if (m_base.isNull() || plot.isEmpty()) return;
  const chart::Range was = m_drawn.x.range, now = m_group.view();
  const double ratio = m_base.devicePixelRatio();
  painter.drawImage(QPointF(0, 0), m_base);
  if (was == now) return;
  painter.fillRect(plot, theme::colors().raised);
  const double scale = plot.width() / now.span();
  const QRectF target(plot.left() + (was.low - now.low) * scale, plot.top(), was.span() * scale,
                      plot.height());
  painter.save();
  painter.setClipRect(plot);
  painter.drawImage(target, m_base, QRectF(plot.topLeft() * ratio, plot.size() * ratio));
  painter.restore();
}

/// Title and unit, into the drawn picture.
void ChartPanel::paintHeader() {
  QPainter painter(&m_base);
  painter.fillRect(QRectF(0, 0, width(), kHeader), theme::colors().raised);
  const theme::Colors& c = theme::colors();
  const QFont bold = theme::font(theme::TextSize::Body, false, true);
  const QFont caption = theme::font(theme::TextSize::Caption);
  const double right = m_logButton->x() - 4;
  const QString unit =
      m_drawn.fellBackToLinear ? tr("no value above 0 for a log axis") : m_spec.unit;
  const double unitWidth = chart::textWidth(caption, unit);
  const QString title =
      chart::elided(bold, m_spec.title, Qt::ElideRight, right - kEdge * 2 - unitWidth);
  painter.setPen(c.text);
  chart::drawText(painter, bold, QRectF(kEdge, 2, right, kHeader - 4), title);
  painter.setPen(c.textSecondary);
  const double at = kEdge * 2 + chart::textWidth(bold, title);
  const double room = std::max(0.0, right - at);
  chart::drawText(painter, caption, QRectF(at, 2, room, kHeader - 4),
                  chart::elided(caption, unit, Qt::ElideRight, room));
}

void ChartPanel::paintLegend(QPainter& painter) {
  const QRectF box(kEdge, kHeader - 4, width() - 2 * kEdge, kLegend);
  const auto lit = [this](const SceneLine* line) {
    return line->run == m_group.hovered() && m_group.runs().size() > 1;
  };
  std::vector<const SceneLine*> shown;
  for (const SceneLine& line : lines()) {
    if (!line.x->values(m_group.options().axis).empty()) shown.push_back(&line);
  }
  const std::size_t all = shown.size();
  std::stable_partition(shown.begin(), shown.end(), lit);
  // Of fifty runs a few find room: numbers and widths of the others are never asked for.
  shown.resize(std::min(all, chart::mostInLegendRow(box.width())));
  std::vector<chart::LegendEntry> entries;
  for (const SceneLine* line : shown) {
    const double last = line->x->values(m_group.options().axis).back();
    const Reading r = readingOf(*line, m_group.cursor().value_or(last));
    QString value = r.at ? chart::valueText(r.value, m_spec.kind) : QString();
    entries.push_back({line->title, value, line->color, line->dash, line->points, lit(line)});
  }
  chart::drawLegendRow(painter, box, entries, all - shown.size());
}

void ChartPanel::resizeEvent(QResizeEvent*) {
  const int h = 22;
  m_menuButton->setGeometry(width() - h - 4, 4, h, h);
  const int w = m_logButton->sizeHint().width();
  m_logButton->setGeometry(m_menuButton->x() - w - 2, 4, w, h);
  m_stale = true;
}

void ChartPanel::changeEvent(QEvent* event) {
  if (event->type() == QEvent::PaletteChange || event->type() == QEvent::FontChange) {
    linesStale();  // colours are in the lines
    m_base = QImage();
  }
  QWidget::changeEvent(event);
}

bool ChartPanel::event(QEvent* event) {
  // NOTE: a dying page still sends leave and focus events to its children.
  if (!m_alive) return QObject::event(event);
  if (event->type() == QEvent::ToolTip) {
    const auto* help = static_cast<QHelpEvent*>(event);
    const QString text = markTextAt(help->pos());
    if (text.isEmpty()) {
      QToolTip::hideText();
      event->ignore();
    } else {
      QToolTip::showText(help->globalPos(), text, this);
    }
    return true;
  }
  return QWidget::event(event);
}

QImage ChartPanel::picture(const QSize& size, double ratio) const {
  QImage image(size * ratio, QImage::Format_RGB32);
  image.setDevicePixelRatio(ratio);
  image.fill(theme::colors().raised);
  std::vector<chart::LegendEntry> entries;
  for (const SceneLine& line : lines()) {
    entries.push_back({line.title, {}, line.color, line.dash, line.points, false});
  }
  const QRectF legendBox(kEdge, kHeader, size.width() - 2 * kEdge, size.height() / 2.0);
  const double legend = chart::legendHeight(legendBox.width(), entries);
  Scene all = scene();
  while (m_smoothingBehind) all = scene();  // a file gets all of the smoothed line
  all.hoveredRun.clear();
  all.hoveredKey.clear();
  const double axisTitle = 20;
  const QRectF area = plotArea(QSizeF(size), legend).adjusted(0, 4, -4, -axisTitle);
  const Drawn drawn = chart::draw(all, image, area);
  QPainter painter(&image);
  painter.setRenderHint(QPainter::Antialiasing);
  painter.setPen(theme::colors().text);
  painter.setFont(theme::font(theme::TextSize::Heading));
  const QString unit = m_spec.unit.isEmpty() ? QString() : QStringLiteral(" (%1)").arg(m_spec.unit);
  painter.drawText(QRectF(kEdge, 4, size.width() - 2 * kEdge, kHeader - 4), Qt::AlignVCenter,
                   m_spec.title + unit);
  chart::drawLegend(painter, legendBox, entries);
  painter.setPen(theme::colors().textSecondary);
  painter.setFont(theme::font(theme::TextSize::Caption));
  painter.drawText(
      QRectF(drawn.plot.left(), size.height() - axisTitle - 2, drawn.plot.width(), axisTitle),
      Qt::AlignCenter, chart::titleOf(m_group.options().axis));
  return image;
}

}  // namespace tessera::ui
