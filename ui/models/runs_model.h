// SPDX-License-Identifier: MIT
// RunsModel: the runs of the store as a table, one row each. Sorting and filtering are RunsProxy's.
#pragma once

#include <QAbstractTableModel>
#include <QHash>
#include <QString>
#include <QStringList>
#include <vector>

#include "ui/bridge/runs/run_store.h"

namespace tessera::ui {

class RunsModel : public QAbstractTableModel {
  Q_OBJECT
 public:
  enum Column {
    Name,
    State,
    Progress,
    Loss,
    Validation,
    Speed,
    Curve,
    Created,
    LastWord,
    Tags,
    Notes,
    Lineage,
    ColumnCount
  };
  enum Role {
    IdRole = Qt::UserRole,
    StateRole,     ///< int of RunState
    ProgressRole,  ///< 0 to 1, below 0: unknown
    CurveRole,     ///< QList<float>: the loss over the whole run
    MissingRole,   ///< bool: its folder is not there
  };

  using QAbstractTableModel::QAbstractTableModel;

  /// Columns behind those that every table has, as in RunColumns: settings and metrics.
  void setExtraColumns(const QStringList& keys);
  const QStringList& extraColumns() const { return m_extra; }
  /// A name of a column that stays the same in every language and with other columns beside it:
  /// "state", "setting/model.hidden_size".
  QString keyOf(int column) const;
  int columnOf(const QString& key) const;  ///< -1: there is none now
  /// By its key, or the end of it behind a slash or a dot: "hidden_size". -1: there is none now.
  int columnNamed(const QString& name) const;
  double numberOf(int r, int column) const;  ///< NaN: what stands there is none
  /// "setting/model.hidden_size" as its header says it.
  static QString titleOf(const QString& key);
  /// What runs with the same value of a column have in common, for people; empty: no value.
  QString groupOf(int r, int column) const;
  /// For a column behind the usual ones.
  const RunCell& cell(int r, int column) const;

  /// Says what differs from the rows before; selections and scrolling stay.
  void setRows(const RunRows& rows);
  /// Ages are of now: to be called every second or so while they are seen.
  void tick();

  const RunRow& row(int r) const { return (*m_rows)[static_cast<std::size_t>(r)]; }
  const QString& id(int r) const { return m_texts[static_cast<std::size_t>(r)].id; }
  int rowOf(const QString& id) const { return m_index.value(id, -1); }
  QStringList allTags() const;

  /// What a row is searched by, in lower case: name, id, tags, notes, state, reason, parent.
  const QString& haystack(int r) const { return m_texts[static_cast<std::size_t>(r)].haystack; }
  /// By the value of a column, what is unknown last in either order.
  bool lessThan(int a, int b, int column, bool descending) const;

  int rowCount(const QModelIndex& parent = {}) const override;
  int columnCount(const QModelIndex& parent = {}) const override;
  QVariant data(const QModelIndex& index, int role) const override;
  QVariant headerData(int section, Qt::Orientation orientation, int role) const override;
  Qt::ItemFlags flags(const QModelIndex& index) const override;
  bool setData(const QModelIndex& index, const QVariant& value, int role) override;

  /// "fast, baseline" and back; white space around words is not part of them.
  static QStringList tagsOf(const QString& text);

 Q_SIGNALS:
  /// The user wrote into a cell of Name, Tags (a QStringList) or Notes.
  void edited(const QString& id, int column, const QVariant& value);

 private:
  struct Texts {
    QString id, name, nameKey, tags, notes, haystack;
  };
  static Texts textsOf(const RunRow& row);
  void replaceAll(const RunRows& rows);
  void updateInPlace(const RunRows& rows);
  bool insertAndRemove(const RunRows& rows);
  void reindex();
  QString display(int r, int column) const;
  QString tip(int r, int column) const;
  QString cellText(int r, int column) const;
  bool isNumber(int column) const;

  RunRows m_rows = std::make_shared<const std::vector<RunRow>>();
  std::vector<Texts> m_texts;
  QHash<QString, int> m_index;
  QStringList m_extra;
  struct Extra {
    std::string key;
    QString unit;  ///< that the metric has
    bool metric = false;
  };
  std::vector<Extra> m_extras;
  /// Places of the extra columns among the cells of rows, as the rows seen last had them.
  mutable std::shared_ptr<const RunColumns> m_cellColumns;
  mutable std::vector<int> m_cellPlaces;
};

}  // namespace tessera::ui
