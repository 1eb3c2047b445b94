// SPDX-License-Identifier: MIT
// Scale: values to pixels along one axis, its ticks, and how values read.
#pragma once

#include <QString>
#include <cstdint>
#include <vector>

namespace tessera::ui::chart {

/// What the x axis of all panels of a group counts.
enum class XAxis : std::uint8_t { Step, Tokens, WallTime, RelativeTime };
inline constexpr int kXAxes = 4;
const char* idOf(XAxis axis);  ///< "step", "tokens", "time", "relative": in settings and links
QString titleOf(XAxis axis);   ///< "Step", to people
/// Step where the text names none.
XAxis axisFromId(const QString& id);

/// How the values of a panel read.
enum class ValueKind : std::uint8_t {
  Number,
  Bytes,  ///< shown in kB, MB, GB
};

struct Range {
  double low = 0, high = 1;
  double span() const { return high - low; }
  bool contains(double v) const { return v >= low && v <= high; }
  bool operator==(const Range&) const = default;
};
/// Never empty: a range without extent is widened around its value.
Range widened(Range range, bool log);

struct Scale {
  Range range;
  bool log = false;
  double from = 0, to = 1;  ///< pixels of range.low and range.high

  /// Values that a log axis cannot show land at -infinity's end: `from`.
  double toPixel(double value) const;
  double toValue(double pixel) const;
};

struct Tick {
  double value = 0;
  QString text;  ///< empty: a minor one
};
/// At most about `most` labelled ticks.
std::vector<Tick> ticksFor(const Range& range, bool log, int most, ValueKind kind);
std::vector<Tick> ticksFor(const Range& range, int most, XAxis axis);

/// "2.415 nats", "1.62 GB", "3.2e-05"; NaN as "NaN".
QString valueText(double value, ValueKind kind, const QString& unit = {});
/// "step 1 240", "12.4 M tokens", "2026-11-24 02:15:31", "1 h 2 min".
QString xText(double value, XAxis axis);
/// Exact, for ticks: "1 h 30 min".
QString durationText(double seconds);

}  // namespace tessera::ui::chart
