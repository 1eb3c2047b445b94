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

std::vector<std::int32_t> encode_chat(const Tokenizer& tokenizer,
                                      const std::vector<Message>& messages) {
  const SpecialTokens& s = tokenizer.specials();
  if (s.bos < 0 || s.eos < 0 || s.user < 0 || s.assistant < 0) {
    throw Error("chat", "the vocabulary has no tokens for turns of a conversation",
                "use `tessera generate`, which only continues text");
  }
  std::vector<std::int32_t> ids{s.bos};
  for (const Message& message : messages) {
    if (message.role == Message::Role::User) ids.push_back(s.user);
    if (message.role == Message::Role::Assistant) ids.push_back(s.assistant);
    push_text(tokenizer, message.text, ids);
    if (message.role == Message::Role::Assistant) ids.push_back(s.eos);
  }
  ids.push_back(s.assistant);
  return ids;
}

std::vector<std::int32_t> encode_prompt(const Tokenizer& tokenizer, const std::string& text) {
  std::vector<std::int32_t> ids;
  if (tokenizer.specials().bos >= 0) ids.push_back(tokenizer.specials().bos);
  push_text(tokenizer, text, ids);
  return ids;
}

}  // namespace tessera
