// SPDX-License-Identifier: MIT
// Attention against its definition, written as loops. The cases check gradients of the same
// functions by finite differences.
#include "kernels/attention/attention.h"
#include "kernels/attention/attention_ranges.h"

#include "core/base/random.h"
#include "kernels/attention_decode/attention_decode.h"
#include "kernels/vector_math.h"
#include "tests/kernels/kernel_fixture.h"

namespace tessera::kernels {
namespace {

using Doubles = std::vector<double>;

Doubles normal(std::int64_t count, std::uint64_t stream) {
  const Random random(7, stream);
  Doubles values;
  for (std::int64_t i = 0; i < count; ++i) {
    values.push_back(random.normal(static_cast<std::uint64_t>(i)));
  }
  return values;
}

/// Softmax of scale q . keys over rows of `keys`, and the log of its denominator.
struct Softmax {
  Doubles weights;
  double log_sum = 0;

  Softmax(const double* q, const std::vector<const double*>& keys, std::int64_t d, double scale) {
    double sum = 0;
    for (const double* key : keys) {
      double score = 0;
      for (std::int64_t i = 0; i < d; ++i) score += scale * q[i] * key[i];
      weights.push_back(std::exp(score));
      sum += weights.back();
    }
    for (double& weight : weights) weight /= sum;
    log_sum = std::log(sum);
  }
};

TEST(Attention, MatchesItsDefinition) {
  const std::int64_t heads = 2, d_qk = 6, d_v = 5;
  std::vector<std::int32_t> starts{0, 3, 3, 140, 141};
  const std::int64_t tokens = starts.back();
  Doubles q = normal(tokens * heads * d_qk, 1), k = normal(tokens * heads * d_qk, 2);
  Doubles v = normal(tokens * heads * d_v, 3);
  Doubles o(v.size()), lse(static_cast<std::size_t>(heads * tokens));
  Context context;
  attention_forward(context, view(q, {tokens, heads, d_qk}), view(k, {tokens, heads, d_qk}),
                    view(v, {tokens, heads, d_v}), view(starts), 137, 0.5f,
                    view(o, {tokens, heads, d_v}), view(lse, {heads, tokens}));
  for (std::size_t s = 0; s + 1 < starts.size(); ++s) {
    for (std::int64_t i = starts[s]; i < starts[s + 1]; ++i) {
      for (std::int64_t h = 0; h < heads; ++h) {
        std::vector<const double*> keys;
        for (std::int64_t j = starts[s]; j <= i; ++j) keys.push_back(&k[(j * heads + h) * d_qk]);
        const Softmax softmax(&q[(i * heads + h) * d_qk], keys, d_qk, 0.5);
        EXPECT_NEAR(lse[h * tokens + i], softmax.log_sum, 1e-12);
        for (std::int64_t c = 0; c < d_v; ++c) {
          double wanted = 0;
          for (std::size_t j = 0; j < keys.size(); ++j) {
            const auto key = starts[s] + static_cast<std::int64_t>(j);
            wanted += softmax.weights[j] * v[(key * heads + h) * d_v + c];
          }
          EXPECT_NEAR(o[(i * heads + h) * d_v + c], wanted, 1e-12) << "token " << i;
        }
      }
    }
  }
}

TEST(Attention, TheFirstTokenCopiesItsValue) {
  std::vector<float> q{3, -1}, k{2, 5}, v{7, 8, 9}, o(3), lse(1);
  std::vector<std::int32_t> starts{0, 1};
  Context context;
  attention_forward(context, view(q, {1, 1, 2}), view(k, {1, 1, 2}), view(v, {1, 1, 3}),
                    view(starts), 1, 2.0f, view(o, {1, 1, 3}), view(lse, {1, 1}));
  expect_near(o, {7, 8, 9}, 0);
  expect_near(lse, {2.0}, 1e-6);  // 2 (3 * 2 - 1 * 5)
}

TEST(Attention, RefusesStartsThatDoNotCoverTheTokens) {
  std::vector<float> x(4), lse(2);
  std::vector<std::int32_t> starts{0, 1};
  Context context;
  const Tensor t = view(x, {2, 1, 2});
  expect_error(
      [&] {
        attention_forward(context, t, t, t, view(starts), 2, 1, t, view(lse, {1, 2}));
      },
      "starts of sequences");
}

TEST(AttentionDecode, MatchesItsDefinition) {
  const std::int64_t heads = 3, d_latent = 5, d = 7, page_tokens = 4, length = 1030;
  const std::int64_t pages = (length + page_tokens - 1) / page_tokens;
  std::vector<std::int32_t> table(static_cast<std::size_t>(pages)), lengths{length};
  for (std::int64_t i = 0; i < pages; ++i) table[i] = static_cast<std::int32_t>(pages - 1 - i);
  Doubles q = normal(heads * d, 1), cache = normal(pages * page_tokens * d, 2);
  Doubles o(static_cast<std::size_t>(heads * d_latent));
  Context context;
  attention_decode(context, view(q, {1, heads, d}), view(cache, {pages, page_tokens, d}),
                   view(table, {1, pages}), view(lengths), 0.4f, view(o, {1, heads, d_latent}));

  std::vector<const double*> keys;
  for (std::int64_t j = 0; j < length; ++j) {
    keys.push_back(&cache[(table[j / page_tokens] * page_tokens + j % page_tokens) * d]);
  }
  for (std::int64_t h = 0; h < heads; ++h) {
    const Softmax softmax(&q[h * d], keys, d, static_cast<double>(0.4f));
    for (std::int64_t c = 0; c < d_latent; ++c) {
      double wanted = 0;
      for (std::size_t j = 0; j < keys.size(); ++j) wanted += softmax.weights[j] * keys[j][c];
      EXPECT_NEAR(o[h * d_latent + c], wanted, 1e-12);
    }
  }
}

/// Whole sequences, and the same queries in pieces as ranks of context have them.
struct CutAttention {
  static constexpr std::int64_t heads = 2, d_qk = 24, d_v = 16, tokens = 400, first_end = 300;
  std::vector<float> q = floats(d_qk, 1), k = floats(d_qk, 2), v = floats(d_v, 3),
                     d_o = floats(d_v, 4);
  std::vector<float> o = std::vector<float>(v.size()), lse = std::vector<float>(heads * tokens);
  std::vector<float> dq = std::vector<float>(q.size()), dk = dq, dv = o;
  Context context;

  static std::vector<float> floats(std::int64_t d, std::uint64_t stream) {
    const Doubles from = normal(tokens * heads * d, stream);
    return {from.begin(), from.end()};
  }
  static Tensor rows(std::vector<float>& x, std::int64_t d) { return view(x, {tokens, heads, d}); }

  CutAttention() {
    std::vector<std::int32_t> starts{0, first_end, tokens};
    attention_forward(context, rows(q, d_qk), rows(k, d_qk), rows(v, d_v), view(starts), tokens,
                      0.2f, rows(o, d_v), view(lse, {heads, tokens}));
    attention_backward(context, rows(q, d_qk), rows(k, d_qk), rows(v, d_v), view(starts), tokens,
                       0.2f, rows(o, d_v), view(lse, {heads, tokens}), rows(d_o, d_v),
                       rows(dq, d_qk), rows(dk, d_qk), rows(dv, d_v));
  }
};

/// A query's output and gradient do not depend on which others are there; what keys get from the
/// pieces adds up to what they get from the whole.
TEST(AttentionRanges, ArePartsOfWholeSequences) {
  CutAttention whole;
  const std::int64_t pieces[] = {0, 70, 131, 300, 333, 400};
  std::vector<double> dk(whole.dk.size()), dv(whole.dv.size());
  for (std::size_t i = 0; i + 1 < std::size(pieces); ++i) {
    const std::int64_t from = pieces[i], to = pieces[i + 1], count = to - from;
    const std::int64_t first = from < whole.first_end ? 0 : whole.first_end;
    std::vector<std::int32_t> range{0, static_cast<int>(count), static_cast<int>(first),
                                    static_cast<int>(from)};
    const auto rows = [&](std::vector<float>& x, std::int64_t d) {
      return whole.rows(x, d).slice(0, from, to);
    };
    const std::int64_t heads = whole.heads, d_qk = whole.d_qk, d_v = whole.d_v;
    std::vector<float> o(static_cast<std::size_t>(count * heads * d_v)), dq_part;
    std::vector<float> lse(static_cast<std::size_t>(heads * count));
    dq_part.resize(static_cast<std::size_t>(count * heads * d_qk));
    std::vector<float> dk_part(whole.dk.size(), 1.f), dv_part(whole.dv.size(), 1.f);
    const Tensor ranges = view(range, {1, 4}), keys = whole.rows(whole.k, d_qk);
    const Tensor values = whole.rows(whole.v, d_v), out = view(o, {count, heads, d_v});
    attention_ranges_forward(whole.context, rows(whole.q, d_qk), keys, values, ranges, 0.2f, out,
                             view(lse, {heads, count}));
    attention_ranges_backward(whole.context, rows(whole.q, d_qk), keys, values, ranges, 0.2f, out,
                              view(lse, {heads, count}), rows(whole.d_o, d_v),
                              view(dq_part, {count, heads, d_qk}), whole.rows(dk_part, d_qk),
                              whole.rows(dv_part, d_v));
    const float* wanted = rows(whole.o, d_v).data<float>();
    for (std::size_t j = 0; j < o.size(); ++j) EXPECT_NEAR(o[j], wanted[j], 1e-6);
    wanted = rows(whole.dq, d_qk).data<float>();
    for (std::size_t j = 0; j < dq_part.size(); ++j) EXPECT_NEAR(dq_part[j], wanted[j], 1e-5);
    for (std::size_t j = 0; j < dk.size(); ++j) dk[j] += dk_part[j];
    for (std::size_t j = 0; j < dv.size(); ++j) dv[j] += dv_part[j];
  }
  expect_near(whole.dk, dk, 2e-5);
  expect_near(whole.dv, dv, 2e-5);
}

TEST(AttentionRanges, AreRefusedWhereTheyAreNotOnesOfSequences) {
  CutAttention whole;
  const auto refused = [&](std::vector<std::int32_t> ranges) {
    const auto count = static_cast<std::int64_t>(ranges.size()) / 4;
    expect_error(
        [&] {
          attention_ranges_forward(whole.context, whole.rows(whole.q, whole.d_qk),
                                   whole.rows(whole.k, whole.d_qk), whole.rows(whole.v, whole.d_v),
                                   view(ranges, {count, 4}), 0.2f, whole.rows(whole.o, whole.d_v),
                                   view(whole.lse, {whole.heads, whole.tokens}));
        },
        "range");
  };
  refused({0, 399, 0, 0});                      // a query is left over
  refused({0, 200, 0, 0, 201, 400, 0, 200});    // one is left out
  refused({0, 400, 0, 1});                      // the last one sees a key that is not there
  refused({0, 400, 1, 0});                      // queries before their sequence
  refused({0, 200, 0, 0, 200, 400, 150, 200});  // sequences that share keys
}

TEST(AttentionDecode, ARowDoesNotDependOnTheOthers) {
  const std::int64_t rows = 5, heads = 4, d_latent = 16, d = 24;
  std::vector<float> q, cache;
  for (double x : normal(rows * heads * d, 1)) q.push_back(static_cast<float>(x));
  for (double x : normal(64 * 16 * d, 2)) cache.push_back(static_cast<float>(x));
  std::vector<std::int32_t> table, lengths{700, 1, 33, 512, 513};
  for (std::int32_t i = 0; i < rows * 44; ++i) table.push_back(i % 64);
  std::vector<float> together(static_cast<std::size_t>(rows * heads * d_latent)), alone = together;
  Context context;
  const Tensor pool = view(cache, {64, 16, d}), all_q = view(q, {rows, heads, d});
  const Tensor all_pages = view(table, {rows, 44}), all_lengths = view(lengths);
  attention_decode(context, all_q, pool, all_pages, all_lengths, 0.3f,
                   view(together, {rows, heads, d_latent}));
  const Tensor out = view(alone, {rows, heads, d_latent});
  for (std::int64_t i = 0; i < rows; ++i) {
    attention_decode(context, all_q.slice(0, i, i + 1), pool, all_pages.slice(0, i, i + 1),
                     all_lengths.slice(0, i, i + 1), 0.3f, out.slice(0, i, i + 1));
  }
  EXPECT_EQ(together, alone);
}

TEST(VectorMath, ExponentialIsWithinTwoUnitsOfTheLastPlace) {
  for (std::int64_t i = -87'300; i < 88'720; ++i) {
    const float x = static_cast<float>(i) * 1e-3f;
    const double exact = std::exp(static_cast<double>(x));
    EXPECT_NEAR(vector_exp(x) / exact, 1.0, 2.4e-7) << x;
  }
  const float infinity = static_cast<float>(kInfinity);
  EXPECT_EQ(vector_exp(0.0f), 1.0f);
  EXPECT_EQ(vector_exp(-infinity), 0.0f);
  EXPECT_EQ(vector_exp(-1e30f), 0.0f);
  EXPECT_EQ(vector_exp(infinity), infinity);
  EXPECT_EQ(vector_exp(100.0f), infinity);
  EXPECT_TRUE(std::isnan(vector_exp(static_cast<float>(kNan))));
  EXPECT_EQ(silu(0.0f), 0.0f);
  EXPECT_EQ(sigmoid(-200.0f), 0.0f);
  EXPECT_EQ(sigmoid(200.0f), 1.0f);
}

}  // namespace
}  // namespace tessera::kernels
