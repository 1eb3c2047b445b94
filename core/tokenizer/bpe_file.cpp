// SPDX-License-Identifier: MIT
#include "core/tokenizer/bpe_file.h"

#include <algorithm>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/mistaken_file.h"

namespace tessera {

namespace {
using Json = nlohmann::json;

/// Ids beyond this are no vocabulary's, and a table of them would take hundreds of megabytes.
constexpr std::int64_t kMostTokens = 1 << 21;
constexpr const char* kAgain = "copy or download the file again";
constexpr const char* kList = "docs/released-models.md lists what is read";

/// A value of the file and the way to it.
class Node {
 public:
  Node(const Json& value, std::string path, const std::string& where)
      : value_(&value), path_(std::move(path)), where_(&where) {}

  [[noreturn]] void wrong(const std::string& expected) const {
    throw Error(*where_, fmt::format("{} is {}, expected {}", path_, shown(), expected), kAgain);
  }
  [[noreturn]] void refuse() const {
    throw Error(*where_, fmt::format("{} is {}: this is not read", path_, shown()), kList);
  }

  bool has(const char* key) const {
    return value_->is_object() && value_->contains(key) && !(*value_)[key].is_null();
  }
  Node at(const char* key) const {
    if (!value_->is_object()) wrong("an object");
    const auto found = value_->find(key);
    if (found == value_->end()) {
      throw Error(*where_, fmt::format("{} has no {}", path_.empty() ? "the file" : path_, key),
                  kAgain);
    }
    return {*found, path_.empty() ? key : path_ + "." + key, *where_};
  }
  std::vector<Node> list() const {
    if (!value_->is_array()) wrong("a list");
    std::vector<Node> all;
    for (std::size_t i = 0; i < value_->size(); ++i) {
      all.emplace_back((*value_)[i], fmt::format("{}[{}]", path_, i), *where_);
    }
    return all;
  }
  const std::string& text() const {
    if (!value_->is_string()) wrong("a text");
    return value_->get_ref<const std::string&>();
  }
  bool flag() const {
    if (!value_->is_boolean()) wrong("true or false");
    return value_->get<bool>();
  }
  bool flag(const char* key, bool otherwise) const { return has(key) ? at(key).flag() : otherwise; }
  std::int64_t number(std::int64_t low, std::int64_t high) const {
    const bool fits = value_->is_number_integer() &&
                      !(value_->is_number_unsigned() &&
                        value_->get<std::uint64_t>() > static_cast<std::uint64_t>(high));
    if (!fits || value_->get<std::int64_t>() < low || value_->get<std::int64_t>() > high) {
      wrong(fmt::format("a whole number from {} to {}", low, high));
    }
    return value_->get<std::int64_t>();
  }
  /// Refuses a key that is none of these.
  void only(std::initializer_list<std::string_view> keys) const {
    if (!value_->is_object()) wrong("an object");
    for (const auto& [key, value] : value_->items()) {
      if (std::find(keys.begin(), keys.end(), key) != keys.end()) continue;
      throw Error(
          *where_,
          fmt::format("{}{}{} is a key that is not known", path_, path_.empty() ? "" : ".", key),
          kList);
    }
  }
  std::string type() const { return at("type").text(); }
  const Json& value() const { return *value_; }
  const std::string& where() const { return *where_; }
  const std::string& path() const { return path_; }

 private:
  std::string shown() const {
    if (value_->is_object() && value_->contains("type") && (*value_)["type"].is_string()) {
      return fmt::format("of the type {}", (*value_)["type"].get_ref<const std::string&>());
    }
    if (value_->is_object()) return "an object";
    if (value_->is_array()) return "a list";
    const std::string text = value_->dump(-1, ' ', true);
    return text.size() <= 80 ? text : text.substr(0, 80) + "...";
  }

  const Json* value_;
  std::string path_;
  const std::string* where_;
};

BpePattern read_pattern(const Node& node) {
  node.only({"String", "Regex"});
  if (node.has("Regex")) return {node.at("Regex").text(), true};
  return {node.at("String").text(), false};
}

void read_normaliser(const Node& node, std::vector<BpeNormaliser>& out) {
  const std::string type = node.type();
  if (type == "Sequence") {
    node.only({"type", "normalizers"});
    for (const Node& part : node.at("normalizers").list()) {
      if (part.value().is_object() && part.value().value("type", Json()) == "Sequence")
        part.refuse();
      read_normaliser(part, out);
    }
  } else if (type == "NFC") {
    node.only({"type"});
    out.emplace_back();
  } else if (type == "Prepend") {
    node.only({"type", "prepend"});
    BpeNormaliser& step = out.emplace_back();
    step.kind = BpeNormaliser::Kind::Prepend;
    step.content = node.at("prepend").text();
  } else if (type == "Replace") {
    node.only({"type", "pattern", "content"});
    BpeNormaliser& step = out.emplace_back();
    step.kind = BpeNormaliser::Kind::Replace;
    step.pattern = read_pattern(node.at("pattern"));
    step.content = node.at("content").text();
  } else {
    node.refuse();
  }
}

BpeSplit::Behaviour read_behaviour(const Node& node) {
  using Behaviour = BpeSplit::Behaviour;
  const std::string& name = node.text();
  if (name == "Removed") return Behaviour::Removed;
  if (name == "Isolated") return Behaviour::Isolated;
  if (name == "MergedWithPrevious") return Behaviour::WithPrevious;
  if (name == "MergedWithNext") return Behaviour::WithNext;
  if (name == "Contiguous") return Behaviour::Contiguous;
  node.refuse();
}

void read_split(const Node& node, std::vector<BpeSplit>& out) {
  if (!out.empty() && out.back().kind == BpeSplit::Kind::ByteLevel) {
    throw Error(
        node.where(),
        fmt::format("{} stands behind ByteLevel, which is read only as the last one", node.path()),
        kList);
  }
  const std::string type = node.type();
  BpeSplit split;
  if (type == "Sequence") {
    node.only({"type", "pretokenizers"});
    for (const Node& part : node.at("pretokenizers").list()) {
      if (part.value().is_object() && part.value().value("type", Json()) == "Sequence")
        part.refuse();
      read_split(part, out);
    }
    return;
  }
  if (type == "Split") {
    node.only({"type", "pattern", "behavior", "invert"});
    split.pattern = read_pattern(node.at("pattern"));
    split.behaviour = read_behaviour(node.at("behavior"));
    split.invert = node.flag("invert", false);
  } else if (type == "Digits") {
    node.only({"type", "individual_digits"});
    split.pattern = {"\\p{N}", true};
    if (!node.flag("individual_digits", false)) split.behaviour = BpeSplit::Behaviour::Contiguous;
  } else if (type == "ByteLevel") {
    node.only({"type", "add_prefix_space", "trim_offsets", "use_regex"});
    split.kind = BpeSplit::Kind::ByteLevel;
    split.add_prefix_space = node.flag("add_prefix_space", true);
    split.has_pattern = node.flag("use_regex", true);
  } else {
    node.refuse();
  }
  out.push_back(std::move(split));
}

void read_decoder(const Node& node, std::vector<BpeDecoderStep>& out) {
  using Does = BpeDecoderStep::Kind;
  const std::string type = node.type();
  if (type == "Sequence") {
    node.only({"type", "decoders"});
    for (const Node& part : node.at("decoders").list()) {
      if (part.value().is_object() && part.value().value("type", Json()) == "Sequence")
        part.refuse();
      read_decoder(part, out);
    }
  } else if (type == "ByteLevel") {
    node.only({"type", "add_prefix_space", "trim_offsets", "use_regex"});
    out.emplace_back().kind = Does::ByteLevel;
  } else if (type == "Replace") {
    node.only({"type", "pattern", "content"});
    const BpePattern pattern = read_pattern(node.at("pattern"));
    if (pattern.is_regex) node.at("pattern").refuse();
    BpeDecoderStep& step = out.emplace_back();
    step.kind = Does::Replace;
    step.from = pattern.text;
    step.to = node.at("content").text();
  } else if (type == "ByteFallback" || type == "Fuse") {
    node.only({"type"});
    out.emplace_back().kind = type == "Fuse" ? Does::Fuse : Does::ByteFallback;
  } else if (type == "Strip") {
    node.only({"type", "content", "start", "stop"});
    BpeDecoderStep& step = out.emplace_back();
    step.kind = Does::Strip;
    step.from = node.at("content").text();
    step.start = node.at("start").number(0, 1000);
    step.stop = node.at("stop").number(0, 1000);
  } else {
    node.refuse();
  }
}

/// The token that a TemplateProcessing puts before the text. What it puts behind is left out: a
/// prompt goes on.
std::string begin_of_template(const Node& node) {
  node.only({"type", "single", "pair", "special_tokens"});
  std::vector<std::string> before;
  for (const Node& piece : node.at("single").list()) {
    piece.only({"SpecialToken", "Sequence"});
    if (piece.has("Sequence")) {
      if (before.size() > 1) node.at("single").refuse();
      return before.empty() ? "" : before.front();
    }
    before.push_back(piece.at("SpecialToken").at("id").text());
  }
  node.at("single").wrong("a list that names the text");
}

std::string read_begin(const Node& node) {
  const std::string type = node.type();
  if (type == "TemplateProcessing") return begin_of_template(node);
  if (type == "ByteLevel") return {};  // moves offsets alone
  if (type != "Sequence") node.refuse();
  node.only({"type", "processors"});
  std::string begin;
  for (const Node& part : node.at("processors").list()) {
    if (part.type() == "Sequence") part.refuse();
    const std::string more = read_begin(part);
    if (!more.empty() && !begin.empty()) node.refuse();
    if (!more.empty()) begin = more;
  }
  return begin;
}

void read_vocab(const Node& node, BpeFile& file) {
  if (!node.value().is_object()) node.wrong("an object");
  std::map<std::int64_t, std::string_view> by_id;
  for (const auto& [token, id] : node.value().items()) {
    const Node entry(id, fmt::format("model.vocab[\"{}\"]", token), node.where());
    const std::int64_t number = entry.number(0, kMostTokens - 1);
    const auto known = file.vocab.emplace(token, static_cast<std::int32_t>(number)).first;
    const auto [other, is_new] = by_id.emplace(number, known->first);
    if (!is_new) {
      throw Error(node.where(),
                  fmt::format("model.vocab gives the id {} to \"{}\" and to \"{}\"", number,
                              other->second, token),
                  kAgain);
    }
  }
  if (file.vocab.empty()) node.wrong("a vocabulary with tokens in it");
}

void read_merges(const Node& node, BpeFile& file) {
  if (!node.value().is_array()) node.wrong("a list");
  file.merges.reserve(node.value().size());
  for (std::size_t i = 0; i < node.value().size(); ++i) {
    const Node entry(node.value()[i], fmt::format("model.merges[{}]", i), node.where());
    if (entry.value().is_string()) {
      const std::string& text = entry.text();
      if (text.starts_with("#version")) continue;
      const std::size_t space = text.find(' ');
      if (space == std::string::npos || text.find(' ', space + 1) != std::string::npos) {
        entry.wrong("two tokens with one space between");
      }
      file.merges.emplace_back(text.substr(0, space), text.substr(space + 1));
    } else {
      const std::vector<Node> pair = entry.list();
      if (pair.size() != 2) entry.wrong("two tokens");
      file.merges.emplace_back(pair[0].text(), pair[1].text());
    }
  }
}

void read_model(const Node& node, BpeFile& file) {
  node.only({"type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix",
             "fuse_unk", "byte_fallback", "ignore_merges", "vocab", "merges"});
  // Files of early versions leave the type out; only byte-pair models have merges.
  if (node.has("type") ? node.type() != "BPE" : !node.has("merges")) node.refuse();
  if (node.has("dropout") && node.value()["dropout"] != 0) node.at("dropout").refuse();
  for (const char* affix : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (node.has(affix) && !node.at(affix).text().empty()) node.at(affix).refuse();
  }
  if (node.has("unk_token")) file.unknown = node.at("unk_token").text();
  file.fuse_unknown = node.flag("fuse_unk", false);
  file.byte_fallback = node.flag("byte_fallback", false);
  file.ignore_merges = node.flag("ignore_merges", false);
  read_vocab(node.at("vocab"), file);
  read_merges(node.at("merges"), file);
}

void read_added(const Node& node, BpeFile& file) {
  for (const Node& entry : node.list()) {
    entry.only({"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"});
    AddedToken token;
    token.id = static_cast<std::int32_t>(entry.at("id").number(0, kMostTokens - 1));
    token.content = entry.at("content").text();
    token.single_word = entry.flag("single_word", false);
    token.lstrip = entry.flag("lstrip", false);
    token.rstrip = entry.flag("rstrip", false);
    token.special = entry.flag("special", false);
    token.normalized = entry.flag("normalized", !token.special);
    if (!token.content.empty()) file.added.push_back(std::move(token));
  }
}

/// A JSON object of `path`, or null where there is no such file.
Json read_object(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return {};
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file) throw Error(path.string(), "cannot read the file", "check that it may be read");
  refuse_mistaken_content(path, text);
  Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded() || !json.is_object()) {
    throw Error(path.string(), "this is no JSON object", kAgain);
  }
  return json;
}

/// A token as a text, or as an object with its content; empty where there is none.
std::string role(const Node& root, const char* key) {
  if (!root.has(key)) return {};
  const Node node = root.at(key);
  return node.value().is_object() ? node.at("content").text() : node.text();
}

void read_roles(const Node& root, BpeRoles& roles) {
  const std::pair<const char*, std::string*> keys[] = {{"bos_token", &roles.begin},
                                                       {"eos_token", &roles.end},
                                                       {"pad_token", &roles.pad},
                                                       {"unk_token", &roles.unknown}};
  for (const auto& [key, to] : keys) {
    if (to->empty()) *to = role(root, key);
  }
}
}  // namespace

BpeFile read_bpe_file(std::string_view text, const std::string& where) {
  const Json json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) {
    throw Error(where, "this is no JSON, or it is cut off", kAgain);
  }
  const Node root(json, "", where);
  root.only({"version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer",
             "post_processor", "decoder", "model"});
  if (root.has("version") && root.at("version").text() != "1.0") root.at("version").refuse();
  BpeFile file;
  read_model(root.at("model"), file);
  if (root.has("added_tokens")) read_added(root.at("added_tokens"), file);
  if (root.has("normalizer")) read_normaliser(root.at("normalizer"), file.normalisers);
  if (root.has("pre_tokenizer")) read_split(root.at("pre_tokenizer"), file.splits);
  if (root.has("post_processor")) file.begin = read_begin(root.at("post_processor"));
  if (root.has("decoder")) read_decoder(root.at("decoder"), file.decoder);
  return file;
}

BpeRoles read_bpe_roles(const std::filesystem::path& folder) {
  BpeRoles roles;
  const std::filesystem::path config = folder / "tokenizer_config.json";
  const std::string config_name = config.string();
  const Json json = read_object(config);
  if (!json.is_null()) {
    const Node root(json, "", config_name);
    read_roles(root, roles);
    roles.says_adds_begin = root.has("add_bos_token");
    roles.adds_begin = root.flag("add_bos_token", false);
    if (root.has("added_tokens_decoder")) {
      const Node decoder = root.at("added_tokens_decoder");
      if (!decoder.value().is_object()) decoder.wrong("an object");
      for (const auto& [id, token] : decoder.value().items()) {
        const Node entry(token, "added_tokens_decoder." + id, config_name);
        const Json number = Json::parse(id, nullptr, false);
        const auto key = Node(number.is_discarded() ? json : number, "the key " + id, config_name)
                             .number(0, kMostTokens - 1);
        roles.added[static_cast<std::int32_t>(key)] = entry.at("content").text();
      }
    }
  }
  const std::filesystem::path map = folder / "special_tokens_map.json";
  const std::string map_name = map.string();
  const Json more = read_object(map);
  if (!more.is_null()) read_roles(Node(more, "", map_name), roles);
  return roles;
}

}  // namespace tessera
