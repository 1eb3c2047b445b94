// SPDX-License-Identifier: MIT
// Every key of a run spec does something: a source file other than those that read, check, write
// and draw specs, or plan with them, takes its value.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "core/spec/spec_table.h"
#include "tests/build_paths.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;

/// The struct behind each table of the spec.
const std::map<std::string, std::string> kStructs = {
    {"run", "Run"},
    {"model", "ModelConfig"},
    {"model.yarn", "YarnConfig"},
    {"tokenizer", "Tokenizer"},
    {"data", "Data"},
    {"data.filters", "DataFilters"},
    {"data.sources[]", "DataSource"},
    {"curriculum[]", "CurriculumStage"},
    {"curriculum[].learning_rate[]", "RatePiece"},
    {"optimiser", "Optimiser"},
    {"precision", "Precision"},
    {"parallel", "Parallel"},
    {"checkpoint", "Checkpoint"},
    {"validation", "Validation"},
    {"samples", "Samples"},
    {"events", "Events"},
    {"stability", "Stability"},
    {"host", "Host"},
};

/// Keys for people alone.
const std::set<std::string> kForPeople = {"run.preset", "curriculum[].name"};

/// Keys that can be planned with and are refused for a run; the value is one that must be refused.
const std::map<std::string, std::string> kRefused = {
    {"tokenizer.byte_fallback", "false"},
};

/// Keys that have a reader and are refused for a run still, as a part of what they ask for is not
/// there. host.address belongs to kinds of hosts that `tessera train` refuses.
const std::map<std::string, std::string> kRefusedWithReader = {
    {"host.address", "\"a-partition\""},
};

std::string without_comments(const std::string& text) {
  static const std::regex line("//[^\n]*"), block("/\\*[^*]*\\*+(?:[^/*][^*]*\\*+)*/");
  return std::regex_replace(std::regex_replace(text, line, ""), block, "");
}

/// The sources that may count as readers, without their comments.
std::vector<std::string> readers() {
  const fs::path root = TESSERA_SOURCE_DIR;
  std::vector<std::string> texts;
  for (const char* folder : {"core", "app", "kernels", "distributed"}) {
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      const std::string path = fs::relative(entry.path(), root).string();
      const std::string extension = entry.path().extension().string();
      if (extension != ".cpp" && extension != ".h") continue;
      if (path.starts_with("core/spec/spec") || path.starts_with("core/plan/")) continue;
      std::ifstream file(entry.path());
      texts.push_back(without_comments(std::string(std::istreambuf_iterator<char>(file), {})));
    }
  }
  return texts;
}

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_';
}

/// Variables of a struct in a text: "const Host& host", "for (const DataSource& source :", and
/// "const auto& p = spec.parallel;".
std::set<std::string> variables(const std::string& text, const std::string& type,
                                const std::string& table) {
  std::set<std::string> names = {table};
  const std::regex declared("\\b" + type + "[&*]?\\s+(\\w+)");
  const std::regex bound("auto& (\\w+) = [\\w.>-]*\\b" + table + "\\b[;\\[]");
  for (const std::regex& pattern : {declared, bound}) {
    for (std::sregex_iterator it(text.begin(), text.end(), pattern), end; it != end; ++it) {
      names.insert((*it)[1].str());
    }
  }
  return names;
}

/// "name.key", "name->key", "name[i].key", "name.front().key" for one of the names.
bool takes(const std::string& text, const std::set<std::string>& names, const std::string& key) {
  for (std::size_t at = text.find(key); at != std::string::npos; at = text.find(key, at + 1)) {
    const std::size_t end = at + key.size();
    if (end < text.size() && is_word(text[end])) continue;
    std::size_t back = at;
    if (back >= 1 && text[back - 1] == '.')
      back -= 1;
    else if (back >= 2 && text.compare(back - 2, 2, "->") == 0)
      back -= 2;
    else
      continue;
    if (back > 0 && text[back - 1] == ']') back = text.rfind('[', back);
    if (back > 8 && text.compare(back - 8, 8, ".front()") == 0) back -= 8;
    std::size_t start = back;
    while (start > 0 && is_word(text[start - 1])) --start;
    if (names.count(text.substr(start, back - start))) return true;
  }
  return false;
}

bool has_reader(const std::string& path, const std::vector<std::string>& texts) {
  const std::size_t dot = path.rfind('.');
  const std::string table = path.substr(0, dot), key = path.substr(dot + 1);
  std::string name = table.substr(table.rfind('.') == std::string::npos ? 0 : table.rfind('.') + 1);
  if (name.ends_with("[]")) name.resize(name.size() - 2);
  return std::any_of(texts.begin(), texts.end(), [&](const std::string& text) {
    return text.find(key) != std::string::npos &&
           takes(text, variables(text, kStructs.at(table), name), key);
  });
}

TEST(SpecKeys, EachHasAReader) {
  const std::vector<std::string> texts = readers();
  ASSERT_GT(texts.size(), 100u);
  int keys = 0;
  for (const auto& entry : spec::describe_json()) {
    const std::string path = entry.at("path");
    if (entry.at("type") == "table" || entry.at("type") == "list") continue;
    ++keys;
    const bool listed = kForPeople.count(path) || kRefused.count(path);
    EXPECT_EQ(has_reader(path, texts), !listed) << path;
  }
  EXPECT_GT(keys, 90);
}

TEST(SpecKeys, ThatAreNotThereHaveNone) {
  const std::vector<std::string> texts = readers();
  EXPECT_FALSE(has_reader("host.colour", texts));
  EXPECT_FALSE(has_reader("run.sequence_length", texts));
  EXPECT_FALSE(has_reader("curriculum[].keep", texts));
}

TEST(SpecKeys, WithoutAReaderAreRefused) {
  std::map<std::string, std::string> refused = kRefused;
  refused.insert(kRefusedWithReader.begin(), kRefusedWithReader.end());
  for (const auto& [key, value] : refused) {
    std::vector<std::string> settings = {key + "=" + value};
    if (key == "host.address") settings.push_back("host.kind=slurm");
    const SpecReading reading = read_preset("demo", settings);
    const std::string at = key == "host.address" ? "host.kind" : key;
    EXPECT_TRUE(
        std::any_of(reading.problems.begin(), reading.problems.end(),
                    [&](const Problem& p) { return p.key == at && p.severity == Severity::Error; }))
        << key;
  }
}

}  // namespace
}  // namespace tessera
