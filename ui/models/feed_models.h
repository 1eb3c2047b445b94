// SPDX-License-Identifier: MIT
// Checkpoints and samples of a run as tables, newest first; they follow a RunFeed.
#pragma once

#include <QAbstractTableModel>
#include <memory>
#include <vector>

#include "ui/bridge/runs/run_feed.h"

namespace tessera::ui {

/// Rows are the events of one list of the history, the last one on top.
class FeedModel : public QAbstractTableModel {
  Q_OBJECT
 public:
  /// Null: an empty table.
  void setFeed(std::shared_ptr<RunFeed> feed);
  const std::shared_ptr<RunFeed>& feed() const { return m_feed; }
  const Event& event(int row) const;

  int rowCount(const QModelIndex& parent = {}) const override;
  QVariant data(const QModelIndex& index, int role) const override;
  Qt::ItemFlags flags(const QModelIndex& index) const override;

 protected:
  FeedModel(std::vector<Event> RunHistory::*list, QObject* parent);
  virtual QVariant value(const Event& event, int column, int role) const = 0;

 private:
  void follow();
  void restart();
  const std::vector<Event>& events() const;
  std::vector<Event> RunHistory::*m_list;
  std::shared_ptr<RunFeed> m_feed;
  std::size_t m_rows = 0;
};

/// The step that a checkpoint goes by everywhere: how many are done, as in its folder's name.
std::int64_t checkpointStep(const CheckpointEvent& event);

class CheckpointsModel : public FeedModel {
  Q_OBJECT
 public:
  enum Column { Step, Tokens, Size, Took, When, Folder, ColumnCount };
  enum Role { StepRole = Qt::UserRole, PathRole };  ///< PathRole: absolute
  explicit CheckpointsModel(QObject* parent = nullptr);
  int columnCount(const QModelIndex& parent = {}) const override;
  QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

 protected:
  QVariant value(const Event& event, int column, int role) const override;
};

class SamplesModel : public FeedModel {
  Q_OBJECT
 public:
  enum Column { Step, Prompt, Text, ColumnCount };
  enum Role { StepRole = Qt::UserRole, PromptRole, TextRole };
  explicit SamplesModel(QObject* parent = nullptr);
  int columnCount(const QModelIndex& parent = {}) const override;
  QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

 protected:
  QVariant value(const Event& event, int column, int role) const override;
};

}  // namespace tessera::ui
