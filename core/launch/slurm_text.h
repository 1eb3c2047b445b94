// SPDX-License-Identifier: MIT
// What Slurm's commands print about jobs, in formats that we name ourselves, and what it means.
// Their JSON is not read: it changes from release to release, and lists jobs nobody asked for.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tessera {

struct SlurmJob {
  std::string id{};      ///< "123", "123_4" for one of an array, "123_[1-3]" for those that wait
  std::string state{};   ///< "PENDING", "RUNNING", as Slurm calls it, without "by ..." behind it
  std::string reason{};  ///< why it waits, or was ended: "Resources"; empty: none
  std::string nodes{};   ///< "n[1-2]"; empty: none yet
  std::string ran{}, left{};  ///< "1-02:03:04"; empty: not known
  std::string
      start{};  ///< "2026-11-30T18:00:00": when it began, or is expected to; empty: not known
  int exit_status = -1;  ///< -1: not known
  int exit_signal = 0;
  int restarts = -1;  ///< how often it went back into the queue; -1: not known
};

/// Jobs, and lines that are none.
struct SlurmListing {
  std::vector<SlurmJob> jobs;
  std::vector<std::string> strange;

  /// The job of this id, or the part of the array with it; null where there is none.
  const SlurmJob* find(std::string_view id) const;
};

/// The format that listing_of_squeue() reads; for `squeue -h -o`.
inline constexpr const char* kSqueueFormat = "%i|%T|%M|%L|%S|%N|%r";
SlurmListing listing_of_squeue(std::string_view text);
/// The fields that listing_of_sacct() reads; for `sacct -n -P -X -o`.
inline constexpr const char* kSacctFields = "JobID,State,ExitCode,Elapsed,Start,NodeList";
SlurmListing listing_of_sacct(std::string_view text);
/// Reads what `scontrol show job -o` prints: one job a line, with key=value words.
SlurmListing listing_of_scontrol(std::string_view text);

/// It has ended, and does not go on by itself.
bool is_over(const SlurmJob& job);
/// It waits for its nodes.
bool is_waiting(const SlurmJob& job);
/// "waits in the queue: other jobs come first", "runs on n[1-2] for 5:02, with 54:58 left".
std::string job_text(const SlurmJob& job);

}  // namespace tessera
