// SPDX-License-Identifier: MIT
#include "ui/widgets/numbers.h"

#include <QCoreApplication>
#include <QLocale>
#include <algorithm>
#include <array>
#include <cmath>

namespace tessera::ui::numbers {

namespace {

QString say(const char* text) {
  return QCoreApplication::translate("numbers", text);
}

/// The language's decimal sign, without grouping.
QLocale plain() {
  QLocale locale;
  locale.setNumberOptions(QLocale::OmitGroupSeparator);
  return locale;
}

/// Three significant digits, scaled by steps of 1000 to the first unit that fits.
template <std::size_t N>
QString scaled(double value, const std::array<const char*, N>& units, const QString& after = {}) {
  if (!std::isfinite(value)) return notMeasured();
  std::size_t unit = 0;
  // 999.6 would be shown as 1000: it belongs to the next unit already.
  while (std::fabs(value) >= 999.5 && unit + 1 < N) {
    value /= 1000;
    ++unit;
  }
  const double size = std::fabs(value);
  const bool isWhole = unit == 0 && value == std::round(value);
  const int places = isWhole || size >= 99.95 ? 0 : size < 9.995 ? 2 : 1;
  QString text = plain().toString(value, 'f', places);
  const QString suffix = QString::fromLatin1(units[unit]) + after;
  if (!suffix.isEmpty()) text += kSpace + suffix;
  return text;
}

QString two(const char* text, long a, long b) {
  return say(text).arg(a).arg(b).replace(u' ', kSpace);
}

}  // namespace

QString notMeasured() {
  return QStringLiteral("\u2013");
}

QString number(double value, int digits) {
  if (!std::isfinite(value)) return notMeasured();
  const double size = std::fabs(value);
  if (size != 0 && (size < 1e-4 || size >= 1e6)) {
    // QLocale writes 3.1E-05.
    QString text = QString::number(value, 'e', std::max(0, std::min(digits, 3) - 1));
    return text.replace(QStringLiteral("e-0"), QStringLiteral("e-"))
        .replace(QStringLiteral("e+0"), QStringLiteral("e"))
        .replace(QStringLiteral("e+"), QStringLiteral("e"))
        .replace(u'.', plain().decimalPoint());
  }
  // 'g' counts significant digits but turns to exponents where a number is longer than they are.
  const int before = size < 1 ? 1 : static_cast<int>(std::floor(std::log10(size))) + 1;
  return plain().toString(value, 'g', std::max(digits, before));
}

QString fixed(double value, int places) {
  return std::isfinite(value) ? plain().toString(value, 'f', places) : notMeasured();
}

QString count(double value) {
  return scaled(value, std::array{"", "k", "M", "B", "T", "P"});
}

QString tokens(double value) {
  return std::isfinite(value) ? count(value) + kSpace + say(QT_TRANSLATE_NOOP("numbers", "tokens"))
                              : notMeasured();
}

QString bytes(double value) {
  return scaled(value, std::array{"B", "kB", "MB", "GB", "TB", "PB"});
}

QString percent(double share) {
  if (!std::isfinite(share)) return notMeasured();
  const double value = 100 * share;
  const double size = std::fabs(value);
  // A small share is not none: two digits of it are shown.
  if (size > 0 && size < 0.05) return plain().toString(value, 'g', 2).toLower() + kSpace + u'%';
  return plain().toString(value, 'f', size >= 99.95 ? 0 : 1) + kSpace + u'%';
}

QString rate(double value, const QString& unit) {
  if (!std::isfinite(value)) return notMeasured();
  const QString text = count(value);
  return text + kSpace + unit;
}

QString operations(double value) {
  return scaled(value, std::array{"FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP", "PFLOP"});
}

QString flops(double value) {
  return scaled(value, std::array{"FLOP/s", "kFLOP/s", "MFLOP/s", "GFLOP/s", "TFLOP/s", "PFLOP/s"});
}

QString duration(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return notMeasured();
  if (seconds < 0.9995) {
    return plain().toString(std::round(1e3 * seconds), 'f', 0) + kSpace +
           say(QT_TRANSLATE_NOOP("numbers", "ms"));
  }
  if (seconds < 9.95 && seconds != std::round(seconds)) {
    return plain().toString(seconds, 'f', 1) + kSpace + say(QT_TRANSLATE_NOOP("numbers", "s"));
  }
  const long s = std::lround(std::min(seconds, 1e15));
  if (s < 60) return QString::number(s) + kSpace + say(QT_TRANSLATE_NOOP("numbers", "s"));
  if (s < 3600) return two(QT_TRANSLATE_NOOP("numbers", "%1 min %2 s"), s / 60, s % 60);
  if (s < 48 * 3600) return two(QT_TRANSLATE_NOOP("numbers", "%1 h %2 min"), s / 3600, s / 60 % 60);
  return two(QT_TRANSLATE_NOOP("numbers", "%1 d %2 h"), s / 86400, s / 3600 % 24);
}

QString age(double seconds) {
  if (!std::isfinite(seconds)) return notMeasured();
  const long s = std::lround(std::clamp(seconds, 0.0, 1e15));
  if (s < 5) return say(QT_TRANSLATE_NOOP("numbers", "just now"));
  if (s < 60) return say(QT_TRANSLATE_NOOP("numbers", "%1 s ago")).arg(s).replace(u' ', kSpace);
  if (s < 3600)
    return say(QT_TRANSLATE_NOOP("numbers", "%1 min ago")).arg(s / 60).replace(u' ', kSpace);
  if (s < 48 * 3600)
    return say(QT_TRANSLATE_NOOP("numbers", "%1 h ago")).arg(s / 3600).replace(u' ', kSpace);
  return say(QT_TRANSLATE_NOOP("numbers", "%1 days ago")).arg(s / 86400).replace(u' ', kSpace);
}

QString ageOf(double time, const QDateTime& now) {
  if (!(time > 0)) return notMeasured();
  return age(static_cast<double>(now.toMSecsSinceEpoch()) / 1e3 - time);
}

QString progress(std::int64_t step, std::int64_t total) {
  if (step < 0) return notMeasured();
  if (total <= 0) return whole(step);
  return say(QT_TRANSLATE_NOOP("numbers", "%1 of %2"))
      .arg(whole(step), whole(total))
      .replace(u' ', kSpace);
}

QString whole(std::int64_t value) {
  QString text = QString::number(std::llabs(value));
  for (qsizetype at = text.size() - 3; at > 0; at -= 3) text.insert(at, QChar(kSpace));
  return value < 0 ? u'-' + text : text;
}

}  // namespace tessera::ui::numbers
