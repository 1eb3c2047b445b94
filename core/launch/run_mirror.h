// SPDX-License-Identifier: MIT
// The desk's end of a mirror: a run folder here that grows by what its original on another host has
// and it lacks. Nothing comes twice and nothing is torn: every word says where it belongs, and what
// is here already says what is asked for next. A line that breaks is made again.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "core/launch/piped_process.h"
#include "core/launch/run_words.h"
#include "core/launch/ssh.h"
#include "core/run/mirror_note.h"

namespace tessera {

/// "HOST:RUN", where RUN is a folder, a name or the begin of one. An IPv6 address stands in
/// brackets. Nothing where there is no host before the colon; throws Error where it is none.
struct RemoteRun {
  std::string host, run;
};
std::optional<RemoteRun> remote_run_of(const std::string& text);

/// When each host was last heard of, over any line: a line that fails alone does not take away the
/// connection that others to its host share.
using HostPulses = std::map<std::string, std::chrono::steady_clock::time_point>;

class RunMirror {
 public:
  enum class State : std::uint8_t {
    Begins,  ///< nothing has come yet
    Live,
    Broken,  ///< it is tried again and again
    Over     ///< the run has ended or is gone, or the folder here is
  };
  struct Options {
    bool follow = true;
    std::chrono::milliseconds patience = std::chrono::seconds(70);  ///< for the first word
    std::chrono::milliseconds silence = std::chrono::seconds(20);   ///< then the line is broken
    std::chrono::milliseconds longest_pause = std::chrono::seconds(60);  ///< between two tries
    double note_every_s = 10;  ///< how often the time of the last word is written down
  };

  /// A mirror that is there. Throws Error for a folder that is none, and where another process
  /// writes it.
  RunMirror(Ssh& ssh, HostPulses& pulses, std::filesystem::path folder, Options options);
  /// One that is made in `root` as soon as the host has said which run it is.
  RunMirror(Ssh& ssh, HostPulses& pulses, MirrorNote source, std::filesystem::path root,
            Options options);
  ~RunMirror();
  RunMirror(const RunMirror&) = delete;
  RunMirror& operator=(const RunMirror&) = delete;

  /// Takes what has come, hands on requests, and makes the line again when that is due. Of a mirror
  /// that is to follow, trouble is noted and tried again; before it has a folder, and where nothing
  /// is to be followed, an Error is thrown: the host cannot be reached, or there is no such run.
  void look();

  State state() const { return state_; }
  /// All that was there at the begin of the line is here.
  bool caught_up() const { return caught_up_; }
  /// Empty before the host has said which run it is.
  const std::filesystem::path& folder() const { return folder_; }
  const MirrorNote& note() const { return note_; }
  const PipedProcess* process() const { return process_ ? &*process_ : nullptr; }

 private:
  using Clock = std::chrono::steady_clock;
  void open_log();
  void connect();
  void listen();
  void stumble(const std::string& why);
  void take(const RunWord& word);
  void take_refusal(const RunWord& word);
  void take_run(const RunWord& word);
  void take_event(const RunWord& word);
  void take_log(const RunWord& word);
  void take_file(const RunWord& word);
  void take_timeline(const RunWord& word);
  void take_state(const RunWord& word);
  void begin_anew(const RunWord& word);
  void hand_on_requests();
  void forget_requests();
  void ping();
  void tell(const std::string& what);
  void finish(int wait_status);
  void save_note();
  void save_note_now_and_then();

  Ssh& ssh_;
  HostPulses& pulses_;
  MirrorNote note_;
  std::filesystem::path root_, folder_;
  Options options_;
  State state_ = State::Begins;
  std::optional<PipedProcess> process_;
  std::optional<EventWriter> events_;
  std::string first_, last_;  ///< payloads of the first event and of the last
  std::string out_, err_;
  std::map<std::string, Clock::time_point> asked_;  ///< requests that were handed on
  bool caught_up_ = false;
  int tries_ = 0, lines_ = 0;
  Clock::time_point heard_ = Clock::now(), pinged_{}, again_at_{}, noted_{}, looked_{};
};

/// Makes the folder of a mirror before anything has come of it, for a run whose folder there is
/// known. Returns it. Throws Error where the name is taken by another run.
std::filesystem::path make_mirror(const MirrorNote& source, const std::string& name,
                                  const std::filesystem::path& root);

}  // namespace tessera
