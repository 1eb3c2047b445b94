// SPDX-License-Identifier: MIT
// BarPlot: one bar a column with a line at the fair value; bars that are dead or hot say so by a
// sign, not by colour alone.
#pragma once

#include <QWidget>
#include <cstdint>
#include <functional>
#include <vector>

namespace tessera::ui {

class BarPlot : public QWidget {
  Q_OBJECT
 public:
  explicit BarPlot(QWidget* parent = nullptr);

  /// `reference` is drawn as a dashed line with its name; NaN: none. Bars start at 0.
  void setValues(std::vector<float> values, double reference, const QString& referenceName);
  void setTitles(const QString& title, const QString& unit, const QString& columnsTitle);
  /// HeatMap::Sign for each bar, or empty.
  void setSigns(std::vector<std::uint8_t> signs);
  void setReader(std::function<QString(int column)> reader);
  /// The same bars of what is compared with, drawn as a line; empty: none.
  void setOther(std::vector<float> values, const QString& name);
  void setCurrent(int column);
  int current() const { return m_current; }

  QSize sizeHint() const override { return {360, 180}; }
  QSize minimumSizeHint() const override { return {200, 110}; }

 Q_SIGNALS:
  void currentChanged(int column);

 protected:
  void paintEvent(QPaintEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  bool event(QEvent* event) override;

 private:
  int columnAt(const QPointF& at) const;
  std::vector<float> m_values, m_other;
  std::vector<std::uint8_t> m_signs;
  double m_reference = 0;
  QString m_referenceName, m_title, m_unit, m_columnsTitle, m_otherName;
  std::function<QString(int)> m_reader;
  int m_current = -1;
  QRectF m_plot;
};

}  // namespace tessera::ui
