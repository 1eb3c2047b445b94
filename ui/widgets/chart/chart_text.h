// SPDX-License-Identifier: MIT
// Short texts of charts: labels of axes, legends, titles. The same ones are drawn with every
// picture, and to shape a text takes longer than to draw it: shaped texts are kept. For the GUI
// thread.
#pragma once

#include <QFont>
#include <QString>

class QPainter;
class QRectF;

namespace tessera::ui::chart {

/// As QFontMetricsF::horizontalAdvance().
double textWidth(const QFont& font, const QString& text);
/// With a part left out, as `mode` says, where it is wider than `room`.
QString elided(const QFont& font, const QString& text, Qt::TextElideMode mode, double room);
/// In the middle of the height of `box`, at its left or right edge; not clipped.
void drawText(QPainter& painter, const QFont& font, const QRectF& box, const QString& text,
              Qt::Alignment side = Qt::AlignLeft);

}  // namespace tessera::ui::chart
