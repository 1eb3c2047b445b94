// SPDX-License-Identifier: MIT
// What a panel shows, as data. A new chart is a row in standardPanels().
#pragma once

#include <QString>
#include <QStringList>
#include <vector>

#include "ui/widgets/chart/scale.h"

namespace tessera::ui {

struct ChartPanelSpec {
  QString id;  ///< in links, settings and names of files
  QString title;
  QString unit;      ///< beside the title; empty: none
  QStringList keys;  ///< of RunCurves; "validation/*" stands for all of them
  QString term;      ///< entry of the glossary
  chart::ValueKind kind = chart::ValueKind::Number;
  bool log = false;      ///< the axis it begins with
  bool smoothed = true;  ///< false: exact quantities such as the learning rate, never smoothed
  QString emptyText;     ///< when no run has a value
};

/// Everything a run logs, loss first.
std::vector<ChartPanelSpec> standardPanels();

}  // namespace tessera::ui
