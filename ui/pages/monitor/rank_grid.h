// SPDX-License-Identifier: MIT
// The ranks of a run as a grid of cells, coloured by one of their numbers.
#pragma once

#include <QString>
#include <QWidget>
#include <vector>

namespace tessera::ui {

class RankGrid : public QWidget {
  Q_OBJECT
 public:
  struct Cell {
    double value = 0;  ///< NaN: not measured
    QString tip;
    bool wrong = false;  ///< it has failed or is gone
  };

  explicit RankGrid(QWidget* parent = nullptr);
  /// `low` and `high` name the ends of the colours: the least and the largest value.
  void show(std::vector<Cell> cells, QString low, QString high);
  void setSelected(int rank);
  /// The middle of a rank's cell.
  QPoint placeOf(int rank) const;

  QSize sizeHint() const override;
  bool hasHeightForWidth() const override { return true; }
  int heightForWidth(int width) const override;

 Q_SIGNALS:
  void picked(int rank);

 protected:
  void paintEvent(QPaintEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  bool event(QEvent* event) override;

 private:
  int columns(int width) const;
  QRect cellOf(int rank) const;
  int rankAt(const QPoint& place) const;
  void paintLegend(QPainter& painter, int y) const;

  std::vector<Cell> m_cells;
  QString m_low, m_high;
  double m_least = 0, m_most = 0;
  int m_selected = -1;
};

}  // namespace tessera::ui
