// SPDX-License-Identifier: MIT
#include "ui/shell/kept_clear.h"

#include <QLineEdit>
#include <QPlainTextEdit>
#include <QTextEdit>

#include "ui/theme/theme.h"
#include "ui/widgets/keeps_toasts_off.h"

namespace tessera::ui {

namespace {
bool isTypedInto(const QWidget* widget) {
  if (const auto* line = qobject_cast<const QLineEdit*>(widget)) return !line->isReadOnly();
  if (const auto* text = qobject_cast<const QPlainTextEdit*>(widget)) return !text->isReadOnly();
  const auto* rich = qobject_cast<const QTextEdit*>(widget);
  return rich && !rich->isReadOnly();
}
}  // namespace

QRect keptClear(QWidget& over, QObject& watcher, bool focused) {
  QRect all;
  const QWidget* typed = focused ? over.window()->focusWidget() : nullptr;
  for (QWidget* widget : over.findChildren<QWidget*>()) {
    if (widget == &watcher) continue;
    const bool keepsOff = widget->property(kKeepsToastsOff).toBool();
    if (!keepsOff && (widget != typed || !isTypedInto(widget))) continue;
    widget->installEventFilter(&watcher);
    if (widget->isVisible()) all |= QRect(widget->mapTo(&over, QPoint()), widget->size());
  }
  return all;
}

QRect movedAbove(const QRect& line, const QRect& clear, const QRect& room) {
  const int top = clear.top() - line.height() - theme::kGrid;
  if (!line.intersects(clear) || top < room.height() / 3) return line;
  return QRect(QPoint(line.left(), top), line.size());
}

}  // namespace tessera::ui
