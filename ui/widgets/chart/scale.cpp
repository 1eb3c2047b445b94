// SPDX-License-Identifier: MIT
// Ticks at 1, 2 and 5 times a power of ten, at whole times for clocks, at decades on a log axis.
#include "ui/widgets/chart/scale.h"

#include <QCoreApplication>
#include <QDateTime>
#include <QLocale>
#include <algorithm>
#include <array>
#include <cmath>

#include "ui/widgets/numbers.h"

namespace tessera::ui::chart {

namespace {
QString axisWord(const char* text) {
  return QCoreApplication::translate("Chart", text);
}

/// 1.2345 with as many digits as say something, no trailing zeros; with the decimal point of the
/// program's language, as all numbers of the studio.
QString plainNumber(double v, int digits) {
  const double size = std::abs(v);  // 8000, not 8e+03
  if (size >= 1 && size < 1e9) digits = std::max(digits, static_cast<int>(std::log10(size)) + 1);
  QString text = QString::number(v, 'g', digits);
  if (text == QLatin1String("-0")) return QStringLiteral("0");
  // As in numbers::number(): 3.2e-5, and the decimal sign of the language.
  return text.replace(QLatin1String("e-0"), QLatin1String("e-"))
      .replace(QLatin1String("e+0"), QLatin1String("e"))
      .replace(QLatin1String("e+"), QLatin1String("e"))
      .replace(u'.', QLocale().decimalPoint());
}

/// The prefix for numbers as large as `size`, with what it stands for.
std::pair<double, const char*> prefixOf(double size) {
  static constexpr std::array<std::pair<double, const char*>, 4> kPrefixes{
      {{1e12, " T"}, {1e9, " B"}, {1e6, " M"}, {1e3, " k"}}};
  if (size < 1e4) return {1, ""};
  for (const auto& prefix : kPrefixes) {
    if (size >= prefix.first) return prefix;
  }
  return {1, ""};
}

QString withPrefix(double v, int digits) {
  const auto [scale, prefix] = prefixOf(std::abs(v));
  return plainNumber(v / scale, digits) + QLatin1String(prefix);
}

struct Unit {
  double scale;
  QString suffix;
};
Unit byteUnit(double bytes) {
  static constexpr std::array<const char*, 5> kNames{" B", " kB", " MB", " GB", " TB"};
  double scale = 1;
  std::size_t i = 0;
  while (i + 1 < kNames.size() && std::abs(bytes) >= 1000 * scale) {
    scale *= 1000;
    ++i;
  }
  return {scale, QLatin1String(kNames[i])};
}

double niceStep(double span, int most) {
  const double raw = span / std::max(1, most);
  const double magnitude = std::pow(10, std::floor(std::log10(raw)));
  for (const double m : {1.0, 2.0, 5.0}) {
    if (raw <= m * magnitude * (1 + 1e-9)) return m * magnitude;
  }
  return 10 * magnitude;
}

/// Multiples of `step` within the range; the index keeps 0.3 from becoming 0.30000000000000004.
std::vector<double> multiples(const Range& range, double step) {
  std::vector<double> values;
  const double first = std::ceil(range.low / step - 1e-9);
  for (double i = first; i * step <= range.high + step * 1e-9 && values.size() < 100; ++i) {
    values.push_back(i * step);
  }
  return values;
}

std::vector<Tick> logTicks(const Range& range, int most, ValueKind kind) {
  std::vector<Tick> ticks;
  if (!(range.low > 0)) return ticks;
  const double decades = std::log10(range.high / range.low);
  const int every = std::max(1, static_cast<int>(std::ceil(decades / std::max(1, most))));
  const int first = static_cast<int>(std::floor(std::log10(range.low)));
  const int last = static_cast<int>(std::ceil(std::log10(range.high)));
  int labelled = 0;
  for (int d = first; d <= last; ++d) {
    for (int m = 1; m < 10; ++m) {
      const double v = m * std::pow(10.0, d);
      if (!range.contains(v)) continue;
      const bool label = m == 1 ? d % every == 0 : decades < 2.5 && (m == 2 || m == 5);
      ticks.push_back({v, label ? valueText(v, kind) : QString()});
      labelled += label ? 1 : 0;
    }
  }
  if (labelled < 2) return ticksFor(range, false, most, kind);  // less than a decade is seen
  return ticks;
}

std::vector<Tick> clockTicks(const Range& range, int most, bool wall) {
  static constexpr std::array<double, 24> kSteps{
      1,    2,    5,     10,    15,    30,    60,     120,    300,     600,     900,     1800,
      3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 1209600, 2419200, 4838400, 9676800};
  double step = kSteps.back();
  for (const double s : kSteps) {
    if (range.span() / s <= most) {
      step = s;
      break;
    }
  }
  if (range.span() < 2) step = niceStep(range.span(), most);
  const double offset =
      wall ? QDateTime::fromMSecsSinceEpoch(qint64(range.low * 1000)).offsetFromUtc() : 0;
  std::vector<Tick> ticks;
  QDate shown;
  for (const double local : multiples({range.low + offset, range.high + offset}, step)) {
    const double v = local - offset;
    if (!wall) {
      ticks.push_back({v, durationText(v)});
      continue;
    }
    const QDateTime t = QDateTime::fromMSecsSinceEpoch(qint64(std::llround(v * 1000)));
    const QLocale c;  // of the program
    if (step >= 86400) {
      ticks.push_back({v, c.toString(t.date(), QStringLiteral("d MMM"))});
    } else {
      QString text = c.toString(t.time(), QLatin1String(step < 60 ? "HH:mm:ss" : "HH:mm"));
      if (t.date() != shown && range.span() > 43200) {
        text = c.toString(t.date(), QStringLiteral("d MMM "));
      }
      shown = t.date();
      ticks.push_back({v, text});
    }
  }
  return ticks;
}
}  // namespace

const char* idOf(XAxis axis) {
  static constexpr std::array<const char*, kXAxes> kIds{"step", "tokens", "time", "relative"};
  return kIds[static_cast<std::size_t>(axis)];
}

QString titleOf(XAxis axis) {
  switch (axis) {
    case XAxis::Step:
      return axisWord(QT_TRANSLATE_NOOP("Chart", "Step"));
    case XAxis::Tokens:
      return axisWord(QT_TRANSLATE_NOOP("Chart", "Tokens"));
    case XAxis::WallTime:
      return axisWord(QT_TRANSLATE_NOOP("Chart", "Time of day"));
    case XAxis::RelativeTime:
      return axisWord(QT_TRANSLATE_NOOP("Chart", "Time since start"));
  }
  return {};
}

XAxis axisFromId(const QString& id) {
  for (int i = 0; i < kXAxes; ++i) {
    if (id == QLatin1String(idOf(static_cast<XAxis>(i)))) return static_cast<XAxis>(i);
  }
  return XAxis::Step;
}

Range widened(Range range, bool log) {
  if (!(range.low <= range.high)) return log ? Range{0.1, 10} : Range{0, 1};
  if (range.high > range.low) return range;
  const double v = range.low;
  if (log && v > 0) return {v / 2, v * 2};
  const double by = v == 0 ? 1 : std::abs(v) * 0.05;
  return {v - by, v + by};
}

double Scale::toPixel(double value) const {
  double t;
  if (log) {
    if (!(value > 0)) return from;
    t = std::log(value / range.low) / std::log(range.high / range.low);
  } else {
    t = (value - range.low) / range.span();
  }
  return from + std::clamp(t, -1e6, 1e6) * (to - from);
}

double Scale::toValue(double pixel) const {
  const double t = (pixel - from) / (to - from);
  return log ? range.low * std::pow(range.high / range.low, t) : range.low + t * range.span();
}

std::vector<Tick> ticksFor(const Range& range, bool log, int most, ValueKind kind) {
  if (!(range.span() > 0)) return {};
  if (log) return logTicks(range, most, kind);
  std::vector<Tick> ticks;
  const bool bytes = kind == ValueKind::Bytes;
  // One unit for all ticks of an axis: 50 k beside 100 k.
  const double largest = std::max(std::abs(range.low), std::abs(range.high));
  const auto [prefixScale, prefix] = prefixOf(largest);
  const double scale = bytes ? byteUnit(largest).scale : prefixScale;
  const QString suffix = bytes ? byteUnit(largest).suffix : QString::fromLatin1(prefix);
  const Range shown{range.low / scale, range.high / scale};
  const double step = niceStep(shown.span(), most);
  const double size = std::max(std::abs(shown.low), std::abs(shown.high));
  // Enough digits to tell neighbouring ticks apart, wherever the range lies.
  const int digits = std::clamp(static_cast<int>(std::ceil(std::log10(size / step))) + 1, 3, 9);
  for (const double v : multiples(shown, step)) {
    const double clean = std::abs(v) < step * 1e-6 ? 0 : v;
    const QString zero = QStringLiteral("0");
    ticks.push_back({clean * scale, clean == 0 ? zero : plainNumber(clean, digits) + suffix});
  }
  return ticks;
}

std::vector<Tick> ticksFor(const Range& range, int most, XAxis axis) {
  if (!(range.span() > 0)) return {};
  if (axis == XAxis::WallTime || axis == XAxis::RelativeTime) {
    return clockTicks(range, most, axis == XAxis::WallTime);
  }
  std::vector<Tick> ticks;
  const double step = std::max(niceStep(range.span(), most), 1.0);  // steps and tokens are whole
  const int digits = std::clamp(
      static_cast<int>(std::ceil(std::log10(std::max(10.0, range.high) / step))) + 1, 3, 12);
  // 119 920 reads better than 119.92 k.
  const bool plain = (axis == XAxis::Step && range.high < 1e5) || digits > 4;
  const auto [scale, prefix] = prefixOf(plain ? 0 : range.high);
  for (const double v : multiples(range, step)) {
    if (plain || v == 0) {
      ticks.push_back({v, numbers::whole(static_cast<std::int64_t>(std::llround(v)))});
    } else {
      ticks.push_back({v, plainNumber(v / scale, digits) + QLatin1String(prefix)});
    }
  }
  return ticks;
}

QString durationText(double seconds) {
  if (!std::isfinite(seconds)) return QStringLiteral("-");
  const QString sign = seconds < 0 ? QStringLiteral("-") : QString();
  const double size = std::abs(seconds);
  if (size < 60) return sign + QStringLiteral("%1 s").arg(plainNumber(size, 3));
  const std::int64_t s = std::llround(size);
  const std::int64_t days = s / 86400, hours = s / 3600 % 24, minutes = s / 60 % 60;
  const auto two = [&](std::int64_t a, const char* big, std::int64_t b, const char* small) {
    QString text = QStringLiteral("%1 %2").arg(a).arg(QLatin1String(big));
    if (b > 0) text += QStringLiteral(" %1 %2").arg(b).arg(QLatin1String(small));
    return sign + text;
  };
  if (days > 0) return two(days, "d", hours, "h");
  if (hours > 0) return two(hours, "h", minutes, "min");
  return two(minutes, "min", s % 60, "s");
}

QString valueText(double value, ValueKind kind, const QString& unit) {
  if (std::isnan(value)) return QStringLiteral("NaN");
  if (std::isinf(value)) return value > 0 ? QStringLiteral("+inf") : QStringLiteral("-inf");
  if (kind == ValueKind::Bytes) {
    const Unit u = byteUnit(value);
    return plainNumber(value / u.scale, 4) + u.suffix;
  }
  const QString number = std::abs(value) >= 1e5 ? withPrefix(value, 4) : plainNumber(value, 5);
  return unit.isEmpty() ? number : number + QLatin1Char(' ') + unit;
}

QString xText(double value, XAxis axis) {
  switch (axis) {
    case XAxis::Step:
      return axisWord(QT_TRANSLATE_NOOP("Chart", "step %1"))
          .arg(numbers::whole(static_cast<std::int64_t>(std::llround(value))));
    case XAxis::Tokens:
      return axisWord(QT_TRANSLATE_NOOP("Chart", "%1 tokens")).arg(withPrefix(value, 4));
    case XAxis::WallTime:
      return QDateTime::fromMSecsSinceEpoch(qint64(value * 1000))
          .toString(QStringLiteral("yyyy-MM-dd HH:mm:ss"));
    case XAxis::RelativeTime:
      return durationText(value);
  }
  return {};
}

}  // namespace tessera::ui::chart
