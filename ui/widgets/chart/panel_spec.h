// SPDX-License-Identifier: MIT
// What a panel shows, as data. There is one for each row of the table of metrics
// (core/history/metrics.cpp), and a few that draw several series.
#pragma once

#include <QString>
#include <QStringList>
#include <optional>
#include <vector>

#include "ui/widgets/chart/scale.h"

namespace tessera::ui {

struct ChartPanelSpec {
  QString id;  ///< in links, settings and names of files
  QString title;
  QString unit;      ///< beside the title; empty: none
  QStringList keys;  ///< as in RunCurves; "validation/*" stands for all of them
  QString term;      ///< entry of the glossary
  chart::ValueKind kind = chart::ValueKind::Number;
  bool log = false;      ///< the axis it begins with
  bool smoothed = true;  ///< false: exact quantities such as the learning rate, never smoothed
  QString emptyText;     ///< when no run has a value
};

/// Everything a run logs, loss first.
std::vector<ChartPanelSpec> standardPanels();

/// A standard panel by its id, or several drawn as one: "loss+mtp_loss". Nothing where the id names
/// none.
std::optional<ChartPanelSpec> panelOf(const QString& id);

}  // namespace tessera::ui
