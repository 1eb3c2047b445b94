// SPDX-License-Identifier: MIT
// What the host of a run tells a desk that keeps a copy of it, and what the desk says first: JSON,
// one object a line. Events travel as the bytes that stand in the log, in base64.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "core/events/events.h"

namespace tessera {

/// Raised where old and new cannot understand each other.
inline constexpr int kMirrorProtocol = 1;

/// What a desk has of a run, and how it wants the rest.
struct RunAsk {
  std::string run;          ///< its folder there, its name, or how that begins
  std::string runs;         ///< folder of the runs there; empty: the host's own
  std::uint64_t have = 0;   ///< number of the last event that is here; 0: none
  std::string first, last;  ///< payloads of the first one that is here and of the last
  std::map<std::string, std::uint64_t> logs;  ///< bytes of each file of log/ that are here
  std::string timeline;                       ///< timeline_stamp() of the copy here
  bool follow = true;                         ///< until the run has ended; false: what is there now
};
std::string to_line(const RunAsk& ask);
/// Throws Error where the text is none, or one of another protocol.
RunAsk ask_of_line(const std::string& line);

/// Which version of a run's timeline a file is: "BYTES@TIME" by its size and the time of its last
/// change, which a copy has from its origin. Empty: there is none.
std::string timeline_stamp(const std::filesystem::path& file);
/// The bytes of the whole file, and its time, from a stamp. Throws Error where the text is none.
struct TimelineStamp {
  std::uint64_t bytes = 0;
  std::int64_t time = 0;  ///< by std::filesystem's file clock, in its ticks since its epoch
};
TimelineStamp parse_timeline_stamp(const std::string& text);

/// The name in a refusal that says: there is no such run.
inline constexpr const char* kMissingRun = "missing";

struct RunWord {
  enum class Kind : std::uint8_t {
    Run,       ///< first word: name is the run's, text its folder, source the host's own name
    Anew,      ///< text: why what the desk has is not what is there; all events come again
    File,      ///< name: "run.toml", ...; data: all of it
               ///< or, of the timeline, data: a part; number: where it begins; text: its stamp
    Event,     ///< number: its sequence number; data: its payload
    Log,       ///< name: a file of log/; number: where data begins in it
    State,     ///< state, rank, text (the reason), number (the last event told): the host's verdict
    Beat,      ///< the line and the host are alive
    Answer,    ///< name: of a request; text: why it was refused; empty: the run has it
    CaughtUp,  ///< all that was there has been told
    Ended,     ///< the run has ended, and all of it has been told; text: nobody has begun it, why
               ///< it is followed no more
    Gone,      ///< text: the folder is not there any more
    Refused    ///< text: why nothing is told; hint
  };
  Kind kind = Kind::Beat;
  double time = 0;  ///< by the host's clock, seconds since 1970
  std::uint64_t number = 0;
  int rank = -1;
  RunState state = RunState::Draft;
  std::string name{}, text{}, hint{}, source{}, data{};
};
std::string to_line(const RunWord& word);
/// Throws Error where the text is none.
RunWord run_word_of_line(const std::string& line);

}  // namespace tessera
