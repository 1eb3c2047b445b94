// SPDX-License-Identifier: MIT
// plan: what a run will need, before it starts.
#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "app/commands.h"
#include "app/terminal.h"
#include "core/base/backend.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/config/paths.h"
#include "core/plan/plan.h"

namespace tessera::app {

namespace fs = std::filesystem;

namespace {
struct PlanCommand {
  std::string spec;
  std::vector<std::string> settings, more_settings;
  bool json = false;
  double price = 2, tokens_per_second = 0, memory_gb = 0;
};

SpecReading read_what_to_plan(const PlanCommand& options) {
  std::vector<std::string> settings = options.settings;
  settings.insert(settings.end(), options.more_settings.begin(), options.more_settings.end());
  fs::path file = options.spec;
  if (fs::is_directory(file)) file /= "run.toml";
  const bool is_preset = !fs::exists(file) && options.spec.find('/') == std::string::npos &&
                         !options.spec.ends_with(".toml");
  SpecReading reading = is_preset ? read_preset(options.spec, settings) : read_spec(file, settings);
  make_paths_absolute(reading.spec, is_preset ? resources_folder() : file.parent_path());
  return reading;
}

/// What was measured here, the newest run of the same model last.
std::vector<Measurement> measurements(const RunSpec& spec) {
  std::vector<Measurement> all = read_measurements();
  try {
    Library library;
    library.refresh();
    if (const auto run = measured_run(spec, library)) all.push_back(*run);
  } catch (const Error& error) {
    log::warning("{}", error.what());
  }
  return all;
}

std::string bytes(std::size_t value) {
  return byte_count(static_cast<double>(value));
}

std::string percent(double part, double whole) {
  return whole > 0 ? fmt::format("{:.1f} %", 100 * part / whole) : "";
}

void print_parameters(const ParameterPlan& p) {
  std::vector<std::vector<std::string>> rows;
  for (const ParameterGroup& g : p.groups) {
    rows.push_back({g.name, count(static_cast<double>(g.total)),
                    count(static_cast<double>(g.active)),
                    percent(static_cast<double>(g.total), static_cast<double>(p.total))});
  }
  rows.push_back(
      {"all", count(static_cast<double>(p.total)), count(static_cast<double>(p.active)), ""});
  std::fputs(table({"parameters", "total", "active", "share"}, rows).c_str(), stdout);
  if (p.mtp > 0) std::printf("MTP adds %s of its own\n", count(static_cast<double>(p.mtp)).c_str());
}

void print_memory(const Plan& plan) {
  std::vector<std::vector<std::string>> rows;
  for (const MemoryTerm& term : plan.memory.terms) {
    rows.push_back({term.name, bytes(term.bytes)});
  }
  rows.push_back({"all", bytes(plan.memory.total_bytes)});
  std::printf("\n%s", table({"memory of a rank", ""}, rows).c_str());
  std::printf("%s%s\n", plan.memory.exact ? "exact: a dry run of the step" : "an estimate",
              plan.memory_available
                  ? fmt::format("; {} available", bytes(*plan.memory_available)).c_str()
                  : "");
  for (const std::string& note : plan.memory.notes) std::printf("(%s)\n", note.c_str());
  if (const std::int64_t sent = plan.memory.context_bytes; sent > 0) {
    std::printf("(ranks that share sequences send each other %s of latents in a step)\n",
                bytes(static_cast<std::size_t>(sent)).c_str());
  }
  std::printf("a checkpoint: %s\n", bytes(plan.checkpoint_bytes).c_str());
}

/// What each choice of recomputation does.
void print_recompute(const MemoryPlan& memory) {
  std::vector<std::vector<std::string>> rows;
  for (const RecomputeChoice& choice : memory.recompute) {
    const double saved = static_cast<double>(choice.saved_bytes);
    rows.push_back({choice.id, choice.name, (saved < 0 ? "-" : "") + byte_count(std::abs(saved)),
                    count(choice.flops_per_token) + " operations",
                    fmt::format("{:.1f} %", 100 * choice.share_of_step),
                    choice.chosen ? "chosen" : ""});
  }
  std::printf("\n%s", table({"parallel.recompute", "made again in backward", "saves", "a token",
                             "of a step", ""},
                            rows)
                          .c_str());
}

/// What a rank sends to others in a step.
void print_links(const LinkPlan& links) {
  std::vector<std::vector<std::string>> rows;
  const auto add = [&](const char* what, double sent, const std::string& more) {
    if (sent > 0) rows.push_back({what, byte_count(sent), more});
  };
  add("to neighbours in the pipeline", links.pipeline_bytes, "");
  add("gradients and weights", links.weight_bytes, "");
  add("to experts and back", links.expert_bytes,
      fmt::format("about: a token's experts are on {:.2f} of {} ranks", links.ranks_per_token,
                  links.mesh.expert));
  if (rows.empty()) return;
  std::printf("\n%s", table({"sent by a rank in a step", "", ""}, rows).c_str());
}

void print_speed(const SpeedPlan& s) {
  std::printf("\n%.3g GFLOP per token (%s)\n", s.flops_per_token / 1e9,
              operations_formula().c_str());
  if (s.basis == SpeedBasis::None) {
    std::printf("tokens/s: %s\n", s.source.c_str());
    return;
  }
  const char* share = s.devices < s.ranks ? " that share this machine's cores" : "";
  std::printf("%s tokens/s on %lld rank%s%s, %s (%s)\n", count(s.tokens_per_second).c_str(),
              static_cast<long long>(s.ranks), s.ranks == 1 ? "" : "s", share,
              std::string(name_of(s.basis)).c_str(), s.source.c_str());
  std::vector<std::vector<std::string>> rows;
  for (const StagePlan& stage : s.stages) {
    rows.push_back({stage.name, std::to_string(stage.steps),
                    count(static_cast<double>(stage.tokens)), count(stage.tokens_per_second),
                    fmt::format("{:.3g} s", stage.step_seconds), duration(stage.seconds)});
  }
  rows.push_back({"all", std::to_string(s.steps), count(static_cast<double>(s.tokens)), "", "",
                  duration(s.seconds)});
  std::fputs(table({"stage", "steps", "tokens", "tokens/s", "step", "time"}, rows).c_str(), stdout);
  for (const StagePlan& stage : s.stages) {
    if (stage.idle_share == 0) continue;
    std::printf("%s: ranks of the pipeline wait for each other %.1f %% of a step\n",
                stage.name.c_str(), 100 * stage.idle_share);
  }
  std::printf(
      "%s device hours: %s $ at %.2f $ an hour\n",
      (s.device_hours < 1000 ? fmt::format("{:.3g}", s.device_hours) : count(s.device_hours))
          .c_str(),
      s.cost < 1000 ? fmt::format("{:.2f}", s.cost).c_str() : count(s.cost).c_str(),
      s.price_per_hour);
}

void print_sources(const std::vector<SourceTokens>& sources) {
  if (sources.empty()) return;
  double all = 0;
  for (const SourceTokens& source : sources) all += source.tokens;
  std::vector<std::vector<std::string>> rows;
  for (const SourceTokens& source : sources) {
    rows.push_back({source.name, count(source.tokens), percent(source.tokens, all)});
  }
  std::printf("\n%s", table({"source", "tokens read", "share"}, rows).c_str());
}

void print_problems(const Plan& plan) {
  for (const PlanProblem& p : plan.problems) {
    std::printf("\n%s%s", p.problem.text().c_str(), p.fix ? "" : "\n");
    if (!p.fix) continue;
    std::printf("\n  fix:");
    for (const auto& [key, value] : p.fix->settings) {
      std::printf(" --set '%s=%s'", key.c_str(), value.c_str());
    }
    std::printf("%s\n", p.fix->rename_to.empty() ? "" : (" " + p.fix->text()).c_str());
  }
}

/// Memory of the GPU where the spec asks for one that is here.
void look_at_gpu(const RunSpec& spec, PlanOptions& options) {
  if (spec.host.device != Device::Cuda || spec.host.kind != HostKind::Local) return;
  const std::vector<DeviceInfo> gpus = devices();
  if (!gpus.empty()) options.memory_bytes = gpus.front().memory_bytes;
}

void plan(const PlanCommand& options) {
  const SpecReading reading = read_what_to_plan(options);
  PlanOptions plan_options;
  plan_options.speed.price_per_hour = options.price;
  plan_options.speed.tokens_per_second = options.tokens_per_second;
  plan_options.speed.measurements = measurements(reading.spec);
  look_at_gpu(reading.spec, plan_options);
  if (options.memory_gb > 0) {
    plan_options.memory_bytes = static_cast<std::size_t>(options.memory_gb * 1e9);
  }
  const Plan result = make_plan(reading.spec, reading.problems, plan_options);
  if (options.json) {
    std::printf("%s\n", to_json(result).dump(2).c_str());
  } else {
    if (result.counted) {
      print_parameters(result.parameters);
      print_memory(result);
      print_recompute(result.memory);
      const CachePlan& c = result.cache;
      std::printf(
          "cache per token: %s values; %.1f %% of standard attention's %s, %.1f %% of %s "
          "with 8 groups\n",
          count(static_cast<double>(c.latent)).c_str(), 100 * c.share_of_multi_head(),
          count(static_cast<double>(c.multi_head)).c_str(), 100 * c.share_of_grouped(),
          count(static_cast<double>(c.grouped)).c_str());
      if (result.links) print_links(*result.links);
      print_speed(result.speed);
      print_sources(result.sources);
    }
    print_problems(result);
  }
  if (!result.ok()) throw Exit{1};
}
}  // namespace

void add_plan(CLI::App& app) {
  auto* command = app.add_subcommand("plan", "Memory, speed, time and cost of a run to be");
  auto options = std::make_shared<PlanCommand>();
  command->add_option("spec", options->spec, "A TOML file, a run folder, or the name of a preset")
      ->required();
  command->add_option("overrides", options->more_settings, "KEY=VALUE, as --set takes them");
  command->add_option("--set", options->settings, "Override a key")->type_name("KEY=VALUE");
  command->add_flag("--json", options->json, "As one JSON object");
  command->add_option("--price", options->price, "Of one rank's hour")->capture_default_str();
  command->add_option("--tokens-per-second", options->tokens_per_second,
                      "Plan with this speed instead of a measured one");
  command->add_option("--memory", options->memory_gb, "What a rank may use, in GB");
  command->callback([options] { plan(*options); });
}

}  // namespace tessera::app
