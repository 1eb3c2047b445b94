// SPDX-License-Identifier: MIT
// QueueModel: the runs that wait, in their order. Rows are moved by dragging, or with moveEntry().
#pragma once

#include <QAbstractTableModel>
#include <vector>

#include "ui/bridge/launch/launcher.h"

namespace tessera::ui {

class QueueModel : public QAbstractTableModel {
  Q_OBJECT
 public:
  /// Places are in the vertical header: they change with every move.
  enum Column { Name, Kind, Place, Standing, ColumnCount };
  enum Role { IdRole = Qt::UserRole, ProblemRole };

  explicit QueueModel(Launcher& launcher, QObject* parent = nullptr);

  const QueueEntry& entry(int row) const { return m_entries[static_cast<std::size_t>(row)]; }
  int rowOf(const QString& entryId) const;
  /// By so many places, as far as there are any.
  void moveEntry(const QString& entryId, int by);

  int rowCount(const QModelIndex& parent = {}) const override;
  int columnCount(const QModelIndex& parent = {}) const override;
  QVariant data(const QModelIndex& index, int role) const override;
  QVariant headerData(int section, Qt::Orientation orientation, int role) const override;
  Qt::ItemFlags flags(const QModelIndex& index) const override;
  Qt::DropActions supportedDropActions() const override { return Qt::MoveAction; }
  QStringList mimeTypes() const override;
  QMimeData* mimeData(const QModelIndexList& indexes) const override;
  bool dropMimeData(const QMimeData* data, Qt::DropAction action, int row, int column,
                    const QModelIndex& parent) override;

 private:
  void take();
  QString standing(int row) const;
  Launcher& m_launcher;
  std::vector<QueueEntry> m_entries;
};

}  // namespace tessera::ui
