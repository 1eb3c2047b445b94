// SPDX-License-Identifier: MIT
#include "app/sweep_stops.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <limits>

#include "core/base/error.h"
#include "core/config/paths.h"
#include "core/history/library.h"

namespace tessera::app {

namespace fs = std::filesystem;

namespace {
constexpr auto kLookAtSweeps = std::chrono::seconds(5);

bool has_tag(const RunRow& row, const std::string& tag) {
  return std::find(row.tags.begin(), row.tags.end(), tag) != row.tags.end();
}
}  // namespace

fs::path sweeps_folder() {
  return home_folder() / "sweeps";
}

SweepStops::Followed::Followed(const fs::path& log) : reader(log) {
  reader.set_kinds({"step", "resume", "rollback"});
}

void SweepStops::Followed::read_on() {
  for (const Event& event : reader.poll()) {
    if (const auto stands = fold.take(event)) {
      const auto steps = static_cast<std::size_t>(std::max<std::int64_t>(0, *stands + 1));
      if (steps < curve.size()) curve.resize(steps);
    }
    const auto* step = std::get_if<StepEvent>(&event.body);
    if (!step || step->step < 0) continue;
    curve.resize(static_cast<std::size_t>(step->step), std::numeric_limits<float>::quiet_NaN());
    curve.push_back(static_cast<float>(step->loss));
  }
}

const LossCurve& SweepStops::curve_of(const fs::path& run) {
  std::unique_ptr<Followed>& followed = followed_[run.string()];
  if (!followed) followed = std::make_unique<Followed>(RunFolder::open(run).events_path());
  followed->read_on();
  return followed->curve;
}

void SweepStops::look() {
  if (std::chrono::steady_clock::now() - looked_ < kLookAtSweeps) return;
  looked_ = std::chrono::steady_clock::now();
  for (SweepRecord& record : SweepRecord::all(sweeps_folder())) {
    if (record.rule == StopRule::None) continue;
    try {
      look_at(std::move(record));
    } catch (const Error& problem) {
      std::fprintf(stderr, "tessera: %s\n", problem.what());
    }
  }
}

void SweepStops::look_at(SweepRecord record) {
  Library library;
  library.refresh();
  std::vector<RunRow> rows;
  for (RunRow& row : library.runs(true)) {
    if (!row.missing && has_tag(row, record.tag)) rows.push_back(std::move(row));
  }
  for (const RunRow& row : rows) {
    const RunFolder folder = RunFolder::open(row.folder);
    if (row.state != RunState::Running || status_of(folder).state != RunState::Running) continue;
    const bool told = std::any_of(record.stopped.begin(), record.stopped.end(),
                                  [&](const auto& one) { return one.run == row.id; });
    if (told) continue;
    std::vector<LossCurve> others;
    for (const RunRow& other : rows) {
      if (other.id != row.id) others.push_back(curve_of(other.folder));
    }
    const LossCurve& own = curve_of(row.folder);
    const std::string why = why_behind(record.rule, record.after, own, others);
    if (why.empty()) continue;
    // Written down first: the reason is to be found also where this process ends now.
    record.stopped.push_back({row.id, std::ssize(own) - 1, why});
    record.save(sweeps_folder());
    request_control(folder, Control::StopSaving);
    std::printf("%s is asked to stop: %s\n", row.id.c_str(), why.c_str());
    std::fflush(stdout);
  }
}

}  // namespace tessera::app
