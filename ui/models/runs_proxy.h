// SPDX-License-Identifier: MIT
// RunsProxy: which runs are shown, and in which order. QSortFilterProxyModel asks the source for
// variants and tells of each row that comes or goes by a filter; with ten thousand runs a table of
// places sorted by plain numbers is many times quicker. Runs with the same value of a column can
// stand together, each such group below a row of its own that opens and closes it.
#pragma once

#include <QAbstractProxyModel>
#include <QSet>
#include <optional>
#include <vector>

#include "ui/models/runs_model.h"

namespace tessera::ui {

/// What a run must have to be shown; empty parts ask for nothing.
struct RunFilter {
  /// All of them, anywhere in what a row is searched by. One such as "loss<3", "hidden_size>=256"
  /// or "state=failed", with the name of a column before the sign, is a condition instead.
  QString words;
  QSet<int> states;  ///< values of RunState
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
  /// What a word of the filter asks for as of a column, and is none; empty: there is no such word.
  const QString& noColumn() const { return m_noColumn; }
  void sort(int column, Qt::SortOrder order) override;

  /// The column by whose values runs are grouped; -1: they are not.
  void setGroup(int column);
  int group() const { return m_group; }
  /// Whether a row is the head of a group and no run.
  bool isGroup(int row) const { return m_order[static_cast<std::size_t>(row)] < 0; }
  bool isOpen(int row) const;
  void setOpen(int row, bool open);
  void setAllOpen(bool open);
  /// Runs that the filter lets through, those in closed groups among them.
  int shownRuns() const { return m_accepted; }

  enum Role { GroupRole = Qt::UserRole + 100 };  ///< bool: whether the row is the head of a group

  /// Empty for the head of a group.
  QString id(int row) const { return isGroup(row) ? QString() : m_runs.id(source(row)); }
  int rowOf(const QString& id) const;
  const RunRow& run(int row) const { return m_runs.row(source(row)); }  ///< `row` is no head

  QModelIndex index(int row, int column, const QModelIndex& parent = {}) const override;
  QModelIndex parent(const QModelIndex& child) const override;
  int rowCount(const QModelIndex& parent = {}) const override;
  int columnCount(const QModelIndex& parent = {}) const override;
  bool hasChildren(const QModelIndex& parent = {}) const override {
    return !parent.isValid() && rowCount() > 0;
  }
  QVariant data(const QModelIndex& index, int role) const override;
  Qt::ItemFlags flags(const QModelIndex& index) const override;
  QModelIndex mapToSource(const QModelIndex& index) const override;
  QModelIndex mapFromSource(const QModelIndex& index) const override;
  QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

 private:
  /// What the value of a column must be.
  struct Condition {
    int column = -1;
    QString sign, text;  ///< the text in lower case
    double number = kNotMeasured;
  };
  std::optional<Condition> conditionOf(const QString& word) const;
  bool holds(const Condition& condition, int sourceRow) const;
  void readWords();
  struct Group {
    QString value;  ///< empty: those without one
    int runs = 0;
    bool operator==(const Group&) const = default;
  };
  struct Order {
    std::vector<int> rows;  ///< as m_order
    std::vector<Group> groups;
    int accepted = 0;
    bool operator==(const Order&) const = default;
  };
  int source(int row) const { return m_order[static_cast<std::size_t>(row)]; }
  const Group& groupAt(int row) const {
    return m_groups[static_cast<std::size_t>(-1 - source(row))];
  }
  QString headText(const Group& group) const;
  bool accepts(int sourceRow) const;
  bool before(int a, int b) const;
  Order ordered() const;
  Order grouped(const std::vector<int>& sorted) const;
  void setOrder(Order order);
  void renew();
  void reindex();
  void insertRow(int sourceRow);
  void removeRow(int row);
  void sourceInserted(int first, int last);
  void sourceAboutToRemove(int first, int last);
  void sourceChanged(const QModelIndex& top, const QModelIndex& bottom, const QList<int>& roles);
  void updateRow(int sourceRow);

  RunsModel& m_runs;
  RunFilter m_filter;
  QString m_noColumn;
  QStringList m_words;
  std::vector<Condition> m_conditions;
  int m_column = RunsModel::Created;
  bool m_descending = true;
  int m_group = -1, m_accepted = 0;
  std::vector<Group> m_groups;
  QSet<QString> m_closed;    ///< values whose groups are closed
  std::vector<int> m_order;  ///< source row of each row; below 0: -1 - the place of a group
  std::vector<int> m_place;  ///< row of each source row; -1: hidden
};

}  // namespace tessera::ui
