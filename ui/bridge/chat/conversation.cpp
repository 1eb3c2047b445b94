// SPDX-License-Identifier: MIT
#include "ui/bridge/chat/conversation.h"

#include <QUuid>
#include <algorithm>

namespace tessera::ui {

namespace {
constexpr int kTitleLength = 60;

/// The beginning of a text as one line.
QString beginning(const QString& text) {
  QString line = text.left(4 * kTitleLength).simplified();
  if (line.size() > kTitleLength) line = line.left(kTitleLength - 1).trimmed() + u'…';
  return line;
}
}  // namespace

Conversation Conversation::create() {
  Conversation made;
  made.created = made.updated = QDateTime::currentDateTime();
  made.id = made.created.toString(QStringLiteral("yyyyMMdd-HHmmss-")) +
            QUuid::createUuid().toString(QUuid::Id128).left(6);
  return made;
}

QString Conversation::titleOrBeginning() const {
  if (!title.isEmpty()) return title;
  for (const int index : path()) {
    if (!at(index).isAnswer()) return beginning(at(index).text);
  }
  return {};
}

/// Enters a message that is in the list into the tree.
void Conversation::adopt(int index) {
  const ChatMessage& message = at(index);
  m_children[message.parent].push_back(index);
  auto [shown, fresh] = m_shown.try_emplace(message.parent, std::array<int, 2>{-1, -1});
  shown->second[static_cast<std::size_t>(message.side)] = index;
}

int Conversation::add(ChatMessage message) {
  if (!message.time.isValid()) message.time = QDateTime::currentDateTime();
  updated = message.time;
  m_messages.push_back(std::move(message));
  adopt(size() - 1);
  return size() - 1;
}

void Conversation::appendTokens(int index, const std::vector<ChatToken>& tokens, int layers) {
  ChatMessage& message = edit(index);
  std::shared_ptr<TokenRecord> record;
  if (message.tokens && message.tokens.use_count() == 1) {
    record = std::const_pointer_cast<TokenRecord>(message.tokens);
  } else {
    record = message.tokens ? std::make_shared<TokenRecord>(*message.tokens)
                            : std::make_shared<TokenRecord>();
  }
  for (const ChatToken& token : tokens) {
    message.text += token.text;
    record->append(token, layers);
  }
  message.tokens = std::move(record);
}

int Conversation::shownChild(int parent, int side) const {
  const auto found = m_shown.find(parent);
  if (found == m_shown.end()) return -1;
  const int own = found->second[static_cast<std::size_t>(side)];
  return own >= 0 || side == 0 ? own : found->second[0];
}

std::vector<int> Conversation::path(int side) const {
  std::vector<int> indices;
  for (int next = shownChild(-1, side); next >= 0; next = shownChild(next, side)) {
    indices.push_back(next);
  }
  return indices;
}

std::vector<int> Conversation::children(int parent) const {
  const auto found = m_children.find(parent);
  return found == m_children.end() ? std::vector<int>{} : found->second;
}

std::vector<int> Conversation::siblings(int index) const {
  const ChatMessage& own = at(index);
  std::vector<int> list = children(own.parent);
  std::erase_if(
      list, [&](int other) { return at(other).role != own.role || at(other).side != own.side; });
  return list;
}

void Conversation::show(int index) {
  for (const int one : ancestry(index)) {
    m_shown[at(one).parent][static_cast<std::size_t>(at(one).side)] = one;
  }
}

std::vector<int> Conversation::ancestry(int index) const {
  std::vector<int> indices;
  for (; index >= 0; index = at(index).parent) indices.push_back(index);
  std::reverse(indices.begin(), indices.end());
  return indices;
}

}  // namespace tessera::ui
