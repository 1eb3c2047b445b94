// SPDX-License-Identifier: MIT
// sweep: many runs that differ in a few keys, and what came of them.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

#include "app/commands.h"
#include "app/queue.h"
#include "app/sweep_stops.h"
#include "app/terminal.h"
#include "core/base/error.h"
#include "core/history/library.h"
#include "core/launch/sweep_start.h"

namespace tessera::app {

namespace {
struct SweepOptions {
  std::string spec, tag, rule = "none", shown;
  std::vector<std::string> axes;
  std::int64_t random = 0, seeds = 1, after = 0, draws_seed = 1;
  bool dry = false, json = false;
};

SweepOrder sweep_order_of(const SweepOptions& asked) {
  SweepOrder order;
  order.tag = asked.tag;
  order.rule = stop_rule_of(asked.rule);
  order.after = asked.after;
  for (const std::string& text : asked.axes) order.plan.axes.push_back(sweep_axis_of(text));
  order.plan.random = static_cast<int>(asked.random);
  order.plan.seeds = static_cast<int>(asked.seeds);
  order.plan.draws_seed = static_cast<std::uint64_t>(asked.draws_seed);
  order.plan.first_seed = spec_for_queue(asked.spec, {}).run.seed;
  return order;
}

void print_plan(const SweepRuns& runs) {
  std::vector<std::vector<std::string>> rows;
  for (std::size_t i = 0; i < runs.specs.size(); ++i) {
    rows.push_back({runs.specs[i].run.name, fmt::format("{}", fmt::join(runs.settings[i], "  "))});
  }
  std::fputs(table({"name", "settings"}, rows).c_str(), stdout);
}

void sweep(const SweepOptions& asked) {
  if (asked.spec.empty()) throw Error("sweep", "no spec is named", "tessera sweep SPEC --set ...");
  const SweepOrder order = sweep_order_of(asked);
  const SweepRuns runs = sweep_runs(order, [&](const std::vector<std::string>& settings) {
    return spec_for_queue(asked.spec, settings);
  });
  print_plan(runs);
  if (asked.dry) return;
  QueueFile file = queue_file();
  queue_sweep(order, runs, sweeps_folder(), file);
  begin_holder(file);
  std::printf("%zu runs wait in the queue; show what comes of them:  tessera sweep show %s\n",
              runs.specs.size(), asked.tag.c_str());
}

/// A run of a sweep with what differs.
struct SweepRow {
  RunRow run;
  RunStatus status;
  std::vector<std::string> values;  ///< by key
  std::string stopped;              ///< why it was stopped

  /// The validation loss where there is one, else the training loss.
  double final_loss() const {
    return std::isnan(status.validation_loss) ? status.loss : status.validation_loss;
  }
};

bool is_better(double a, double b) {
  if (std::isnan(a) != std::isnan(b)) return std::isnan(b);
  return a < b;
}

std::vector<SweepRow> rows_of(const SweepRecord& record) {
  Library library;
  library.refresh();
  RunColumns columns;
  for (const std::string& key : record.keys) {
    columns.push_back(std::string(kSettingColumn) + key);
  }
  library.set_columns(columns);
  std::vector<SweepRow> rows;
  for (RunRow& run : library.runs(true)) {
    const bool tagged = std::find(run.tags.begin(), run.tags.end(), record.tag) != run.tags.end();
    if (run.missing || !tagged) continue;
    SweepRow row;
    row.status = status_of(RunFolder::open(run.folder));
    for (const RunCell& cell : run.cells) row.values.push_back(cell.text);
    for (const auto& one : record.stopped) {
      if (one.run == run.id) row.stopped = one.why;
    }
    row.run = std::move(run);
    rows.push_back(std::move(row));
  }
  std::stable_sort(rows.begin(), rows.end(), [](const SweepRow& a, const SweepRow& b) {
    return is_better(a.final_loss(), b.final_loss());
  });
  return rows;
}

std::string loss_word(double loss) {
  return std::isnan(loss) ? "-" : fmt::format("{:.4f}", loss);
}

void print_runs(const SweepRecord& record, const std::vector<SweepRow>& rows) {
  std::vector<std::string> head = {"run", "state", "steps"};
  head.insert(head.end(), record.keys.begin(), record.keys.end());
  head.insert(head.end(), {"loss", "validation", ""});
  std::vector<std::vector<std::string>> cells;
  for (const SweepRow& row : rows) {
    std::vector<std::string>& line = cells.emplace_back();
    line = {row.run.id, std::string(name_of(row.status.state)),
            fmt::format("{}/{}", row.status.step + 1, row.status.total_steps)};
    line.insert(line.end(), row.values.begin(), row.values.end());
    line.insert(line.end(),
                {loss_word(row.status.loss), loss_word(row.status.validation_loss), row.stopped});
  }
  std::fputs(table(head, cells).c_str(), stdout);
}

/// Final loss against one key: the mean over all runs that have the value, the best one first.
/// Runs that were stopped before their end would not be compared fairly, and are left out.
struct KeyValue {
  std::string value;
  double sum = 0, best = kNotMeasured;
  int runs = 0;
  double mean() const { return runs > 0 ? sum / runs : kNotMeasured; }
};
std::vector<KeyValue> values_of_key(const std::vector<SweepRow>& rows, std::size_t key) {
  std::map<std::string, KeyValue> by_value;
  for (const SweepRow& row : rows) {
    const double loss = row.final_loss();
    if (key >= row.values.size() || row.status.state != RunState::Finished || std::isnan(loss)) {
      continue;
    }
    KeyValue& value = by_value[row.values[key]];
    value.value = row.values[key];
    value.sum += loss;
    ++value.runs;
    if (is_better(loss, value.best)) value.best = loss;
  }
  std::vector<KeyValue> values;
  for (const auto& [text, value] : by_value) values.push_back(value);
  std::stable_sort(values.begin(), values.end(), [](const KeyValue& a, const KeyValue& b) {
    return is_better(a.mean(), b.mean());
  });
  return values;
}

void print_keys(const SweepRecord& record, const std::vector<SweepRow>& rows) {
  for (std::size_t key = 0; key < record.keys.size(); ++key) {
    std::vector<std::vector<std::string>> cells;
    for (const KeyValue& value : values_of_key(rows, key)) {
      cells.push_back({value.value, loss_word(value.mean()), loss_word(value.best),
                       std::to_string(value.runs)});
    }
    if (cells.size() < 2) continue;  // all runs have the same: nothing to compare
    std::printf("\n%s\n", table({record.keys[key], "mean loss", "best", "runs"}, cells).c_str());
  }
}

int waiting_runs(const std::string& tag) {
  QueueFile file = queue_file();
  file.refresh();
  int waiting = 0;
  for (const QueueEntry& entry : file.queue().entries) {
    const SpecReading reading = read_spec_text(entry.spec, "queue");
    const auto& tags = reading.spec.run.tags;
    waiting += std::find(tags.begin(), tags.end(), tag) != tags.end() ? 1 : 0;
  }
  return waiting;
}

nlohmann::json json_of(const SweepRecord& record, const std::vector<SweepRow>& rows) {
  const auto number = [](double value) {
    return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json();
  };
  nlohmann::json runs = nlohmann::json::array();
  for (const SweepRow& row : rows) {
    nlohmann::json values = nlohmann::json::object();
    for (std::size_t i = 0; i < record.keys.size() && i < row.values.size(); ++i) {
      values[record.keys[i]] = row.values[i];
    }
    runs.push_back({{"id", row.run.id},
                    {"state", name_of(row.status.state)},
                    {"step", row.status.step},
                    {"loss", number(row.status.loss)},
                    {"validation_loss", number(row.status.validation_loss)},
                    {"values", values},
                    {"stopped", row.stopped}});
  }
  return {{"tag", record.tag},
          {"keys", record.keys},
          {"rule", name_of(record.rule)},
          {"waiting", waiting_runs(record.tag)},
          {"runs", runs}};
}

void show_sweep(const SweepOptions& asked) {
  const auto record = SweepRecord::load(sweeps_folder(), asked.shown);
  if (!record) {
    std::vector<std::string> tags;
    for (const SweepRecord& one : SweepRecord::all(sweeps_folder())) tags.push_back(one.tag);
    throw Error(asked.shown, "is the tag of no sweep",
                tags.empty() ? "tessera sweep SPEC --set KEY=A,B --tag NAME starts one"
                             : fmt::format("newest first: {}", fmt::join(tags, ", ")));
  }
  const std::vector<SweepRow> rows = rows_of(*record);
  if (asked.json) {
    const nlohmann::json all = json_of(*record, rows);
    std::printf("%s\n", all.dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
    return;
  }
  if (!rows.empty()) print_runs(*record, rows);
  print_keys(*record, rows);
  std::printf("%zu of %d runs have begun, %d wait\n", rows.size(), record->runs,
              waiting_runs(record->tag));
}
}  // namespace

void add_sweep(CLI::App& app) {
  auto* command = app.add_subcommand("sweep", "Many runs that differ in a few keys");
  auto options = std::make_shared<SweepOptions>();
  command->require_subcommand(0, 1);
  command->add_option("spec", options->spec, "A TOML file, or the name of a preset");
  command
      ->add_option("--set", options->axes,
                   "A key and its values: key=a,b,c or key=1e-4..1e-3:log:5")
      ->type_name("KEY=VALUES");
  command->add_option("--random", options->random, "Draw so many runs instead of all combinations")
      ->check(CLI::Range(1, 10'000));
  command->add_option("--seeds", options->seeds, "Runs of each, with different seeds")
      ->check(CLI::Range(1, 1000));
  command->add_option("--draws", options->draws_seed, "Another number draws other runs")
      ->check(CLI::Range(0, 1'000'000));
  command->add_option("--tag", options->tag, "All its runs have it");
  command->add_option("--stop-behind", options->rule, "Stop runs that fall behind: median, halving")
      ->check(CLI::IsMember({"none", "median", "halving"}));
  command
      ->add_option("--stop-after", options->after,
                   "Steps before one is stopped; a quarter of a run if left out")
      ->check(CLI::Range(1, 1'000'000'000));
  command->add_flag("--dry", options->dry, "Show the runs, and queue none");
  command->callback([command, options] {
    if (command->get_subcommands().empty()) sweep(*options);
  });
  auto* shows = command->add_subcommand("show", "What came of a sweep, the best run first");
  shows->add_option("tag", options->shown, "Its tag")->required();
  shows->add_flag("--json", options->json, "As JSON");
  shows->callback([options] { show_sweep(*options); });
}

}  // namespace tessera::app
