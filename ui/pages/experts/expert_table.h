// SPDX-License-Identifier: MIT
// The map as a table: one row an expert, sortable.
#pragma once

#include <QAbstractTableModel>
#include <QDialog>
#include <QStringList>
#include <vector>

#include "ui/pages/experts/expert_math.h"

class QTableView;

namespace tessera::ui {

class ExpertTableModel : public QAbstractTableModel {
  Q_OBJECT
 public:
  enum Column { Layer, Expert, Load, Ratio, Bias, Change, Alarm, Columns };
  using QAbstractTableModel::QAbstractTableModel;

  void setFrame(ExpertsFrame frame, ExpertsFrame base, QStringList layerNames,
                std::vector<std::uint8_t> signs);
  int rowCount(const QModelIndex& parent = {}) const override;
  int columnCount(const QModelIndex& parent = {}) const override;
  /// Qt::UserRole is what to sort by.
  QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const override;
  QVariant headerData(int section, Qt::Orientation orientation,
                      int role = Qt::DisplayRole) const override;

 private:
  double value(int row, int column) const;
  ExpertsFrame m_frame;
  std::vector<float> m_ratio, m_change;
  std::vector<std::uint8_t> m_signs;
  QStringList m_names;
};

class ExpertTableDialog : public QDialog {
  Q_OBJECT
 public:
  ExpertTableDialog(const QString& title, ExpertsFrame frame, ExpertsFrame base,
                    const QStringList& layerNames, std::vector<std::uint8_t> signs,
                    QWidget* parent = nullptr);
  QTableView* table() const { return m_table; }

 private:
  QTableView* m_table;
};

}  // namespace tessera::ui
