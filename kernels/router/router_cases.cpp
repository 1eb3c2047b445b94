// SPDX-License-Identifier: MIT
#include "kernels/cases.h"
#include "kernels/router/router.h"

namespace tessera::kernels {

namespace {
struct Setting {
  std::string name;
  std::int64_t tokens, experts;
  RouterConfig config;
  std::string text() const { return fmt::format("{}, ({}, {})", name, tokens, experts); }
  bool benchmark() const { return tokens * experts > 500'000; }
  double elements() const { return double(tokens) * double(experts); }
};

/// Values on a coarse grid, so that many are equal in every type and ties are truly tested; or,
/// without ties, all of a token apart by more than finite differences move them.
Tensor logits_of(CaseRun& run, const Setting& s, bool ties) {
  if (s.benchmark()) return run.normal({s.tokens, s.experts});
  std::vector<double> values(static_cast<std::size_t>(s.tokens * s.experts));
  const Tensor drawn = run.integers(DType::I32, {s.tokens, s.experts}, -24, 25);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto index = static_cast<std::int64_t>(i);
    values[i] = 0.125 * double(run.read_integer(drawn, index));
    if (!ties) values[i] += double(index % s.experts) / 4096;
  }
  return run.values({s.tokens, s.experts}, values);
}

Tensor bias_of(CaseRun& run, std::int64_t experts) {
  std::vector<double> values;
  for (std::int64_t e = 0; e < experts; ++e) values.push_back(double(e % 5 - 2) / 64);
  return run.values({experts}, values, {.dtype = DType::F32, .fixed = true});
}

Case forward_case(const Setting& s, DType dtype) {
  return {.op = "router_forward",
          .label = s.text(),
          .dtype = dtype,
          .tolerance = 1e-6,
          .bytes = 2 * s.elements() * double(size_of(dtype)),
          .benchmark = s.benchmark(),
          .body = [=](CaseRun& run) {
            const std::int64_t k = s.config.top_k;
            const Tensor logits = logits_of(run, s, true), bias = bias_of(run, s.experts);
            const Tensor scores = run.output("scores", {s.tokens, s.experts});
            const Tensor picks = run.output("picks", {s.tokens, k}, {.dtype = DType::I32});
            const Tensor weights = run.output("weights", {s.tokens, k});
            run.execute([&](Context& c) {
              router_forward(c, logits, bias, s.config, scores, picks, weights);
            });
          }};
}

Case backward_case(const Setting& s, DType dtype, bool with_d_scores) {
  return {.op = "router_backward",
          .label = s.text() + (with_d_scores ? ", with d_scores" : ""),
          .dtype = dtype,
          .tolerance = 2e-6,
          .bytes = (with_d_scores ? 3 : 2) * s.elements() * double(size_of(dtype)),
          .benchmark = s.benchmark(),
          .body = [=](CaseRun& run) {
            const std::int64_t k = s.config.top_k;
            const Tensor logits = logits_of(run, s, false), bias = bias_of(run, s.experts);
            const Tensor scores = run.temporary({s.tokens, s.experts});
            const Tensor picks = run.temporary({s.tokens, k}, {.dtype = DType::I32});
            const Tensor weights = run.temporary({s.tokens, k});
            router_forward(run.context(), logits, bias, s.config, scores, picks, weights);
            const Tensor d_weights = run.normal({s.tokens, k});
            const Tensor d_given = run.normal({s.tokens, s.experts});
            const Tensor d_scores = with_d_scores ? d_given : Tensor();
            const Tensor d_logits = run.output("d_logits", {s.tokens, s.experts});
            run.execute([&](Context& c) {
              router_backward(c, d_weights, d_scores, scores, picks, s.config, d_logits);
            });
            if (s.benchmark()) return;
            const auto forward = [&](Context& c) {
              router_forward(c, logits, bias, s.config, scores, picks, weights);
            };
            if (with_d_scores) {
              run.check_gradient({{logits, d_logits}}, forward,
                                 {{weights, d_weights}, {scores, d_scores}});
            } else {
              run.check_gradient({{logits, d_logits}}, forward, {{weights, d_weights}});
            }
          }};
}
}  // namespace

void register_router_cases(CaseList& cases) {
  const RouterConfig v3{.groups = 8, .kept_groups = 4, .top_k = 8, .scale = 2.5f};
  RouterConfig v3_transformers = v3;
  v3_transformers.transformers_masking = true;
  const RouterConfig v2{.scoring = Scoring::Softmax,
                        .group_score = GroupScore::Max,
                        .groups = 4,
                        .kept_groups = 2,
                        .top_k = 6,
                        .normalise = false,
                        .scale = 16.f};
  const Setting settings[] = {
      {"no tokens", 0, 4, {.top_k = 2}},
      {"one expert", 3, 1, {.normalise = false}},
      {"all experts", 5, 3, {.top_k = 3}},
      {"plain", 33, 13, {.top_k = 4, .scale = 1.5f}},
      {"softmax", 17, 64, {.scoring = Scoring::Softmax, .top_k = 6, .normalise = false}},
      {"V2", 20, 160, v2},
      {"V3", 40, 256, v3},
      {"V3, transformers", 40, 256, v3_transformers},
      {"in turn", 29, 12, {.top_k = 5, .scale = 1.5f, .in_turn = true}},
      {"V3", 4096, 256, v3},
  };
  const Setting small_experts{"64 experts", 32768, 64, v3};
  cases.push_back(forward_case(small_experts, DType::F32));
  cases.push_back(backward_case(small_experts, DType::F32, false));
  for (const Setting& setting : settings) {
    cases.push_back(forward_case(setting, DType::F32));
    cases.push_back(backward_case(setting, DType::F32, false));
    cases.push_back(backward_case(setting, DType::F32, true));
  }
  cases.push_back(forward_case(settings[6], DType::F64));
}

}  // namespace tessera::kernels
