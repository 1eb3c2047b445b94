// SPDX-License-Identifier: MIT
#include "core/launch/sweep_start.h"

#include <algorithm>
#include <cmath>
#include <ctime>

#include "core/base/error.h"
#include "core/spec/curriculum.h"

namespace tessera {

namespace {
constexpr double kAfterPart = 0.25;  // share of a run's steps before it may be stopped

void add_once(std::vector<std::string>& words, const std::string& word) {
  if (std::find(words.begin(), words.end(), word) == words.end()) words.push_back(word);
}

/// What is kept of the sweep once these runs belong to it.
SweepRecord joined_record(const SweepOrder& order, const SweepRuns& runs,
                          const std::filesystem::path& folder) {
  SweepRecord record = SweepRecord::load(folder, order.tag).value_or(SweepRecord());
  record.tag = order.tag;
  if (order.rule != StopRule::None) record.rule = order.rule;
  for (const SweepAxis& axis : order.plan.axes) {
    add_once(record.keys, axis.key);
    if (axis.range && axis.range->is_log) add_once(record.log_keys, axis.key);
  }
  if (order.plan.seeds > 1) add_once(record.keys, "run.seed");
  const auto steps = static_cast<double>(Curriculum(runs.specs.front()).total_steps());
  record.after =
      order.after > 0 ? order.after : std::max<std::int64_t>(1, std::llround(kAfterPart * steps));
  record.runs += static_cast<int>(runs.specs.size());
  if (record.created == 0) record.created = static_cast<double>(std::time(nullptr));
  return record;
}
}  // namespace

std::vector<std::vector<std::string>> sweep_settings_of(const SweepOrder& order) {
  if (order.plan.axes.empty() && order.plan.seeds <= 1) {
    throw Error("sweep", "nothing differs between its runs",
                "--set optimiser.clip=0.5,1, or --seeds 3");
  }
  if (order.tag.empty()) {
    throw Error("sweep", "has no tag", "--tag NAME, by which it is shown later");
  }
  return sweep_settings(order.plan);
}

SweepRuns sweep_runs(const SweepOrder& order, const SpecWith& spec_with) {
  SweepRuns runs{sweep_settings_of(order), {}};
  const std::size_t digits = std::to_string(runs.settings.size()).size();
  for (std::size_t i = 0; i < runs.settings.size(); ++i) {
    RunSpec spec = spec_with(runs.settings[i]);
    spec.run.name += fmt::format("-{:0{}}", i + 1, digits);
    add_once(spec.run.tags, order.tag);
    runs.specs.push_back(std::move(spec));
  }
  return runs;
}

void queue_sweep(const SweepOrder& order, const SweepRuns& runs,
                 const std::filesystem::path& folder, QueueFile& queue) {
  require(!runs.specs.empty(), "sweep", "has no runs");
  // Written down first: a run that waits without its sweep would be compared with nothing.
  const auto before = SweepRecord::load(folder, order.tag);
  joined_record(order, runs, folder).save(folder);
  try {
    queue.change([&](RunQueue& all) {
      for (const RunSpec& spec : runs.specs) {
        QueueEntry entry;
        entry.id = new_entry_id();
        entry.name = spec.run.name;
        entry.spec = write_spec(spec);
        all.add(std::move(entry));
      }
    });
  } catch (const Error&) {
    // As it was: none of these runs has come to wait.
    if (before) {
      before->save(folder);
    } else {
      SweepRecord::remove(folder, order.tag);
    }
    throw;
  }
}

}  // namespace tessera
