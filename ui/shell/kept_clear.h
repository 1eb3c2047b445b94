// SPDX-License-Identifier: MIT
// What lines that are laid over a page may not cover: see ui/widgets/keeps_toasts_off.h.
#pragma once

#include <QRect>

class QObject;
class QWidget;

namespace tessera::ui {

/// Where the widgets lie that keep such lines off, in the coordinates of `over`; with `focused`
/// also the field that is typed into. `watcher` filters their events from now on: they may grow.
QRect keptClear(QWidget& over, QObject& watcher, bool focused);

/// `line` as it is, or moved above `clear` where it would lie on it. What reaches up to the upper
/// third of `room` cannot be kept clear.
QRect movedAbove(const QRect& line, const QRect& clear, const QRect& room);

}  // namespace tessera::ui
