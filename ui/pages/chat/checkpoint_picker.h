// SPDX-License-Identifier: MIT
// A button that shows which checkpoint answers, and a list of runs and their checkpoints to pick
// another from.
#pragma once

#include <QPushButton>
#include <memory>
#include <vector>

#include "ui/bridge/chat/chat_store.h"
#include "ui/pages/chat/chat_talk.h"

class QSortFilterProxyModel;
class QStandardItemModel;
class QTreeView;

namespace tessera::ui {

class SearchField;

class CheckpointPicker : public QPushButton {
  Q_OBJECT
 public:
  /// `role`: what it answers for, to screen readers and in the tip.
  explicit CheckpointPicker(const QString& role, QWidget* parent = nullptr);

  void setRuns(std::shared_ptr<const std::vector<ChatRun>> runs);
  /// `note`: how it stands, below the name: "loading", "a run that still trains".
  void setCurrent(const ChatCheckpoint& checkpoint, const QString& note);
  /// The checkpoint that answers beside this one, which cannot be picked here too.
  void setOther(const ChatCheckpoint& checkpoint) { m_other = checkpoint; }
  /// Offers to give this side up.
  void setRemovable(bool removable);
  QWidget* popup() const { return m_popup; }
  QTreeView* view() const { return m_view; }

 Q_SIGNALS:
  void picked(const ChatCheckpoint& checkpoint);
  void folderWanted();
  void removed();

 protected:
  void paintEvent(QPaintEvent* event) override;
  QSize sizeHint() const override;
  QSize minimumSizeHint() const override;

 private:
  void open();
  void fill();
  void addRun(std::size_t index);
  void showNews();
  void showFresh();
  void pick(const QModelIndex& index);

  QString m_role, m_note;
  ChatCheckpoint m_current, m_other;
  std::shared_ptr<const std::vector<ChatRun>> m_runs;
  /// What the open list shows. It stays under the hand: news waits behind a button.
  std::shared_ptr<const std::vector<ChatRun>> m_listed;
  QWidget* m_popup;
  SearchField* m_search;
  QTreeView* m_view;
  QStandardItemModel* m_model;
  QSortFilterProxyModel* m_filter;
  QPushButton *m_fresh, *m_remove;
};

ChatCheckpoint checkpointOf(const ChatRun& run, qint64 step);
ChatCheckpoint checkpointOfFolder(const QString& folder);

}  // namespace tessera::ui
