// SPDX-License-Identifier: MIT
// bench schedule: orders of work in a pipeline, carried out by ranks that wait instead of
// computing.
#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <numeric>
#include <thread>

#include "app/bench.h"
#include "app/options.h"
#include "app/terminal.h"
#include "core/base/error.h"
#include "core/schedule/timed_waits.h"
#include "core/train/timeline_file.h"
#include "distributed/threads/thread_ranks.h"

namespace tessera::app {

namespace {
constexpr std::array kSchedules{PipelineSchedule::OneForwardOneBackward,
                                PipelineSchedule::Interleaved, PipelineSchedule::ZeroBubble,
                                PipelineSchedule::DualPipe, PipelineSchedule::DualPipeV};

struct ScheduleBench {
  std::vector<std::string> schedules;
  std::int64_t ranks = 4, micro_batches = 16, stages_per_rank = 2;
  double forward = 1, backward = 2, weight = 1, pair = 0, unit_ms = 10;
  std::string timeline;
  bool drawing = false;
};

PipelineSchedule schedule_named(const std::string& name) {
  for (const PipelineSchedule one : kSchedules) {
    if (name_of(one) == name) return one;
  }
  throw Error("bench schedule", fmt::format("no schedule is called {}", name));
}

/// A rank's part of the model costs as much in all schedules, so a stage costs less where a rank
/// holds several.
ActionCosts costs_of_stage(const ScheduleBench& options, const PipelineShape& shape) {
  const double share = static_cast<double>(shape.ranks) / static_cast<double>(shape.stages());
  ActionCosts costs{.forward = share * options.forward,
                    .backward = share * options.backward,
                    .weight = share * options.weight};
  if (options.pair > 0) costs.pair = share * options.pair;
  return costs;
}

/// What each rank did, each a thread.
std::vector<Timeline> carry_out(const Schedule& schedule, const ActionCosts& costs, double unit_s,
                                const std::string& file) {
  const std::vector<Program> programs = programs_of(schedule, Sends::DoNotWait);
  ThreadRanks ranks(schedule.ranks());
  std::vector<Timeline> timelines(programs.size());
  std::vector<std::exception_ptr> problems(programs.size());
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < programs.size(); ++i) {
    threads.emplace_back([&, i] {
      Communicator& rank = ranks.rank(static_cast<int>(i));
      try {
        wait_through(programs[i], costs, unit_s, rank, timelines[i]);
        if (!file.empty()) write_timeline(rank, timelines[i], {}, file);
      } catch (const std::exception& problem) {
        problems[i] = std::current_exception();
        rank.abort(problem.what());
      }
    });
  }
  threads.clear();  // waits for them
  for (const std::exception_ptr& problem : problems) {
    if (problem) std::rethrow_exception(problem);
  }
  return timelines;
}

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// "run.json" and "dualpipe" give "run-dualpipe.json".
std::string file_of(const std::string& file, std::string_view schedule) {
  if (file.empty()) return {};
  const std::filesystem::path path(file);
  return (path.parent_path() /
          fmt::format("{}-{}{}", path.stem().string(), schedule, path.extension().string()))
      .string();
}

std::vector<std::string> bench_one(const ScheduleBench& options, PipelineSchedule which) {
  const PipelineShape shape{
      .schedule = which, .ranks = options.ranks, .stages_per_rank = options.stages_per_rank};
  std::string refusal = shape.refusal();
  if (refusal.empty()) refusal = shape.refusal(options.micro_batches);
  const std::string name(name_of(which));
  if (!refusal.empty()) return {name, "", "", "", "", refusal};
  const Schedule schedule = make_schedule(shape, options.micro_batches);
  const ActionCosts costs = costs_of_stage(options, shape);
  const ScheduleTiming timing = play(schedule, costs);
  const double unit_s = 1e-3 * options.unit_ms;
  const std::vector<Timeline> timelines =
      carry_out(schedule, costs, unit_s, file_of(options.timeline, name));
  const MeasuredIdle measured = measure_idle(timelines);
  if (options.drawing) {
    std::printf("%s\n", name.c_str());
    const double column = unit_s * std::min(1.0, costs.forward);
    const std::vector<std::string> lines = draw_work(timelines, column);
    for (std::size_t rank = 0; rank < lines.size(); ++rank) {
      std::printf("  rank %zu  %s\n", rank, lines[rank].c_str());
    }
  }
  const auto share = [](double idle, double total) {
    return fmt::format("{:.1f} %", 100 * idle / total);
  };
  return {name,
          fmt::format("{:.1f}", timing.total),
          fmt::format("{:.1f}", measured.total_s / unit_s),
          share(mean_of(timing.idle), timing.total),
          share(mean_of(measured.idle_s), measured.total_s),
          fmt::format("{}", *std::max_element(timing.in_flight.begin(), timing.in_flight.end()))};
}

void bench_schedules(const ScheduleBench& options) {
  std::vector<PipelineSchedule> wanted(kSchedules.begin(), kSchedules.end());
  if (!options.schedules.empty()) {
    wanted.clear();
    for (const std::string& name : options.schedules) wanted.push_back(schedule_named(name));
  }
  std::vector<std::vector<std::string>> rows;
  for (const PipelineSchedule one : wanted) rows.push_back(bench_one(options, one));
  std::printf(
      "%lld ranks, %lld micro-batches; a rank's part of the model: forward %g, backward %g, of it "
      "weights %g, each %g ms\n",
      static_cast<long long>(options.ranks), static_cast<long long>(options.micro_batches),
      options.forward, options.backward, options.weight, options.unit_ms);
  std::fputs(table({"schedule", "time", "measured", "idle", "measured", "micro-batches kept"}, rows)
                 .c_str(),
             stdout);
}
}  // namespace

void add_bench_schedule(CLI::App& bench) {
  const auto options = std::make_shared<ScheduleBench>();
  auto* command = bench.add_subcommand(
      "schedule", "Orders of work in a pipeline, with ranks that wait instead of computing");
  std::vector<std::string> names;
  for (const PipelineSchedule one : kSchedules) names.emplace_back(name_of(one));
  command->add_option("schedules", options->schedules, "Which; all where none is named")
      ->check(CLI::IsMember(names));
  command->add_option("--ranks", options->ranks, "Ranks of the pipeline")
      ->check(whole_number(1, 64))
      ->capture_default_str();
  command->add_option("--micro-batches", options->micro_batches, "Micro-batches of a step")
      ->check(whole_number(1, 1024))
      ->capture_default_str();
  command
      ->add_option("--stages-per-rank", options->stages_per_rank,
                   "Stages of each rank, for interleaved alone")
      ->check(whole_number(1, 64))
      ->capture_default_str();
  const auto cost = [&](const char* name, double& value, const char* help) {
    command->add_option(name, value, help)->check(number(0.01, 100))->capture_default_str();
  };
  cost("--forward", options->forward, "Units that a forward takes on a rank's part of the model");
  cost("--backward", options->backward, "Units of a backward, input and weights together");
  cost("--weight", options->weight, "Units of the weights' part of it, less than --backward");
  command
      ->add_option("--pair", options->pair,
                   "Units of an overlapped pair; forward and backward where it is not given")
      ->check(number(0.01, 100));
  command->add_option("--unit-ms", options->unit_ms, "Milliseconds that a unit takes")
      ->check(number(0.1, 1000))
      ->capture_default_str();
  command
      ->add_option("--timeline", options->timeline,
                   "Writes FILE-SCHEDULE for Perfetto or chrome://tracing")
      ->check(file_to_write())
      ->type_name("FILE");
  command->add_flag("--drawing", options->drawing,
                    "Draws each rank's work: F forward, B backward, i gradient of the input, w of "
                    "the weights, X a pair, . idle");
  command->callback([options] {
    if (options->weight >= options->backward) {
      throw CLI::ValidationError("--weight", "must be less than --backward, of which it is a part");
    }
    bench_schedules(*options);
  });
}

}  // namespace tessera::app
