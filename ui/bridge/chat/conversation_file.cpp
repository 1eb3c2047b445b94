// SPDX-License-Identifier: MIT
// Conversations as files: JSON with a message on each line, and the head on the first, so that a
// list of conversations reads first lines alone.
#include <QJsonArray>
#include <QJsonDocument>
#include <algorithm>

#include "core/base/error.h"
#include "ui/bridge/chat/conversation.h"

namespace tessera::ui {

namespace {
constexpr int kVersion = 1;
constexpr auto kFormat = "tessera-chat";
/// Alternatives and experts beyond this are left out of the file, those of the oldest answers
/// first: a large model's experts are kilobytes a token.
constexpr std::size_t kMostDetailBytes = 24u << 20;

QByteArray compact(const QJsonObject& object) {
  return QJsonDocument(object).toJson(QJsonDocument::Compact);
}

QString timeText(const QDateTime& time) {
  return time.toUTC().toString(Qt::ISODateWithMs);
}
QDateTime timeOf(const QJsonValue& value) {
  return QDateTime::fromString(value.toString(), Qt::ISODateWithMs).toLocalTime();
}

QJsonObject usageJson(const std::vector<double>& usage) {
  QJsonArray counts;
  for (const double count : usage) counts.append(count);
  return {{"counts", counts}};
}

QJsonObject messageJson(const ChatMessage& message, bool withDetails) {
  QJsonObject json{{"role", message.isAnswer() ? "assistant" : "user"},
                   {"parent", message.parent},
                   {"side", message.side},
                   {"time", timeText(message.time)},
                   {"text", message.text}};
  if (!message.isAnswer()) return json;
  json["model"] = message.model;
  json["model_path"] = message.modelPath;
  json["reason"] = message.reason;
  if (!message.problem.isEmpty()) json["problem"] = message.problem;
  if (message.tooLong) json["too_long"] = true;
  json["tokens_per_second"] = message.tokensPerSecond;
  json["context_used"] = message.contextUsed;
  json["sampling"] = message.sampling.toJson();
  if (message.tokens) json["tokens"] = message.tokens->toJson(withDetails);
  if (message.usage && withDetails) json["usage"] = usageJson(*message.usage);
  return json;
}

ChatMessage messageOf(const QJsonObject& json) {
  ChatMessage message;
  message.role = json["role"].toString() == QLatin1String("assistant")
                     ? ChatMessage::Role::Assistant
                     : ChatMessage::Role::User;
  message.parent = json["parent"].toInt(-1);
  message.side = std::clamp(json["side"].toInt(), 0, 1);
  message.time = timeOf(json["time"]);
  message.text = json["text"].toString();
  message.model = json["model"].toString();
  message.modelPath = json["model_path"].toString();
  message.reason = json["reason"].toString();
  message.problem = json["problem"].toString();
  message.tooLong = json["too_long"].toBool();
  message.tokensPerSecond = json["tokens_per_second"].toDouble();
  message.contextUsed = json["context_used"].toInt();
  message.sampling = ChatSampling::fromJson(json["sampling"].toObject());
  if (json.contains("tokens")) {
    message.tokens =
        std::make_shared<TokenRecord>(TokenRecord::fromJson(json["tokens"].toObject()));
  }
  const QJsonArray counts = json["usage"].toObject()["counts"].toArray();
  if (counts.isEmpty()) return message;
  auto usage = std::make_shared<std::vector<double>>();
  for (const QJsonValue count : counts) usage->push_back(count.toDouble());
  message.usage = std::move(usage);
  return message;
}
}  // namespace

QJsonObject ChatSampling::toJson() const {
  return {{"temperature", temperature},
          {"top_k", topK},
          {"top_p", topP},
          {"min_p", minP},
          {"repetition_penalty", repetitionPenalty},
          {"seed", QString::number(seed)},
          {"max_tokens", maxTokens}};
}

ChatSampling ChatSampling::fromJson(const QJsonObject& json) {
  ChatSampling s;
  s.temperature = json["temperature"].toDouble(s.temperature);
  s.topK = json["top_k"].toInt(s.topK);
  s.topP = json["top_p"].toDouble(s.topP);
  s.minP = json["min_p"].toDouble(s.minP);
  s.repetitionPenalty = json["repetition_penalty"].toDouble(s.repetitionPenalty);
  s.seed = json["seed"].toString().toULongLong();
  s.maxTokens = json["max_tokens"].toInt(s.maxTokens);
  return s;
}

QByteArray Conversation::toJson() const {
  QJsonArray shown;
  for (const auto& [parent, sides] : m_shown) shown.append(QJsonArray{parent, sides[0], sides[1]});
  const QJsonObject head{{"format", kFormat},
                         {"version", kVersion},
                         {"id", id},
                         {"title", titleOrBeginning()},
                         {"named", !title.isEmpty()},
                         {"system", system},
                         {"created", timeText(created)},
                         {"updated", timeText(updated)},
                         {"count", size()},
                         {"shown", shown}};
  std::vector<bool> detailed(m_messages.size());
  std::size_t bytes = 0;
  for (std::size_t i = m_messages.size(); i-- > 0;) {
    bytes += m_messages[i].tokens ? m_messages[i].tokens->detailBytes() : 0;
    detailed[i] = bytes <= kMostDetailBytes;
  }
  QByteArray text = compact(head);
  text.chop(1);
  text += ",\"messages\":[";
  for (std::size_t i = 0; i < m_messages.size(); ++i) {
    text += i == 0 ? "\n" : ",\n";
    text += compact(messageJson(m_messages[i], detailed[i]));
  }
  return text + "\n]}\n";
}

Conversation Conversation::fromJson(const QByteArray& json, const QString& where) {
  QJsonParseError problem;
  const QJsonObject head = QJsonDocument::fromJson(json, &problem).object();
  const auto fail = [&](const QString& what) {
    throw Error(where.toStdString(), what.toStdString(),
                "the file is left as it is; a copy of it elsewhere may be whole");
  };
  if (problem.error != QJsonParseError::NoError) fail(problem.errorString());
  if (head["format"].toString() != QLatin1String(kFormat)) fail("is no conversation");
  if (head["version"].toInt() > kVersion) fail("was written by a newer version");
  Conversation read;
  read.id = head["id"].toString();
  if (head["named"].toBool()) read.title = head["title"].toString();
  read.system = head["system"].toString();
  read.created = timeOf(head["created"]);
  const QJsonArray messages = head["messages"].toArray();
  for (const QJsonValue value : messages) {
    ChatMessage message = messageOf(value.toObject());
    if (message.parent < -1 || message.parent >= read.size()) fail("a message has no place");
    read.add(std::move(message));
  }
  const QJsonArray shown = head["shown"].toArray();
  for (const QJsonValue row : shown) {
    for (int side = 0; side < 2; ++side) {
      const int index = row[side + 1].toInt(-1);
      if (index < 0 || index >= read.size() || read.at(index).side != side) continue;
      if (read.at(index).parent != row[0].toInt()) continue;
      read.m_shown[read.at(index).parent][static_cast<std::size_t>(side)] = index;
    }
  }
  read.updated = timeOf(head["updated"]);
  return read;
}

bool readChatHeader(const QByteArray& firstLine, ChatHeader& header) {
  const QJsonObject head = QJsonDocument::fromJson(firstLine + "]}").object();
  if (head["format"].toString() != QLatin1String(kFormat)) return false;
  header = {head["id"].toString(), head["title"].toString(), timeOf(head["updated"]),
            head["count"].toInt()};
  return true;
}

QString Conversation::toMarkdown() const {
  const QString name = titleOrBeginning();
  QString text = QStringLiteral("# %1\n\n").arg(name.isEmpty() ? QStringLiteral("Chat") : name);
  if (!system.isEmpty()) text += QStringLiteral("**System**\n\n%1\n\n").arg(system);
  const auto write = [&](const std::vector<int>& indices, std::size_t from) {
    for (std::size_t i = from; i < indices.size(); ++i) {
      const ChatMessage& message = at(indices[i]);
      text += QStringLiteral("**%1**\n\n%2\n\n")
                  .arg(message.isAnswer() ? message.model : QStringLiteral("You"),
                       message.text.trimmed());
    }
  };
  const std::vector<int> main = path(0), beside = path(1);
  write(main, 0);
  const auto split = std::mismatch(main.begin(), main.end(), beside.begin(), beside.end());
  if (split.second == beside.end()) return text;
  text += QStringLiteral("---\n\n## Beside\n\n");
  write(beside, static_cast<std::size_t>(split.second - beside.begin()));
  return text;
}

}  // namespace tessera::ui
