// SPDX-License-Identifier: MIT
// Every colour and size of the studio as a token. Pages name tokens, never values. Widgets that
// paint themselves read colors() anew in paintEvent, and repaint on QEvent::PaletteChange.
#pragma once

#include <QColor>
#include <QFont>
#include <QIcon>
#include <QString>
#include <array>

class QApplication;
class QChart;

namespace tessera::ui::theme {

enum class Scheme { System, Light, Dark };

/// Contrast of text on each surface is at least 4.5:1 in both schemes (a test computes it).
struct Colors {
  QColor window, surface, raised;  ///< three depths
  QColor text, textSecondary, textDisabled;
  QColor border, gridLine, hover, selection, selectionText;
  QColor accent, accentText, link;
  QColor good, warning, bad, neutral;  ///< states only, never without a word or a shape
  std::array<QColor, 8> lines;         ///< Okabe-Ito, adapted to the scheme
};
const Colors& colors();
bool isDark();
/// Of either scheme, whichever is shown.
const Colors& colorsOf(bool dark);

/// Sets palette, style, font and sheet of the application; can be called again at any time.
void apply(QApplication& application, Scheme scheme);
/// What the desktop prefers, where it says so; Scheme::System follows it at once.
void setSystemDark(QApplication& application, bool dark);

// Lengths in device-independent pixels, on a grid of 8 (4 inside controls).
inline constexpr int kGrid = 8, kHalf = 4, kRailWidth = 88, kRowHeight = 28, kIcon = 20;

enum class TextSize { Caption, Body, Heading, Title };
/// `tabular`: digits of equal width, for numbers that change.
QFont font(TextSize size, bool tabular = false, bool bold = false);
QFont monospace();

/// The icon of resources/icons/<name>.svg in the text colour of the scheme.
QIcon icon(const QString& name);

/// The same colour for the same run everywhere: by a hash of its id.
QColor lineColor(const QString& runId);
QColor lineColor(int index);

/// Colour maps, t in [0, 1]: `sequential` is perceptual, dark to bright (load); `diverging` has its
/// neutral colour at 0.5 (use ratio, bias).
QRgb sequential(double t);
QRgb diverging(double t);

/// The ratio of WCAG 2.1, 1 to 21.
double contrast(const QColor& a, const QColor& b);
/// `over` laid on `under` with an opacity of `amount`.
QColor mixed(const QColor& under, const QColor& over, double amount);

/// QChart ignores the palette: sets every colour and font of it and of its axes.
void dress(QChart& chart);

}  // namespace tessera::ui::theme
