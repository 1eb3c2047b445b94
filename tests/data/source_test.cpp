// SPDX-License-Identifier: MIT
#include "core/data/source.h"

#include <sys/stat.h>

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
                   "bad ÿ byte", "binary", "last"}));
}

Texts texts_in(const Folder& folder, const std::string& name, const std::string& bytes,
               Domain domain = Domain::Web) {
  Source source{"test", domain, {folder.write(name, bytes)}};
  source.text_field = "text";
  SourceReader reader(source, {});
  std::vector<Document> documents;
  for (Document document; reader.next(document);) documents.push_back(document);
  return texts_of(documents);
}

TEST(Source, JsonIsReadInEveryLayout) {
  const Folder folder;
  const std::string a = R"({"id": "x", "text": "one [1] {2} \"q\""})", b = R"({"text": "two"})";
  const std::string pretty = "{\n  \"text\": \"one\",\n  \"tags\": [\"}\", {}]\n}\n";
  const Texts both = {"one [1] {2} \"q\"", "two"};
  for (const std::string name : {"a.json", "a.jsonl", "a.ndjson", "a.txt", "a"}) {
    EXPECT_EQ(texts_in(folder, name, a + "\n" + b + "\n"), both) << name;
    EXPECT_EQ(texts_in(folder, name, a + "\r\n\r\n" + b), both) << name;
    EXPECT_EQ(texts_in(folder, name, "\xEF\xBB\xBF" + a + "\n" + b), both) << name;
    EXPECT_EQ(texts_in(folder, name, "[" + a + "," + b + "]"), both) << name;
    EXPECT_EQ(texts_in(folder, name, "\n[\n  " + a + ",\n  " + b + "\n]\n"), both) << name;
    EXPECT_EQ(texts_in(folder, name, pretty + pretty), (Texts{"one", "one"})) << name;
    EXPECT_EQ(texts_in(folder, name, "[" + pretty + ", " + pretty + "]"), (Texts{"one", "one"}))
        << name;
  }
  EXPECT_EQ(texts_in(folder, "a.json.gz", gzip("[" + a + "," + b + "]")), both);
  EXPECT_EQ(texts_in(folder, "a.json.zst", zstd(a + "\n" + b)), both);
  EXPECT_EQ(texts_in(folder, "utf16.json", utf16("[" + a + ", " + b + "]", true)), both);
  EXPECT_EQ(texts_in(folder, "strings.json", R"(["one", "two"])"), (Texts{"one", "two"}));
  EXPECT_EQ(texts_in(folder, "empty.json", "[]"), Texts{"empty"});
}

TEST(Source, AFirstLineOfAnyLengthIsALine) {
  const Folder folder;
  const std::string text = prose(1, 40000);  // longer than what is read at a time
  ASSERT_GT(text.size(), 150000u);
  const std::string lines =
      nlohmann::json{{"text", text}, {"id", "x"}}.dump() + "\n" + R"({"text": "short"})" + "\n";
  std::string joined;
  const Texts found = texts_in(folder, "long.json.gz", gzip(lines));
  for (std::size_t i = 0; i + 1 < found.size(); ++i) joined += found[i];
  EXPECT_EQ(joined, text);
  EXPECT_EQ(found.back(), "short");
  EXPECT_EQ(texts_in(folder, "long", lines), found);
}

TEST(Source, JsonWithoutTheTextIsNeverText) {
  const Folder folder;
  const std::string wrong = R"({"body": "b"})";
  for (const std::string name : {"a.json", "a.jsonl", "a.txt"})
    EXPECT_EQ(texts_in(folder, name, wrong + "\n" + wrong),
              (Texts{"no_text_field", "no_text_field"}))
        << name;
  EXPECT_EQ(
      texts_in(folder, "a.json", "[" + wrong + ",{\"text\": null},{\"text\": 5}, 7, {}]"),
      (Texts{"no_text_field", "no_text_field", "no_text_field", "broken_json", "no_text_field"}));
  EXPECT_EQ(texts_in(folder, "one.json", wrong), Texts{"no_text_field"});
  EXPECT_EQ(texts_in(folder, "cut.json", "[{\"text\": \"one\"}, {\"text\": \"tw"),
            (Texts{"one", "broken_json"}));
  EXPECT_EQ(texts_in(folder, "cut2.json", "{\n \"text\": \"one\",\n"), Texts{"broken_json"});
  // Among code, a file with one value is a document.
  EXPECT_EQ(texts_in(folder, "package.json", wrong, Domain::Code), Texts{wrong});
  EXPECT_EQ(texts_in(folder, "list.json", "[1, 2]", Domain::Code), Texts{"[1, 2]"});
  EXPECT_EQ(texts_in(folder, "code.json", wrong + "\n" + wrong, Domain::Code),
            (Texts{"no_text_field", "no_text_field"}));
}

TEST(Source, WhatPythonWritesBeyondJsonIsRead) {
  const Folder folder;
  EXPECT_EQ(texts_in(folder, "a.jsonl",
                     "{\"score\": NaN, \"text\": \"NaN\"}\n{\"text\": \"two\", \"x\": [Infinity, "
                     "-Infinity]}\n{\"text\": \"half \\ud83d of\"}\n{\"text\": NaN}\n"),
            (Texts{"NaN", "two", "half \xEF\xBF\xBD of", "no_text_field"}));
}

TEST(Source, TheTextMayBeAFieldOfAField) {
  const Folder folder;
  Source source{
      "test",
      Domain::Web,
      {folder.write("a.jsonl",
                    "{\"a\": {\"b\": \"nested\"}}\n{\"a.b\": \"flat\"}\n{\"a\": \"no\"}\n")}};
  source.text_field = "a.b";
  SourceReader reader(source, {});
  std::vector<Document> documents;
  for (Document document; reader.next(document);) documents.push_back(document);
  EXPECT_EQ(texts_of(documents), (Texts{"nested", "flat", "no_text_field"}));
}

TEST(Source, DroppedDocumentsSayWhereAndWhy) {
  const Folder folder;
  const auto lines = read_all(folder.write(
      "a.jsonl", "{\"text\": \"x\"}\n\n{\"body\": 1, \"id\": 2}\n{\"text\": null}\nbroken\n"));
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_EQ(lines[1].line, 3);
  EXPECT_EQ(lines[1].note, "its fields are body, id");
  EXPECT_EQ(lines[2].line, 4);
  EXPECT_EQ(lines[2].note, "its text is null");
  EXPECT_EQ(lines[3].line, 5);
  const auto array = read_all(folder.write("b.json", "[\n{\"text\": \"x\"},\n\n{\n\"y\": 1}]"));
  ASSERT_EQ(array.size(), 2u);
  EXPECT_EQ(array[1].line, 4);
  const auto packed = gzip(prose(1, 3000));
  EXPECT_EQ(read_all(folder.write("c.gz", packed.substr(0, packed.size() / 2))).back().note,
            "cut off");
  EXPECT_EQ(read_all(folder.write("d", std::string("PAR1\0\0", 6))).back().note,
            "a Parquet file: convert it to JSONL first");
  // A file that goes away between listing and reading.
  const fs::path gone = folder.write("gone.txt", "x");
  SourceReader reader({"test", Domain::Web, {gone}}, {});
  fs::remove(gone);
  Document document;
  ASSERT_TRUE(reader.next(document));
  EXPECT_EQ(document.reason, Drop::Unreadable);
  EXPECT_EQ(document.note, "No such file or directory");
}

std::string zstd_long(const std::string& text, int window_log) {
  std::string out(ZSTD_compressBound(text.size()) + 64, '\0');
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log);
  ZSTD_CCtx_setParameter(context, ZSTD_c_enableLongDistanceMatching, 1);
  ZSTD_CCtx_setParameter(context, ZSTD_c_hashLog, 6);
  ZSTD_CCtx_setParameter(context, ZSTD_c_chainLog, 6);
  ZSTD_CCtx_setParameter(context, ZSTD_c_ldmHashLog, 6);
  // A stream of unknown size: the window is then not shrunk to the text.
  ZSTD_inBuffer in{text.data(), text.size(), 0};
  ZSTD_outBuffer to{out.data(), out.size(), 0};
  ZSTD_compressStream2(context, &to, &in, ZSTD_e_continue);
  EXPECT_EQ(ZSTD_compressStream2(context, &to, &in, ZSTD_e_end), 0u);
  ZSTD_freeCCtx(context);
  out.resize(to.pos);
  return out;
}

/// Decoders take windows up to 128 MiB unless they are told otherwise.
bool is_refused_by_default(const std::string& packed) {
  ZSTD_DStream* stream = ZSTD_createDStream();
  std::string text(100, '\0');
  ZSTD_inBuffer in{packed.data(), packed.size(), 0};
  ZSTD_outBuffer out{text.data(), text.size(), 0};
  const std::size_t status = ZSTD_decompressStream(stream, &out, &in);
  ZSTD_freeDStream(stream);
  return ZSTD_isError(status);
}

TEST(Source, ArchivesOfOtherProgramsAreRead) {
  const Folder folder;
  const std::string text = prose(1, 2000);
  const std::string long_window = zstd_long(text, 28);  // as `zstd --long=28`
  ASSERT_TRUE(is_refused_by_default(long_window));
  EXPECT_EQ(texts_in(folder, "long.txt.zst", long_window), Texts{text});
  // pzstd: a frame to be skipped before each frame of data.
  const std::string skip("\x50\x2A\x4D\x18\4\0\0\0abcd", 12);
  EXPECT_EQ(texts_in(folder, "parallel.txt.zst",
                     skip + zstd(text.substr(0, 100)) + skip + zstd(text.substr(100))),
            Texts{text});
  for (const std::string& packed : {gzip(text), zstd(text)}) {
    Source source{"test", Domain::Web, {folder.write("tail", packed + "-- garbage --")}};
    SourceReader reader(source, {});
    Document document;
    ASSERT_TRUE(reader.next(document));
    EXPECT_EQ(document.text, text);
    EXPECT_FALSE(reader.next(document));
    EXPECT_EQ(reader.remarks().count, 1);
    EXPECT_NE(reader.remarks().text().find("tail: the bytes behind the end"), std::string::npos);
  }
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
  fs::create_directory_symlink(folder / "b", folder / "link");  // read once
  EXPECT_EQ(texts_of(read_all(folder)), (Texts{"a", "b1", "b2", "x"}));
  EXPECT_EQ(texts_of(read_all(folder / "c/.hidden.txt")), Texts{"hidden"});
  EXPECT_NE(error_of([&] { read_all(folder / "missing"); }).find("missing"), std::string::npos);
}

FileList list(const std::vector<fs::path>& paths) {
  return list_files({"test", Domain::Web, paths});
}

TEST(Source, LinksAreFollowedOnce) {
  const Folder folder, elsewhere;
  elsewhere.write("more/x.txt", "x");
  folder.write("corpus/a.txt", "a");
  fs::create_directory_symlink(elsewhere / "more", folder / "corpus/linked");
  fs::create_directory_symlink("..", folder / "corpus/circle");
  fs::create_symlink(elsewhere / "more/x.txt", folder / "corpus/same.txt");
  fs::create_symlink("nowhere", folder / "corpus/dangling.txt");
  ASSERT_EQ(mkfifo((folder / "corpus/pipe").c_str(), 0600), 0);
  const FileList found = list({folder / "corpus"});
  // The link to the folder above leads back into the corpus, which is not read again.
  EXPECT_EQ(found.files,
            (std::vector<fs::path>{folder / "corpus/a.txt", folder / "corpus/linked/x.txt"}));
  EXPECT_EQ(found.passed_over.count, 4);
  const std::string text = found.passed_over.text();
  EXPECT_NE(text.find("circle/corpus (is read already)"), std::string::npos) << text;
  EXPECT_NE(text.find("same.txt (is read already)"), std::string::npos) << text;
  EXPECT_NE(text.find("dangling.txt (a link to nothing)"), std::string::npos) << text;
  EXPECT_NE(text.find("pipe (is neither a file nor a folder)"), std::string::npos) << text;
}

TEST(Source, PathsGivenTwiceAreReadOnce) {
  const Folder folder;
  folder.write("a/1.txt", "1");
  folder.write("a/2.txt", "2");
  const FileList found = list({folder / "a/2.txt", folder / "a", folder / "a"});
  EXPECT_EQ(found.files, (std::vector<fs::path>{folder / "a/2.txt", folder / "a/1.txt"}));
  EXPECT_EQ(found.passed_over.count, 2);
}

TEST(Source, PatternsNameFiles) {
  const Folder folder;
  for (const char* name : {"p/b.jsonl", "p/a.jsonl", "p/c.txt", "p/x[1].txt"})
    folder.write(name, "x");
  EXPECT_EQ(list({folder / "p/*.jsonl"}).files,
            (std::vector<fs::path>{folder / "p/a.jsonl", folder / "p/b.jsonl"}));
  EXPECT_EQ(list({folder / "p/x[1].txt"}).files.size(), 1u);  // a name, as it exists
  EXPECT_NE(error_of([&] { list({folder / "p/*.parquet"}); }).find("no file matches"),
            std::string::npos);
  EXPECT_TRUE(leads_somewhere(folder / "p/?.txt"));
  EXPECT_FALSE(leads_somewhere(folder / "q/*.txt"));
  ASSERT_EQ(mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_NE(error_of([&] { list({folder / "pipe"}); }).find("neither a file nor a folder"),
            std::string::npos);
}

TEST(Source, SeekGoesOnAnywhere) {
  const Folder folder;
  std::string lines;
  for (int i = 0; i < 20; ++i) lines += "{\"text\": \"line " + std::to_string(i) + "\"}\n";
  folder.write("a.jsonl.gz", gzip(lines));
  folder.write("b.txt", prose(1, 500));
  folder.write("c.txt", "");
  folder.write("d.jsonl", lines + "broken\n");
  folder.write("e.json", "[{\"text\": \"" + prose(2, 300) + "\"},\n{\"x\": 1}, {\"text\": \"z\"}]");
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
