// SPDX-License-Identifier: MIT
#include "ui/pages/server/talk_lines.h"

#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>

#include "ui/bridge/launch/terminal_command.h"

namespace tessera::ui {

namespace {
constexpr const char* kPrompt = "The quick brown fox";

/// A literal of Python, which has JSON's escapes in a string of double quotes.
QString pythonText(const QString& text) {
  const QByteArray list = QJsonDocument(QJsonArray{text}).toJson(QJsonDocument::Compact);
  return QString::fromUtf8(list.mid(1, list.size() - 2));
}

/// Libraries insist on a key; a server that asks for none takes any.
QString keyText(const ServerAddress& address) {
  return pythonText(address.key.isEmpty() ? QStringLiteral("none") : address.key);
}

QString curlLines(const ServerAddress& address) {
  const QJsonObject message{{"role", "user"}, {"content", QString::fromLatin1(kPrompt)}};
  const QJsonObject body{
      {"model", address.model}, {"messages", QJsonArray{message}}, {"max_tokens", 64}};
  QString lines = QStringLiteral("curl %1 \\\n  -H %2")
                      .arg(shellWord(address.base + QStringLiteral("/chat/completions")),
                           shellWord(QStringLiteral("Content-Type: application/json")));
  if (!address.key.isEmpty()) {
    lines += QStringLiteral(" \\\n  -H ") +
             shellWord(QStringLiteral("Authorization: Bearer ") + address.key);
  }
  const QByteArray text = QJsonDocument(body).toJson(QJsonDocument::Compact);
  return lines + QStringLiteral(" \\\n  -d ") + shellWord(QString::fromUtf8(text)) + u'\n';
}
}  // namespace

QString talkTitle(TalkBy by) {
  switch (by) {
    case TalkBy::Curl:
      return QStringLiteral("curl");
    case TalkBy::OpenAi:
      return QStringLiteral("Python");
    case TalkBy::LangChain:
      return QStringLiteral("LangChain");
    case TalkBy::LlamaIndex:
      break;
  }
  return QStringLiteral("LlamaIndex");
}

QString talkNeeds(TalkBy by) {
  switch (by) {
    case TalkBy::Curl:
      return {};
    case TalkBy::OpenAi:
      return QStringLiteral("pip install openai");
    case TalkBy::LangChain:
      return QStringLiteral("pip install langchain-openai");
    case TalkBy::LlamaIndex:
      break;
  }
  return QStringLiteral("pip install llama-index-llms-openai-like");
}

QString talkLines(TalkBy by, const ServerAddress& address) {
  const QString base = pythonText(address.base), key = keyText(address),
                model = pythonText(address.model),
                prompt = pythonText(QString::fromLatin1(kPrompt));
  switch (by) {
    case TalkBy::Curl:
      return curlLines(address);
    case TalkBy::OpenAi:
      return QStringLiteral(
                 "import openai\n"
                 "\n"
                 "client = openai.OpenAI(base_url=%1, api_key=%2)\n"
                 "answer = client.chat.completions.create(\n"
                 "    model=%3,\n"
                 "    messages=[{\"role\": \"user\", \"content\": %4}],\n"
                 "    max_tokens=64)\n"
                 "print(answer.choices[0].message.content)\n")
          .arg(base, key, model, prompt);
    case TalkBy::LangChain:
      return QStringLiteral(
                 "from langchain_openai import ChatOpenAI\n"
                 "\n"
                 "model = ChatOpenAI(base_url=%1, api_key=%2,\n"
                 "                   model=%3, max_tokens=64)\n"
                 "print(model.invoke(%4).content)\n")
          .arg(base, key, model, prompt);
    case TalkBy::LlamaIndex:
      break;
  }
  return QStringLiteral(
             "from llama_index.llms.openai_like import OpenAILike\n"
             "\n"
             "model = OpenAILike(api_base=%1, api_key=%2,\n"
             "                   model=%3, is_chat_model=True, max_tokens=64)\n"
             "print(model.complete(%4).text)\n")
      .arg(base, key, model, prompt);
}

}  // namespace tessera::ui
