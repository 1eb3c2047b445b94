// SPDX-License-Identifier: MIT
// Colour maps as paths through OKLab (Ottosson 2020): equal steps of t are equal steps of perceived
// lightness, and colours that a screen cannot show lose chroma, never lightness or hue.
#include <QColor>
#include <QHash>
#include <algorithm>
#include <cmath>
#include <numbers>

#include "ui/theme/theme.h"

namespace tessera::ui::theme {

namespace {

struct Linear {
  double r, g, b;
  bool shown() const {
    constexpr double kSlack = 1e-4;
    return std::min({r, g, b}) >= -kSlack && std::max({r, g, b}) <= 1 + kSlack;
  }
};

Linear fromOklab(double L, double a, double b) {
  const auto cube = [](double x) { return x * x * x; };
  const double l = cube(L + 0.3963377774 * a + 0.2158037573 * b);
  const double m = cube(L - 0.1055613458 * a - 0.0638541728 * b);
  const double s = cube(L - 0.0894841775 * a - 1.2914855480 * b);
  return {4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
          -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
          -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s};
}

int encoded(double linear) {
  linear = std::clamp(linear, 0.0, 1.0);
  const double srgb =
      linear <= 0.0031308 ? 12.92 * linear : 1.055 * std::pow(linear, 1 / 2.4) - 0.055;
  return static_cast<int>(std::lround(255 * srgb));
}

QRgb fromLch(double lightness, double chroma, double hueDegrees) {
  const double hue = hueDegrees * std::numbers::pi / 180;
  const auto at = [&](double c) {
    return fromOklab(lightness, c * std::cos(hue), c * std::sin(hue));
  };
  if (!at(chroma).shown()) {
    double inside = 0, outside = chroma;
    for (int i = 0; i < 20; ++i) {
      const double middle = (inside + outside) / 2;
      (at(middle).shown() ? inside : outside) = middle;
    }
    chroma = inside;
  }
  const Linear c = at(chroma);
  return qRgb(encoded(c.r), encoded(c.g), encoded(c.b));
}

using Table = std::array<QRgb, 256>;

template <class Map>
Table tableOf(Map map) {
  Table table{};
  for (std::size_t i = 0; i < table.size(); ++i) table[i] = map(static_cast<double>(i) / 255);
  return table;
}

// Violet over blue and green to yellow.
const Table& sequentialTable() {
  static const Table table = tableOf([](double t) {
    const double hue = 308 - 200 * std::pow(t, 1.15);
    return fromLch(0.24 + 0.68 * t, 0.12 + 0.05 * std::sin(std::numbers::pi * t), hue);
  });
  return table;
}

// Blue below, orange above; the neutral middle is close to the page, so that what is fair recedes.
Table divergingTable(bool dark) {
  const double middle = dark ? 0.30 : 0.95, end = dark ? 0.80 : 0.44;
  return tableOf([&](double t) {
    const double away = std::abs(2 * t - 1);
    return fromLch(middle + (end - middle) * away, 0.15 * std::pow(away, 0.8), t < 0.5 ? 250 : 50);
  });
}

QRgb at(const Table& table, double t) {
  if (std::isnan(t)) return colors().border.rgb();
  return table[static_cast<std::size_t>(std::lround(255 * std::clamp(t, 0.0, 1.0)))];
}

double luminance(const QColor& color) {
  const auto linear = [](double c) {
    return c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4);
  };
  return 0.2126 * linear(color.redF()) + 0.7152 * linear(color.greenF()) +
         0.0722 * linear(color.blueF());
}

}  // namespace

QRgb sequential(double t) {
  return at(sequentialTable(), t);
}

QRgb diverging(double t) {
  static const Table light = divergingTable(false), dark = divergingTable(true);
  return at(isDark() ? dark : light, t);
}

double contrast(const QColor& a, const QColor& b) {
  const double la = luminance(a), lb = luminance(b);
  return (std::max(la, lb) + 0.05) / (std::min(la, lb) + 0.05);
}

QColor mixed(const QColor& under, const QColor& over, double amount) {
  const auto mix = [amount](float u, float o) {
    return static_cast<float>(u + (o - u) * std::clamp(amount, 0.0, 1.0));
  };
  return QColor::fromRgbF(mix(under.redF(), over.redF()), mix(under.greenF(), over.greenF()),
                          mix(under.blueF(), over.blueF()));
}

QColor lineColor(int index) {
  const auto& lines = colors().lines;
  const auto n = static_cast<int>(lines.size());
  return lines[static_cast<std::size_t>(((index % n) + n) % n)];
}

QColor lineColor(const QString& runId) {
  std::uint32_t hash = 2166136261u;  // FNV-1a: the same in every session, unlike qHash
  for (const QChar c : runId) hash = (hash ^ c.unicode()) * 16777619u;
  return lineColor(static_cast<int>((hash >> 8) % colors().lines.size()));
}

}  // namespace tessera::ui::theme
