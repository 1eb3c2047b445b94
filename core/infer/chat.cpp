// SPDX-License-Identifier: MIT
#include "core/infer/chat.h"

#include "core/base/error.h"

namespace tessera {

namespace {
void push_text(const Tokenizer& tokenizer, const std::string& text,
               std::vector<std::int32_t>& ids) {
  const std::vector<std::int32_t> more = tokenizer.encode(text);
  ids.insert(ids.end(), more.begin(), more.end());
}
}  // namespace

namespace {
/// All that the system says, wherever it stands in the conversation, as the released template has
/// it: joined with an empty line, before the first turn.
std::string system_text(const std::vector<Message>& messages) {
  std::string text;
  bool first = true;
  for (const Message& message : messages) {
    if (message.role != Message::Role::System) continue;
    if (!first) text += "\n\n";
    first = false;
    text += message.text;
  }
  return text;
}
}  // namespace

std::vector<std::int32_t> encode_chat(const Tokenizer& tokenizer,
                                      const std::vector<Message>& messages) {
  const SpecialTokens& s = tokenizer.specials();
  if (s.bos < 0 || s.eos < 0 || s.user < 0 || s.assistant < 0) {
    throw Error("chat", "the vocabulary has no tokens for turns of a conversation",
                "use `tessera generate`, which only continues text");
  }
  std::vector<std::int32_t> ids{s.bos};
  push_text(tokenizer, system_text(messages), ids);
  for (const Message& message : messages) {
    if (message.role == Message::Role::System) continue;
    const bool user = message.role == Message::Role::User;
    ids.push_back(user ? s.user : s.assistant);
    push_text(tokenizer, message.text, ids);
    if (!user) ids.push_back(s.eos);
  }
  ids.push_back(s.assistant);
  return ids;
}

std::vector<std::int32_t> encode_prompt(const Tokenizer& tokenizer, const std::string& text) {
  std::vector<std::int32_t> ids;
  if (tokenizer.adds_bos()) ids.push_back(tokenizer.specials().bos);
  push_text(tokenizer, text, ids);
  return ids;
}

}  // namespace tessera
