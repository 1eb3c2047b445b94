// SPDX-License-Identifier: MIT
#include "kernels/cases.h"
#include "kernels/few_rows/few_rows.h"

namespace tessera::kernels {

namespace {
// ---- rows_products

struct RowsShape {
  std::int64_t rows, k, first, second = 0;
};

/// x F32 normed, as layers begin; w of `weight` type.
Case normed_case(const RowsShape& s, DType weight, bool keeps, bool benchmark = false) {
  const bool narrow = weight == DType::BF16 || keeps;
  return {
      .op = "rows_products",
      .label = fmt::format("({}, {}) normed to {} + {}, w {}{}", s.rows, s.k, s.first, s.second,
                           short_name(weight), keeps ? ", kept" : ""),
      .tolerance = narrow ? 4e-3 : 1e-6,
      .flops = 2 * double(s.rows) * double(s.k) * double(s.first + s.second),
      .bytes = double(s.k) * double(s.first + s.second) * double(size_of(weight)),
      .benchmark = benchmark,
      .on_cuda = narrow,
      .same_for_any_threads = !benchmark,
      .body = [=](CaseRun& run) {
        const Tensor x = run.normal({s.rows, s.k}, {.pad = 8, .offset = 0.5});
        const Tensor norm = run.normal({s.k}, {.scale = 0.2, .offset = 1});
        const Tensor w = run.normal({s.first, s.k}, {.dtype = weight, .pad = 8});
        const Tensor y = run.output("y", {s.rows, s.first}, {.pad = 3});
        RowsProduct second;
        if (s.second > 0) {
          second.w = run.normal({s.second, s.k}, {.dtype = weight});
          second.y =
              run.output("second", {s.rows, s.second}, {.dtype = DType::BF16, .tolerance = 6e-3});
        }
        Tensor normed;
        if (keeps) normed = run.output("normed", {s.rows, s.k}, {.dtype = DType::BF16, .pad = 8});
        run.execute([&](Context& c) { rows_products(c, x, norm, 1e-6f, normed, {w, y}, second); });
      }};
}

/// BF16 rows added to what is there.
Case added_case(const RowsShape& s, DType out, bool benchmark = false) {
  return {
      .op = "rows_products",
      .label = fmt::format("({}, {}) added to {} of {}", s.rows, s.k, s.first, short_name(out)),
      .dtype = DType::BF16,
      .tolerance = out == DType::BF16 ? 4e-3 : 1e-5,
      .flops = 2 * double(s.rows) * double(s.k) * double(s.first),
      .bytes = 2 * double(s.k) * double(s.first),
      .dense = {s.rows, s.first, s.k},
      .benchmark = benchmark,
      .same_for_any_threads = !benchmark,
      .body = [=](CaseRun& run) {
        const Tensor x = run.normal({s.rows, s.k}, {.pad = 8}), w = run.normal({s.first, s.k});
        const Tensor y = run.in_out("y", run.normal({s.rows, s.first}, {.dtype = out, .pad = 5}));
        run.execute([&](Context& c) {
          rows_products(c, x, {}, 0.f, {}, {.w = w, .y = y, .add = true}, {});
        });
      }};
}

/// One product per head, over transposed views as attention has them.
Case heads_case(std::int64_t heads, const RowsShape& s) {
  return {.op = "rows_products",
          .label = fmt::format("{} x ({}, {}) to {}", heads, s.rows, s.k, s.first),
          .dtype = DType::BF16,
          .tolerance = 4e-3,
          .same_for_any_threads = true,
          .body = [=](CaseRun& run) {
            const Tensor x = run.normal({s.rows, heads, s.k}).transpose(0, 1);
            const Tensor w = run.normal({heads, s.first + 3, s.k});
            const Tensor y = run.output("y", {s.rows, heads, s.first});
            run.execute([&](Context& c) {
              rows_products(c, x, {}, 0.f, {}, {w.slice(1, 3, s.first + 3), y.transpose(0, 1)}, {});
            });
          }};
}

// ---- latent_step

Case latent_case(std::int64_t rows, std::int64_t heads, std::int64_t c, std::int64_t r, DType query,
                 DType stored, std::int64_t plain = 10) {
  constexpr std::int64_t kPositions = 90, kPages = 3, kPageRows = 16;
  const std::int64_t d = r + plain;
  return {
      .op = "latent_step",
      .label = fmt::format("{} tokens, {} heads, {} + {}, q {}, cache {}", rows, heads, c, r,
                           short_name(query), short_name(stored)),
      .tolerance = query == DType::BF16 || stored == DType::BF16 ? 4e-3 : 2e-6,
      .on_cuda = query == DType::BF16,
      .body = [=](CaseRun& run) {
        const Tensor q = run.normal({rows, heads, d}, {.dtype = query});
        const Tensor kv_a = run.normal({rows, c + r}, {.pad = 2});
        const Tensor up =
            run.normal({heads, plain + 3, c}, {.dtype = query, .scale = 0.3}).slice(1, 0, plain);
        const Tensor norm = run.normal({c}, {.scale = 0.2, .offset = 1});
        const Tensor positions = run.integers(DType::I32, {rows}, 0, kPositions);
        std::vector<double> cosines, sines;
        for (std::int64_t i = 0; i < kPositions * r / 2; ++i) {
          cosines.push_back(std::cos(0.37 * double(i)));
          sines.push_back(std::sin(0.37 * double(i)));
        }
        const TensorOptions fixed{.dtype = DType::F32, .fixed = true};
        const Tensor cos = run.values({kPositions, r / 2}, cosines, fixed);
        const Tensor sin = run.values({kPositions, r / 2}, sines, fixed);
        std::vector<std::int64_t> places;
        for (std::int64_t t = 0; t < rows; ++t) {
          places.push_back((t * 7 + 5) % (kPages * kPageRows));
        }
        const Tensor slots = run.integers(DType::I32, {rows}, places);
        const Tensor cache =
            run.in_out("cache", run.normal({kPages, kPageRows, c + r}, {.dtype = stored}));
        const Tensor absorbed = run.output("absorbed", {rows, heads, c + r}, {.dtype = query});
        run.execute([&](Context& context) {
          latent_step(context, q, kv_a, norm, 1e-6f, positions, cos, sin, slots, up, cache,
                      absorbed);
        });
      }};
}

// ---- few_experts

struct ExpertsShape {
  std::int64_t rows, hidden, experts, top_k, width, shared = 0;
  std::string text() const {
    return fmt::format("({}, {}), {} of {} experts of {}, shared {}", rows, hidden, top_k, experts,
                       width, shared);
  }
  /// Where every token has experts of its own.
  double weight_bytes() const {
    return 6 * double(hidden) * (double(rows * top_k) * double(width) + double(shared));
  }
};

Case experts_case(const ExpertsShape& s, DType dtype, DType out, bool benchmark = false) {
  return {.op = "few_experts",
          .label = s.text() + ", y " + short_name(out),
          .dtype = dtype,
          .tolerance = dtype == DType::BF16 ? 6e-3 : 1e-5,
          .flops = s.weight_bytes(),
          .bytes = s.weight_bytes(),
          .benchmark = benchmark,
          .on_cuda = dtype == DType::BF16,
          .same_for_any_threads = !benchmark,
          .body = [=](CaseRun& run) {
            const double scale = 1 / std::sqrt(double(s.hidden));
            const Tensor h = run.normal({s.rows, s.hidden});
            std::vector<std::int64_t> chosen;
            for (std::int64_t t = 0; t < s.rows; ++t) {
              for (std::int64_t i = 0; i < s.top_k; ++i) {
                chosen.push_back((t * 5 + i * 3) % s.experts);
              }
            }
            if (s.rows > 2) chosen[1] = -2;  // no expert
            const Tensor picks = run.integers(DType::I32, {s.rows, s.top_k}, chosen);
            const Tensor weights = run.uniform({s.rows, s.top_k}, 0.1, 1.5, {.dtype = DType::F32});
            ExpertWeights w;
            w.gate_up = run.normal({s.experts, 2 * s.width, s.hidden}, {.scale = scale});
            w.down = run.normal({s.experts, s.hidden, s.width}, {.scale = scale});
            if (s.shared > 0) {
              w.shared_gate_up = run.normal({2 * s.shared, s.hidden}, {.scale = scale});
              w.shared_down = run.normal({s.hidden, s.shared}, {.scale = scale});
            }
            const Tensor activated = run.temporary({s.rows, w.slots(s.top_k), w.widest()});
            const Tensor y = run.in_out("y", run.normal({s.rows, s.hidden}, {.dtype = out}));
            run.execute([&](Context& c) { few_experts(c, h, picks, weights, w, activated, y); });
          }};
}
}  // namespace

void register_few_rows_cases(CaseList& cases) {
  for (const DType weight : {DType::F32, DType::BF16}) {
    for (const RowsShape& s : {RowsShape{2, 8, 9}, RowsShape{3, 200, 37, 5},
                               RowsShape{8, 1032, 66, 70}, RowsShape{21, 264, 9, 600}}) {
      cases.push_back(normed_case(s, weight, false));
      cases.push_back(normed_case(s, weight, true));
    }
  }
  cases.push_back(normed_case({0, 16, 3}, DType::BF16, true));
  for (const DType out : {DType::F32, DType::BF16}) {
    cases.push_back(added_case({1, 16, 3}, out));
    cases.push_back(added_case({5, 1304, 1001}, out));
    cases.push_back(added_case({64, 512, 40}, out));
  }
  cases.push_back(heads_case(3, {2, 64, 24}));
  cases.push_back(heads_case(5, {9, 512, 128}));
  cases.push_back(latent_case(1, 1, 6, 2, DType::F32, DType::F32));
  cases.push_back(latent_case(5, 2, 33, 8, DType::F32, DType::BF16));
  cases.push_back(latent_case(1, 1, 8, 2, DType::BF16, DType::F32, 1));
  cases.push_back(latent_case(7, 3, 200, 12, DType::BF16, DType::BF16));
  cases.push_back(latent_case(9, 16, 512, 64, DType::BF16, DType::BF16, 128));
  cases.push_back(latent_case(4, 5, 776, 32, DType::BF16, DType::F32, 77));
  for (const ExpertsShape& s :
       {ExpertsShape{1, 16, 4, 2, 8}, ExpertsShape{5, 136, 8, 3, 40, 80},
        ExpertsShape{3, 64, 6, 1, 48, 16}, ExpertsShape{20, 72, 16, 4, 24, 24}}) {
    cases.push_back(experts_case(s, DType::F32, DType::F32));
    cases.push_back(experts_case(s, DType::BF16, DType::F32));
    cases.push_back(experts_case(s, DType::BF16, DType::BF16));
  }
  for (const std::int64_t rows : {1, 8}) {
    cases.push_back(normed_case({rows, 2048, 1024, 576}, DType::BF16, false, true));
    cases.push_back(added_case({rows, 2048, 2048}, DType::F32, true));
    cases.push_back(added_case({rows, 2048, 32768}, DType::F32, true));
    cases.push_back(experts_case({rows, 2048, 64, 8, 768, 768}, DType::BF16, DType::F32, true));
  }
}

}  // namespace tessera::kernels
