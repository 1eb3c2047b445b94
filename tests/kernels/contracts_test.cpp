// SPDX-License-Identifier: MIT
// What the contracts refuse, for the operations without a test file of their own.
#include <cmath>
#include <limits>

#include "kernels/adamw/adamw.h"
#include "kernels/choose/choose.h"
#include "kernels/convert/convert.h"
#include "kernels/embedding/embedding.h"
#include "kernels/few_rows/few_rows.h"
#include "kernels/grouped_product/grouped_product.h"
#include "kernels/permute/permute.h"
#include "kernels/product_fp8/product_fp8.h"
#include "kernels/rms_norm/rms_norm.h"
#include "kernels/swiglu/swiglu.h"
#include "tests/kernels/kernel_fixture.h"

namespace tessera::kernels {
namespace {

using Floats = std::vector<float>;

TEST(Contracts, ConvertNamesTheTypesItCannotConvert) {
  Floats x(4);
  std::vector<std::int32_t> y(4);
  Context context;
  expect_error([&] { convert(context, view(x), view(y)); }, "F32(4) to I32(4)");
  Floats short_y(3);
  expect_error([&] { convert(context, view(x), view(short_y)); }, "expected y (4), got F32(3)");
  expect_error([&] { add(context, view(y), view(y)); }, "F32 or F64");
}

TEST(Contracts, TheLastDimensionMustBeContiguous) {
  Floats x(6), y(6);
  Context context;
  expect_error(
      [&] {
        convert(context, view(x, {2, 3}).transpose(0, 1), view(y, {3, 2}));
      },
      "contiguous");
}

TEST(Contracts, ConvertRoundsToNearestEven) {
  Floats x{1.00390625f, 1.01171875f, -1.00390625f};  // ties between BF16 values
  std::vector<bf16> y(3);
  Context context;
  convert(context, view(x), view(y));
  EXPECT_EQ(y[0].bits, 0x3f80);
  EXPECT_EQ(y[1].bits, 0x3f82);
  EXPECT_EQ(y[2].bits, 0xbf80);
}

TEST(Contracts, EmbeddingNamesThePositionOfABadToken) {
  std::vector<std::int32_t> tokens{0, 5, 2};
  Floats table(12), y(9);
  Context context;
  const Tensor t = view(table, {4, 3}), out = view(y, {3, 3});
  expect_error([&] { embedding_forward(context, view(tokens), t, out); }, "token 5 at position 1");
  tokens[1] = -1;
  expect_error([&] { embedding_backward(context, view(tokens), out, t); },
               "token -1 at position 1");
}

TEST(Contracts, EmbeddingAddsRepeatedTokens) {
  std::vector<std::int32_t> tokens{1, 0, 1};
  Floats dy{1, 2, 3, 4, 5, 6}, table{10, 10, 10, 10};
  Context context;
  embedding_backward(context, view(tokens), view(dy, {3, 2}), view(table, {2, 2}));
  expect_near(table, {13, 14, 16, 18}, 0);
}

TEST(Contracts, RmsNormOfAKnownRow) {
  std::vector<double> x{3, 4}, weight{1, 2}, y(2), rstd(1);
  Context context;
  rms_norm_forward(context, view(x, {1, 2}), view(weight), 0.f, view(y, {1, 2}), view(rstd));
  const double r = 1 / std::sqrt(12.5);
  expect_near(y, {3 * r, 8 * r}, 1e-15);
  expect_near(rstd, {r}, 1e-15);
}

TEST(Contracts, RmsNormNamesTheWrongTensor) {
  Floats x(6), weight(2), y(6), rstd(2);
  Context context;
  expect_error(
      [&] {
        rms_norm_forward(context, view(x, {2, 3}), view(weight), 0.f, view(y, {2, 3}), view(rstd));
      },
      "expected weight (3), got F32(2)");
}

TEST(Contracts, SwigluOfAKnownRow) {
  std::vector<double> gate_up{0, std::log(3.0), 5, 2}, y(2);
  Context context;
  swiglu_forward(context, view(gate_up, {1, 4}), {}, {}, view(y, {1, 2}));
  expect_near(y, {0, std::log(3.0) * 0.75 * 2}, 1e-15);
}

// What one device alone had refused, and the other computed with.

TEST(Contracts, DispatchNamesTheWrongNumberOfTokens) {
  std::vector<std::int32_t> picks{0, 0}, offsets(2), row_of_slot(2), slot_of_row(128);
  std::vector<std::int64_t> counts(1);
  const Permutation p{view(counts), view(offsets), view(row_of_slot, {2, 1}), view(slot_of_row),
                      kScaleTile};
  Context context;
  permute_plan(context, view(picks, {2, 1}), p);
  Floats x(3 * 8), scales(128);
  std::vector<f8e4m3> values(128 * 8);
  const Quantised out{view(values, {128, 8}), view(scales, {1, 128}), {}, {}};
  expect_error(
      [&] {
        permute_quantise(context, view(x, {3, 8}), p, out);
      },
      "expected x with 2 tokens");
  permute_quantise(context, view(x).slice(0, 0, 16).reshape({2, 8}), p, out);
}

TEST(Contracts, AdamwThatQuantisesWritesBothLayouts) {
  Floats weight(256), gradient(256), m(256), v(256), scales(1);
  std::vector<double> scale{1};
  std::vector<f8e4m3> values(256);
  const QuantisedWeight one{view(values, {1, 16, 16}), view(scales, {1, 1, 1}), {}, {}};
  Context context;
  const auto cube = [](Floats& x) { return view(x, {1, 16, 16}); };
  expect_error(
      [&] {
        adamw_quantise(context, {}, cube(gradient), view(scale), cube(weight), cube(m), cube(v),
                       one);
      },
      "both layouts");
}

TEST(Contracts, RowsOfExpertsAreContiguous) {
  Floats a(16), b(16), c(16);
  std::vector<std::int32_t> offsets{0, 4};
  Context context;
  expect_error(
      [&] {
        grouped_product(context, view(a, {4, 4}).transpose(0, 1), view(b, {1, 4, 4}), view(offsets),
                        view(c, {4, 4}));
      },
      "must be contiguous");
}

TEST(Contracts, TheLibrarysProductTakesE4M3) {
  Floats a(256), c(256);
  std::vector<f8e4m3> b(256);
  Context context;
  expect_error(
      [&] {
        library_product_fp8(context, view(a, {16, 16}), view(b, {16, 16}), view(c, {16, 16}));
      },
      "expected a of type F8_E4M3");
}

TEST(Contracts, RowsProductsRefuseWhatDoesNotFit) {
  Floats x(8), w(12), y(6), norm(3);
  Context context;
  const Tensor rows = view(x, {2, 4}), weight = view(w, {3, 4}), out = view(y, {2, 3});
  EXPECT_NO_THROW(rows_products(context, rows, {}, 0.f, {}, {weight, out}, {}));
  expect_error(
      [&] {
        rows_products(context, rows, {}, 0.f, {}, {view(w, {4, 3}), out}, {});
      },
      "expected w (*, 4)");
  expect_error(
      [&] {
        rows_products(context, rows, view(norm), 0.f, {}, {weight, out}, {});
      },
      "expected norm (4)");
  expect_error(
      [&] {
        rows_products(context, rows, {}, 0.f, rows, {weight, out}, {});
      },
      "nothing normed");
  expect_error(
      [&] {
        rows_products(context, view(x, {2, 1, 4}), {}, 0.f, {},
                      {view(w, {2, 1, 4}), view(y, {2, 1, 1})}, {weight, out});
      },
      "no second weight");
}

TEST(Contracts, LatentStepNamesTheTokenOfABadSlotOrPosition) {
  Floats q(8), kv(8), norm{1, 1}, cos(3), sin(3), up(4), cache(16), absorbed(8);
  std::vector<std::int32_t> positions{0, 2}, slots{1, 3};
  Context context;
  const auto step = [&] {
    latent_step(context, view(q, {2, 1, 4}), view(kv, {2, 4}), view(norm), 1e-6f, view(positions),
                view(cos, {3, 1}), view(sin, {3, 1}), view(slots), view(up, {1, 2, 2}),
                view(cache, {2, 2, 4}), view(absorbed, {2, 1, 4}));
  };
  EXPECT_NO_THROW(step());
  slots[1] = 4;
  expect_error(step, "the slot of token 1 is outside");
  slots[1] = 0;
  positions[0] = 3;
  expect_error(step, "token 0 has position 3 of 3");
}

TEST(Contracts, FewExpertsPassOverPicksThatAreNone) {
  Floats h{1, 2}, gate_up(8, 0.5f), down(4, 1), activated(4), y{5, 6}, weights{1, 1};
  std::vector<std::int32_t> picks{-2, 7};
  Context context;
  const ExpertWeights experts{view(gate_up, {2, 2, 2}), view(down, {2, 2, 1}), {}, {}};
  few_experts(context, view(h, {1, 2}), view(picks, {1, 2}), view(weights, {1, 2}), experts,
              view(activated, {1, 2, 1}), view(y, {1, 2}));
  EXPECT_EQ(y, (Floats{5, 6}));
  picks = {1, -2};
  few_experts(context, view(h, {1, 2}), view(picks, {1, 2}), view(weights, {1, 2}), experts,
              view(activated, {1, 2, 1}), view(y, {1, 2}));
  const float silu = 1.5f / (1 + std::exp(-1.5f)) * 1.5f;  // gate and up are both 0.5 (1 + 2)
  EXPECT_NEAR(y[0], 5 + silu, 1e-6);
  EXPECT_NEAR(y[1], 6 + silu, 1e-6);
}

TEST(Contracts, ChooseSaysHowManyLogitsAreBroken) {
  Floats logits{0, 1, std::numeric_limits<float>::infinity(), 3, -1, 2};
  std::vector<double> draws(2 * kDrawColumns);
  std::vector<std::int32_t> chosen(2 * kChosenColumns);
  Context context;
  const Tensor given(draws.data(), DType::F64, {2, kDrawColumns});
  choose(context, view(logits, {2, 3}), given, view(chosen, {2, kChosenColumns}));
  EXPECT_EQ(chosen[kChosenBroken], 1);
  EXPECT_EQ(chosen[kChosenId], -1);
  EXPECT_EQ(chosen[kChosenColumns + kChosenBroken], 0);
  EXPECT_EQ(chosen[kChosenColumns + kChosenId], 0);
  expect_error(
      [&] {
        choose(context, view(logits, {3, 2}), given, view(chosen, {2, kChosenColumns}));
      },
      "expected draws (3, 6)");
}

}  // namespace
}  // namespace tessera::kernels
