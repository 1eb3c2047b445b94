// SPDX-License-Identifier: MIT
#include "core/launch/agent_protocol.h"

#include <string.h>
#include <sys/wait.h>

#include <array>
#include <chrono>
#include <nlohmann/json.hpp>
#include <string_view>

#include "core/base/error.h"

namespace tessera {

namespace {
using nlohmann::json;

constexpr std::array<std::string_view, 13> kWordKinds = {
    "begun", "rank",      "run",  "output", "asked",   "note", "ended",
    "done",  "caught-up", "gone", "pong",   "refused", "again"};

std::string line_of(const json& object) {
  // What a rank prints may be cut within a character.
  return object.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

template <class Read>
auto parsed_line(const std::string& line, const char* what, const Read& read) {
  try {
    return read(json::parse(line));
  } catch (const json::exception&) {
    constexpr std::size_t kMost = 200;
    throw Error("agent", fmt::format("\"{}\" is no {}", line.substr(0, kMost), what),
                "where a login shell prints something, it must do so for terminals alone");
  }
}
}  // namespace

std::string AgentOrder::agent_name() const {
  return fmt::format("{}-{}", launch, index);
}

std::string to_line(const AgentOrder& o) {
  return line_of({{"protocol", kAgentProtocol},
                  {"launch", o.launch},
                  {"index", o.index},
                  {"first_rank", o.first_rank},
                  {"ranks", o.ranks},
                  {"world", o.world},
                  {"master_address", o.master_address},
                  {"master_port", o.master_port},
                  {"build", o.build},
                  {"arguments", o.arguments},
                  {"spec", o.spec},
                  {"environment", o.environment},
                  {"defaults", o.defaults},
                  {"restarts", o.restarts},
                  {"again", o.again}});
}

AgentOrder order_of_line(const std::string& line) {
  return parsed_line(line, "order for an agent", [](const json& o) {
    const int protocol = o.at("protocol").get<int>();
    if (protocol != kAgentProtocol) {
      throw Error("agent",
                  fmt::format("the desk speaks version {} of the protocol, this agent {}", protocol,
                              kAgentProtocol),
                  "use the same tessera on all hosts: --copy sends it");
    }
    AgentOrder order;
    o.at("launch").get_to(order.launch);
    o.at("index").get_to(order.index);
    o.at("first_rank").get_to(order.first_rank);
    o.at("ranks").get_to(order.ranks);
    o.at("world").get_to(order.world);
    o.at("master_address").get_to(order.master_address);
    o.at("master_port").get_to(order.master_port);
    o.at("build").get_to(order.build);
    o.at("arguments").get_to(order.arguments);
    o.at("spec").get_to(order.spec);
    o.at("environment").get_to(order.environment);
    o.at("defaults").get_to(order.defaults);
    order.restarts = o.value("restarts", 0);
    order.again = o.value("again", std::vector<std::string>());
    require(order.restarts == 0 || order.ranks == order.world, "agent",
            "a launch on several hosts cannot begin again by one of its agents");
    const bool fits = order.ranks >= 1 && order.first_rank >= 0 && order.index >= 0 &&
                      order.first_rank + order.ranks <= order.world;
    require(fits, "agent", "ranks {} to {} are not among {}", order.first_rank,
            order.first_rank + order.ranks - 1, order.world);
    const bool plain = !order.launch.empty() && order.launch.find('/') == order.launch.npos &&
                       order.launch.front() != '.';
    require(plain, "agent", "\"{}\" is no name of a launch", order.launch);
    return order;
  });
}

std::string to_line(const AgentWord& w) {
  json o{{"kind", kWordKinds.at(static_cast<std::size_t>(w.kind))}, {"time", w.time}};
  if (w.number >= 0) o["number"] = w.number;
  if (w.rank >= 0) o["rank"] = w.rank;
  if (w.status != 0) o["status"] = w.status;
  if (w.process != 0) o["process"] = w.process;
  if (w.is_error) o["is_error"] = true;
  if (w.was_told) o["was_told"] = true;
  if (!w.text.empty()) o["text"] = w.text;
  if (!w.hint.empty()) o["hint"] = w.hint;
  return line_of(o);
}

AgentWord word_of_line(const std::string& line) {
  return parsed_line(line, "word of an agent", [&](const json& o) {
    AgentWord w;
    const std::string kind = o.at("kind").get<std::string>();
    std::size_t at = 0;
    while (at < kWordKinds.size() && kWordKinds[at] != kind) ++at;
    require(at < kWordKinds.size(), "agent", "\"{}\" is a word of another version", kind);
    w.kind = static_cast<AgentWord::Kind>(at);
    w.time = o.value("time", 0.0);
    w.number = o.value("number", std::int64_t{-1});
    w.rank = o.value("rank", -1);
    w.status = o.value("status", 0);
    w.process = o.value("process", std::int64_t{0});
    w.is_error = o.value("is_error", false);
    w.was_told = o.value("was_told", false);
    w.text = o.value("text", "");
    w.hint = o.value("hint", "");
    return w;
  });
}

std::string end_text(int wait_status) {
  if (WIFSIGNALED(wait_status)) {
    const int number = WTERMSIG(wait_status);
    return fmt::format("killed by signal {} ({})", number, ::strsignal(number));
  }
  return fmt::format("ended with exit status {}", WEXITSTATUS(wait_status));
}

std::vector<std::string> take_lines(std::string& text) {
  std::vector<std::string> lines;
  std::size_t begin = 0;
  for (std::size_t end; (end = text.find('\n', begin)) != text.npos; begin = end + 1) {
    lines.push_back(text.substr(begin, end - begin));
  }
  text.erase(0, begin);
  return lines;
}

double clock_now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace tessera
