// SPDX-License-Identifier: MIT
#include "kernels/balance/balance.h"
#include "kernels/balance/balance_parts.h"
#include "kernels/cases.h"

namespace tessera::kernels {

namespace {
struct Setting {
  std::int64_t experts;
  int top_k;
  std::vector<std::int64_t> starts;
  std::int64_t tokens() const { return starts.back(); }
  std::string text() const {
    return fmt::format("({}, {}) in {} sequences, top {}", tokens(), experts, starts.size() - 1,
                       top_k);
  }
  bool benchmark() const { return tokens() * experts > 500'000; }
};

Case sequence_case(const Setting& s, DType dtype) {
  return {.op = "sequence_balance",
          .label = s.text(),
          .dtype = dtype,
          .tolerance = 1e-6,
          .bytes = 2 * double(s.tokens()) * double(s.experts) * double(size_of(dtype)),
          .benchmark = s.benchmark(),
          .same_for_any_threads = !s.benchmark(),
          .body = [=](CaseRun& run) {
            const double alpha = 0.01, gradient_scale = 3;
            const Tensor scores = run.uniform({s.tokens(), s.experts}, 0.01, 1);
            const Tensor starts =
                run.integers(DType::I32, {static_cast<std::int64_t>(s.starts.size())}, s.starts);
            const Tensor loss = run.output("loss", {1}, {.dtype = DType::F64, .fixed = true});
            const Tensor d_scores = run.output("d_scores", {s.tokens(), s.experts});
            run.execute([&](Context& c) {
              sequence_balance(c, scores, starts, s.top_k, alpha, gradient_scale, loss, d_scores);
            });
            if (s.benchmark()) return;
            // f_i counts picks, so it is constant where the loss has a gradient.
            const Tensor cotangent = run.values({1}, {gradient_scale});
            const Tensor again = run.temporary({1});
            const Tensor unused = run.temporary({s.tokens(), s.experts});
            run.check_gradient({{scores, d_scores}},
                               [&](Context& c) {
                                 sequence_balance(c, scores, starts, s.top_k, alpha, 1, again,
                                                  unused);
                               },
                               {{again, cotangent}});
          }};
}

Case sequence_picks_case(const Setting& s, DType dtype) {
  return {.op = "sequence_picks",
          .label = s.text(),
          .dtype = dtype,
          .on_cuda = false,
          .same_for_any_threads = true,
          .body = [=](CaseRun& run) {
            const auto rows = static_cast<std::int64_t>(s.starts.size());
            const Tensor scores = run.uniform({s.tokens(), s.experts}, 0.01, 1);
            const Tensor starts = run.integers(DType::I32, {rows}, s.starts);
            const Tensor counts =
                run.output("counts", {rows - 1, s.experts}, {.dtype = DType::I64, .fixed = true});
            run.execute([&](Context& c) { sequence_picks(c, scores, starts, s.top_k, counts); });
          }};
}

/// Sequences of which these tokens are a third.
Case balance_part_case(const Setting& s, DType dtype) {
  return {.op = "sequence_balance_part",
          .label = s.text() + ", a part",
          .dtype = dtype,
          .tolerance = 1e-6,
          .on_cuda = false,
          .same_for_any_threads = true,
          .body = [=](CaseRun& run) {
            const auto rows = static_cast<std::int64_t>(s.starts.size());
            std::vector<std::int64_t> whole;
            for (std::size_t i = 1; i < s.starts.size(); ++i) {
              whole.push_back(3 * (s.starts[i] - s.starts[i - 1]));
            }
            const double alpha = 0.01, gradient_scale = 3;
            const Tensor scores = run.uniform({s.tokens(), s.experts}, 0.01, 1);
            const Tensor starts = run.integers(DType::I32, {rows}, s.starts);
            const Tensor lengths = run.integers(DType::I32, {rows - 1}, whole);
            const Tensor counts = run.integers(DType::I64, {rows - 1, s.experts}, 0, 7);
            const Tensor loss = run.output("loss", {1}, {.dtype = DType::F64, .fixed = true});
            const Tensor d_scores = run.output("d_scores", {s.tokens(), s.experts});
            run.execute([&](Context& c) {
              sequence_balance_part(c, scores, starts, lengths, counts, s.top_k, alpha,
                                    gradient_scale, loss, d_scores);
            });
            const Tensor cotangent = run.values({1}, {gradient_scale});
            const Tensor again = run.temporary({1});
            const Tensor unused = run.temporary({s.tokens(), s.experts});
            run.check_gradient({{scores, d_scores}},
                               [&](Context& c) {
                                 sequence_balance_part(c, scores, starts, lengths, counts, s.top_k,
                                                       alpha, 1, again, unused);
                               },
                               {{again, cotangent}});
          }};
}

Case bias_case(const char* name, BiasUpdate rule, const std::vector<std::int64_t>& given) {
  return {.op = "bias_update",
          .label = fmt::format("{} experts, {}", given.size(), name),
          .tolerance = 0,  // all devices give the same bits
          .body = [=](CaseRun& run) {
            const auto experts = static_cast<std::int64_t>(given.size());
            const Tensor counts = run.integers(DType::I64, {experts}, given);
            const Tensor bias = run.in_out(
                "bias", run.normal({experts}, {.dtype = DType::F32, .fixed = true, .scale = 0.1}));
            run.execute([&](Context& c) { bias_update(c, counts, 1e-3f, rule, bias); });
          }};
}

/// Loads as of a step of 2^22 slots: some at the mean exactly, some far from it.
std::vector<std::int64_t> uneven_counts(std::int64_t experts) {
  std::vector<std::int64_t> counts;
  const std::int64_t mean = (std::int64_t{1} << 22) / experts;
  for (std::int64_t e = 0; e < experts; ++e) {
    const std::int64_t away = e % 7 == 0 ? 0 : e * 2654435761 % (2 * mean) - mean;
    counts.push_back(mean + away);
  }
  return counts;
}
}  // namespace

void register_balance_cases(CaseList& cases) {
  std::vector<std::int64_t> long_starts;
  for (std::int64_t start = 0; start <= 8192; start += 1024) long_starts.push_back(start);
  for (const Setting& setting : {Setting{4, 2, {0}}, Setting{4, 2, {0, 0, 0}},
                                 Setting{1, 1, {0, 1}}, Setting{13, 3, {0, 5, 5, 6, 30}},
                                 Setting{64, 6, {0, 200, 450}}, Setting{256, 8, long_starts}}) {
    cases.push_back(sequence_case(setting, DType::F32));
  }
  cases.push_back(sequence_case({13, 3, {0, 5, 5, 6, 30}}, DType::F64));
  for (const Setting& setting : {Setting{4, 2, {0}}, Setting{4, 2, {0, 0, 0}},
                                 Setting{1, 1, {0, 1}}, Setting{13, 3, {0, 5, 5, 6, 30}}}) {
    cases.push_back(sequence_picks_case(setting, DType::F32));
    cases.push_back(balance_part_case(setting, DType::F32));
  }
  for (BiasUpdate rule : {BiasUpdate::Sign, BiasUpdate::Utilisation}) {
    const char* name = rule == BiasUpdate::Sign ? "sign" : "utilisation";
    cases.push_back(bias_case(name, rule, {5, 0, 3, 4, 3}));
    cases.push_back(bias_case(name, rule, {7}));
    cases.push_back(bias_case(name, rule, {0, 0, 0}));
    cases.push_back(bias_case(name, rule, {5'000'000'001, 5'000'000'000, 4'999'999'999}));
    cases.push_back(bias_case(name, rule, uneven_counts(160)));
    cases.push_back(bias_case(name, rule, uneven_counts(256)));
    cases.push_back(bias_case(name, rule, uneven_counts(1500)));  // more than a block has threads
  }
}

}  // namespace tessera::kernels
