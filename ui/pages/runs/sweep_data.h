// SPDX-License-Identifier: MIT
// A sweep as it is compared: its runs with the keys that differ, and axes for them. Read by
// workers.
#pragma once

#include <QString>
#include <QStringList>
#include <limits>
#include <memory>
#include <vector>

#include "core/launch/sweep.h"
#include "ui/bridge/runs/run_store.h"
#include "ui/widgets/chart/scale.h"

namespace tessera::ui {

/// What one key, or the loss, is drawn along.
struct SweepAxisLine {
  QString title;
  bool isLog = false;
  QStringList words;  ///< values of a key that is text, in order; empty: it is a number
  chart::Range range;
  bool isWhole = false;                                      ///< all values are whole numbers
  double single = std::numeric_limits<double>::quiet_NaN();  ///< the value where all are the same

  bool isText() const { return !words.isEmpty(); }
  /// 0 to 1; NaN where the value is none, or none that this axis can show.
  double placeOf(double value) const;
  /// At most about `most`, with places from 0 to 1 as their values. Whole numbers alone where the
  /// axis has no others; the one value, in the middle, where there is no other.
  std::vector<chart::Tick> ticks(int most) const;
};

struct SweepRun {
  QString id, name, stopped;  ///< `stopped`: why it was, because it fell behind
  RunState state = RunState::Draft;
  std::int64_t step = -1, total = 0;
  double loss = kNotMeasured, validation = kNotMeasured;
  QStringList texts;           ///< by key, as in the spec
  std::vector<double> values;  ///< by key: the number, or which of the words; NaN: none

  /// The validation loss where there is one, else the training loss; NaN where it is no number.
  double finalLoss() const;
};

struct SweepTable {
  QString tag;
  StopRule rule = StopRule::None;
  std::int64_t after = 0;
  int planned = 0, waiting = 0;
  std::vector<SweepAxisLine> keys;
  SweepAxisLine loss;
  std::vector<SweepRun> runs;  ///< the best first, those without a loss last

  /// What stands in a cell or a tip: "weight_decay 0.01 · loss 2.345".
  QString reading(const SweepRun& run) const;
  /// Every number as it was logged.
  QString asCsv() const;
};

/// Values of keys by run, which do not change once a run is there.
using SweepValues = std::map<QString, QStringList>;

/// Tags of all sweeps, the newest first.
QStringList sweepTags();
/// Throws Error where the sweep's record cannot be read. `known` keeps what was read of specs.
SweepTable readSweep(const QString& tag, const RunRows& rows, SweepValues& known);

}  // namespace tessera::ui
