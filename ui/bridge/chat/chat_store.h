// SPDX-License-Identifier: MIT
// ChatStore: conversations as files, one JSON file each in home_folder()/chats, and the checkpoints
// that can be talked to. A worker does all reading and writing; answers are signals.
#pragma once

#include <QObject>
#include <QString>
#include <memory>
#include <vector>

#include "ui/bridge/chat/conversation.h"
#include "ui/bridge/runs/run_store.h"

namespace tessera::ui {

/// A conversation that is not open.
struct ChatEntry {
  QString file;
  ChatHeader header;
};

/// A run with checkpoints, newest step first.
struct ChatRun {
  QString id, name, folder;
  bool live = false;
  double created = 0;
  QString parent;             ///< id of the run it was forked from
  std::vector<qint64> steps;  ///< whole checkpoints
  QString checkpoint(qint64 step) const;
};

class ChatStore : public QObject {
  Q_OBJECT
 public:
  /// `folder`: empty for home_folder()/chats.
  explicit ChatStore(const QString& folder = {}, QObject* parent = nullptr);
  ~ChatStore() override;

  /// As of the last listChanged(), last changed first.
  const std::vector<ChatEntry>& list() const { return m_list; }
  bool listed() const { return m_listed; }
  void refresh();

  /// Answered by opened() or failed(); returns the number that both repeat.
  quint64 open(const QString& file);
  /// Answered by saved() or failed(). The file's name is the conversation's id.
  void save(const Conversation& conversation);
  /// The same before the program ends: returns when it is written, or could not be.
  void saveAtOnce(const Conversation& conversation);
  /// Gives a conversation that is not open another title.
  void rename(const QString& file, const QString& title);
  /// Moves the file aside; restore() brings it back.
  void remove(const QString& file);
  void restore(const QString& file);
  /// Writes text, made from the conversation by the worker, to a file that the user named.
  void exportTo(const Conversation& conversation, const QString& file);

  /// Looks for the checkpoints of runs; answered by checkpointsListed().
  void listCheckpoints(const RunRows& runs);

 Q_SIGNALS:
  void listChanged();
  void opened(quint64 request, std::shared_ptr<const Conversation> conversation);
  void saved(const QString& id);
  void exported(const QString& file);
  void failed(quint64 request, const QString& message);  ///< 0: of no open()
  void checkpointsListed(std::shared_ptr<const std::vector<ChatRun>> runs);

 private:
  class Worker;
  struct State;
  void take(std::vector<ChatEntry> list);
  QString m_folder;
  std::vector<ChatEntry> m_list;
  bool m_listed = false;
  quint64 m_last = 0;
  std::unique_ptr<State> m_state;
};

}  // namespace tessera::ui
