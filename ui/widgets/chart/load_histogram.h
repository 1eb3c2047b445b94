// SPDX-License-Identifier: MIT
// How many experts have how much: the use ratios of one step, counted in bins.
#pragma once

#include <QWidget>
#include <vector>

class QAreaSeries;
class QChart;
class QChartView;
class QLineSeries;
class QValueAxis;

namespace tessera::ui {

struct Histogram {
  double width = 0;                ///< width of a bin; the first one begins at 0
  std::vector<std::int64_t> bins;  ///< how many values are in each
  std::int64_t left = 0;           ///< values that are no numbers
};
/// In round bins, about `about` of them; 1, where fair is, lies on an edge.
Histogram histogramOf(const std::vector<float>& ratios, int about = 16);

class LoadHistogram : public QWidget {
  Q_OBJECT
 public:
  explicit LoadHistogram(QWidget* parent = nullptr);

  /// `all`: the use ratios of every layer's experts; `layer`: of one of them, drawn over them as
  /// large as they are where all are as evenly used.
  void setValues(std::vector<float> all, std::vector<float> layer, const QString& layerName);
  const Histogram& all() const { return m_all; }
  QSize sizeHint() const override { return {260, 190}; }
  QSize minimumSizeHint() const override { return {160, 150}; }

 protected:
  void changeEvent(QEvent* event) override;
  void showEvent(QShowEvent* event) override;

 private:
  struct Steps {
    QLineSeries* edge = nullptr;
    QAreaSeries* area = nullptr;
  };
  Steps addSteps(const QString& name);
  static void fill(const Steps& steps, const Histogram& of, double width, double scale);
  void dress();
  void draw();
  QChart* m_chart;
  QChartView* m_view = nullptr;
  QValueAxis *m_ratio, *m_count;
  Steps m_everywhere, m_here;
  std::vector<float> m_values, m_layer;
  QString m_layerName;
  Histogram m_all;
  bool m_behind = false;  ///< values came while nobody saw it
};

}  // namespace tessera::ui
