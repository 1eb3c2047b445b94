// SPDX-License-Identifier: MIT
// What tests/peers/tokenizer_json.py compares: ids of texts, and texts of ids, of one vocabulary.
//
//   tokenizer_ids VOCABULARY < requests > answers    requests: u32 bytes, u8 what, bytes
//       what: 0 ids of a text that people wrote, 1 of one that may spell special tokens,
//             2 text of ids (i32 each), 3 ids of one whose "\x01 ... \x02" people wrote
//       answers: u32 bytes, bytes (ids as i32 each)
//   tokenizer_ids VOCABULARY --speed FILE            MB/s of one thread, the best of five
//   tokenizer_ids --text PART BYTES GRAMMARS         text of the program's own, JSON Lines
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/text/generated_text.h"
#include "core/tokenizer/tokenizer.h"

namespace {
using namespace tessera;

bool read_exactly(void* to, std::size_t bytes) {
  return std::fread(to, 1, bytes, stdin) == bytes;
}

std::string bytes_of(const std::vector<std::int32_t>& ids) {
  return {reinterpret_cast<const char*>(ids.data()), ids.size() * sizeof(std::int32_t)};
}

MarkedText marked(const std::string& text) {
  MarkedText out;
  char mark = MarkedText::kOwn;
  for (const char c : text) {
    if (c == '\x01' || c == '\x02') {
      mark = c == '\x01' ? MarkedText::kForeign : MarkedText::kOwn;
    } else {
      out.append(std::string_view(&c, 1), mark);
    }
  }
  return out;
}

std::string answer(const Tokenizer& tokenizer, int what, const std::string& body) {
  if (what == 0) return bytes_of(tokenizer.encode(body, SpecialText::AsText));
  if (what == 1) return bytes_of(tokenizer.encode(body, SpecialText::Parse));
  if (what == 3) return bytes_of(tokenizer.encode_marked(marked(body)));
  std::vector<std::int32_t> ids(body.size() / sizeof(std::int32_t));
  std::memcpy(ids.data(), body.data(), ids.size() * sizeof(std::int32_t));
  return tokenizer.decode(ids);
}

int serve(const Tokenizer& tokenizer) {
  std::uint32_t bytes = 0;
  std::uint8_t what = 0;
  while (read_exactly(&bytes, sizeof bytes) && read_exactly(&what, sizeof what)) {
    std::string body(bytes, '\0');
    if (!read_exactly(body.data(), bytes)) return 1;
    const std::string out = answer(tokenizer, what, body);
    const auto size = static_cast<std::uint32_t>(out.size());
    std::fwrite(&size, sizeof size, 1, stdout);
    std::fwrite(out.data(), 1, out.size(), stdout);
  }
  return 0;
}

int speed(const Tokenizer& tokenizer, const char* path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  double best = 0;
  std::size_t ids = 0;
  for (int round = 0; round < 5; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    ids = tokenizer.encode(text).size();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    best = std::max(best, static_cast<double>(text.size()) / 1e6 / took.count());
  }
  std::printf("%.1f MB/s, %zu bytes, %zu ids\n", best, text.size(), ids);
  return 0;
}

int run(int count, char** words) {
  const std::vector<std::string> args(words + 1, words + count);
  if (args.size() == 4 && args[0] == "--text") {
    for (const std::string& document :
         text::generated_documents(args[1], args[3], std::stoll(args[2]))) {
      std::puts(nlohmann::json{{"text", document}}.dump().c_str());
    }
    return 0;
  }
  if (args.empty()) return 2;
  const auto tokenizer = Tokenizer::load(args[0]);
  if (args.size() == 3 && args[1] == "--speed") return speed(*tokenizer, args[2].c_str());
  return serve(*tokenizer);
}
}  // namespace

int main(int count, char** words) {
  try {
    return run(count, words);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
