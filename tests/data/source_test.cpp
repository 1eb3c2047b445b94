// SPDX-License-Identifier: MIT
#include "core/data/source.h"

#include <nlohmann/json.hpp>

#include "core/tokenizer/utf8.h"
#include "tests/data/data_fixture.h"

namespace tessera::data {
namespace {

std::vector<Document> read_all(const fs::path& path, const ReaderOptions& options = {}) {
  Source source;
  source.name = "test";
  source.paths = {path};
  SourceReader reader(source, options);
  std::vector<Document> documents;
  for (Document document; reader.next(document);) documents.push_back(document);
  EXPECT_EQ(reader.bytes_read(), reader.total_bytes());
  return documents;
}

std::vector<std::string> texts_of(const std::vector<Document>& documents) {
  std::vector<std::string> texts;
  for (const Document& d : documents) texts.push_back(d.dropped ? name_of(d.reason) : d.text);
  return texts;
}

using Texts = std::vector<std::string>;

std::string utf16(const std::string& text, bool little) {
  std::string out = little ? "\xFF\xFE" : "\xFE\xFF";
  const auto unit = [&](unsigned u) {
    const char high = static_cast<char>(u >> 8), low = static_cast<char>(u);
    out += little ? std::string{low, high} : std::string{high, low};
  };
  for (std::size_t at = 0; at < text.size();) {
    const auto c = utf8::next(text, at);
    at += c.bytes;
    if (c.code < 0x10000) {
      unit(c.code);
    } else {
      unit(0xD800 + ((c.code - 0x10000) >> 10));
      unit(0xDC00 + ((c.code - 0x10000) & 0x3FF));
    }
  }
  return out;
}

TEST(Source, TextInEveryWrapping) {
  const Folder folder;
  const std::string text = "Zeile eins\nπ ≈ 3.14 😀\r\n\nend";
  for (const auto& [name, bytes] : std::vector<std::pair<std::string, std::string>>{
           {"a.txt", text},
           {"a.txt.gz", gzip(text)},
           {"a.txt.zst", zstd(text)},
           {"no_extension", gzip(text)},
           {"two_members.gz", gzip(text.substr(0, 7)) + gzip(text.substr(7))},
           {"padded.gz", gzip(text) + std::string(512, '\0')},
           {"two_frames.zst", zstd(text.substr(0, 7)) + zstd(text.substr(7))},
           {"mark.txt", "\xEF\xBB\xBF" + text},
           {"little.txt", utf16(text, true)},
           {"big.txt.gz", gzip(utf16(text, false))}}) {
    const auto documents = read_all(folder.write(name, bytes));
    EXPECT_EQ(texts_of(documents), Texts{text}) << name;
  }
}

TEST(Source, JsonlInEveryWrapping) {
  const Folder folder;
  const std::string lines =
      "{\"text\": \"one\\nline\", \"id\": 1}\n\n  \n"
      "{\"id\": 2, \"text\": \"zwei \\u00e4 \\ud83d\\ude00\"}\r\n"
      "{\"text\": \"three\"}";
  const Texts expected = {"one\nline", "zwei ä 😀", "three"};
  for (const auto& [name, bytes] :
       std::vector<std::pair<std::string, std::string>>{{"a.jsonl", lines},
                                                        {"a.ndjson", lines},
                                                        {"a.jsonl.gz", gzip(lines)},
                                                        {"a.JSONL.zst", zstd(lines)},
                                                        {"a.json", lines},
                                                        {"unnamed", lines}})
    EXPECT_EQ(texts_of(read_all(folder.write(name, bytes))), expected) << name;
  // Not JSONL: an object over several lines, an object without the field.
  EXPECT_EQ(texts_of(read_all(folder.write("x.json", "{\n \"text\": 1\n}"))).size(), 1u);
  EXPECT_EQ(texts_of(read_all(folder.write("y", "{\"body\": \"b\"}\n"))),
            Texts{"{\"body\": \"b\"}\n"});
}

TEST(Source, BadInputIsDroppedWithItsReason) {
  const Folder folder;
  const auto one = [&](const std::string& name, const std::string& bytes) {
    return texts_of(read_all(folder.write(name, bytes)));
  };
  EXPECT_EQ(one("empty.txt", ""), Texts{"empty"});
  EXPECT_EQ(one("blank.txt", " \n\t \r\n\xE3\x80\x80"), Texts{"empty"});
  EXPECT_EQ(one("empty.jsonl", ""), Texts{"empty"});
  EXPECT_EQ(one("empty.txt.gz", gzip("")), Texts{"empty"});
  EXPECT_EQ(one("binary", std::string("\x7F"
                                      "ELF\0\0\1",
                                      7)),
            Texts{"binary"});
  EXPECT_EQ(one("utf32", std::string("\xFF\xFE\0\0A\0\0\0", 8)), Texts{"binary"});
  EXPECT_EQ(one("late", prose(1, 20000) + std::string(1, '\0')), Texts{"binary"});
  EXPECT_EQ(one("cut_character.txt", "caf\xC3\xA9 et th\xC3"), Texts{"invalid_text"});
  EXPECT_EQ(one("high.txt", "\xE9\xE8\xE0\xF4\xFB"), Texts{"invalid_text"});
  EXPECT_EQ(one("undefined.txt", "text with \x81 in the middle of it"), Texts{"invalid_text"});
  EXPECT_EQ(one("not_gzip.gz", "plain text after all"), Texts{"plain text after all"});
}

TEST(Source, Latin1IsConverted) {
  const Folder folder;
  const auto documents = read_all(folder.write("a.txt",
                                               "Stra\xDF"
                                               "e, \x93quoted\x94 \x80"
                                               "5, d\xE9j\xE0 vu"));
  ASSERT_EQ(documents.size(), 1u);
  EXPECT_EQ(documents[0].text, "Straße, “quoted” €5, déjà vu");
  EXPECT_TRUE(documents[0].from_latin1);
}

TEST(Source, DamagedArchivesKeepWhatCameBefore) {
  const Folder folder;
  std::string lines;
  for (std::uint64_t i = 0; i < 8000; ++i) lines += "{\"text\": \"" + prose(i, 9) + "\"}\n";
  for (const bool is_gzip : {true, false}) {
    const std::string packed = is_gzip ? gzip(lines) : zstd(lines);
    const auto documents =
        texts_of(read_all(folder.write("cut.jsonl", packed.substr(0, packed.size() / 2))));
    ASSERT_GT(documents.size(), 100u) << is_gzip;
    ASSERT_LT(documents.size(), 7990u);
    EXPECT_EQ(documents.back(), "damaged_archive");
    for (std::size_t i = 0; i + 1 < documents.size(); ++i)
      ASSERT_EQ(documents[i], prose(i, 9)) << i;
    EXPECT_EQ(
        texts_of(read_all(folder.write("cut.txt", packed.substr(0, packed.size() / 2)))).back(),
        "damaged_archive");
    EXPECT_EQ(texts_of(read_all(folder.write("head", packed.substr(0, 6)))),
              Texts{"damaged_archive"});
    std::string flipped = packed;
    flipped[packed.size() / 2] ^= 0x10;
    EXPECT_EQ(texts_of(read_all(folder.write("flipped.jsonl", flipped))).back(), "damaged_archive");
  }
}

TEST(Source, BrokenLinesDropOnlyThemselves) {
  const Folder folder;
  const std::string lines =
      "{\"text\": \"good\"}\n{\"text\": \"broken\n[1, 2]\n{\"body\": \"x\"}\n{\"text\": 5}\n"
      "{\"text\": \"\"}\n{\"text\": \"bad \xFF byte\"}\n{\"text\": \"nul \\u0000\"}\n"
      "{\"text\": \"last\"}\n";
  EXPECT_EQ(texts_of(read_all(folder.write("a.jsonl", lines))),
            (Texts{"good", "broken_json", "broken_json", "no_text_field", "no_text_field", "empty",
                   "broken_json", "binary", "last"}));
}

TEST(Source, HugeLinesArePassedOverWithoutHoldingThem) {
  const Folder folder;
  ReaderOptions options;
  options.max_line_bytes = 100000;
  const std::string huge = "{\"text\": \"" + std::string(5000000, 'x') + "\"}\n";
  const std::string small = "{\"text\": \"small\"}\n";
  EXPECT_EQ(texts_of(read_all(folder.write("a.jsonl", small + huge + small), options)),
            (Texts{"small", "huge_line", "small"}));
  EXPECT_EQ(
      texts_of(read_all(folder.write("b.jsonl", small + huge.substr(0, huge.size() - 1)), options)),
      (Texts{"small", "huge_line"}));
}

TEST(Source, LongTextsAreSplitWithoutLoss) {
  const Folder folder;
  ReaderOptions options;
  options.max_document_bytes = 1000;
  std::string paragraphs;
  for (std::uint64_t i = 0; i < 40; ++i) paragraphs += prose(i, 20) + "\n\n";
  std::string chinese;
  for (int i = 0; i < 3000; ++i) chinese += "漢";
  for (const std::string& text :
       {paragraphs, prose(3, 3000), std::string(100000, 'x'), chinese, chinese + " a"}) {
    for (const bool as_json : {false, true}) {
      const auto documents =
          read_all(as_json ? folder.write("a.jsonl", nlohmann::json{{"text", text}}.dump() + "\n")
                           : folder.write("a.txt", text),
                   options);
      std::string joined;
      for (const Document& document : documents) {
        ASSERT_FALSE(document.dropped);
        EXPECT_LE(document.text.size(), 1000u);
        EXPECT_GE(document.text.size() * 2, &document == &documents.back() ? 0u : 1000u);
        joined += document.text;
      }
      EXPECT_EQ(joined, text);
    }
  }
  for (const Document& document : read_all(folder.write("p.txt", paragraphs), options))
    EXPECT_TRUE(document.text.ends_with("\n\n"));
}

TEST(Source, FoldersAreWalkedInOrderAndHiddenNamesSkipped) {
  const Folder folder;
  folder.write("b/2.txt", "b2");
  folder.write("b/1.txt", "b1");
  folder.write("a.txt", "a");
  folder.write("c/d/x.txt", "x");
  folder.write(".git/config", "hidden");
  folder.write("c/.hidden.txt", "hidden");
  fs::create_directory_symlink(folder / "b", folder / "link");
  EXPECT_EQ(texts_of(read_all(folder)), (Texts{"a", "b1", "b2", "x"}));
  EXPECT_EQ(texts_of(read_all(folder / "c/.hidden.txt")), Texts{"hidden"});
  EXPECT_NE(error_of([&] { read_all(folder / "missing"); }).find("missing"), std::string::npos);
}

TEST(Source, SeekGoesOnAnywhere) {
  const Folder folder;
  std::string lines;
  for (int i = 0; i < 20; ++i) lines += "{\"text\": \"line " + std::to_string(i) + "\"}\n";
  folder.write("a.jsonl.gz", gzip(lines));
  folder.write("b.txt", prose(1, 500));
  folder.write("c.txt", "");
  folder.write("d.jsonl", lines + "broken\n");
  ReaderOptions options;
  options.max_document_bytes = 300;
  const auto all = read_all(folder, options);
  for (std::size_t from = 0; from <= all.size(); ++from) {
    SourceReader reader({"test", Domain::Web, {fs::path(folder)}}, options);
    reader.seek(from == 0 ? SourcePosition{} : all[from - 1].after);
    Document document;
    for (std::size_t at = from; at < all.size(); ++at) {
      ASSERT_TRUE(reader.next(document));
      ASSERT_EQ(document.text, all[at].text);
      ASSERT_EQ(document.after, all[at].after);
      ASSERT_EQ(document.dropped, all[at].dropped);
    }
    EXPECT_FALSE(reader.next(document));
  }
}

TEST(Source, NamesOfReasonsAndDomains) {
  for (int i = 0; i <= static_cast<int>(Drop::NearDuplicate); ++i)
    EXPECT_EQ(drop_from_name(name_of(static_cast<Drop>(i))), static_cast<Drop>(i));
  EXPECT_EQ(domain_from_name("code"), Domain::Code);
  EXPECT_THROW(domain_from_name("prose"), Error);
}

}  // namespace
}  // namespace tessera::data
