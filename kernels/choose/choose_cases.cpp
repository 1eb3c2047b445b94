// SPDX-License-Identifier: MIT
#include "kernels/cases.h"
#include "kernels/choose/choose.h"

namespace tessera::kernels {

namespace {
struct Draws {
  double scale, top_k = 0, top_p = 1, min_p = 0, vocabulary = 0;
};

/// Rows with draws spread over [0, 1), ends included.
Case choose_case(const char* what, std::int64_t rows, std::int64_t width, const Draws& draws,
                 double spread = 2, bool benchmark = false) {
  return {.op = "choose",
          .label = fmt::format("({}, {}) {}", rows, width, what),
          .tolerance = 0,
          .bytes = 4 * double(rows) * double(width),
          .benchmark = benchmark,
          .same_for_any_threads = !benchmark,
          .body = [=](CaseRun& run) {
            const Tensor logits = run.normal({rows, width}, {.pad = 3, .scale = spread});
            std::vector<double> values;
            for (std::int64_t row = 0; row < rows; ++row) {
              const double uniform = row + 1 == rows ? 1 - 0x1p-53 : double(row) / double(rows);
              values.insert(values.end(), {draws.scale, draws.top_k, draws.top_p, draws.min_p,
                                           uniform, draws.vocabulary});
            }
            const Tensor given = run.values({rows, std::int64_t{kDrawColumns}}, values,
                                            {.dtype = DType::F64, .fixed = true});
            const Tensor chosen = run.output("chosen", {rows, std::int64_t{kChosenColumns}},
                                             {.dtype = DType::I32, .fixed = true});
            run.execute([&](Context& c) { choose(c, logits, given, chosen); });
          }};
}

/// Equal logits: ids decide.
Case ties(std::int64_t width) {
  return {.op = "choose",
          .label = fmt::format("{} equal logits", width),
          .tolerance = 0,
          .body = [=](CaseRun& run) {
            const Tensor logits = run.uniform({6, width}, 1.5, 1.5);
            const Tensor given = run.values({6, std::int64_t{kDrawColumns}},
                                            {0, 0, 1,   0, .9, 0, 1, 0, 1, 0, 0,   0,  //
                                             1, 0, 1,   0, .5, 0, 1, 3, 1, 0, .99, 0,  //
                                             1, 0, .25, 0, .9, 0, 1, 0, 1, 1, .75, 5},
                                            {.dtype = DType::F64, .fixed = true});
            const Tensor chosen = run.output("chosen", {6, std::int64_t{kChosenColumns}},
                                             {.dtype = DType::I32, .fixed = true});
            run.execute([&](Context& c) { choose(c, logits, given, chosen); });
          }};
}
}  // namespace

void register_choose_cases(CaseList& cases) {
  cases.push_back(choose_case("likeliest", 3, 1, {0}));
  cases.push_back(choose_case("likeliest", 5, 1030, {0}));
  cases.push_back(choose_case("likeliest of some", 5, 1030, {.scale = 0, .vocabulary = 1000}));
  cases.push_back(choose_case("all", 40, 777, {1}));
  cases.push_back(choose_case("hot", 40, 777, {.scale = 0.01}));
  cases.push_back(choose_case("cold", 40, 777, {.scale = 1e6}));
  cases.push_back(choose_case("scale beyond numbers", 4, 50, {.scale = 1.7e308}));
  cases.push_back(choose_case("top-k", 40, 3000, {.scale = 1, .top_k = 20}));
  cases.push_back(choose_case("top-k 1", 4, 3000, {.scale = 1, .top_k = 1}));
  cases.push_back(choose_case("top-k beyond all", 4, 30, {.scale = 1, .top_k = 1e15}));
  cases.push_back(choose_case("top-p", 40, 3000, {.scale = 1.25, .top_p = 0.95}));
  cases.push_back(choose_case("tiny top-p", 4, 3000, {.scale = 1, .top_p = 1e-9}));
  cases.push_back(choose_case("min-p", 40, 3000, {.scale = 1, .min_p = 0.1}));
  cases.push_back(choose_case("min-p 1", 4, 3000, {.scale = 1, .min_p = 1}));
  cases.push_back(
      choose_case("everything", 40, 3000,
                  {.scale = 1.4, .top_k = 50, .top_p = 0.9, .min_p = 0.02, .vocabulary = 2990}));
  cases.push_back(choose_case("flat", 40, 3000, {.scale = 1, .top_p = 0.5}, 1e-6));
  cases.push_back(ties(1));
  cases.push_back(ties(7));
  cases.push_back(ties(2500));
  for (const std::int64_t rows : {1, 64}) {
    cases.push_back(choose_case("likeliest", rows, 32768, {0}, 2, true));
    cases.push_back(choose_case("top-p", rows, 32768, {.scale = 1.25, .top_p = 0.95}, 2, true));
  }
  cases.push_back(choose_case("top-p", 1, 163840, {.scale = 1.25, .top_p = 0.95}, 2, true));
}

}  // namespace tessera::kernels
