// SPDX-License-Identifier: MIT
// Where a run is started. A host knows how a program begins there, how one hears of its end, and
// whether the machine is taken. LocalHost (local_host.h) starts programs of this machine: those
// that train here, and those that bring a run to other hosts or to a cluster.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/launch/launch_place.h"
#include "core/launch/start_files.h"
#include "core/run/run_folder.h"

namespace tessera {

/// What is to be started.
struct LaunchOrder {
  std::string tag;     ///< comes back with every word about it
  std::string spec;    ///< TOML; empty for a plain resume
  std::string parent;  ///< id of the run to resume or to fork; empty: a new run
  bool fork = false;
  std::int64_t step = -1;  ///< which checkpoint of the parent; -1: the newest
  std::string queued;      ///< id of the queue's entry; empty: by hand
  LaunchPlace place{};     ///< where its ranks are to be
};

/// What became of an order.
struct LaunchNews {
  enum class Kind : std::uint8_t {
    Begun,      ///< its run exists, and its program holds it
    Failed,     ///< the program ended without a run
    Ended,      ///< the program of a run that had begun
    Phase,      ///< a start elsewhere has come further
    Cancelled,  ///< as was asked for; nothing of it is left
  };
  Kind kind = Kind::Begun;
  LaunchOrder order;
  std::string run;      ///< its id; empty where it failed
  std::string message;  ///< what the program said, where it failed; may be empty
  int exit_code = 0;    ///< 128 + the signal where one ended it
  std::string trouble;  ///< what could not be written down about an end; empty: nothing
  StartPhase phase{};
};

class RunHost {
 public:
  virtual ~RunHost() = default;

  /// Makes ready what a start needs, and gives the ticket by which has_begun() knows the start
  /// later, in another process too. Throws Error.
  virtual std::string prepare(const LaunchOrder& order) = 0;
  /// Throws Error when the program cannot be started.
  virtual void start(const std::string& ticket, const LaunchOrder& order) = 0;
  /// Whether the start with this ticket has led to a run, whoever made it.
  virtual bool has_begun(const std::string& ticket) const = 0;

  /// Nothing comes of the start with this ticket from now on: true. False: its program is there,
  /// and has_begun() tells soon. For starts of a process that was killed. Throws Error.
  virtual bool give_up(const std::string& ticket) = 0;
  /// Which run a start has led to, its id; empty: none.
  virtual std::string run_of(const std::string& ticket) const = 0;

  /// What has happened since the last look to what was started here.
  virtual std::vector<LaunchNews> look() = 0;
  /// Whether something that was started here has not ended.
  virtual bool watches() const = 0;
  /// Likewise, of what takes this machine.
  virtual bool watches_here() const { return watches(); }
  /// Whether the start with this ticket was made here and has not ended.
  virtual bool watches_start(const std::string& /*ticket*/) const { return false; }
  /// Names of other hosts that have a run of this user's, as far as is known here.
  virtual std::vector<std::string> taken_hosts() { return {}; }
  /// Ends a start elsewhere that has not led to a run yet; look() tells of its end.
  virtual void cancel(const std::string& /*tag*/) {}
  /// Whether a program that was started here is there, whoever has started it: also one whose run
  /// running() does not find yet.
  virtual bool is_starting() const { return false; }
  /// The id of a run that is running on this host now, by evidence, whoever started it; empty:
  /// none. Throws Error.
  virtual std::string running() = 0;

  /// Throws Error when the run cannot be asked.
  virtual void control(const std::string& run, Control control) = 0;
};

}  // namespace tessera
