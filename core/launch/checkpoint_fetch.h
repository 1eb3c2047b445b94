// SPDX-License-Identifier: MIT
// One checkpoint of a run on another host, brought into its mirror. It comes in pieces that a
// broken line does not undo, under a name that no reader takes for a checkpoint's, and gets its own
// name when all of it is here and was found to be what was written.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/launch/ssh.h"
#include "core/run/mirror_note.h"

namespace tessera {

/// What the host says before the bytes.
struct CheckpointOffer {
  struct File {
    std::string name;
    std::uint64_t bytes = 0;
    bool operator==(const File&) const = default;
  };
  std::string name;      ///< the checkpoint's folder: "step-12"
  std::string manifest;  ///< says sizes and hashes; another one is another checkpoint
  std::vector<File> files;
  bool operator==(const CheckpointOffer&) const = default;
  std::uint64_t bytes() const;
};

/// The far end: finds the checkpoint of the run (the number behind "step-", or "newest"), prints
/// the offer as a line, reads a line of what is there already, and writes the missing bytes of all
/// files, one behind the other. `names` are its whole checkpoints, oldest first. Throws Error.
void send_checkpoint(const std::filesystem::path& checkpoints,
                     const std::vector<std::string>& names, const std::string& wanted, int in,
                     int out);

struct FetchOptions {
  /// What is wrong with a folder that should be a whole checkpoint; empty: nothing.
  std::function<std::string(const std::filesystem::path&)> check;
  std::function<void(std::uint64_t done, std::uint64_t bytes)> progress;
  std::function<void(const std::string&)> note;  ///< a line for people: the line broke, is back
  const std::atomic<bool>* stop = nullptr;
  int most_tries = 30;  ///< in a row without a byte
  double longest_pause_s = 15, silence_s = 30;
};

/// Brings it into `mirror`/checkpoints and returns its folder; at once where it is there already.
/// Throws Error where there is none, where the line stays broken (what has come is kept), and where
/// what came is not what was written.
std::filesystem::path fetch_checkpoint(Ssh& ssh, const MirrorNote& source,
                                       const std::filesystem::path& mirror,
                                       const std::string& wanted, const FetchOptions& options);

}  // namespace tessera
