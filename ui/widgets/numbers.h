// SPDX-License-Identifier: MIT
// Numbers for people: with their unit, with digits that mean something, in the language of the
// program. What was not measured is a dash.
#pragma once

#include <QDateTime>
#include <QString>
#include <cstdint>

namespace tessera::ui::numbers {

/// Between number and unit: a space that no line is broken at.
inline constexpr char16_t kSpace = u'\u00A0';
QString notMeasured();  ///< an en dash

/// Four significant digits at most: 0.001234, 12.35, 1235; 3.1e-5 and 1.2e9 beyond.
QString number(double value, int digits = 4);
/// Exactly so many places: losses are compared by eye. 4.5260
QString fixed(double value, int places);
/// 950, 12.3 k, 12.4 M, 1.50 B, 14.8 T: B for billions, as sizes of models are told everywhere.
QString count(double value);
/// 12.4 M tokens
QString tokens(double value);
/// Powers of 1000: 950 B, 12.3 kB, 1.50 GB
QString bytes(double value);
/// A share from 0 to 1: 41.3 %
QString percent(double share);
/// 11.7 k tokens/s
QString rate(double value, const QString& unit);
/// Floating-point operations: 4.2 GFLOP
QString operations(double value);
/// Floating-point operations a second: 157 GFLOP/s
QString flops(double value);
/// 350 ms, 12 s, 3 min 20 s, 3 h 12 min, 2 d 4 h
QString duration(double seconds);
/// just now, 12 s ago, 2 h ago, 3 days ago
QString age(double seconds);
/// Of a time in seconds since 1970; 0: a dash.
QString ageOf(double time, const QDateTime& now = QDateTime::currentDateTime());
/// 120 of 850
QString progress(std::int64_t step, std::int64_t total);
/// Grouped: 14 800 000
QString whole(std::int64_t value);

}  // namespace tessera::ui::numbers
