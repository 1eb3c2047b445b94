// SPDX-License-Identifier: MIT
// RunsProxy: which runs are shown, and in which order. QSortFilterProxyModel asks the source for
// variants and tells of each row that comes or goes by a filter; with ten thousand runs a table of
// places sorted by plain numbers is many times quicker.
#pragma once

#include <QAbstractProxyModel>
#include <QSet>
#include <vector>

#include "ui/models/runs_model.h"

namespace tessera::ui {

/// What a run must have to be shown; empty parts ask for nothing.
struct RunFilter {
  QString words;     ///< all of them, anywhere in what a row is searched by
  QSet<int> states;  ///< of RunState
  QString tag;
  bool archived = false;  ///< archived ones instead of the others
  bool operator==(const RunFilter&) const = default;
};

class RunsProxy : public QAbstractProxyModel {
  Q_OBJECT
 public:
  explicit RunsProxy(RunsModel& runs, QObject* parent = nullptr);

  /// The table is new afterwards: who keeps a selection keeps it by id.
  void setFilter(const RunFilter& filter);
  const RunFilter& filter() const { return m_filter; }
  void sort(int column, Qt::SortOrder order) override;

  QString id(int row) const { return m_runs.id(m_order[static_cast<std::size_t>(row)]); }
  int rowOf(const QString& id) const;
  const RunRow& run(int row) const { return m_runs.row(m_order[static_cast<std::size_t>(row)]); }

  QModelIndex index(int row, int column, const QModelIndex& parent = {}) const override;
  QModelIndex parent(const QModelIndex& child) const override;
  int rowCount(const QModelIndex& parent = {}) const override;
  int columnCount(const QModelIndex& parent = {}) const override;
  QModelIndex mapToSource(const QModelIndex& index) const override;
  QModelIndex mapFromSource(const QModelIndex& index) const override;
  QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

 private:
  bool accepts(int sourceRow) const;
  bool before(int a, int b) const;
  std::vector<int> ordered() const;
  void setOrder(std::vector<int> order);
  void reindex();
  void insertRow(int sourceRow);
  void removeRow(int row);
  void sourceInserted(int first, int last);
  void sourceAboutToRemove(int first, int last);
  void sourceChanged(const QModelIndex& top, const QModelIndex& bottom, const QList<int>& roles);
  void updateRow(int sourceRow);

  RunsModel& m_runs;
  RunFilter m_filter;
  QStringList m_words;
  int m_column = RunsModel::Created;
  bool m_descending = true;
  std::vector<int> m_order;  ///< source row of each row
  std::vector<int> m_place;  ///< row of each source row; -1: hidden
};

}  // namespace tessera::ui
