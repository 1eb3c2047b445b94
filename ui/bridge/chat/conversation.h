// SPDX-License-Identifier: MIT
// Conversation: a tree of messages. Editing a message and regenerating an answer add a branch
// beside the old one; nothing is erased. A plain value: copies share what they hold.
#pragma once

#include <QDateTime>
#include <QJsonObject>
#include <QString>
#include <array>
#include <map>
#include <memory>
#include <vector>

#include "ui/bridge/chat/token_record.h"

namespace tessera::ui {

struct ChatSampling {
  double temperature = 0.8, topP = 0.95, minP = 0, repetitionPenalty = 1;
  int topK = 0;
  quint64 seed = 0;
  int maxTokens = 512;
  bool operator==(const ChatSampling&) const = default;

  QJsonObject toJson() const;
  static ChatSampling fromJson(const QJsonObject& json);
};

struct ChatMessage {
  enum class Role { User, Assistant };

  Role role = Role::User;
  int parent = -1;  ///< -1: the conversation begins with it
  int side = 0;     ///< 1: of the second of two checkpoints
  QString text;
  QDateTime time;

  // Of answers.
  QString model;         ///< "demo-1, step 850"
  QString modelPath;     ///< its folder
  QString reason;        ///< how it ended: stop, length, full, cancelled, failed; empty: it has not
  QString problem;       ///< why it failed, for people; empty unless the reason is "failed"
  bool tooLong = false;  ///< it failed because the model cannot read so long a conversation
  double tokensPerSecond = 0;
  int contextUsed = 0;
  ChatSampling sampling;
  std::shared_ptr<const TokenRecord> tokens;
  /// (layers, experts): where all tokens of the conversation up to its end went.
  std::shared_ptr<const std::vector<double>> usage;

  bool isAnswer() const { return role == Role::Assistant; }
};

class Conversation {
 public:
  /// A new one, empty and with an id of its own.
  static Conversation create();

  QString id, title;  ///< an empty title: titleOrBeginning() takes the first words
  QString system;     ///< system prompt
  QDateTime created, updated;

  const std::vector<ChatMessage>& messages() const { return m_messages; }
  const ChatMessage& at(int index) const { return m_messages[static_cast<std::size_t>(index)]; }
  int size() const { return static_cast<int>(m_messages.size()); }
  bool empty() const { return m_messages.empty(); }
  QString titleOrBeginning() const;

  /// Adds a message, which is then the one shown among its siblings. Returns its index, which it
  /// keeps.
  int add(ChatMessage message);
  /// For an answer that grows.
  ChatMessage& edit(int index) { return m_messages[static_cast<std::size_t>(index)]; }
  /// Adds to an answer's text and record; the record is copied first where a copy of this shares
  /// it.
  void appendTokens(int index, const std::vector<ChatToken>& tokens, int layers);

  /// What is shown, from the first message on. Side 1 follows its own branches where it has any,
  /// else those of side 0: both share what was said before the second checkpoint came.
  std::vector<int> path(int side = 0) const;
  /// Messages with the same parent, role and side, in the order of their making.
  std::vector<int> siblings(int index) const;
  std::vector<int> children(int parent) const;
  /// Makes the path of its side go through this message.
  void show(int index);
  /// The messages from the first one to this one.
  std::vector<int> ancestry(int index) const;

  QByteArray toJson() const;
  /// Throws tessera::Error naming `where` when it is no conversation of this version or before.
  static Conversation fromJson(const QByteArray& json, const QString& where);
  /// The path of side 0, and of side 1 where there is one.
  QString toMarkdown() const;

 private:
  void adopt(int index);
  int shownChild(int parent, int side) const;

  std::vector<ChatMessage> m_messages;
  std::map<int, std::vector<int>> m_children;  ///< by parent
  std::map<int, std::array<int, 2>> m_shown;   ///< by parent, for both sides; -1: none yet
};

/// Of a conversation's file, from its first line alone.
struct ChatHeader {
  QString id, title;
  QDateTime updated;
  int messages = 0;
};
/// False when the line is not one.
bool readChatHeader(const QByteArray& firstLine, ChatHeader& header);

}  // namespace tessera::ui
