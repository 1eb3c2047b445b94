// SPDX-License-Identifier: MIT
#include "core/launch/slurm_record.h"

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/files.h"

namespace tessera {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {
constexpr int kSlurmRecordVersion = 1;
constexpr std::size_t kMostScriptBytes = 1u << 20;

json json_of_job(const SlurmJob& job) {
  return {{"id", job.id},
          {"state", job.state},
          {"reason", job.reason},
          {"nodes", job.nodes},
          {"ran", job.ran},
          {"left", job.left},
          {"start", job.start},
          {"status", job.exit_status},
          {"signal", job.exit_signal},
          {"restarts", job.restarts}};
}

SlurmJob job_of_json(const json& o) {
  SlurmJob job;
  job.id = o.at("id");
  job.state = o.at("state");
  job.reason = o.at("reason");
  job.nodes = o.at("nodes");
  job.ran = o.at("ran");
  job.left = o.at("left");
  job.start = o.at("start");
  job.exit_status = o.at("status");
  job.exit_signal = o.at("signal");
  job.restarts = o.at("restarts");
  return job;
}

std::optional<std::string> text_if_there(const fs::path& file) {
  std::error_code error;
  if (!fs::exists(file, error)) return {};
  return read_file(file, kMostScriptBytes);
}
}  // namespace

fs::path SlurmFiles::output(const std::string& job) const {
  return folder() / fmt::format("job-{}.out", job);
}
fs::path SlurmFiles::end(const std::string& job) const {
  return folder() / fmt::format("job-{}.end", job);
}

bool SlurmRecord::take(const SlurmSight& sight, double now) {
  if (sight.kind == SlurmSight::Kind::NoAnswer) return false;
  const SlurmJob before = last;
  const bool was_gone = gone, first = heard == 0;
  heard = now;
  gone = sight.kind == SlurmSight::Kind::Gone;
  if (!gone) last = sight.job;
  return first || gone != was_gone || before.state != last.state || before.reason != last.reason ||
         before.nodes != last.nodes;
}

std::string SlurmRecord::text(double now) const {
  if (is_new()) return "no job was submitted";
  if (heard == 0) return fmt::format("job {} was submitted, and Slurm was not asked since", job);
  std::string text = fmt::format("job {} {}", job, job_text(last));
  if (gone && !is_over(last)) {
    text =
        fmt::format("job {} is no more: Slurm does not know it, and nobody has seen its end", job);
  }
  const double ago_s = now - heard;
  constexpr double kFresh_s = 20, kMinute_s = 60, kHour_s = 3600;
  if (ago_s < kFresh_s || is_over(last) || gone) return text;
  const std::string ago = ago_s < 2 * kMinute_s ? fmt::format("{:.0f} s", ago_s)
                          : ago_s < 2 * kHour_s ? fmt::format("{:.0f} min", ago_s / kMinute_s)
                                                : fmt::format("{:.0f} h", ago_s / kHour_s);
  return text + fmt::format(" (Slurm said so {} ago)", ago);
}

void SlurmRecord::save(const SlurmFiles& files) const {
  const json o = {{"version", kSlurmRecordVersion},
                  {"profile", profile},
                  {"job", job},
                  {"earlier", earlier},
                  {"submitted", submitted},
                  {"last", json_of_job(last)},
                  {"heard", heard},
                  {"gone", gone}};
  // What Slurm prints of names and reasons need not be UTF-8.
  write_file_atomically(files.record(),
                        o.dump(1, ' ', false, json::error_handler_t::replace) + "\n");
}

void take_back_submission(const SlurmFiles& files, const std::optional<SlurmRecord>& before) {
  if (before) return before->save(files);
  std::error_code error;
  fs::remove(files.record(), error);
  if (error) {
    throw Error(files.record().string(), "cannot be removed: " + error.message(),
                "remove it by hand: no job was submitted");
  }
}

std::optional<SlurmRecord> slurm_record_of(const fs::path& run) {
  const SlurmFiles files{run};
  const auto text = text_if_there(files.record());
  if (!text) return {};
  try {
    const json o = json::parse(*text);
    if (o.at("version").get<int>() != kSlurmRecordVersion) {
      throw Error(files.record().string(), "is of another version of this program");
    }
    SlurmRecord record;
    record.profile = o.at("profile");
    record.job = o.at("job");
    record.earlier = o.at("earlier").get<std::vector<std::string>>();
    record.submitted = o.at("submitted");
    record.last = job_of_json(o.at("last"));
    record.heard = o.at("heard");
    record.gone = o.at("gone");
    return record;
  } catch (const json::exception& problem) {
    throw Error(files.record().string(), fmt::format("is damaged: {}", problem.what()),
                "`squeue --me` shows your jobs; without this file the run is one of no job");
  }
}

SlurmScript look_at_slurm_script(const SlurmFiles& files, const std::string& from_profile) {
  SlurmScript script;
  const auto there = text_if_there(files.script());
  const auto before = text_if_there(files.from_profile());
  // Without the profile's own version nobody knows whether the script was edited: it is kept.
  script.edited = there && (!before || !compare_scripts(*before, *there).empty());
  script.text = script.edited ? *there : from_profile;
  script.difference = compare_scripts(from_profile, script.text);
  return script;
}

SlurmScript place_slurm_script(const SlurmFiles& files, const std::string& from_profile) {
  const SlurmScript script = look_at_slurm_script(files, from_profile);
  std::error_code error;
  fs::create_directories(files.folder(), error);
  if (error) throw Error(files.folder().string(), "cannot be made: " + error.message());
  // NOTE: the script comes first. If this ends in between, it counts as edited and is kept.
  if (!script.edited) write_file_atomically(files.script(), script.text);
  write_file_atomically(files.from_profile(), from_profile);
  return script;
}

void edit_slurm_script(const SlurmFiles& files, const std::string& text) {
  write_file_atomically(files.script(), text);
}

}  // namespace tessera
