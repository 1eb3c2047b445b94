// SPDX-License-Identifier: MIT
// The conversations, and the turns and branches of the one that is open.
#pragma once

#include <QWidget>
#include <vector>

#include "ui/bridge/chat/chat_store.h"

class QStandardItem;
class QStandardItemModel;
class QTreeView;

namespace tessera::ui {

class SearchField;

class ConversationTree : public QWidget {
  Q_OBJECT
 public:
  explicit ConversationTree(QWidget* parent = nullptr);

  void setList(const std::vector<ChatEntry>& list);
  /// The open one: its turns are shown below it. It need not be in the list yet.
  void setCurrent(const Conversation& conversation);
  QTreeView* view() const { return m_view; }
  QStandardItemModel* model() const { return m_model; }

 Q_SIGNALS:
  void newWanted();
  void opened(const QString& file);
  void turnPicked(int index);
  void removeWanted(const QString& file, const QString& id);
  void renameWanted(const QString& file, const QString& id, const QString& title);

 private:
  void rebuild();
  void fillTurns(QStandardItem* parent);
  void addTurns(QStandardItem* parent, int from);
  void activate(const QModelIndex& index);
  void menu(const QPoint& at);
  bool matches(const ChatEntry& entry) const;

  std::vector<ChatEntry> m_list;
  Conversation m_current;
  std::vector<int> m_path;
  QString m_filter, m_shownId;
  int m_rows = 0;
  bool m_building = false;
  bool m_behind = false;  ///< rows wait until a title is edited
  SearchField* m_search;
  QTreeView* m_view;
  QStandardItemModel* m_model;
};

}  // namespace tessera::ui
