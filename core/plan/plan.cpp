// SPDX-License-Identifier: MIT
#include "core/plan/plan.h"

#include <algorithm>
#include <fstream>

#include "core/base/error.h"
#include "core/spec/batch_unit.h"
#include "core/spec/curriculum.h"

namespace tessera {

namespace {
double ratio(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0;
}
}  // namespace

double CachePlan::share_of_multi_head() const {
  return ratio(latent, multi_head);
}
double CachePlan::share_of_grouped() const {
  return ratio(latent, grouped);
}

CachePlan plan_cache(const ModelConfig& c) {
  CachePlan plan;
  // Standard attention has rotary positions in its keys and no part beside them.
  const std::int64_t per_head = c.qk_nope_head_dim + c.v_head_dim;
  plan.latent = c.num_hidden_layers * (c.kv_lora_rank + c.qk_rope_head_dim);
  plan.multi_head = c.num_hidden_layers * c.num_attention_heads * per_head;
  plan.grouped = c.num_hidden_layers * std::min<std::int64_t>(8, c.num_attention_heads) * per_head;
  return plan;
}

bool Plan::ok() const {
  return std::none_of(problems.begin(), problems.end(),
                      [](const PlanProblem& p) { return p.problem.severity == Severity::Error; });
}

namespace {
/// A number in the first word of a file; 0 where there is none ("max").
std::size_t number_in(const char* file) {
  std::ifstream in(file);
  std::size_t value = 0;
  return in >> value ? value : 0;
}

std::size_t machine_memory() {
  std::ifstream in("/proc/meminfo");
  std::string word;
  std::size_t kib = 0;
  while (in >> word) {
    if (word == "MemAvailable:" && in >> kib) return kib << 10;
  }
  return 0;
}
}  // namespace

std::size_t available_memory() {
  std::size_t bytes = machine_memory();
  const std::size_t limit = number_in("/sys/fs/cgroup/memory.max");
  const std::size_t used = number_in("/sys/fs/cgroup/memory.current");
  if (limit > 0) bytes = std::min(bytes, limit > used ? limit - used : 0);
  return bytes;
}

namespace {
std::vector<SourceTokens> source_tokens(const RunSpec& spec) {
  if (spec.data.sources.empty()) return {};
  const Mixture mixture = run_mixture(spec);
  const auto all = static_cast<double>(Curriculum(spec).total_tokens());
  double sum = 0;
  for (const auto& part : mixture) sum += part.second;
  std::vector<SourceTokens> sources;
  for (const auto& [name, weight] : mixture) sources.push_back({name, all * weight / sum});
  return sources;
}

void count(const RunSpec& spec, const PlanOptions& options, Plan& plan) {
  plan.parameters = plan_parameters(spec.model);
  plan.memory = plan_memory(spec);
  plan.cache = plan_cache(spec.model);
  if (mesh_of(spec.parallel).ranks() > 1) plan.links = plan_links(spec);
  SpeedOptions speed = options.speed;
  speed.first_step = plan.steps_before;
  plan.speed = plan_speed(spec, speed);
  plan.checkpoint_bytes = checkpoint_bytes(spec);
  plan.sources = source_tokens(spec);
  plan.memory_available = options.memory_bytes;
  const bool here =
      !options.elsewhere && spec.host.kind == HostKind::Local && spec.host.device == Device::Cpu;
  if (!plan.memory_available && here && available_memory() > 0) {
    plan.memory_available = available_memory();
  }
  plan.counted = true;
}
}  // namespace

namespace {
void add_fork(const RunSpec& spec, const ForkOf& from, Plan& plan) {
  if (!plan.ok()) return;
  for (PlanProblem& problem : check_fork(spec, from)) plan.problems.push_back(std::move(problem));
  try {
    plan.steps_before = steps_before_fork(from);
    plan.steps_left = std::max<std::int64_t>(0, Curriculum(spec).total_steps() - plan.steps_before);
  } catch (const Error&) {
    return;  // a curriculum without a length: reading the spec has told of it
  }
}
}  // namespace

Plan make_plan(const RunSpec& spec, const std::vector<Problem>& found, const PlanOptions& options) {
  Plan plan;
  for (const Problem& problem : found) {
    plan.problems.push_back({problem, find_fix(spec, problem, options.keep)});
  }
  if (options.fork) add_fork(spec, *options.fork, plan);
  if (!plan.ok()) {
    // What can be told of a spec with problems is told all the same.
    try {
      count(spec, options, plan);
    } catch (const Error&) {
      plan.counted = false;
    }
    return plan;
  }
  try {
    count(spec, options, plan);
  } catch (const Error& error) {
    plan.problems.push_back(
        {{.key = "model", .message = error.what_failed(), .expected = error.hint()}});
    return plan;
  }
  for (PlanProblem& problem : check_plan(spec, plan, options)) {
    plan.problems.push_back(std::move(problem));
  }
  return plan;
}

}  // namespace tessera
