// SPDX-License-Identifier: MIT
// events.log: what happened in a run, in order. Appended to by one process, read by any number.
//
// Layout, little endian: a header of 16 bytes ("TSEVENTS", u32 format version, u32 zero), then
// frames of u32 payload bytes, u32 CRC-32 (zlib's, over sequence number and payload), u64 sequence
// number (1, 2, 3, ...) and the payload: a CBOR map {"t": seconds since 1970, "kind": name, ...}
// with the fields of the structs below by name; numeric arrays are byte strings of i64 or f32.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace tessera {

inline constexpr double kNotMeasured = std::numeric_limits<double>::quiet_NaN();

enum class RunState : std::uint8_t {
  Draft,
  Checking,
  Queued,
  Starting,
  Running,
  Saving,
  Paused,
  Stopping,
  Finished,
  Stopped,
  Failed,
  LostContact,  ///< never written: what a reader concludes
};
std::string_view name_of(RunState state);  ///< "running", "lost contact"
/// Throws Error for an unknown name.
RunState run_state_from_name(std::string_view name);
/// Finished, Stopped and Failed: nothing more comes unless the run is resumed.
bool is_final(RunState state);

// ---- Events. Steps count from 0; `tokens` are those trained up to and with that step. -----------

struct StateEvent {
  RunState state = RunState::Draft;
  std::string reason{};            ///< for people; set with Failed and Stopped
  int rank = -1;                   ///< set with Failed: the rank that failed first; -1: unknown
  int ranks = 1, ranks_ready = 0;  ///< set with Starting
  std::int64_t step = -1;
};

struct StepEvent {
  std::int64_t step = 0, tokens = 0;
  int stage = 0;
  std::int64_t sequence_length = 0, batch_sequences = 0;
  double loss = kNotMeasured;          ///< mean cross-entropy of the next token, nats
  double mtp_loss = kNotMeasured;      ///< unweighted
  double balance_loss = kNotMeasured;  ///< weighted with alpha, summed over layers
  double learning_rate = 0;
  double grad_norm = kNotMeasured;  ///< before clipping
  double clip = 1;                  ///< factor the gradients were scaled with
  double seconds = 0, tokens_per_second = 0;
  double mfu = kNotMeasured;  ///< 0..1; the message at the start says peak and formula
  std::int64_t memory_bytes = 0;
  double bias_speed = 0, mtp_lambda = 0;
  std::vector<float> max_vio{};  ///< per MoE layer: max load / mean load - 1
  /// Where experts are spread over ranks; counted, over all layers and ranks.
  double exchange_bytes = kNotMeasured;     ///< sent to experts of other ranks and back
  double ranks_per_token = kNotMeasured;    ///< that hold an expert of a token, in one layer
  std::vector<std::int64_t> rank_tokens{};  ///< tokens that came to each of the ranks
};

/// The load of every MoE layer; the MTP module's stands last.
struct ExpertsEvent {
  std::int64_t step = 0, tokens = 0;
  int layers = 0, experts = 0;
  std::vector<std::int64_t> counts{};  ///< (layers, experts): tokens routed to each in this step
  std::vector<float> biases{};         ///< (layers, experts), after the step's update
};

struct ValidationEvent {
  std::int64_t step = 0, tokens = 0;
  double loss = kNotMeasured;  ///< by the mixture's weights
  struct Source {
    std::string name;
    double loss = kNotMeasured;
  };
  std::vector<Source> sources{};
};

struct SampleEvent {
  std::int64_t step = 0;
  std::string prompt{}, text{};
};

struct CheckpointEvent {
  std::int64_t step = 0, tokens = 0;
  std::string path{};  ///< relative to the run folder
  std::int64_t bytes = 0;
  double seconds = 0;
};

struct SpikeEvent {
  std::int64_t step = 0;
  double loss = 0, usual = 0, spread = 0;
};

/// The run continues after `to_step`: what was logged for later steps before no longer counts.
struct RollbackEvent {
  std::int64_t from_step = 0, to_step = 0;
  std::int64_t skip_steps = 0;
  std::string checkpoint{};
  std::string reason{};               ///< for people: what was wrong with `from_step`
  std::int64_t number = 0, most = 0;  ///< this is rollback `number` of `most`; 0: not known
};

/// A new process continues after `step`; later steps that were logged before no longer count.
struct ResumeEvent {
  std::int64_t step = -1, tokens = 0;
  std::string checkpoint{};
};

/// Every few seconds, so that the end of the log alone tells how the run stands.
struct HeartbeatEvent {
  std::int64_t pid = 0;
  std::string host{}, boot_id{};
  RunState state = RunState::Running;
  std::int64_t step = -1;
};

struct MessageEvent {
  std::string level = "info";  ///< info, warning, error
  std::string text{};
  int rank = 0;
};

/// What a run does before its first step, and how far it is. Written at most twice a second, and
/// when a phase begins or ends. A phase ends when the next one begins or the state becomes Running.
struct PhaseEvent {
  std::string phase{};               ///< in lower case, for people: "vocabulary", "token shards"
  std::int64_t done = 0, total = 0;  ///< in `unit`; total 0: not known beforehand
  std::string unit{};                ///< "bytes", "documents", "steps"; empty: nothing is counted
};

/// What each rank of a run of several did in the steps since the last such event, about once a
/// second. Arrays hold one value for each rank.
struct RanksEvent {
  std::int64_t step = 0;          ///< the last of these steps
  std::int64_t steps = 0;         ///< how many they are
  double seconds = kNotMeasured;  ///< a step lasted, mean, on rank 0
  /// Seconds of a step outside of calls to other ranks, mean. Empty on GPUs: a call returns before
  /// it is done.
  std::vector<float> work{};
  std::vector<std::int64_t> memory_bytes{};  ///< that the rank computes in
};

/// An event whose kind this program does not know. Readers get it; it is never written.
struct UnknownEvent {
  std::string kind{};
};

using EventBody = std::variant<StateEvent, StepEvent, ExpertsEvent, ValidationEvent, SampleEvent,
                               CheckpointEvent, SpikeEvent, RollbackEvent, ResumeEvent,
                               HeartbeatEvent, MessageEvent, PhaseEvent, RanksEvent, UnknownEvent>;

struct Event {
  std::uint64_t sequence = 0;
  double time = 0;  ///< seconds since 1970
  EventBody body;
};

/// "step", "experts", ...
std::string_view kind_of(const EventBody& body);

/// One event as a JSON object, {"seq": .., "t": .., "kind": .., ...}, NaN as null: the lines of
/// `tessera watch --json`, and back.
nlohmann::json to_json(const Event& event);
/// Throws Error when a field has the wrong type.
Event event_from_json(const nlohmann::json& object);
/// to_json() as one line; bytes that are not UTF-8 become U+FFFD.
std::string to_json_line(const Event& event);

/// The payload of a frame. Throws Error when it is not a CBOR map with "t" and "kind".
std::string encode_payload(double time, const EventBody& body);
Event decode_payload(std::uint64_t sequence, std::string_view payload);
/// The kind of a payload without decoding it; empty where it does not stand at the front.
std::string_view kind_of_payload(std::string_view payload);

// ---- Reading ------------------------------------------------------------------------------------

/// Bytes of the log that no frame could be had from.
struct LogDamage {
  std::uint64_t offset = 0, bytes = 0;
  std::uint64_t lost_from = 0, lost_to = 0;  ///< sequence numbers, inclusive; 0: none is missing
  std::string text() const;
};

/// One frame as stored, for copying logs between machines.
struct RawFrame {
  std::uint64_t sequence = 0;
  std::string payload{};
};

/// Follows a log. An end that does not make a frame yet is left for the next poll; damage in the
/// middle is skipped up to the next sound frame, and kept in damage().
class EventReader {
 public:
  /// The file may not exist yet. Throws Error for a file that is no event log or of a newer format.
  explicit EventReader(std::filesystem::path path);
  ~EventReader();
  EventReader(EventReader&&) noexcept;
  EventReader& operator=(EventReader&&) noexcept;

  /// Up to `most` events that are complete by now. An empty answer means: nothing new yet.
  /// A log that was replaced by a shorter one is read from its start again.
  std::vector<Event> poll(std::size_t most = std::numeric_limits<std::size_t>::max());
  std::vector<RawFrame> poll_raw(std::size_t most = std::numeric_limits<std::size_t>::max());

  /// The next poll begins with the first event numbered `sequence` or more.
  void seek_sequence(std::uint64_t sequence);
  /// The next poll begins with the first whole frame at or after `offset`; offset() of an earlier
  /// reader is exact, any other is a place to search from.
  void seek_offset(std::uint64_t offset);

  /// Events of other kinds are passed over from now on, quickly; none: all kinds are read.
  void set_kinds(std::vector<std::string> kinds);

  /// Asked about every frame of the kinds wanted before it is decoded; those it says false of are
  /// passed over. For readers that index a log. `payload` is valid during the call.
  using Filter =
      std::function<bool(std::uint64_t offset, std::uint64_t sequence, std::string_view payload)>;
  void set_filter(Filter filter);

  std::uint64_t offset() const;         ///< where the next frame begins, in bytes
  std::uint64_t last_sequence() const;  ///< number of the last frame read; 0: none
  std::uint64_t pending_bytes() const;  ///< at the end, not yet a frame, as of the last poll
  const std::vector<LogDamage>& damage() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// All events of a log. `damage` gets what was skipped.
std::vector<Event> read_events(const std::filesystem::path& path,
                               std::vector<LogDamage>* damage = nullptr);

// ---- Writing ------------------------------------------------------------------------------------

/// The only writer of a log: it holds an exclusive lock on the file.
class EventWriter {
 public:
  /// Creates the log or continues it. A torn last frame is cut off; see cut_bytes(). Throws Error
  /// when another process writes it, when it is of a newer format, or when the disk fails.
  explicit EventWriter(const std::filesystem::path& path);
  ~EventWriter();
  EventWriter(EventWriter&&) noexcept;
  EventWriter& operator=(EventWriter&&) noexcept;

  /// Appends with the present time and returns the sequence number. States, checkpoints, resumes
  /// and rollbacks are on disk when this returns; anything else about a second later. Throws Error
  /// when the disk is full or fails: the log then ends with the event before, and append() may be
  /// tried again.
  std::uint64_t append(const EventBody& body);
  /// A frame of another log, for a local copy of a remote run. Numbers must rise; gaps are allowed.
  void append_raw(const RawFrame& frame);
  void sync();

  std::uint64_t last_sequence() const;
  std::uint64_t cut_bytes() const;  ///< size of a torn frame that was cut off at opening
  const std::vector<LogDamage>& damage() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tessera
