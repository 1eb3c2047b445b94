// SPDX-License-Identifier: MIT
// How a run stands, as a word with a shape and a colour: never as a colour alone.
#pragma once

#include <QWidget>

#include "core/events/events.h"

namespace tessera::ui {

QString stateWord(RunState state);    ///< "Lost contact"
QColor stateColor(RunState state);    ///< by the scheme of the moment
bool isLive(RunState state);          ///< something runs, or may: neither draft, queued nor final
bool needsAttention(RunState state);  ///< Failed and LostContact

/// For delegates: the badge's content left-aligned in `rect`; and the width that it needs.
void paintState(QPainter& painter, const QRect& rect, RunState state, const QFont& font,
                const QColor& textColor);
int stateWidth(RunState state, const QFont& font);

class StateBadge : public QWidget {
  Q_OBJECT
 public:
  explicit StateBadge(RunState state = RunState::Draft, QWidget* parent = nullptr);
  void setState(RunState state, const QString& tip = {});
  RunState state() const { return m_state; }
  QSize sizeHint() const override;
  QSize minimumSizeHint() const override { return sizeHint(); }

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  RunState m_state;
};

}  // namespace tessera::ui
