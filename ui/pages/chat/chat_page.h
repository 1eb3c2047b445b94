// SPDX-License-Identifier: MIT
// Chat: talk to any checkpoint, two of them side by side, and look into every token.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "ui/bridge/chat/chat_store.h"
#include "ui/pages/chat/chat_talk.h"
#include "ui/pages/page.h"

class QLabel;
class QPlainTextEdit;
class QSplitter;
class QStackedWidget;
class QTimer;
class QToolButton;
class QVBoxLayout;

namespace tessera::ui {

class Banner;
class ChatInspector;
class CheckpointPicker;
class Composer;
class ConversationTree;
class EmptyState;
class MessageList;
class TextLabel;

class ChatPage : public Page {
  Q_OBJECT
 public:
  explicit ChatPage(Studio& studio, QWidget* parent = nullptr);
  /// With another program than the launcher's in place of `tessera serve`: for tests.
  ChatPage(Studio& studio, const QString& program, const QStringList& arguments, QWidget* parent);
  ~ChatPage() override;

  /// Arguments: checkpoint=step-N, beside=<run id or folder>, chat=<id of a conversation>.
  void open(const Location& location) override;
  Location location() const override;
  std::vector<QAction*> commands() override;
  QWidget* inspector() override;
  void setActivity(bool visible, bool focused) override;
  QString command() const override;

  ChatTalk& talk() { return *m_talk; }
  ChatStore& store() { return *m_store; }
  MessageList* list(int side) const { return m_lists[static_cast<std::size_t>(side)]; }
  Composer* composer() const { return m_composer; }
  CheckpointPicker* picker(int side) const { return m_pickers[static_cast<std::size_t>(side)]; }
  ConversationTree* tree() const { return m_tree; }
  ChatInspector* chatInspector() const { return m_inspector; }

 private:
  void build();
  QWidget* buildBar();
  QWidget* buildMessages();
  void makeCommands();
  void connectTalk();
  void connectTree();
  void connectLists();
  void connectInspector();

  void takeRuns(std::shared_ptr<const std::vector<ChatRun>> runs);
  void followWanted(bool last);
  void openWantedChat(const QString& id);
  std::optional<ChatCheckpoint> find(const QString& runOrFolder, const QString& checkpoint) const;
  ChatCheckpoint checkpointAt(const QString& path, const QString& label) const;
  void takeRunStates();
  const RunRow* runThatTrains() const;

  void showTemplate();
  void askForTemplate();
  void showConversation();
  void showEngines();
  void showEmpty();
  void showShare();
  void showProblem(int side, const QString& message);
  void noteProblem(int side, const QString& message);
  void noteAnswer(int index);
  static QString problemKey(int side);
  void takeCount(int side, int tokens);
  void showTooLong();
  void forgetCounts();
  void showMeter();
  void showToken(int index, int token);
  void showSpan(int index, int from, int to);
  void setTokensShown(bool shown);
  void noteLoading(int side);
  QString pickerNote(int side) const;

  void newChat();
  void sendInNewChat();
  void takeConversation(const Conversation& read);
  void takeCheckpoints(const Conversation& of);
  void goOn(int index);
  void editQuestion(int index);
  void pick(int side, const ChatCheckpoint& checkpoint);
  void openChat(const QString& file);
  void removeChat(const QString& file, const QString& id);
  void exportChat();
  void pickFolder(int side);
  void editLast();
  void saveSoon();
  void saveNow();
  void keepSampling();
  void readSampling();

  ChatTalk* m_talk;
  ChatStore* m_store;
  std::shared_ptr<const std::vector<ChatRun>> m_runs;
  std::optional<Location> m_wanted;
  quint64 m_opening = 0;
  bool m_visible = false, m_dirty = false;

  ConversationTree* m_tree = nullptr;
  QSplitter *m_outer = nullptr, *m_columns = nullptr;
  QStackedWidget* m_stack = nullptr;
  EmptyState* m_empty = nullptr;
  std::array<MessageList*, 2> m_lists{};
  std::array<CheckpointPicker*, 2> m_pickers{};
  std::array<Banner*, 2> m_problems{};
  std::array<QString, 2> m_tooLong{};  ///< why a message cannot be sent; empty: it can
  QString m_shownId;                   ///< id of the conversation
  std::array<std::int64_t, 2> m_tasks{-1, -1};
  QVBoxLayout* m_notices = nullptr;
  TextLabel *m_share = nullptr, *m_legend = nullptr;
  QToolButton *m_tokens = nullptr, *m_systemButton = nullptr;
  QPlainTextEdit* m_system = nullptr;
  Composer* m_composer = nullptr;
  ChatInspector* m_inspector = nullptr;
  QTimer *m_save, *m_count, *m_scan, *m_patience;
  std::vector<QAction*> m_commands;
};

}  // namespace tessera::ui
