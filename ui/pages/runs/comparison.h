// SPDX-License-Identifier: MIT
// What a comparison of runs says in tables: the keys of their specs that differ, and how they
// ended.
#pragma once

#include <QAbstractTableModel>
#include <QString>
#include <QStringList>
#include <vector>

#include "core/history/run_history.h"
#include "core/spec/spec.h"

namespace tessera::ui {

/// Time in which steps were made, by tokens and speed: what lies between two processes of a run is
/// not in it. Reads only rows that are new.
struct TrainedTime {
  std::size_t rows = 0;
  double seconds = 0;
  void follow(const RunHistory& history);
};

/// One of the runs compared. Null parts are not loaded yet.
struct ComparedRun {
  QString id, name;
  const RunSpec* spec = nullptr;
  const RunHistory* history = nullptr;
  RunState state = RunState::Draft;
  double trainedSeconds = kNotMeasured;
};

struct ComparisonRow {
  QString title;  ///< "optimiser.clip", "Loss"
  QString tip;
  QStringList cells;         ///< one per run
  std::vector<bool> marked;  ///< differs from the first run, or is the best
};

/// Keys that do not have one value in all specs; names, notes and tags apart.
std::vector<ComparisonRow> configurationDifferences(const std::vector<ComparedRun>& runs);
/// Last and best values; the best of each row is marked where better has a meaning.
std::vector<ComparisonRow> finalNumbers(const std::vector<ComparedRun>& runs);

/// Rows of a comparison, one column a run.
class ComparisonModel : public QAbstractTableModel {
  Q_OBJECT
 public:
  /// `firstTitle` is over the titles; `markedWord` says to screen readers what a mark means.
  ComparisonModel(QString firstTitle, QString markedWord, QObject* parent = nullptr);
  void setContent(const QStringList& ids, const QStringList& names,
                  std::vector<ComparisonRow> rows);
  const std::vector<ComparisonRow>& content() const { return m_rows; }
  /// With tabs, for the clipboard.
  QString asText() const;

  int rowCount(const QModelIndex& parent = {}) const override;
  int columnCount(const QModelIndex& parent = {}) const override;
  QVariant data(const QModelIndex& index, int role) const override;
  QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

 private:
  QString m_firstTitle, m_markedWord;
  QStringList m_ids, m_names;
  std::vector<ComparisonRow> m_rows;
};

}  // namespace tessera::ui
