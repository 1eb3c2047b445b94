// SPDX-License-Identifier: MIT
// How busy the processor, the memory and the GPUs of this machine were over the last minutes.
#pragma once

#include <QWidget>
#include <vector>

class QChart;
class QChartView;
class QLineSeries;
class QValueAxis;

namespace tessera::ui {

class HostMonitor;

class GaugeHistory : public QWidget {
  Q_OBJECT
 public:
  /// More points than these Qt Charts does not draw at once without a stall.
  static constexpr int kMostPoints = 600;

  explicit GaugeHistory(HostMonitor& host, QWidget* parent = nullptr);

  /// The value of each line as drawn: processor, memory, then the GPUs.
  const std::vector<QLineSeries*>& lines() const { return m_lines; }
  QSize sizeHint() const override { return {480, 200}; }
  QSize minimumSizeHint() const override { return {240, 150}; }

 protected:
  void showEvent(QShowEvent* event) override;
  void changeEvent(QEvent* event) override;

 private:
  void showMinutes(double minutes);
  void refresh();
  void dress();
  void needLines(std::size_t count);
  HostMonitor& m_host;
  QChart* m_chart;
  QChartView* m_view;
  QValueAxis *m_minutes, *m_percent;
  std::vector<QLineSeries*> m_lines;
};

}  // namespace tessera::ui
