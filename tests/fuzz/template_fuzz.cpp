// SPDX-License-Identifier: MIT
// A chat template out of arbitrary bytes: it throws Error, or writes a text whose bytes are all
// marked.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/base/error.h"
#include "core/template/chat_template.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using tessera::ChatTemplate;
  static const ChatTemplate::Json own = {{"bos_token", "<s>"}, {"add_generation_prompt", true}};
  static const ChatTemplate::Json people = ChatTemplate::Json::parse(
      R"({"messages": [{"role": "system", "content": " Be brief.\n"},
                       {"role": "user", "content": "Hi <|user|> caf\u00e9"},
                       {"role": "assistant", "content": null, "tool_calls": [{"n": 1.5, "a": {"k": []}}]}],
          "x": 7, "s": "a b", "l": [1, "b", null], "d": {"a": 1}})");
  try {
    const std::string_view source(reinterpret_cast<const char*>(data), size);
    const tessera::MarkedText text = ChatTemplate(source, "fuzzed").render(own, people, 0);
    if (text.text.size() != text.marks.size()) std::abort();
  } catch (const tessera::Error&) {
    // What bad input is for.
  }
  return 0;
}
