// SPDX-License-Identifier: MIT
#include "ui/theme/theme.h"

#include <QApplication>
#include <QFontDatabase>
#include <QPalette>
#include <QPixmapCache>
#include <QToolTip>
#include <QWidget>
#include <optional>

#include "ui/theme/style.h"
#include "ui/theme/tabular_font.h"

namespace tessera::ui::theme {

namespace {

// Neutral greys with a breath of blue; one accent; the Okabe-Ito set with yellow, sky blue and
// black moved until each line has a contrast of 3:1 to the surfaces of its scheme.
const Colors kLight{
    .window = 0xECEFF2,
    .surface = 0xF7F8FA,
    .raised = 0xFFFFFF,
    .text = 0x1A1E23,
    .textSecondary = 0x525B66,
    .textDisabled = 0x858D97,
    .border = 0xC6CCD3,
    .gridLine = 0xE3E6EA,
    .hover = 0xE3E7EC,
    .selection = 0xCFE4F3,
    .selectionText = 0x0E2638,
    .accent = 0x0B6A96,
    .accentText = 0xFFFFFF,
    .link = 0x0A628C,
    .good = 0x1B753B,
    .warning = 0x8A5B00,
    .bad = 0xBE222D,
    .neutral = 0x5A636E,
    .lines = {0x0072B2, 0xD55E00, 0x008F69, 0xB5578D, 0xB87A00, 0x2F8FC4, 0x8F8400, 0x30363D}};

const Colors kDark{
    .window = 0x13161A,
    .surface = 0x1A1E23,
    .raised = 0x23282F,
    .text = 0xE5E8EC,
    .textSecondary = 0xA4ADB8,
    .textDisabled = 0x6E7782,
    .border = 0x3D4550,
    .gridLine = 0x2C323A,
    .hover = 0x2B3139,
    .selection = 0x1D475F,
    .selectionText = 0xEAF5FC,
    .accent = 0x52B4E2,
    .accentText = 0x05202E,
    .link = 0x7CC8EF,
    .good = 0x50C375,
    .warning = 0xE0AA30,
    .bad = 0xF5726D,
    .neutral = 0x9CA5B1,
    .lines = {0x56B4E9, 0xE69F00, 0x1FBE91, 0xD98BB7, 0xF0E442, 0xEB7030, 0x3F94D6, 0xD5D9DE}};

bool g_dark = false;
Scheme g_scheme = Scheme::System;
std::optional<bool> g_systemDark;

void setRoles(QPalette& palette, QPalette::ColorGroup group, const Colors& c) {
  const bool off = group == QPalette::Disabled;
  const QColor text = off ? c.textDisabled : c.text;
  const std::pair<QPalette::ColorRole, QColor> roles[] = {
      {QPalette::Window, c.window},
      {QPalette::WindowText, text},
      {QPalette::Base, c.raised},
      {QPalette::AlternateBase, c.surface},
      {QPalette::Text, text},
      {QPalette::PlaceholderText, c.textSecondary},
      {QPalette::Button, c.raised},
      {QPalette::ButtonText, text},
      {QPalette::BrightText, c.bad},
      {QPalette::ToolTipBase, c.raised},
      {QPalette::ToolTipText, c.text},
      {QPalette::Highlight, off ? c.hover : c.selection},
      {QPalette::HighlightedText, off ? c.textDisabled : c.selectionText},
      {QPalette::Link, c.link},
      {QPalette::LinkVisited, c.link},
      {QPalette::Light, c.raised},
      {QPalette::Midlight, c.hover},
      {QPalette::Mid, c.border},
      {QPalette::Dark, c.border},
      {QPalette::Shadow, g_dark ? QColor(Qt::black) : c.textDisabled},
  };
  for (const auto& [role, color] : roles) palette.setColor(group, role, color);
}

QPalette paletteOf(const Colors& c) {
  QPalette palette;
  for (const auto group : {QPalette::Active, QPalette::Inactive, QPalette::Disabled}) {
    setRoles(palette, group, c);
  }
  return palette;
}

/// Until the desktop has said what it prefers, its own palette tells.
bool systemIsDark() {
  static const bool fromPalette = [] {
    const QPalette palette = QGuiApplication::palette();
    return palette.color(QPalette::Window).lightness() <
           palette.color(QPalette::WindowText).lightness();
  }();
  return g_systemDark.value_or(fromPalette);
}

QString family() {
  static const QString name = [] {
    const QStringList have = QFontDatabase::families();
    for (const char* wanted : {"Inter", "Inter Variable", "Inter Display"}) {
      if (have.contains(QLatin1String(wanted))) return QString::fromLatin1(wanted);
    }
    return QFontDatabase::systemFont(QFontDatabase::GeneralFont).family();
  }();
  return name;
}

int pixels(TextSize size) {
  switch (size) {
    case TextSize::Caption:
      return 11;
    case TextSize::Body:
      return 13;
    case TextSize::Heading:
      return 15;
    case TextSize::Title:
      return 20;
  }
  return 13;
}

}  // namespace

const Colors& colors() {
  return g_dark ? kDark : kLight;
}

const Colors& colorsOf(bool dark) {
  return dark ? kDark : kLight;
}

bool isDark() {
  return g_dark;
}

void apply(QApplication& application, Scheme scheme) {
  const bool system = systemIsDark();  // asked first: later the palette is ours
  g_scheme = scheme;
  g_dark = scheme == Scheme::Dark || (scheme == Scheme::System && system);
  QPixmapCache::clear();  // Fusion keeps pictures of its controls by size, not by colour
  if (!qobject_cast<StudioStyle*>(application.style())) application.setStyle(new StudioStyle);
  const QPalette palette = paletteOf(colors());
  application.setPalette(palette);
  // NOTE: windows that are open already do not all take the application's new palette at once.
  for (QWidget* window : QApplication::topLevelWidgets()) {
    if (window->palette() != palette) window->setPalette(palette);
  }
  QToolTip::setPalette(palette);
  application.setFont(font(TextSize::Body));
  QToolTip::setFont(font(TextSize::Body));
}

void setSystemDark(QApplication& application, bool dark) {
  if (g_systemDark == dark) return;
  systemIsDark();
  g_systemDark = dark;
  if (g_scheme == Scheme::System && dark != g_dark) apply(application, g_scheme);
}

QFont font(TextSize size, bool tabular, bool bold) {
  QFont font(tabular ? tabularFamily(family()) : family());
  font.setPixelSize(pixels(size));
  if (bold || size == TextSize::Title || size == TextSize::Heading) {
    font.setWeight(QFont::DemiBold);
  }
  return font;
}

QFont monospace() {
  QFont font = QFontDatabase::systemFont(QFontDatabase::FixedFont);
  font.setPixelSize(12);
  return font;
}

}  // namespace tessera::ui::theme
