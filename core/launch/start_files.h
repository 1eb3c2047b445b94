// SPDX-License-Identifier: MIT
// The files by which a start is known, beside each other under one name: the spec, what the program
// says, whose the start is, how far it has come, which launch it became, which run it has led to.
// They outlive whoever made the start, so that nothing is started twice.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace tessera {

struct StartFiles {
  std::filesystem::path base;  ///< without an ending

  /// Another name for a start on hosts or on a cluster, which does not take this machine.
  static StartFiles make(const std::filesystem::path& folder, bool is_elsewhere);
  /// A ticket is the path of id().
  static StartFiles of_ticket(const std::string& ticket);

  bool is_elsewhere() const;
  std::filesystem::path spec() const { return with(".toml"); }
  std::filesystem::path script() const { return with(".sh"); }
  std::filesystem::path log() const { return with(".log"); }
  std::filesystem::path id() const { return with(".id"); }          ///< folder of the run, here
  std::filesystem::path launch() const { return with(".launch"); }  ///< its name, or a run's folder
  std::filesystem::path phase() const { return with(".phase"); }
  /// A start here has a claim of another ending: its program takes this machine.
  std::filesystem::path claim() const { return with(is_elsewhere() ? ".far-claim" : ".claim"); }
  std::string ticket() const { return id().string(); }
  void remove_all() const;

 private:
  std::filesystem::path with(const char* ending) const;
};

/// How far a start on hosts or on a cluster has come.
struct StartPhase {
  enum class Kind : std::uint8_t {
    Reaching,    ///< the hosts are looked for
    Copying,     ///< the program is sent; done, total: hosts
    Meeting,     ///< the hosts try how they reach the first of them
    Starting,    ///< done, total: ranks
    Greeting,    ///< all ranks are there, and say hello to each other
    Submitting,  ///< the cluster is given the job
    Asking       ///< a start of a program that was killed is looked for on its hosts
  };
  Kind kind = Kind::Reaching;
  std::int64_t done = 0, total = 0;
  bool operator==(const StartPhase&) const = default;
};
/// What cannot be written is left out: a start goes on without being watched.
void write_phase(const StartFiles& files, const StartPhase& phase);
/// Nothing where none was told yet.
std::optional<StartPhase> read_phase(const StartFiles& files);

/// What `tessera launch` ends with where a start that it was to find again has led to nothing.
inline constexpr int kNothingWasStarted = 3;

}  // namespace tessera
