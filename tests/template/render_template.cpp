// SPDX-License-Identifier: MIT
// What tests/peers/templates.py compares: one request a line, {"template", "own", "people", "now"};
// one answer a line, {"text"} or {"error"}.
#include <iostream>
#include <map>
#include <memory>

#include "core/base/error.h"
#include "core/template/chat_template.h"

int main() {
  using tessera::ChatTemplate;
  std::map<std::string, std::unique_ptr<ChatTemplate>> known;
  for (std::string line; std::getline(std::cin, line);) {
    ChatTemplate::Json answer;
    try {
      const ChatTemplate::Json request = ChatTemplate::Json::parse(line);
      const std::string source = request.at("template");
      std::unique_ptr<ChatTemplate>& compiled = known[source];
      if (!compiled) compiled = std::make_unique<ChatTemplate>(source, "template");
      answer["text"] =
          compiled->render(request.at("own"), request.at("people"), request.at("now")).text;
    } catch (const std::exception& error) {
      answer["error"] = error.what();
    }
    std::cout << answer.dump() << '\n';
  }
}
