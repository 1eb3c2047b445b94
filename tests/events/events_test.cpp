// SPDX-License-Identifier: MIT
#include "core/events/events.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cmath>
#include <csignal>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/log.h"
#include "tests/run/run_test_helpers.h"

namespace tessera {
namespace {

using test::read_bytes;
using test::step_event;
using test::write_bytes;

class Events : public testing::Test {
 protected:
  void SetUp() override { log::set_console_level(log::Level::Error); }

  /// Writes `count` steps and returns the offset at which each ends.
  std::vector<std::size_t> write_steps(int count) {
    std::vector<std::size_t> ends;
    EventWriter writer(path);
    for (int i = 0; i < count; ++i) {
      writer.append(step_event(i, 5.0 - i));
      ends.push_back(test::fs::file_size(path));
    }
    return ends;
  }

  static std::vector<std::int64_t> steps_of(const std::vector<Event>& events) {
    std::vector<std::int64_t> steps;
    for (const Event& event : events) steps.push_back(std::get<StepEvent>(event.body).step);
    return steps;
  }

  test::TemporaryFolder folder;
  test::fs::path path = folder.path() / "events.log";
};

std::vector<EventBody> one_of_each() {
  StepEvent step = step_event(7, 3.25);
  step.mtp_loss = 4.5;
  step.mfu = 0.4375;
  ExpertsEvent experts;
  experts.layers = 2;
  experts.experts = 3;
  experts.counts = {1, 2, 3, 4'000'000'000'000, 0, 6};
  experts.biases = {0.f, -0.001f, 1e-20f, 3.f, -0.f, 7.f};
  ValidationEvent validation;
  validation.step = 9;
  validation.loss = 2.5;
  validation.sources = {{"web", 2.25}, {"code", kNotMeasured}};
  return {StateEvent{RunState::Failed, "no memory", 3, 8, 8, 12},
          step,
          experts,
          validation,
          SampleEvent{4, "Once", "upon\n a \"time\" \xE4\xB8\xAD"},
          CheckpointEvent{10, 20480, "checkpoints/step-10", 1 << 30, 1.5},
          SpikeEvent{11, 9.5, 3.25, 0.125},
          RollbackEvent{11, 10, 5, "checkpoints/step-10", "the loss is nan", 1, 4},
          ResumeEvent{10, 20480, "checkpoints/step-10"},
          HeartbeatEvent{4242, "host", "boot", RunState::Saving, 12},
          MessageEvent{"warning", "slow disk", 2},
          PhaseEvent{"token shards", 1 << 20, 3 << 20, "bytes"},
          RanksEvent{12, 5, 0.5, {0.25f, 0.375f}, {1 << 20, 3 << 20}}};
}

TEST_F(Events, EveryKindComesBackAsItWas) {
  const auto bodies = one_of_each();
  ASSERT_EQ(bodies.size() + 1, std::variant_size_v<EventBody>);
  {
    EventWriter writer(path);
    for (const EventBody& body : bodies) writer.append(body);
  }
  const auto events = read_events(path);
  ASSERT_EQ(events.size(), bodies.size());
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    EXPECT_EQ(events[i].sequence, i + 1);
    EXPECT_GT(events[i].time, 1.7e9);
    EXPECT_EQ(events[i].body.index(), bodies[i].index());
    // Bytes also tell NaN and -0.0 apart.
    EXPECT_EQ(encode_payload(0, events[i].body), encode_payload(0, bodies[i])) << i;
    const Event from_json = event_from_json(nlohmann::json::parse(to_json_line(events[i])));
    EXPECT_EQ(from_json.sequence, events[i].sequence);
    EXPECT_EQ(encode_payload(from_json.time, from_json.body),
              encode_payload(events[i].time, events[i].body))
        << to_json_line(events[i]);
  }
}

TEST_F(Events, UnknownKindsAndFieldsDoNotStopAReader) {
  const nlohmann::json newer = {{"t", 1.0}, {"kind", "weather"}, {"sun", {1, 2}}};
  const nlohmann::json wider = {{"t", 1.0}, {"kind", "spike"}, {"step", 3}, {"colour", "red"}};
  const auto payload = [](const nlohmann::json& j) {
    const auto bytes = nlohmann::json::to_cbor(j);
    return std::string(bytes.begin(), bytes.end());
  };
  EXPECT_EQ(kind_of(decode_payload(1, payload(newer)).body), "weather");
  EXPECT_EQ(std::get<SpikeEvent>(decode_payload(1, payload(wider)).body).step, 3);
}

TEST_F(Events, LogsOfBeforeAFieldWasAddedAreRead) {
  const nlohmann::json older = {{"t", 1.0},     {"kind", "rollback"}, {"from_step", 9},
                                {"to_step", 4}, {"skip_steps", 2},    {"checkpoint", "c"}};
  const auto bytes = nlohmann::json::to_cbor(older);
  const Event event = decode_payload(1, std::string(bytes.begin(), bytes.end()));
  const auto& rollback = std::get<RollbackEvent>(event.body);
  EXPECT_EQ(rollback.to_step, 4);
  EXPECT_EQ(rollback.reason, "");
  EXPECT_EQ(rollback.number, 0);
}

TEST_F(Events, NonsensePayloadsAreErrors) {
  const std::string deep(100'000, '\x81');
  for (const std::string& payload :
       {std::string(), std::string("\xff"), std::string("\xa0"), std::string("\x01"), deep,
        std::string("\xbf"), std::string("\x9b\x7f\xff\xff\xff\xff\xff\xff\xff")}) {
    EXPECT_THROW(decode_payload(1, payload), Error);
  }
  EXPECT_THROW(event_from_json({{"t", 1}, {"kind", "step"}, {"step", "x"}}), Error);
  EXPECT_THROW(event_from_json({{"t", 1}, {"kind", "state"}, {"state", "happy"}}), Error);
  EXPECT_THROW(
      event_from_json(
          {{"t", 1}, {"kind", "experts"}, {"layers", 2}, {"experts", 2}, {"counts", {1, 2, 3}}}),
      Error);
  EXPECT_THROW(event_from_json(nlohmann::json::array()), Error);
}

TEST_F(Events, ReadersFollowAGrowingLog) {
  EventReader reader(path);  // not there yet
  EXPECT_TRUE(reader.poll().empty());
  EventWriter writer(path);
  EXPECT_TRUE(reader.poll().empty());
  writer.append(step_event(0, 1));
  writer.append(step_event(1, 1));
  EXPECT_EQ(steps_of(reader.poll(1)), std::vector<std::int64_t>({0}));
  EXPECT_EQ(steps_of(reader.poll()), std::vector<std::int64_t>({1}));
  EXPECT_TRUE(reader.poll().empty());
  writer.append(step_event(2, 1));
  EXPECT_EQ(steps_of(reader.poll()), std::vector<std::int64_t>({2}));
  EXPECT_EQ(reader.last_sequence(), 3u);

  EventReader from_offset(path);
  from_offset.seek_offset(reader.offset());
  EventReader from_sequence(path);
  from_sequence.seek_sequence(3);
  EventReader later(path);
  later.seek_sequence(5);
  writer.append(step_event(3, 1));
  writer.append(step_event(4, 1));
  EXPECT_EQ(steps_of(from_offset.poll()), std::vector<std::int64_t>({3, 4}));
  EXPECT_EQ(steps_of(from_sequence.poll()), std::vector<std::int64_t>({2, 3, 4}));
  EXPECT_EQ(steps_of(later.poll()), std::vector<std::int64_t>({4}));
  from_sequence.seek_sequence(2);  // and back
  EXPECT_EQ(steps_of(from_sequence.poll()), std::vector<std::int64_t>({1, 2, 3, 4}));
  EXPECT_TRUE(from_offset.damage().empty());
}

TEST_F(Events, SeekingFindsEveryPlaceOfALargeLog) {
  {
    EventWriter writer(path);
    ExpertsEvent experts;
    experts.layers = 4;
    experts.experts = 256;
    experts.counts.assign(1024, 7);
    for (int i = 0; i < 300; ++i) {
      writer.append(step_event(i, 1));
      writer.append(experts);
    }
  }
  ASSERT_GT(test::fs::file_size(path), std::size_t{2} << 20);
  EventReader reader(path);
  reader.set_kinds({"step"});
  for (std::uint64_t sequence : {599, 1, 300, 2, 601, 451}) {
    reader.seek_sequence(sequence);
    const auto events = reader.poll();
    ASSERT_EQ(events.size(), sequence > 600 ? 0 : (601 - sequence) / 2) << sequence;
    if (events.empty()) continue;
    EXPECT_EQ(events.front().sequence, sequence + (sequence % 2 == 0));
  }
  for (std::uint64_t offset : {0ul, 17ul, 1'000'001ul}) {
    reader.seek_offset(offset);
    EXPECT_EQ(reader.poll().back().sequence, 599u);
    EXPECT_TRUE(reader.damage().empty());
  }
}

TEST_F(Events, ATornEndIsNotYetThereForReadersAndCutOffByTheWriter) {
  const auto ends = write_steps(4);
  const std::string whole = read_bytes(path);
  for (std::size_t size = ends[2]; size < ends[3]; ++size) {
    write_bytes(path, whole.substr(0, size));
    EventReader reader(path);
    EXPECT_EQ(steps_of(reader.poll()), std::vector<std::int64_t>({0, 1, 2})) << size;
    EXPECT_TRUE(reader.damage().empty());
    EXPECT_EQ(reader.pending_bytes(), size - ends[2]);
    // The rest arrives after all.
    write_bytes(path, whole);
    EXPECT_EQ(steps_of(reader.poll()), std::vector<std::int64_t>({3})) << size;

    write_bytes(path, whole.substr(0, size));
    EventWriter writer(path);
    EXPECT_EQ(writer.cut_bytes(), size - ends[2]);
    EXPECT_EQ(writer.append(step_event(30, 1)), 4u);
    EXPECT_EQ(steps_of(read_events(path)), std::vector<std::int64_t>({0, 1, 2, 30}));
  }
}

TEST_F(Events, ATornHeaderIsWrittenAnew) {
  write_steps(1);
  const std::string whole = read_bytes(path);
  for (std::size_t size = 0; size < 16; ++size) {
    write_bytes(path, whole.substr(0, size));
    EXPECT_TRUE(EventReader(path).poll().empty());
    EventWriter(path).append(step_event(5, 1));
    EXPECT_EQ(steps_of(read_events(path)), std::vector<std::int64_t>({5})) << size;
  }
}

TEST_F(Events, DamageInTheMiddleCostsOneEventOnly) {
  const auto ends = write_steps(5);
  const std::string whole = read_bytes(path);
  for (std::size_t at = ends[1]; at < ends[2]; ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bytes = whole;
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << bit));
      write_bytes(path, bytes);
      std::vector<LogDamage> damage;
      ASSERT_EQ(steps_of(read_events(path, &damage)), std::vector<std::int64_t>({0, 1, 3, 4}))
          << at << " bit " << bit;
      ASSERT_EQ(damage.size(), 1u);
      ASSERT_EQ(damage[0].offset, ends[1]);
      ASSERT_EQ(damage[0].bytes, ends[2] - ends[1]);
      ASSERT_EQ(damage[0].lost_from, 3u);
      ASSERT_EQ(damage[0].lost_to, 3u);
    }
  }
  EXPECT_EQ((LogDamage{5, 9, 3, 3}).text(), "9 bytes at offset 5 are damaged; event 3 is lost");
  // The writer keeps what is sound behind the damage.
  EventWriter writer(path);
  EXPECT_EQ(writer.damage().size(), 1u);
  EXPECT_EQ(writer.append(step_event(9, 1)), 6u);
  EXPECT_EQ(steps_of(read_events(path)), std::vector<std::int64_t>({0, 1, 3, 4, 9}));
}

TEST_F(Events, AHoleOfZerosAndADamagedHeaderAreSkipped) {
  const auto ends = write_steps(6);
  std::string bytes = read_bytes(path);
  std::fill(bytes.begin() + static_cast<long>(ends[1]) - 3,
            bytes.begin() + static_cast<long>(ends[3]) + 5, '\0');
  bytes[2] = '!';
  write_bytes(path, bytes);
  std::vector<LogDamage> damage;
  EXPECT_EQ(steps_of(read_events(path, &damage)), std::vector<std::int64_t>({0, 5}));
  ASSERT_EQ(damage.size(), 2u);
  EXPECT_EQ(damage[1].lost_from, 2u);
  EXPECT_EQ(damage[1].lost_to, 5u);
  { EventWriter repaired(path); }
  EXPECT_EQ(read_bytes(path).substr(0, 8), "TSEVENTS");
}

TEST_F(Events, ANewerFormatAndForeignFilesAreRefused) {
  write_steps(1);
  std::string bytes = read_bytes(path);
  bytes[8] = 2;
  write_bytes(path, bytes);
  try {
    EventReader reader(path);
    FAIL() << "a newer format was read";
  } catch (const Error& problem) {
    EXPECT_EQ(problem.what_failed(),
              "is an event log of format 2, this program reads up to format 1");
  }
  EXPECT_THROW(EventWriter writer(path), Error);
  EXPECT_EQ(read_bytes(path), bytes);  // untouched
  write_bytes(path, "this is some other file of somebody's");
  EXPECT_THROW(EventReader reader(path), Error);
  EXPECT_THROW(EventWriter writer(path), Error);
  EXPECT_EQ(read_bytes(path).substr(0, 4), "this");
  EXPECT_THROW(EventReader reader(folder.path()), Error);
  EXPECT_THROW(read_events(folder.path() / "nothing.log"), Error);
}

TEST_F(Events, OnlyOneWriter) {
  EventWriter writer(path);
  EXPECT_THROW(EventWriter second(path), Error);
  const pid_t child = test::start_child([&] { EventWriter second(path); });
  EXPECT_EQ(WEXITSTATUS(test::wait_for(child)), 1);
  EXPECT_EQ(writer.append(step_event(0, 1)), 1u);
}

TEST_F(Events, NothingThatWasAppendedIsLostWhenTheWriterIsKilled) {
  for (int round = 0; round < 5; ++round) {
    const pid_t child = test::start_child([&] {
      EventWriter writer(path);
      for (int i = 0;; ++i) writer.append(step_event(i, 1));
    });
    const auto before = test::fs::exists(path) ? test::fs::file_size(path) : 0;
    while (!test::fs::exists(path) || test::fs::file_size(path) < before + 50'000) ::usleep(200);
    ::kill(child, SIGKILL);
    EXPECT_TRUE(WIFSIGNALED(test::wait_for(child)));
    std::vector<LogDamage> damage;
    const auto events = read_events(path, &damage);
    EXPECT_TRUE(damage.empty());
    for (std::size_t i = 0; i < events.size(); ++i) ASSERT_EQ(events[i].sequence, i + 1);
    EventWriter writer(path);
    EXPECT_EQ(writer.last_sequence(), events.size());
  }
}

TEST_F(Events, AFullDiskIsAnErrorAndKeepsWhatWasThere) {
  EventWriter writer(path);
  for (int i = 0; i < 3; ++i) writer.append(step_event(i, 1));
  const auto size = test::fs::file_size(path);
  struct rlimit old {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  const auto handler = ::signal(SIGXFSZ, SIG_IGN);
  struct rlimit small = old;
  small.rlim_cur = size + 20;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  EXPECT_THROW(writer.append(step_event(3, 1)), Error);
  EXPECT_THROW(writer.append(step_event(3, 1)), Error);
  ::setrlimit(RLIMIT_FSIZE, &old);
  ::signal(SIGXFSZ, handler);
  EXPECT_EQ(test::fs::file_size(path), size);
  EXPECT_EQ(writer.append(step_event(4, 1)), 4u);  // there is room again
  EXPECT_EQ(steps_of(read_events(path)), std::vector<std::int64_t>({0, 1, 2, 4}));
}

TEST_F(Events, AMirrorIsEqualToItsOriginal) {
  write_steps(20);
  const auto copy = folder.path() / "copy.log";
  {
    EventReader reader(path);
    EventWriter mirror(copy);
    for (const RawFrame& frame : reader.poll_raw(7)) mirror.append_raw(frame);
  }
  {
    EventWriter mirror(copy);  // after a lost connection
    EventReader reader(path);
    reader.seek_sequence(mirror.last_sequence() + 1);
    for (const RawFrame& frame : reader.poll_raw()) mirror.append_raw(frame);
    EXPECT_THROW(mirror.append_raw({3, "x"}), Error);
  }
  EXPECT_EQ(read_bytes(copy), read_bytes(path));
}

TEST_F(Events, ALogThatWasReplacedIsReadFromItsStart) {
  write_steps(5);
  EventReader reader(path);
  EXPECT_EQ(reader.poll().size(), 5u);
  test::fs::remove(path);
  EXPECT_TRUE(reader.poll().empty());
  write_steps(2);
  EXPECT_EQ(steps_of(reader.poll()), std::vector<std::int64_t>({0, 1}));
}

}  // namespace
}  // namespace tessera
