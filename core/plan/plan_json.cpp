// SPDX-License-Identifier: MIT
#include <nlohmann/json.hpp>

#include "core/plan/plan.h"

namespace tessera {

namespace {
nlohmann::json problem_json(const PlanProblem& p) {
  nlohmann::json o = {{"key", p.problem.key},
                      {"message", p.problem.message},
                      {"severity", p.problem.severity == Severity::Error ? "error" : "warning"}};
  if (!p.problem.expected.empty()) o["expected"] = p.problem.expected;
  if (!p.fix) return o;
  nlohmann::json settings = nlohmann::json::object();
  for (const auto& [key, value] : p.fix->settings) settings[key] = value;
  o["fix"] = {{"set", settings}};
  if (!p.fix->rename_to.empty()) o["fix"]["rename_to"] = p.fix->rename_to;
  return o;
}

nlohmann::json speed_json(const SpeedPlan& s) {
  nlohmann::json stages = nlohmann::json::array();
  for (const StagePlan& stage : s.stages) {
    stages.push_back({{"name", stage.name},
                      {"steps", stage.steps},
                      {"tokens", stage.tokens},
                      {"sequence_length", stage.sequence_length},
                      {"batch_sequences", stage.batch_sequences},
                      {"flops_per_token", stage.flops_per_token},
                      {"tokens_per_second", stage.tokens_per_second},
                      {"step_seconds", stage.step_seconds},
                      {"idle_share", stage.idle_share},
                      {"seconds", stage.seconds}});
  }
  return {{"basis", name_of(s.basis)},
          {"source", s.source},
          {"operations", operations_formula()},
          {"flops_per_token", s.flops_per_token},
          {"flops_per_second_and_device", s.flops_per_device},
          {"ranks", s.ranks},
          {"devices", s.devices},
          {"tokens_per_second", s.tokens_per_second},
          {"step_seconds", s.step_seconds},
          {"steps", s.steps},
          {"tokens", s.tokens},
          {"seconds", s.seconds},
          {"device_hours", s.device_hours},
          {"price_per_hour", s.price_per_hour},
          {"cost", s.cost},
          {"stages", stages}};
}

nlohmann::json parameters_json(const ParameterPlan& p) {
  nlohmann::json groups = nlohmann::json::array();
  for (const ParameterGroup& g : p.groups) {
    groups.push_back({{"id", g.id}, {"name", g.name}, {"total", g.total}, {"active", g.active}});
  }
  return {{"total", p.total}, {"active", p.active}, {"mtp", p.mtp}, {"groups", groups}};
}

nlohmann::json memory_json(const Plan& plan) {
  nlohmann::json terms = nlohmann::json::array();
  for (const MemoryTerm& term : plan.memory.terms) {
    terms.push_back({{"id", term.id}, {"name", term.name}, {"bytes", term.bytes}});
  }
  nlohmann::json o = {{"total_bytes", plan.memory.total_bytes},
                      {"terms", terms},
                      {"stage", plan.memory.stage},
                      {"pipeline_part", plan.memory.part},
                      {"exact", plan.memory.exact},
                      {"notes", plan.memory.notes}};
  if (plan.memory.context_bytes > 0) o["context_bytes_per_step"] = plan.memory.context_bytes;
  o["recompute"] = nlohmann::json::array();
  for (const RecomputeChoice& choice : plan.memory.recompute) {
    o["recompute"].push_back({{"id", choice.id},
                              {"name", choice.name},
                              {"chosen", choice.chosen},
                              {"saved_bytes", choice.saved_bytes},
                              {"flops_per_token", choice.flops_per_token},
                              {"share_of_step", choice.share_of_step}});
  }
  o["available_bytes"] =
      plan.memory_available ? nlohmann::json(*plan.memory_available) : nlohmann::json();
  return o;
}

nlohmann::json links_json(const LinkPlan& links) {
  return {{"ranks", links.mesh.ranks()},
          {"pipeline_bytes", links.pipeline_bytes},
          {"weight_bytes", links.weight_bytes},
          {"expert_bytes", links.expert_bytes},
          {"ranks_per_token", links.ranks_per_token}};
}
}  // namespace

nlohmann::json to_json(const Plan& plan) {
  nlohmann::json problems = nlohmann::json::array();
  for (const PlanProblem& p : plan.problems) problems.push_back(problem_json(p));
  nlohmann::json o = {{"ok", plan.ok()}, {"problems", problems}};
  if (!plan.counted) return o;
  o["parameters"] = parameters_json(plan.parameters);
  o["memory"] = memory_json(plan);
  o["cache_values_per_token"] = {{"latent", plan.cache.latent},
                                 {"multi_head", plan.cache.multi_head},
                                 {"grouped_8", plan.cache.grouped}};
  if (plan.links) o["sent_by_a_rank_in_a_step"] = links_json(*plan.links);
  o["checkpoint_bytes"] = plan.checkpoint_bytes;
  o["speed"] = speed_json(plan.speed);
  o["sources"] = nlohmann::json::array();
  for (const SourceTokens& source : plan.sources) {
    o["sources"].push_back({{"name", source.name}, {"tokens", source.tokens}});
  }
  return o;
}

}  // namespace tessera
