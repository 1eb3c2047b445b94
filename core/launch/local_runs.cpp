// SPDX-License-Identifier: MIT
#include "core/launch/local_runs.h"

#include "core/base/error.h"
#include "core/run/mirror_note.h"

namespace tessera {

namespace fs = std::filesystem;

bool LocalRuns::is_running(const fs::path& folder) {
  std::error_code error;
  const auto written = fs::last_write_time(folder / "process.json", error);
  if (error) return false;  // never started
  Seen& seen = seen_[folder.string()];
  if (seen.written != written) {
    if (!RunFolder::is_run(folder)) return false;
    // The copy of a run on another host: a process of that number here would be another one.
    if (is_mirror(folder)) return false;
    seen = {written, process_of(RunFolder::open(folder))};
  }
  if (!seen.process) return false;
  const Liveness liveness = liveness_of(*seen.process);
  // A process that is dead stays dead; the next one writes the file anew.
  if (liveness != Liveness::Alive) seen.process.reset();
  return liveness == Liveness::Alive;
}

std::string LocalRuns::find_running(const std::vector<fs::path>& roots) {
  for (const fs::path& root : roots) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(root, error)) {
      try {
        if (is_running(entry.path())) return entry.path().filename().string();
      } catch (const Error&) {
        continue;  // a folder that went away meanwhile runs nothing
      }
    }
  }
  return {};
}

}  // namespace tessera
