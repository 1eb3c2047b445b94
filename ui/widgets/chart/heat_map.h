// SPDX-License-Identifier: MIT
// HeatMap: a table of values as colours, drawn as one scaled image, with names of rows, a colour
// legend with its unit, a bar per row, and a cell that mouse and keys move.
#pragma once

#include <QImage>
#include <QStringList>
#include <QWidget>
#include <cstdint>
#include <functional>
#include <vector>

namespace tessera::ui {

/// How values become colours, and what the legend says.
struct HeatScale {
  bool diverging = false;    ///< the middle colour stands for `centre`
  bool centred = false;      ///< `centre` lies in the middle of a sequential map
  bool logarithmic = false;  ///< distances from the centre count as ratios: 1/2 as far as 2
  double low = 0, centre = 0, high = 1;
  QString title;  ///< "Tokens"
  QString unit;
  struct Tick {
    double value = 0;
    QString text;
  };
  std::vector<Tick> ticks;

  /// 0..1 of the colour map; values beyond the ends take their colours.
  double position(double value) const;
  QRgb color(double value) const;
};

class HeatMap : public QWidget {
  Q_OBJECT
 public:
  enum Sign : std::uint8_t { None, Dead, Hot };

  explicit HeatMap(QWidget* parent = nullptr);

  /// Row by row; NaN is drawn as "no value".
  void setValues(int rows, int columns, std::vector<float> values, const HeatScale& scale);
  void setRowNames(QStringList names);
  void setTitles(const QString& title, const QString& columnsTitle);
  /// A bar beside each row, from 0; empty: none.
  void setRowBars(std::vector<float> values, const QString& title, const QString& term = {});
  /// One of Sign for each cell, or empty.
  void setSigns(std::vector<std::uint8_t> signs);
  /// What a cell reads, for tips and screen readers.
  void setReader(std::function<QString(int row, int column)> reader);

  int rows() const { return m_rows; }
  int columns() const { return m_columns; }
  int row() const { return m_row; }
  int column() const { return m_column; }
  void setCell(int row, int column);
  QRect cellRect(int row, int column) const;
  const HeatScale& scale() const { return m_scale; }
  QString readout() const;

  QSize sizeHint() const override { return {640, 320}; }
  QSize minimumSizeHint() const override { return {320, 140}; }

 Q_SIGNALS:
  void cellChanged(int row, int column);
  /// Under the mouse; -1, -1 when it left.
  void cellHovered(int row, int column);

 protected:
  void paintEvent(QPaintEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void mouseMoveEvent(QMouseEvent* event) override;
  void leaveEvent(QEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  void changeEvent(QEvent* event) override;
  bool event(QEvent* event) override;

 private:
  void arrange();
  void paintImage();
  void paintNames(QPainter& painter);
  void paintBars(QPainter& painter);
  void paintLegend(QPainter& painter);
  void paintSigns(QPainter& painter);
  bool cellAt(const QPointF& at, int& row, int& column) const;
  QRectF cellArea(int row, int column) const;

  int m_rows = 0, m_columns = 0, m_row = -1, m_column = -1, m_hoverRow = -1, m_hoverColumn = -1;
  std::vector<float> m_values, m_bars;
  std::vector<std::uint8_t> m_signs;
  HeatScale m_scale;
  QStringList m_names;
  QString m_title, m_columnsTitle, m_barsTitle, m_barsTerm;
  std::function<QString(int, int)> m_reader;
  QImage m_image;
  bool m_stale = true;
  QRectF m_map, m_barArea, m_legend;
};

}  // namespace tessera::ui
