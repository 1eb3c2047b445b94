// SPDX-License-Identifier: MIT
// The lines by which programs talk to a server: ready to be pasted, with its address, the model's
// name and the key.
#pragma once

#include <QString>
#include <array>

#include "ui/bridge/launch/model_server.h"

namespace tessera::ui {

enum class TalkBy { Curl, OpenAi, LangChain, LlamaIndex };
inline constexpr std::array kTalkBy = {TalkBy::Curl, TalkBy::OpenAi, TalkBy::LangChain,
                                       TalkBy::LlamaIndex};

/// "curl", "Python", "LangChain", "LlamaIndex"
QString talkTitle(TalkBy by);
/// What has to be installed: "pip install openai"; empty: nothing.
QString talkNeeds(TalkBy by);
QString talkLines(TalkBy by, const ServerAddress& address);

}  // namespace tessera::ui
