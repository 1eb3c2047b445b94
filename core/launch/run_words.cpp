// SPDX-License-Identifier: MIT
#include "core/launch/run_words.h"

#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "core/base/base64.h"
#include "core/base/error.h"

namespace tessera {

namespace {
using nlohmann::json;

constexpr std::array<std::string_view, 12> kWordNames = {"run",       "anew",  "file", "event",
                                                         "log",       "state", "beat", "answer",
                                                         "caught up", "ended", "gone", "refused"};

RunWord::Kind kind_named(const std::string& name) {
  for (std::size_t i = 0; i < kWordNames.size(); ++i) {
    if (kWordNames[i] == name) return static_cast<RunWord::Kind>(i);
  }
  throw Error("mirror", fmt::format("\"{}\" is no word that this program knows", name),
              "use the same version of Tessera here and there");
}

std::string bytes_of(const json& o, const char* key) {
  const auto bytes = from_base64(o.value(key, ""));
  if (!bytes) throw Error("mirror", fmt::format("\"{}\" is not in base64", key));
  return *bytes;
}

std::string line_of_object(const json& o) {
  return o.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

template <class Read>
auto read_line(const std::string& line, const Read& read) {
  try {
    return read(json::parse(line));
  } catch (const json::exception& problem) {
    throw Error("mirror",
                fmt::format("\"{}\" is not understood: {}", line.substr(0, 80), problem.what()));
  }
}
}  // namespace

std::string timeline_stamp(const std::filesystem::path& file) {
  std::error_code error;
  const auto bytes = std::filesystem::file_size(file, error);
  if (error) return {};
  const auto time = std::filesystem::last_write_time(file, error);
  if (error) return {};
  return fmt::format("{}@{}", bytes, time.time_since_epoch().count());
}

TimelineStamp parse_timeline_stamp(const std::string& text) {
  TimelineStamp stamp;
  const char* const end = text.data() + text.size();
  const auto bytes = std::from_chars(text.data(), end, stamp.bytes);
  const bool split = bytes.ec == std::errc() && bytes.ptr != end && *bytes.ptr == '@';
  const auto time = std::from_chars(split ? bytes.ptr + 1 : end, end, stamp.time);
  if (!split || time.ec != std::errc() || time.ptr != end) {
    throw Error("mirror", fmt::format("\"{}\" is no stamp of a timeline", text.substr(0, 80)),
                "use the same version of Tessera here and there");
  }
  return stamp;
}

std::string to_line(const RunAsk& ask) {
  return line_of_object({{"protocol", kMirrorProtocol},
                         {"run", ask.run},
                         {"runs", ask.runs},
                         {"have", ask.have},
                         {"first", to_base64(ask.first)},
                         {"last", to_base64(ask.last)},
                         {"logs", ask.logs},
                         {"timeline", ask.timeline},
                         {"follow", ask.follow}});
}

RunAsk ask_of_line(const std::string& line) {
  return read_line(line, [](const json& o) {
    const int protocol = o.at("protocol").get<int>();
    if (protocol != kMirrorProtocol) {
      throw Error(
          "mirror",
          fmt::format("the desk speaks protocol {}, this host {}", protocol, kMirrorProtocol),
          "use the same version of Tessera here and there");
    }
    RunAsk ask;
    ask.run = o.at("run");
    ask.runs = o.at("runs");
    ask.have = o.at("have");
    ask.first = bytes_of(o, "first");
    ask.last = bytes_of(o, "last");
    ask.logs = o.at("logs").get<std::map<std::string, std::uint64_t>>();
    ask.timeline = o.value("timeline", "");
    ask.follow = o.at("follow");
    return ask;
  });
}

std::string to_line(const RunWord& word) {
  json o{{"word", kWordNames.at(static_cast<std::size_t>(word.kind))}, {"time", word.time}};
  if (word.number > 0) o["number"] = word.number;
  if (word.kind == RunWord::Kind::State) o["state"] = name_of(word.state);
  if (word.rank >= 0) o["rank"] = word.rank;
  if (!word.name.empty()) o["name"] = word.name;
  if (!word.text.empty()) o["text"] = word.text;
  if (!word.hint.empty()) o["hint"] = word.hint;
  if (!word.source.empty()) o["source"] = word.source;
  if (!word.data.empty()) o["data"] = to_base64(word.data);
  return line_of_object(o);
}

RunWord run_word_of_line(const std::string& line) {
  return read_line(line, [](const json& o) {
    RunWord word;
    word.kind = kind_named(o.at("word"));
    word.time = o.at("time");
    word.number = o.value("number", std::uint64_t{0});
    word.rank = o.value("rank", -1);
    if (o.contains("state")) word.state = run_state_from_name(o["state"].get<std::string>());
    word.name = o.value("name", "");
    word.text = o.value("text", "");
    word.hint = o.value("hint", "");
    word.source = o.value("source", "");
    word.data = bytes_of(o, "data");
    return word;
  });
}

}  // namespace tessera
