// SPDX-License-Identifier: MIT
// Names with values and bars that show their share of the largest: a small table that is read at a
// glance.
#pragma once

#include <QWidget>
#include <vector>

namespace tessera::ui {

class BarList : public QWidget {
  Q_OBJECT
 public:
  struct Row {
    QString name, value, tip;
    double share = 0;    ///< 0 to 1: the length of the bar
    double second = -1;  ///< a darker part of the bar, of the whole; below 0: none
  };
  explicit BarList(const QString& name, QWidget* parent = nullptr);
  void setRows(std::vector<Row> rows);
  const std::vector<Row>& rows() const { return m_rows; }
  QSize sizeHint() const override;
  QSize minimumSizeHint() const override { return {120, sizeHint().height()}; }

 protected:
  void paintEvent(QPaintEvent* event) override;
  void changeEvent(QEvent* event) override;
  bool event(QEvent* event) override;

 private:
  int rowHeight() const;
  QString m_name;
  std::vector<Row> m_rows;
};

}  // namespace tessera::ui
