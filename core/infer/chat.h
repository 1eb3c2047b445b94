// SPDX-License-Identifier: MIT
// The chat form of the released models: BOS system <｜User｜>q<｜Assistant｜>a EOS, with nothing
// between turns. System messages are joined with an empty line and all stand before the first turn
// (chat_template of DeepSeek-V3's tokenizer_config.json).
#pragma once

#include <string>
#include <vector>

#include "core/tokenizer/tokenizer.h"

namespace tessera {

struct Message {
  enum class Role : std::uint8_t { System, User, Assistant } role = Role::User;
  std::string text;
};

/// Ids of a conversation that ends where the assistant's next words begin. What people wrote is
/// encoded as text, even where it spells a special token. Throws Error when the vocabulary lacks
/// BOS, EOS or the role tokens.
std::vector<std::int32_t> encode_chat(const Tokenizer& tokenizer,
                                      const std::vector<Message>& messages);

/// BOS, where the vocabulary begins texts with it, and the text, for a model that continues it.
std::vector<std::int32_t> encode_prompt(const Tokenizer& tokenizer, const std::string& text);

}  // namespace tessera
