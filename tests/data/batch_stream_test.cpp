// SPDX-License-Identifier: MIT
#include "core/data/batch_stream.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "core/data/build.h"
#include "core/data/document_stream.h"
#include "tests/data/data_fixture.h"

namespace tessera::data {
namespace {

using Tokens = std::vector<std::int32_t>;

/// Three sources of 40, 20 and 7 documents of differing length; some of each held out.
class BatchStreamTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<Folder>();
    BuildOptions options;
    const std::map<std::string, std::pair<int, double>> sources = {
        {"books", {40, 7}}, {"code", {20, 2}}, {"maths", {7, 1}}};
    std::uint64_t seed = 0;
    for (const auto& [name, size_and_weight] : sources) {
      for (int i = 0; i < size_and_weight.first; ++i, ++seed)
        folder_->write(name + "/" + std::to_string(i),
                       prose(seed, 5 + static_cast<int>(seed) % 30));
      options.sources.push_back({name, Domain::Web, {*folder_ / name}, size_and_weight.second});
    }
    options.filters[Domain::Web] = FilterOptions::none();
    options.folder = *folder_ / "out";
    options.tokenizer = test_tokenizer();
    options.held_out = 0.25;
    options.shard_tokens = 400;  // several shards
    build(options);
    dataset_ = Dataset::open(options.folder);
  }
  static void TearDownTestSuite() {
    dataset_.reset();
    folder_.reset();
  }

  static BatchStream stream(BatchStreamOptions options = {}) {
    return BatchStream(dataset_, test_tokenizer()->specials(), options);
  }
  static Tokens row(const Batch& batch, std::int64_t at) {
    const auto* from = batch.tokens.data<std::int32_t>() + at * batch.tokens.size(1);
    return {from, from + batch.tokens.size(1)};
  }
  static std::vector<Tokens> rows(const Batch& batch) {
    std::vector<Tokens> result;
    for (std::int64_t at = 0; at < batch.tokens.size(0); ++at) result.push_back(row(batch, at));
    return result;
  }
  static std::multiset<Tokens> documents(const DocumentStore& store) {
    std::multiset<Tokens> result;
    for (std::int64_t at = 0; at < store.documents(); ++at) {
      Tokens tokens;
      store.read(at, 0, store.length(at), tokens);
      result.insert(tokens);
    }
    return result;
  }
  /// The whole documents in a run of tokens that starts with BOS; without BOS and EOS.
  static std::vector<Tokens> split(const Tokens& tokens) {
    const auto& s = test_tokenizer()->specials();
    std::vector<Tokens> result;
    Tokens current;
    for (std::int32_t token : tokens) {
      if (token == s.bos) {
        EXPECT_TRUE(current.empty());
      } else if (token == s.eos) {
        result.push_back(current);
        current.clear();
      } else {
        current.push_back(token);
      }
    }
    return result;
  }
  /// The stream of one source, `count` tokens of it.
  static Tokens flow(BatchStreamOptions options, const std::string& source, std::int64_t count) {
    options.mixture = {{source, 1.0}};
    auto one = stream(options);
    Tokens tokens;
    while (static_cast<std::int64_t>(tokens.size()) < count) {
      const Batch batch = one.next(1, 16);
      const Tokens r = row(batch, 0);
      tokens.insert(tokens.end(), r.begin(), r.begin() + 16);
    }
    return tokens;
  }

  static std::unique_ptr<Folder> folder_;
  static std::shared_ptr<const Dataset> dataset_;
};
std::unique_ptr<Folder> BatchStreamTest::folder_;
std::shared_ptr<const Dataset> BatchStreamTest::dataset_;

TEST(Permutation, IsABijectionThatChangesWithTheEpoch) {
  for (std::int64_t size = 1; size <= 300; ++size) {
    const Permutation permutation(size, 5, 9);
    std::set<std::int64_t> seen;
    int moved = 0, differs = 0;
    for (std::int64_t at = 0; at < size; ++at) {
      const auto to = permutation(at, 0);
      ASSERT_TRUE(to >= 0 && to < size);
      seen.insert(to);
      moved += to != at;
      differs += to != permutation(at, 1);
    }
    ASSERT_EQ(static_cast<std::int64_t>(seen.size()), size);
    if (size >= 50) {
      EXPECT_GT(moved, size * 8 / 10) << size;
      EXPECT_GT(differs, size * 8 / 10) << size;
    }
  }
}

// Every document is about equally often at every place: chi squared over 2000 epochs.
TEST(Permutation, PlacesAreEven) {
  constexpr int kSize = 10, kEpochs = 2000;
  const Permutation permutation(kSize, 1, 2);
  std::vector<int> counts(kSize * kSize);
  for (std::uint64_t epoch = 0; epoch < kEpochs; ++epoch)
    for (int at = 0; at < kSize; ++at)
      ++counts[static_cast<std::size_t>(at * kSize + permutation(at, epoch))];
  double chi = 0;
  const double expected = kEpochs / static_cast<double>(kSize);
  for (int count : counts) chi += (count - expected) * (count - expected) / expected;
  const double freedom = (kSize - 1) * (kSize - 1);
  EXPECT_LT(chi, freedom + 5 * std::sqrt(2 * freedom));
}

TEST_F(BatchStreamTest, AnEpochHoldsEveryDocumentOnceAndTheNextOneInAnotherOrder) {
  const DocumentStore& store = dataset_->source("books").train;
  const auto pass = store.tokens() + 2 * store.documents();
  const Tokens tokens = flow({}, "books", 2 * pass);
  const auto first = split(Tokens(tokens.begin(), tokens.begin() + pass));
  const auto second = split(Tokens(tokens.begin() + pass, tokens.begin() + 2 * pass));
  EXPECT_EQ(std::multiset<Tokens>(first.begin(), first.end()), documents(store));
  EXPECT_EQ(std::multiset<Tokens>(second.begin(), second.end()), documents(store));
  EXPECT_NE(first, second);
}

TEST_F(BatchStreamTest, LookAheadIsTheNextRowsBeginning) {
  BatchStreamOptions options;
  options.extra = 2;
  options.mixture = {{"code", 1.0}};
  const auto all = rows(stream(options).next(50, 7));
  for (std::size_t at = 0; at + 1 < all.size(); ++at) {
    ASSERT_EQ(all[at].size(), 10u);
    for (std::size_t k = 0; k < 3; ++k) EXPECT_EQ(all[at][7 + k], all[at + 1][k]);
  }
}

TEST_F(BatchStreamTest, DoesNotDependOnHowManyRowsAreAskedFor) {
  const auto at_once = rows(stream().next(30, 11));
  auto piecewise = stream();
  std::vector<Tokens> joined;
  for (std::int64_t count : {1, 2, 3, 4, 5, 6, 9})
    for (const Tokens& tokens : rows(piecewise.next(count, 11))) joined.push_back(tokens);
  EXPECT_EQ(joined, at_once);
}

TEST_F(BatchStreamTest, SaveAndRestoreAtEveryPosition) {
  for (const bool packing : {true, false}) {
    BatchStreamOptions options;
    options.fim_rate = 0.5;
    options.seed = 3;
    options.extra = 1;
    options.packing = packing;
    auto reference = stream(options);
    std::vector<nlohmann::json> states;
    std::vector<Tokens> all;
    for (int at = 0; at < 120; ++at) {
      states.push_back(reference.state());
      all.push_back(row(reference.next(1, 13), 0));
    }
    for (std::size_t at = 0; at < states.size(); ++at) {
      auto other = stream(options);
      other.restore(nlohmann::json::parse(states[at].dump()));
      EXPECT_EQ(other.rows(), static_cast<std::int64_t>(at));
      const auto rest = rows(other.next(5, 13));
      for (std::size_t k = 0; k < rest.size() && at + k < all.size(); ++k)
        ASSERT_EQ(rest[k], all[at + k]) << at;
    }
  }
}

TEST_F(BatchStreamTest, RanksShareOneGlobalOrder) {
  BatchStreamOptions options;
  options.fim_rate = 0.3;
  const auto all = rows(stream(options).next(36, 9));
  for (int ranks : {2, 3, 4}) {
    std::vector<Tokens> joined(all.size());
    std::vector<nlohmann::json> states;
    for (int rank = 0; rank < ranks; ++rank) {
      BatchStreamOptions mine = options;
      mine.rank = rank;
      mine.ranks = ranks;
      auto part = stream(mine);
      std::size_t at = static_cast<std::size_t>(rank);
      for (const auto count : {1, 36 / ranks - 1})
        for (const Tokens& tokens : rows(part.next(count, 9))) {
          joined[at] = tokens;
          at += static_cast<std::size_t>(ranks);
        }
      states.push_back(part.state());
    }
    EXPECT_EQ(joined, all) << ranks;
    for (const auto& state : states) EXPECT_EQ(state, states[0]);
    // Saved by this many ranks, gone on by one.
    auto one = stream(options), reference = stream(options);
    reference.next(36, 9);
    one.restore(states[0]);
    EXPECT_EQ(rows(one.next(10, 9)), rows(reference.next(10, 9)));
  }
}

TEST_F(BatchStreamTest, RanksTakeConsecutiveRowsWhereTheyAreAskedTo) {
  BatchStreamOptions options;
  const auto all = rows(stream(options).next(24, 9));
  for (int ranks : {1, 2, 3}) {
    for (int rank = 0; rank < ranks; ++rank) {
      BatchStreamOptions mine = options;
      mine.rank = rank;
      mine.ranks = ranks;
      mine.consecutive = true;
      auto part = stream(mine);
      for (int call = 0; call < 2; ++call) {
        const auto first = all.begin() + call * 12 + rank * 12 / ranks;
        EXPECT_EQ(rows(part.next(12 / ranks, 9)), (std::vector<Tokens>{first, first + 12 / ranks}));
      }
      EXPECT_EQ(part.rows(), 24);
    }
  }
}

TEST_F(BatchStreamTest, ChangingTheLengthSkipsAndRepeatsNothing) {
  const Tokens expected = flow({}, "books", 2000);
  BatchStreamOptions options;
  options.mixture = {{"books", 1.0}};
  auto changing = stream(options);
  Tokens joined;
  for (std::int64_t length = 1; length < 60; ++length)
    for (const Tokens& tokens : rows(changing.next(1, length)))
      joined.insert(joined.end(), tokens.begin(), tokens.begin() + length);
  ASSERT_LE(joined.size(), expected.size());
  EXPECT_TRUE(std::equal(joined.begin(), joined.end(), expected.begin()));
}

TEST_F(BatchStreamTest, MixtureFollowsTheWeights) {
  constexpr int kRows = 20000;
  auto mixed = stream();  // 7 : 2 : 1
  const Batch batch = mixed.next(kRows, 4);
  std::map<std::string, double> counts;
  for (auto source : batch.source) ++counts[mixed.sources()[static_cast<std::size_t>(source)]];
  for (const auto& [name, share] :
       std::map<std::string, double>{{"books", 0.7}, {"code", 0.2}, {"maths", 0.1}})
    EXPECT_NEAR(counts[name], kRows * share, 4 * std::sqrt(kRows * share * (1 - share))) << name;
  double tokens = 0;
  for (const SourceProgress& progress : mixed.progress()) {
    EXPECT_EQ(progress.tokens, static_cast<std::int64_t>(counts[progress.source]) * 4);
    tokens += static_cast<double>(progress.tokens);
    EXPECT_GT(progress.epochs, 1.0);
  }
  EXPECT_EQ(tokens, kRows * 4);
}

TEST_F(BatchStreamTest, SeedsGiveOtherOrders) {
  BatchStreamOptions other;
  other.seed = 1;
  EXPECT_NE(rows(stream().next(10, 20)), rows(stream(other).next(10, 20)));
}

TEST_F(BatchStreamTest, MixtureMayChangeAndEverySourceKeepsItsPlace) {
  const Tokens expected = flow({}, "maths", 2000);
  auto changing = stream();
  Tokens maths;
  const auto take = [&](int count) {
    for (int at = 0; at < count; ++at) {
      const Batch batch = changing.next(1, 10);
      if (changing.sources()[static_cast<std::size_t>(batch.source[0])] != "maths") continue;
      const Tokens r = row(batch, 0);
      maths.insert(maths.end(), r.begin(), r.begin() + 10);
    }
  };
  take(30);
  changing.set_mixture({{"books", 1.0}});
  take(30);
  const auto state = changing.state();
  changing = stream({.mixture = {{"maths", 1.0}, {"code", 1.0}}});
  changing.restore(state);
  take(60);
  ASSERT_GT(maths.size(), 200u);
  EXPECT_TRUE(std::equal(maths.begin(), maths.end(), expected.begin()));
}

TEST_F(BatchStreamTest, FillInTheMiddleGivesTheDocumentBack) {
  const auto& s = test_tokenizer()->specials();
  BatchStreamOptions options;
  options.fim_rate = 0.5;
  const DocumentStore& store = dataset_->source("books").train;
  const auto originals = documents(store);
  int with = 0, all = 0;
  double first_cut = 0, second_cut = 0;
  for (const Tokens& document : split(flow(options, "books", 60 * store.tokens()))) {
    ++all;
    const auto begin = std::find(document.begin(), document.end(), s.fim_begin);
    if (begin == document.end()) {
      EXPECT_EQ(originals.count(document), 1u);
      continue;
    }
    ++with;
    ASSERT_EQ(begin, document.begin());
    const auto hole = std::find(document.begin(), document.end(), s.fim_hole);
    const auto end = std::find(hole, document.end(), s.fim_end);
    ASSERT_TRUE(hole != document.end() && end != document.end());
    Tokens whole(begin + 1, hole);
    first_cut += static_cast<double>(whole.size()) / static_cast<double>(document.size() - 3);
    whole.insert(whole.end(), end + 1, document.end());
    second_cut += static_cast<double>(whole.size()) / static_cast<double>(document.size() - 3);
    whole.insert(whole.end(), hole + 1, end);
    EXPECT_EQ(originals.count(whole), 1u);
  }
  EXPECT_NEAR(with, all * 0.5, 4 * std::sqrt(all * 0.25));
  // Two uniform points, sorted: their means are 1/3 and 2/3, their deviation sqrt(1/18).
  const double error = 4 * std::sqrt(1.0 / 18 / with);
  EXPECT_NEAR(first_cut / with, 1.0 / 3, error);
  EXPECT_NEAR(second_cut / with, 2.0 / 3, error);
}

TEST_F(BatchStreamTest, DocumentStartsAreTheBosTokens) {
  const auto bos = test_tokenizer()->specials().bos;
  const Batch batch = stream().next(60, 40);
  for (std::int64_t at = 0; at < 60; ++at) {
    const Tokens tokens = row(batch, at);
    std::vector<std::int32_t> expected = {0};
    for (std::size_t column = 1; column < tokens.size(); ++column)
      if (tokens[column] == bos) expected.push_back(static_cast<std::int32_t>(column));
    EXPECT_EQ(batch.document_starts[static_cast<std::size_t>(at)], expected);
  }
}

TEST_F(BatchStreamTest, TargetsAreTheFollowingTokens) {
  BatchStreamOptions options;
  options.extra = 1;
  const Batch batch = stream(options).next(3, 8);
  Buffer memory(3 * 8 * 4);
  const Tensor targets = memory.view(DType::I32, {3, 8});
  for (int depth : {0, 1}) {
    batch.write_targets(depth, targets);
    for (std::int64_t at = 0; at < 3; ++at)
      for (std::int64_t column = 0; column < 8; ++column)
        EXPECT_EQ(targets.data<std::int32_t>()[at * 8 + column],
                  row(batch, at)[static_cast<std::size_t>(column + 1 + depth)]);
  }
  EXPECT_THROW(batch.write_targets(2, targets), Error);
  EXPECT_THROW(batch.write_targets(0, targets.slice(0, 0, 2)), Error);
}

TEST_F(BatchStreamTest, WithoutPackingARowIsOneDocument) {
  const auto& s = test_tokenizer()->specials();
  BatchStreamOptions options;
  options.packing = false;
  options.mixture = {{"books", 1.0}};
  const DocumentStore& store = dataset_->source("books").train;
  const Batch batch = stream(options).next(store.documents(), 60);
  Buffer memory(static_cast<std::size_t>(store.documents()) * 60 * 4);
  const Tensor targets = memory.view(DType::I32, {store.documents(), 60});
  batch.write_targets(0, targets);
  std::multiset<Tokens> expected, seen;
  for (Tokens document : documents(store)) {
    document.insert(document.begin(), s.bos);
    document.push_back(s.eos);
    document.resize(std::min<std::size_t>(document.size(), 61));
    expected.insert(document);
  }
  bool any_padding = false, any_cut = false;
  for (std::int64_t at = 0; at < store.documents(); ++at) {
    const Tokens tokens = row(batch, at);
    const auto valid = static_cast<std::size_t>(batch.valid[static_cast<std::size_t>(at)]);
    seen.insert(Tokens(tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(valid)));
    for (std::size_t k = valid; k < tokens.size(); ++k) EXPECT_EQ(tokens[k], s.pad);
    any_padding = any_padding || valid < tokens.size();
    any_cut = any_cut || tokens[valid - 1] != s.eos;
    for (std::int64_t column = 0; column < 60; ++column) {
      const auto next = static_cast<std::size_t>(column) + 1;
      EXPECT_EQ(targets.data<std::int32_t>()[at * 60 + column], next < valid ? tokens[next] : -1);
    }
    EXPECT_EQ(batch.document_starts[static_cast<std::size_t>(at)], std::vector<std::int32_t>{0});
  }
  EXPECT_EQ(seen, expected);
  EXPECT_TRUE(any_padding);
  EXPECT_TRUE(any_cut);
}

TEST_F(BatchStreamTest, ValidationRowsStayTheSameAndAreNeverTrainedOn) {
  const auto& s = test_tokenizer()->specials();
  BatchStreamOptions options;
  options.fim_rate = 1;
  auto training = stream(options);
  const auto before = rows(training.validation_batches("books", 4, 20));
  training.next(50, 20);
  EXPECT_EQ(rows(training.validation_batches("books", 4, 20)), before);
  const DocumentStore& store = dataset_->source("books").held_out;
  const Batch many = training.validation_batches("books", 100000, 20);
  EXPECT_EQ(many.tokens.size(0), (store.tokens() + 2 * store.documents() - 1) / 20);
  Tokens joined;
  for (const Tokens& tokens : rows(many))
    joined.insert(joined.end(), tokens.begin(), tokens.begin() + 20);
  const auto held_out = documents(store), trained = documents(dataset_->source("books").train);
  for (const Tokens& document : split(joined)) {
    EXPECT_EQ(held_out.count(document), 1u);
    EXPECT_EQ(trained.count(document), 0u);
  }
  EXPECT_EQ(std::count(joined.begin(), joined.end(), s.fim_begin), 0);
  // Longer than all that is held out: one row, repeating it.
  const Batch one = training.validation_batches("maths", 4, 5000);
  EXPECT_EQ(one.tokens.size(0), 1);
  EXPECT_EQ(one.valid[0], 5001);
}

TEST_F(BatchStreamTest, FaultsAreErrors) {
  EXPECT_NE(error_of([] {
              stream({.mixture = {{"boks", 1.0}}});
            }).find("books"),
            std::string::npos);
  for (const double weight : {0.0, -1.0, static_cast<double>(NAN), static_cast<double>(INFINITY)})
    error_of([&] { stream({.mixture = {{"books", weight}}}); });
  error_of([] { stream({.mixture = {{"books", 1.0}, {"books", 1.0}}}); });
  error_of([] { stream({.fim_rate = 1.5}); });
  error_of([] { stream({.rank = 2, .ranks = 2}); });
  error_of([] { stream().next(0, 5); });
  error_of([] { stream().next(5, 0); });
  SpecialTokens none = test_tokenizer()->specials();
  none.fim_hole = -1;
  error_of([&] { BatchStream(dataset_, none, {.fim_rate = 0.1}); });
  none.bos = -1;
  error_of([&] { BatchStream(dataset_, none, {}); });
  error_of([] { stream().validation_batches("nothing", 1, 1); });
}

TEST_F(BatchStreamTest, MalformedStatesAreErrorsAndChangeNothing) {
  auto good = stream();
  good.next(20, 10);
  const auto state = good.state();
  const auto expect_error = [&](const nlohmann::json& bad) {
    auto other = stream();
    other.next(3, 10);
    const auto before = other.state();
    error_of([&] { other.restore(bad); });
    EXPECT_EQ(other.state(), before) << bad.dump();
  };
  for (const auto& [key, value] : state.items()) {
    auto bad = state;
    bad.erase(key);
    expect_error(bad);
    bad[key] = "text";
    expect_error(bad);
  }
  for (const auto& [key, value] : state["sources"]["books"].items()) {
    auto bad = state;
    bad["sources"]["books"].erase(key);
    expect_error(bad);
    bad["sources"]["books"][key] = -1;
    expect_error(bad);
    bad["sources"]["books"][key] = nullptr;
    expect_error(bad);
  }
  auto bad = state;
  bad["sources"]["books"]["document"] = 1000000;
  expect_error(bad);
  bad = state;
  bad["sources"]["nothing"] = bad["sources"]["books"];
  expect_error(bad);
  bad = state;
  bad["seed"] = 5;
  expect_error(bad);
  expect_error(nlohmann::json::array());
  expect_error(nullptr);
}

}  // namespace
}  // namespace tessera::data
