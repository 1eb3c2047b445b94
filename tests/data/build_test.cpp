// SPDX-License-Identifier: MIT
#include "core/data/build.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "core/data/dataset.h"
#include "tests/data/data_fixture.h"

namespace tessera::data {
namespace {

std::string json_line(const std::string& text) {
  return nlohmann::json{{"text", text}}.dump() + "\n";
}

std::string latin1_prose(std::uint64_t seed) {
  std::string text = prose(seed);
  for (char& c : text)
    if (c == 'o') c = '\xF6';
  return text;
}

/// Every format and every fault; what must come of it stands beside each line.
void write_web(const Folder& folder) {
  folder.write("web/a.txt", prose(1));                                              // kept
  folder.write("web/b.txt.gz", gzip(prose(2)));                                     // kept
  folder.write("web/c.txt.zst", zstd(prose(3)));                                    // kept
  folder.write("web/d.jsonl", json_line(prose(4)) + json_line(prose(5)) +           // 2 kept
                                  "{\"text\": broken\n" +                           // broken_json
                                  "{\"body\": \"x\"}\n" +                           // no_text_field
                                  json_line("tiny"));                               // too_short
  folder.write("web/e.jsonl.gz", gzip(json_line(prose(6)) + json_line(prose(1))));  // kept, exact
  folder.write("web/f.txt", "");                                                    // empty
  folder.write("web/g.bin", std::string(1000, '\0'));                               // binary
  folder.write("web/h.txt", latin1_prose(7));                        // kept, converted
  folder.write("web/i.txt", prose(8, 300) + "\xFF\xC3\xA4");         // invalid_text
  folder.write("web/j.txt", prose(2) + "And more.");                 // near_duplicate
  folder.write("web/k.gz", gzip(prose(9, 3000)).substr(0, 2000));    // damaged_archive
  folder.write("web/l.zst", zstd(prose(10, 3000)).substr(0, 2000));  // damaged_archive
  folder.write("web/m.txt", std::string(5000, '#'));                 // few_letters
  std::string lines;
  for (int i = 0; i < 50; ++i) lines += "click here to go on to the next page\n";
  folder.write("web/n.txt", lines);                                  // repeated_lines
  folder.write("web/o.jsonl", json_line(std::string(200000, 'x')));  // huge_line
  folder.write("web/p.txt", prose(11, 20000));                       // split; all parts kept
}

BuildOptions options_for(const Folder& folder, const std::string& output) {
  BuildOptions options;
  options.sources = {{"web", Domain::Web, {folder / "web"}}};
  options.folder = folder / output;
  options.tokenizer = test_tokenizer();
  options.reader.max_line_bytes = 100000;
  options.reader.max_document_bytes = 20000;
  options.held_out = 0.2;
  return options;
}

std::map<std::string, std::string> files_of(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::directory_iterator(folder))
    files[entry.path().filename()] = read_file(entry.path());
  return files;
}

TEST(Build, CountsEveryDropExactly) {
  const Folder folder;
  write_web(folder);
  const auto options = options_for(folder, "out");
  const SourceReport report = build(options).sources.at(0);
  const auto parts = static_cast<std::int64_t>((prose(11, 20000).size() + 19999) / 20000);
  EXPECT_EQ(report.files, 16);
  std::map<Drop, std::int64_t> expected = {
      {Drop::BrokenJson, 1},     {Drop::NoTextField, 1},   {Drop::TooShort, 1},
      {Drop::ExactDuplicate, 1}, {Drop::Empty, 1},         {Drop::Binary, 1},
      {Drop::InvalidText, 1},    {Drop::NearDuplicate, 1}, {Drop::DamagedArchive, 2},
      {Drop::FewLetters, 1},     {Drop::RepeatedLines, 1}, {Drop::HugeLine, 1}};
  // A long text is split in the second half of the limit: somewhat more parts than its size says.
  const std::int64_t kept_parts = report.documents_kept - 7;
  EXPECT_GE(kept_parts, parts);
  EXPECT_LE(kept_parts, parts + 2);
  EXPECT_EQ(report.dropped, expected);
  EXPECT_EQ(report.documents_read, report.documents_kept + 13);
  EXPECT_EQ(report.from_latin1, 1);

  const auto dataset = Dataset::open(options.folder, true);
  const DatasetSource& web = dataset->source("web");
  EXPECT_EQ(web.train.documents(), report.documents_kept - report.documents_held_out);
  EXPECT_EQ(web.held_out.documents(), report.documents_held_out);
  EXPECT_EQ(web.train.tokens(), report.tokens);
  EXPECT_EQ(web.held_out.tokens(), report.tokens_held_out);
  // The text itself comes back.
  std::multiset<std::string> texts;
  for (const DocumentStore* store : {&web.train, &web.held_out})
    for (std::int64_t at = 0; at < store->documents(); ++at) {
      std::vector<std::int32_t> tokens;
      store->read(at, 0, store->length(at), tokens);
      texts.insert(test_tokenizer()->decode(tokens));
    }
  for (std::uint64_t seed = 1; seed <= 6; ++seed) EXPECT_EQ(texts.count(prose(seed)), 1u) << seed;
}

TEST(Build, NamesWhatItDropsAndPassesOver) {
  const Folder folder;
  std::string lines = json_line(prose(1));
  for (int i = 0; i < 9; ++i) lines += "{\"body\": \"x\"}\n";
  folder.write("web/a.jsonl", lines);
  folder.write("web/part-01.gz", gzip(prose(9, 3000)).substr(0, 2000));
  folder.write("web/image.bin", std::string(1000, '\0'));
  folder.write("web/.hidden", "x");
  fs::create_symlink("nowhere", folder / "web/link");
  const auto options = options_for(folder, "out");
  const BuildReport report = build(options);
  std::string all;
  for (const std::string& warning : report.warnings) all += warning + "\n";
  const std::string jsonl = (folder / "web/a.jsonl").string();
  EXPECT_NE(all.find("9 of 12 documents were dropped as no_text_field: " + jsonl +
                     ":2 (its fields are body), " + jsonl + ":3 (its fields are body), " + jsonl +
                     ":4 (its fields are body), " + jsonl +
                     ":5 (its fields are body) and 5 more; set text_field"),
            std::string::npos)
      << all;
  EXPECT_NE(all.find("part-01.gz (cut off)"), std::string::npos) << all;
  EXPECT_NE(all.find("image.bin (holds NUL bytes)"), std::string::npos) << all;
  EXPECT_NE(all.find("link (a link to nothing)"), std::string::npos) << all;
  EXPECT_NE(report.table().find("1 files and folders whose names begin with '.'"),
            std::string::npos);
  // A later look at the folder tells the same.
  EXPECT_EQ(report_of(options.folder).warnings, report.warnings);
  EXPECT_EQ(report_of(options.folder).table(), report.table());
}

TEST(Build, TellsWhichInputsDiffer) {
  const Folder folder;
  write_web(folder);
  auto options = options_for(folder, "out");
  EXPECT_FALSE(is_built(options.folder));
  build(options);
  EXPECT_TRUE(is_built(options.folder));
  EXPECT_EQ(difference_from(options), "");
  folder.write("web/a.txt", prose(77));
  EXPECT_EQ(difference_from(options), "/sources/0/files");
}

TEST(Build, ThreadsAndShardSizesDoNotChangeTheDocuments) {
  const Folder folder;
  write_web(folder);
  auto options = options_for(folder, "one");
  options.threads = 1;
  options.shard_tokens = 5000;
  build(options);
  options.folder = folder / "many";
  options.threads = 4;
  build(options);
  EXPECT_EQ(files_of(folder / "one"), files_of(folder / "many"));
  EXPECT_GT(files_of(folder / "one").size(), 5u);
}

TEST(Build, SecondTimeDoesNothingButNoteNewWeights) {
  const Folder folder;
  write_web(folder);
  auto options = options_for(folder, "out");
  const BuildReport first = build(options);
  const auto before = files_of(options.folder);
  const BuildReport second = build(options);
  EXPECT_FALSE(first.was_complete);
  EXPECT_TRUE(second.was_complete);
  EXPECT_EQ(second.table(), first.table());
  EXPECT_EQ(files_of(options.folder), before);
  options.sources[0].weight = 3;
  EXPECT_TRUE(build(options).was_complete);
  EXPECT_EQ(Dataset::open(options.folder)->source("web").weight, 3);
}

TEST(Build, OtherSettingsOrInputsAreAnErrorOrARebuild) {
  const Folder folder;
  write_web(folder);
  auto options = options_for(folder, "out");
  build(options);
  options.held_out = 0.1;
  EXPECT_NE(error_of([&] { build(options); }).find("held_out"), std::string::npos);
  options.held_out = 0.2;
  folder.write("web/z.txt", prose(77));
  EXPECT_NE(error_of([&] { build(options); }).find("files"), std::string::npos);
  options.rebuild = true;
  EXPECT_FALSE(build(options).was_complete);
  auto fresh = options;
  fresh.folder = folder / "fresh";
  build(fresh);
  EXPECT_EQ(files_of(options.folder), files_of(fresh.folder));
}

TEST(Build, HeldOutDependsOnTheTextAlone) {
  const Folder folder;
  std::string lines;
  for (std::uint64_t i = 0; i < 1000; ++i) lines += json_line(prose(i, 30));
  folder.write("web/a.jsonl", lines);
  auto options = options_for(folder, "out");
  options.reader.max_line_bytes = 1 << 20;
  options.filters[Domain::Web] = FilterOptions::none();
  const SourceReport report = build(options).sources[0];
  EXPECT_EQ(report.documents_kept, 1000);
  EXPECT_NEAR(report.documents_held_out, 200, 4 * std::sqrt(1000 * 0.2 * 0.8));
  // Other documents around them, another name: the same ones are held out.
  folder.write("more/0.txt", prose(5000));
  folder.write("more/b.jsonl", lines);
  options.sources = {{"other", Domain::Web, {folder / "more"}}};
  options.folder = folder / "again";
  build(options);
  const auto first = Dataset::open(folder / "out"), second = Dataset::open(folder / "again");
  const auto texts = [](const DocumentStore& store) {
    std::set<std::vector<std::int32_t>> result;
    for (std::int64_t at = 0; at < store.documents(); ++at) {
      std::vector<std::int32_t> tokens;
      store.read(at, 0, store.length(at), tokens);
      result.insert(tokens);
    }
    return result;
  };
  auto held = texts(second->source("other").held_out);
  for (const auto& tokens : texts(first->source("web").held_out)) EXPECT_EQ(held.count(tokens), 1u);
}

TEST(Build, SmallSourcesHaveHeldOutTextToo) {
  const Folder folder;
  for (std::uint64_t i = 0; i < 40; ++i) folder.write("web/" + std::to_string(i), prose(i, 100));
  auto options = options_for(folder, "out");
  options.held_out = 1e-9;  // no document is drawn
  const SourceReport report = build(options).sources[0];
  const auto all = report.tokens + report.tokens_held_out;
  EXPECT_GE(report.tokens_held_out, all / 20);  // the cap: less than held_out_min_tokens
  EXPECT_LE(report.documents_held_out, 3);
  options.folder = folder / "few";
  options.held_out_min_tokens = 1;
  EXPECT_EQ(build(options).sources[0].documents_held_out, 1);
  options.folder = folder / "none";
  options.held_out = 0;
  EXPECT_EQ(build(options).sources[0].documents_held_out, 0);
  // A single document is trained on.
  folder.write("single/a", prose(1));
  options.sources[0].paths = {folder / "single"};
  options.folder = folder / "one";
  options.held_out = 0.5;
  const BuildReport single = build(options);
  EXPECT_EQ(single.sources[0].documents_held_out, 0);
  EXPECT_EQ(single.warnings.size(), 1u);
}

/// A source large enough to be interrupted, in several files.
void write_large(const Folder& folder) {
  for (int file = 0; file < 4; ++file) {
    std::string lines;
    for (int i = 0; i < 60; ++i) {
      const auto seed = static_cast<std::uint64_t>(file * 50 + i);  // some are in two files
      lines += json_line(prose(seed, 100));
    }
    folder.write("web/" + std::to_string(file) + ".jsonl.gz", gzip(lines));
  }
  folder.write("code/a.py", "import math\n\n\ndef area(r):\n    return math.pi * r * r\n");
}

BuildOptions large_options(const Folder& folder, const std::string& output) {
  BuildOptions options = options_for(folder, output);
  options.sources.push_back({"code", Domain::Code, {folder / "code"}});
  options.shard_tokens = 8000;
  options.threads = 1;  // NOTE: OpenMP's threads do not survive fork()
  return options;
}

/// Runs a build in a child; kills it as soon as `shards` shards are there (0: lets it end).
int build_in_child(const BuildOptions& options, std::size_t shards) {
  const pid_t child = fork();
  if (child == 0) {
    int code = 0;
    try {
      build(options);
    } catch (const std::exception&) {
      code = 1;
    }
    _exit(code);
  }
  int status = 0;
  for (;;) {
    if (waitpid(child, &status, WNOHANG) == child) return status;
    std::size_t found = 0;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(options.folder, ignored))
      found += entry.path().extension() == ".tokens";
    if (shards > 0 && found >= shards) kill(child, SIGKILL);
    usleep(200);
  }
}

TEST(Build, KilledAgainAndAgainEndsWithTheSameBytes) {
  const Folder folder;
  write_large(folder);
  const auto reference = large_options(folder, "reference");
  build(reference);
  const auto expected = files_of(reference.folder);
  std::size_t shards = 0;
  for (const auto& [name, bytes] : expected) shards += name.ends_with(".tokens");
  ASSERT_GE(shards, 8u);

  const auto options = large_options(folder, "killed");
  int kills = 0;
  std::map<std::string, ino_t> kept;
  for (std::size_t stop_at = 1; stop_at <= shards; ++stop_at) {
    const int status = build_in_child(options, stop_at);
    if (!WIFSIGNALED(status)) {
      EXPECT_EQ(status, 0);
      break;
    }
    ++kills;
    if (stop_at != 5) continue;
    const auto state = nlohmann::json::parse(read_file(options.folder / "build-state.json"));
    for (const auto& shard : state["manifest"]["sources"][0]["shards"]) {
      struct stat info {};
      const std::string name = shard["file"];
      ASSERT_EQ(stat((options.folder / name).c_str(), &info), 0);
      kept[name] = info.st_ino;
    }
  }
  EXPECT_GE(kills, 4);
  EXPECT_GE(kept.size(), 3u);
  EXPECT_EQ(build_in_child(options, 0), 0);
  EXPECT_EQ(files_of(options.folder), expected);
  for (const auto& [name, inode] : kept) {
    struct stat info {};
    ASSERT_EQ(stat((options.folder / name).c_str(), &info), 0);
    EXPECT_EQ(info.st_ino, inode) << name << " was written again";
  }
}

TEST(Build, KilledAtAnyMomentEndsWithTheSameBytes) {
  const Folder folder;
  write_large(folder);
  const auto reference = large_options(folder, "reference");
  build(reference);
  const auto options = large_options(folder, "killed");
  for (useconds_t delay = 500;; delay = delay * 3 / 2) {
    const pid_t child = fork();
    if (child == 0) {
      build(options);
      _exit(0);
    }
    usleep(delay);
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    if (WIFEXITED(status)) break;
  }
  EXPECT_EQ(files_of(options.folder), files_of(reference.folder));
}

TEST(Build, KilledBehindItsManifestLeavesNothing) {
  const Folder folder;
  write_large(folder);
  const auto options = large_options(folder, "killed");
  build(options);
  const auto expected = files_of(options.folder);
  for (const char* name : {"build-state.json", "build-seen.bin"}) {
    std::ofstream(options.folder / name) << "as it was";
  }
  EXPECT_TRUE(build(options).was_complete);
  EXPECT_EQ(files_of(options.folder), expected);
}

TEST(Build, FullDiskIsAnErrorAndTheBuildGoesOnLater) {
  const Folder folder;
  write_large(folder);
  const auto reference = large_options(folder, "reference");
  build(reference);
  const auto options = large_options(folder, "full");
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{12000, 12000};  // a shard is larger
    setrlimit(RLIMIT_FSIZE, &limit);
    try {
      build(options);
    } catch (const Error& error) {
      _exit(std::string(error.what()).find(".tokens") != std::string::npos ? 42 : 1);
    }
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 42);
  EXPECT_NE(error_of([&] { Dataset::open(options.folder); }).find("data"), std::string::npos);
  build(options);
  EXPECT_EQ(files_of(options.folder), files_of(reference.folder));
}

TEST(Build, StopOnRequestAndGoOn) {
  const Folder folder;
  write_large(folder);
  auto options = large_options(folder, "out");
  std::atomic<bool> stop = true;
  options.stop = &stop;
  EXPECT_NE(error_of([&] { build(options); }).find("stopped"), std::string::npos);
  stop = false;
  std::vector<PhaseProgress> seen;
  options.progress = [&](const PhaseProgress& progress) { seen.push_back(progress); };
  build(options);
  ASSERT_FALSE(seen.empty());
  EXPECT_EQ(seen.back().phase, "shards");
  EXPECT_EQ(seen.back().unit, "bytes");
  EXPECT_GT(seen.back().total, 0);
  EXPECT_EQ(seen.back().done, seen.back().total);
}

TEST(Build, OneBuildAtATimeInAFolder) {
  const Folder folder;
  write_large(folder);
  const auto options = large_options(folder, "out");
  fs::create_directories(options.folder);
  const int lock = open((options.folder / ".lock").c_str(), O_RDWR | O_CREAT, 0644);
  ASSERT_EQ(flock(lock, LOCK_EX), 0);
  EXPECT_NE(error_of([&] { build(options); }).find("another data build"), std::string::npos);
  close(lock);
  build(options);
}

TEST(Build, BadOptionsAreErrors) {
  const Folder folder;
  write_web(folder);
  const auto good = options_for(folder, "out");
  const auto fails = [&](auto change) {
    auto options = good;
    change(options);
    return error_of([&] { build(options); });
  };
  fails([](BuildOptions& o) { o.sources.clear(); });
  fails([](BuildOptions& o) { o.sources.push_back(o.sources[0]); });
  fails([](BuildOptions& o) { o.sources[0].name = "a/b"; });
  fails([](BuildOptions& o) { o.sources[0].weight = -1; });
  fails([](BuildOptions& o) { o.held_out = 1; });
  fails([](BuildOptions& o) { o.tokenizer = nullptr; });
  fails([&](BuildOptions& o) { o.folder = folder / "web/a.txt/out"; });
  fs::create_directories(folder / "nothing");
  EXPECT_NE(
      fails([&](BuildOptions& o) { o.sources[0].paths = {folder / "nothing"}; }).find("no files"),
      std::string::npos);
  folder.write("poor/a.txt", "too little");
  EXPECT_NE(
      fails([&](BuildOptions& o) { o.sources[0].paths = {folder / "poor"}; }).find("too_short"),
      std::string::npos);
}

TEST(Dataset, FaultsAreErrorsThatNameTheFile) {
  const Folder folder;
  write_web(folder);
  const auto options = options_for(folder, "out");
  build(options);
  const auto dataset = Dataset::open(options.folder);
  EXPECT_NO_THROW(dataset->check_tokenizer(*test_tokenizer()));
  TokenizerTrainOptions other;
  other.vocab_size = 400;
  EXPECT_THROW(dataset->check_tokenizer(*train_tokenizer({prose(1, 500)}, other)), Error);
  EXPECT_NE(error_of([&] { dataset->source("wbe"); }).find("web"), std::string::npos);
  EXPECT_THROW(Dataset::open(folder / "nowhere"), Error);

  const fs::path manifest = options.folder / "manifest.json";
  const std::string good = read_file(manifest);
  const auto open_with = [&](const std::string& text) {
    folder.write("out/manifest.json", text);
    return error_of([&] { Dataset::open(options.folder); });
  };
  EXPECT_NE(open_with("").find("manifest.json"), std::string::npos);
  EXPECT_NE(open_with(good.substr(0, good.size() / 2)).find("manifest.json"), std::string::npos);
  auto changed = nlohmann::json::parse(good);
  changed["sources"][0]["shards"][0]["tokens"] = 1;
  EXPECT_NE(open_with(changed.dump()).find(".tokens"), std::string::npos);
  changed = nlohmann::json::parse(good);
  changed["tokenizer"] = "ffffffffffffffff";
  EXPECT_NE(open_with(changed.dump()).find("vocabulary"), std::string::npos);
  folder.write("out/manifest.json", good);
  fs::remove(options.folder / "web-train-00000.tokens");
  EXPECT_NE(error_of([&] { Dataset::open(options.folder); }).find("web-train-00000"),
            std::string::npos);
}

TEST(SampleText, SharesAndDeterminism) {
  const Folder folder;
  for (std::uint64_t i = 0; i < 30; ++i) {
    folder.write("a/" + std::to_string(i), prose(i, 2000));
    folder.write("b/" + std::to_string(i), prose(i + 100, 2000));
  }
  folder.write("c/one", prose(999, 100));
  const std::vector<Source> sources = {{"a", Domain::Web, {folder / "a"}, 3},
                                       {"b", Domain::Web, {folder / "b"}, 1},
                                       {"c", Domain::Web, {folder / "c"}, 1}};
  const auto sample = sample_text(sources, 200000).texts;
  EXPECT_EQ(sample, sample_text(sources, 200000).texts);
  std::map<char, std::size_t> bytes;
  std::string all[3];
  for (std::uint64_t i = 0; i < 30; ++i) {
    all[0] += prose(i, 2000) + "\n";
    all[1] += prose(i + 100, 2000) + "\n";
  }
  for (const std::string& part : sample)
    bytes[all[0].find(part) != std::string::npos   ? 'a'
          : all[1].find(part) != std::string::npos ? 'b'
                                                   : 'c'] += part.size();
  EXPECT_NEAR(static_cast<double>(bytes['a']), 120000, 16384);
  EXPECT_NEAR(static_cast<double>(bytes['b']), 40000, 16384);
  EXPECT_EQ(bytes['c'], prose(999, 100).size());
}

}  // namespace
}  // namespace tessera::data
