// SPDX-License-Identifier: MIT
#include "ui/widgets/state_badge.h"

#include <QCoreApplication>
#include <QPainter>
#include <QPolygonF>

#include "ui/theme/theme.h"

namespace tessera::ui {

namespace {

constexpr int kMark = 10, kGap = 6, kPad = 8;

enum class Mark { Ring, Dot, Bars, Square, Tick, Cross, Question };

Mark markOf(RunState state) {
  switch (state) {
    case RunState::Draft:
    case RunState::Checking:
    case RunState::Queued:
    case RunState::Starting:
      return Mark::Ring;
    case RunState::Running:
    case RunState::Saving:
    case RunState::Stopping:
      return Mark::Dot;
    case RunState::Paused:
      return Mark::Bars;
    case RunState::Stopped:
      return Mark::Square;
    case RunState::Finished:
      return Mark::Tick;
    case RunState::Failed:
      return Mark::Cross;
    case RunState::LostContact:
      return Mark::Question;
  }
  return Mark::Ring;
}

void paintMark(QPainter& painter, const QRectF& box, Mark mark, const QColor& color) {
  const QPen line(color, 2, Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin);
  painter.setPen(Qt::NoPen);
  painter.setBrush(color);
  const QRectF in = box.adjusted(1, 1, -1, -1);
  switch (mark) {
    case Mark::Dot:
      painter.drawEllipse(in);
      return;
    case Mark::Square:
      painter.drawRoundedRect(in, 1, 1);
      return;
    case Mark::Bars:
      painter.drawRect(QRectF(in.left(), in.top(), 3, in.height()));
      painter.drawRect(QRectF(in.right() - 3, in.top(), 3, in.height()));
      return;
    case Mark::Ring:
      painter.setBrush(Qt::NoBrush);
      painter.setPen(line);
      painter.drawEllipse(in);
      return;
    case Mark::Tick:
      painter.setBrush(Qt::NoBrush);
      painter.setPen(line);
      painter.drawPolyline(QPolygonF{{in.left(), in.center().y()},
                                     {in.left() + 0.36 * in.width(), in.bottom() - 1},
                                     {in.right(), in.top() + 1}});
      return;
    case Mark::Cross:
      painter.setPen(line);
      painter.drawLine(in.topLeft(), in.bottomRight());
      painter.drawLine(in.topRight(), in.bottomLeft());
      return;
    case Mark::Question: {
      QPen dashed = line;
      dashed.setDashPattern({1.2, 1.6});
      painter.setBrush(Qt::NoBrush);
      painter.setPen(dashed);
      painter.drawEllipse(in);
      return;
    }
  }
}

}  // namespace

QString stateWord(RunState state) {
  const auto say = [](const char* word) { return QCoreApplication::translate("RunState", word); };
  switch (state) {
    case RunState::Draft:
      return say(QT_TRANSLATE_NOOP("RunState", "Draft"));
    case RunState::Checking:
      return say(QT_TRANSLATE_NOOP("RunState", "Checking"));
    case RunState::Queued:
      return say(QT_TRANSLATE_NOOP("RunState", "Queued"));
    case RunState::Starting:
      return say(QT_TRANSLATE_NOOP("RunState", "Starting"));
    case RunState::Running:
      return say(QT_TRANSLATE_NOOP("RunState", "Running"));
    case RunState::Saving:
      return say(QT_TRANSLATE_NOOP("RunState", "Saving"));
    case RunState::Paused:
      return say(QT_TRANSLATE_NOOP("RunState", "Paused"));
    case RunState::Stopping:
      return say(QT_TRANSLATE_NOOP("RunState", "Stopping"));
    case RunState::Finished:
      return say(QT_TRANSLATE_NOOP("RunState", "Finished"));
    case RunState::Stopped:
      return say(QT_TRANSLATE_NOOP("RunState", "Stopped"));
    case RunState::Failed:
      return say(QT_TRANSLATE_NOOP("RunState", "Failed"));
    case RunState::LostContact:
      return say(QT_TRANSLATE_NOOP("RunState", "Lost contact"));
  }
  return {};
}

QColor stateColor(RunState state) {
  const theme::Colors& c = theme::colors();
  switch (state) {
    case RunState::Running:
    case RunState::Saving:
    case RunState::Finished:
      return c.good;
    case RunState::Paused:
    case RunState::Stopping:
    case RunState::LostContact:
      return c.warning;
    case RunState::Failed:
      return c.bad;
    default:
      return c.neutral;
  }
}

bool isLive(RunState state) {
  return state != RunState::Draft && state != RunState::Queued && !is_final(state);
}

bool needsAttention(RunState state) {
  return state == RunState::Failed || state == RunState::LostContact;
}

void paintState(QPainter& painter, const QRect& rect, RunState state, const QFont& font,
                const QColor& textColor) {
  painter.save();
  painter.setRenderHint(QPainter::Antialiasing);
  const QRectF mark(rect.left(), rect.center().y() - kMark / 2.0 + 0.5, kMark, kMark);
  paintMark(painter, mark, markOf(state), stateColor(state));
  painter.setPen(textColor);
  painter.setFont(font);
  painter.drawText(rect.adjusted(kMark + kGap, 0, 0, 0), Qt::AlignVCenter | Qt::AlignLeft,
                   stateWord(state));
  painter.restore();
}

int stateWidth(RunState state, const QFont& font) {
  return kMark + kGap + QFontMetrics(font).horizontalAdvance(stateWord(state)) + 2;
}

StateBadge::StateBadge(RunState state, QWidget* parent) : QWidget(parent), m_state(state) {
  setSizePolicy(QSizePolicy::Fixed, QSizePolicy::Fixed);
  setAccessibleName(stateWord(state));
}

void StateBadge::setState(RunState state, const QString& tip) {
  setToolTip(tip);
  setAccessibleName(stateWord(state));
  setAccessibleDescription(tip);
  if (state == m_state) return;
  m_state = state;
  updateGeometry();
  update();
}

QSize StateBadge::sizeHint() const {
  return {stateWidth(m_state, theme::font(theme::TextSize::Body)) + 2 * kPad, 24};
}

void StateBadge::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  painter.setRenderHint(QPainter::Antialiasing);
  const theme::Colors& c = theme::colors();
  const QColor color = stateColor(m_state);
  painter.setPen(QPen(theme::mixed(c.border, color, 0.35), 1));
  painter.setBrush(theme::mixed(c.raised, color, 0.10));
  painter.drawRoundedRect(QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5), 12, 12);
  paintState(painter, rect().adjusted(kPad, 0, -kPad, 0), m_state,
             theme::font(theme::TextSize::Body), c.text);
}

}  // namespace tessera::ui
