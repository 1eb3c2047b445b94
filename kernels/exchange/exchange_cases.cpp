// SPDX-License-Identifier: MIT
#include "kernels/cases.h"
#include "kernels/exchange/exchange.h"

namespace tessera::kernels {

namespace {
struct Setting {
  std::int64_t tokens, top_k, experts, ranks;
  std::int64_t each() const { return experts / ranks; }
  std::int64_t width() const { return std::min(top_k, ranks); }
  std::string text() const {
    return fmt::format("{} tokens, top {} of {} on {} ranks", tokens, top_k, experts, ranks);
  }
  bool benchmark() const { return tokens > 4000; }
};

/// Distinct experts for each token.
Tensor picks_of(CaseRun& run, const Setting& s) {
  std::vector<std::int64_t> picks;
  for (std::int64_t t = 0; t < s.tokens; ++t) {
    const std::int64_t step = 1 + 2 * (t % (s.experts > 2 ? s.experts / 2 : 1));
    for (std::int64_t i = 0; i < s.top_k; ++i) picks.push_back((t * 7 + i * step) % s.experts);
  }
  return run.integers(DType::I32, {s.tokens, s.top_k}, picks);
}

/// Uneven runs of tokens, the second rank's empty.
Tensor starts_of(CaseRun& run, const Setting& s) {
  std::vector<std::int64_t> starts{0};
  for (std::int64_t r = 1; r <= s.ranks; ++r) {
    starts.push_back(r == s.ranks ? s.tokens : s.tokens * (r == 2 ? 1 : r) / (2 * s.ranks));
  }
  return run.integers(DType::I32, {s.ranks + 1}, starts);
}

Case rank_case(const Setting& s) {
  return {.op = "rank_picks",
          .label = s.text(),
          .bytes = double(s.tokens * (s.top_k + s.width())) * 4,
          .benchmark = s.benchmark(),
          .same_for_any_threads = true,
          .body = [=](CaseRun& run) {
            const Tensor picks = picks_of(run, s);
            const Tensor ranks = run.output("ranks", {s.tokens, s.width()}, {.dtype = DType::I32});
            run.execute([&](Context& c) { rank_picks(c, picks, s.each(), ranks); });
          }};
}

Case held_case(const Setting& s, bool apart) {
  return {
      .op = "held_picks",
      .label = s.text() + (apart ? ", apart" : ""),
      .bytes = double(s.tokens * s.top_k) * 8,
      .benchmark = s.benchmark(),
      .same_for_any_threads = true,
      .body = [=](CaseRun& run) {
        const Tensor picks = picks_of(run, s);
        const Tensor starts = apart ? starts_of(run, s) : Tensor();
        const Tensor groups = run.output("groups", {s.tokens, s.top_k}, {.dtype = DType::I32});
        run.execute([&](Context& c) { held_picks(c, picks, s.each(), s.each(), starts, groups); });
      }};
}

Case sources_case(const Setting& s) {
  return {.op = "row_sources",
          .label = s.text(),
          .bytes = double(s.tokens * s.top_k) * 8,
          .benchmark = s.benchmark(),
          .same_for_any_threads = true,
          .body = [=](CaseRun& run) {
            const Tensor picks = picks_of(run, s), starts = starts_of(run, s);
            const std::int64_t rows = max_permuted_rows(s.tokens, s.top_k, s.experts);
            const Permutation p{
                run.output("counts", {s.experts}, {.dtype = DType::I64}),
                run.output("offsets", {s.experts + 1}, {.dtype = DType::I32}),
                run.output("row_of_slot", {s.tokens, s.top_k}, {.dtype = DType::I32}),
                run.output("slot_of_row", {rows}, {.dtype = DType::I32})};
            permute_plan(run.context(), picks, p);
            const Tensor sources = run.output("sources", {rows, 1}, {.dtype = DType::I32});
            run.execute([&](Context& c) { row_sources(c, p, starts, sources); });
          }};
}
}  // namespace

void register_exchange_cases(CaseList& cases) {
  for (const Setting& s : {Setting{0, 2, 4, 2}, Setting{40, 2, 8, 2}, Setting{33, 8, 64, 4},
                           Setting{100, 6, 64, 8}, Setting{8192, 8, 256, 8}}) {
    cases.push_back(rank_case(s));
    cases.push_back(held_case(s, false));
    cases.push_back(held_case(s, true));
    cases.push_back(sources_case(s));
  }
}

}  // namespace tessera::kernels
