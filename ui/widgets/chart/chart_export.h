// SPDX-License-Identifier: MIT
// Charts to files. What is written is copied first, so that a worker can do it.
#pragma once

#include <QString>
#include <vector>

#include "ui/widgets/chart/chart_scene.h"

namespace tessera::ui::chart {

/// Every logged point of some lines, never what the screen summarises.
struct CsvData {
  struct Line {
    QString run, key;
    std::vector<double> step, tokens, time;
    std::vector<float> values;
  };
  std::vector<Line> lines;
};
CsvData csvData(const std::vector<SceneLine>& lines);

/// "run,series,step,tokens,time,value", one row a point, time as seconds since 1970; numbers in
/// their shortest form that reads back the same, "nan" and "inf" as such. Empty on success, else
/// what went wrong.
QString writeCsv(const CsvData& data, const QString& file);
/// As PNG.
QString writePicture(const QImage& image, const QString& file);

}  // namespace tessera::ui::chart
