// SPDX-License-Identifier: MIT
// Mirrors of runs: what comes, through lines that break at any byte, into folders that were left
// half written, of runs that were removed, made anew or went on; and what a person is told of it.
#include "core/launch/run_mirror.h"

#include <stdlib.h>
#include <sys/stat.h>

#include <atomic>
#include <cstdlib>
#include <random>
#include <utility>

#include "core/base/base64.h"
#include "core/launch/agent_protocol.h"
#include "core/launch/checkpoint_fetch.h"
#include "core/launch/lone_process.h"
#include "core/launch/mirror_keeper.h"
#include "core/launch/run_teller.h"
#include "core/launch/slurm_record.h"
#include "core/run/kept_timeline.h"
#include "tests/launch/mirror_fixture.h"

namespace tessera {
namespace {

using test::mirror_error;
using test::MirrorTest;
using test::read_bytes;
using test::wait_until;
using test::write_bytes;
namespace fs = std::filesystem;

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != text.npos;
}

TEST(Base64, IsThatOfTheRfcAndComesBack) {
  const std::pair<const char*, const char*> known[] = {{"", ""},
                                                       {"f", "Zg=="},
                                                       {"fo", "Zm8="},
                                                       {"foo", "Zm9v"},
                                                       {"foob", "Zm9vYg=="},
                                                       {"fooba", "Zm9vYmE="},
                                                       {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : known) {
    EXPECT_EQ(to_base64(bytes), text);
    EXPECT_EQ(from_base64(text), bytes);
  }
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  EXPECT_EQ(from_base64(to_base64(all)), all);
  for (const char* wrong :
       {"Z", "Zg", "Zg=", "Zh==", "Zm9=", "Z===", "====", "Zg==Zg==", "Zm 9v", "Zm9v\n", "Zm9-"}) {
    EXPECT_FALSE(from_base64(wrong)) << wrong;
  }
}

TEST(RunWords, ComeBackAsTheyWere) {
  RunAsk ask;
  ask.run = "/a b/ü";
  ask.runs = "/runs";
  ask.have = 7;
  ask.first = std::string("\0\xff\n", 3);
  ask.last = "x";
  ask.logs = {{"rank-0.log", 5}};
  ask.follow = false;
  EXPECT_EQ(to_line(ask_of_line(to_line(ask))), to_line(ask));
  EXPECT_EQ(ask_of_line(to_line(ask)).first, ask.first);
  for (int kind = 0; kind <= static_cast<int>(RunWord::Kind::Refused); ++kind) {
    const RunWord word{.kind = static_cast<RunWord::Kind>(kind),
                       .time = 1.5,
                       .number = 9,
                       .rank = 2,
                       .state = RunState::Paused,
                       .name = "n",
                       .text = "t\nu",
                       .hint = "h",
                       .source = "s",
                       .data = std::string("\0a", 2)};
    const std::string line = to_line(word);
    EXPECT_EQ(line.find('\n'), line.size() - 1);
    EXPECT_EQ(to_line(run_word_of_line(line)), line);
    EXPECT_EQ(run_word_of_line(line).data, word.data);
  }
  for (const char* wrong : {"", "{", "[]", "{}", R"({"word":"nonsense","time":1})",
                            R"({"word":"event","time":1,"data":"?"})",
                            R"({"word":"state","time":1,"state":"asleep"})"}) {
    EXPECT_THROW(run_word_of_line(wrong), Error) << wrong;
  }
  EXPECT_TRUE(holds(mirror_error([] { ask_of_line(R"({"protocol":99})"); }), "protocol 99"));
}

TEST(RemoteRunOf, TakesHostsAsSshDoes) {
  const std::pair<const char*, std::pair<const char*, const char*>> good[] = {
      {"h1:tiny", {"h1", "tiny"}},
      {"me@h1:/runs/a:b", {"me@h1", "/runs/a:b"}},
      {"[fd00::1]:x", {"fd00::1", "x"}},
  };
  for (const auto& [text, parts] : good) {
    const auto remote = remote_run_of(text);
    ASSERT_TRUE(remote) << text;
    EXPECT_EQ(remote->host, parts.first);
    EXPECT_EQ(remote->run, parts.second);
  }
  for (const char* here : {"tiny-2026", "/runs/with:colon", "./a:b", ""}) {
    EXPECT_FALSE(remote_run_of(here)) << here;
  }
  for (const char* wrong : {":x", "h1:", "-oProxyCommand=x:y", "a,b:x", "n[1-2]:x", "a;b:x"}) {
    EXPECT_THROW(remote_run_of(wrong), Error) << wrong;
  }
}

TEST(LoneProcess, IsOneAtATime) {
  const test::TemporaryFolder folder;
  const fs::path file = folder.path() / "lock";
  EXPECT_FALSE(LoneProcess::is_held(file));
  {
    const LoneProcess first(file);
    EXPECT_TRUE(first.held());
    EXPECT_TRUE(LoneProcess::is_held(file));
    EXPECT_FALSE(LoneProcess(file).held());
  }
  EXPECT_FALSE(LoneProcess::is_held(file));
  EXPECT_TRUE(LoneProcess(file).held());
  EXPECT_THROW(LoneProcess(folder.path() / "none" / "lock"), Error);
}

TEST_F(MirrorTest, HasEveryByteOfTheRunAndItsState) {
  const RunFolder run = make_run();
  {
    const RunLock lock(run);
    EventWriter log(run.events_path());
    log.append(StateEvent{.state = RunState::Running});
    append_steps(log, 0, 2000);
    ExpertsEvent experts{.step = 1, .layers = 2, .experts = 64};
    experts.counts.assign(128, 7);
    experts.biases.assign(128, 0.5f);
    log.append(experts);
    log.append(StateEvent{.state = RunState::Finished});
    write_bytes(run.log_path(0), "a\nb\n");
    write_bytes(run.log_path(1), std::string(1'000'000, 'x'));
  }
  const fs::path copy = copy_once("far");
  EXPECT_EQ(copy, here() / run.id());
  expect_same_files(run.path(), copy);
  const RunStatus status = status_of(RunFolder::open(copy));
  EXPECT_EQ(status.state, RunState::Finished);
  EXPECT_EQ(status.host, "h1");
  EXPECT_FALSE(status.can_resume);
  EXPECT_EQ(status.step, 1999);
  // Once more: nothing is doubled.
  EXPECT_EQ(copy_once(run.path().string()), copy);
  expect_same_files(run.path(), copy);
}

TEST_F(MirrorTest, GoesOnWhereALineDiedWhateverTheByte) {
  const RunFolder run = make_run();
  {
    const RunLock lock(run);
    EventWriter log(run.events_path());
    log.append(StateEvent{.state = RunState::Running});
    append_steps(log, 0, 300);
    log.append(StateEvent{.state = RunState::Stopped});
    write_bytes(run.log_path(0), std::string(30'000, 'y') + "end\n");
  }
  std::minstd_rand random(11);
  die_after(1500);
  RunMirror first(ssh(), pulses_, source_of("far"), here(), quick());
  int seen = 0;
  ASSERT_TRUE(look_until(first, [&] {
    if (lines() != seen) {
      seen = lines();
      die_after(1500 + random() % 15'000);
    }
    return first.note().judged_at > 0 &&
           read_bytes(first.folder() / "events.log") == read_bytes(run.events_path()) &&
           read_bytes(first.folder() / "log" / "rank-0.log") == read_bytes(run.log_path(0));
  }));
  EXPECT_GT(lines(), 3);
  expect_same_files(run.path(), first.folder());
}

TEST_F(MirrorTest, MendsWhatAKilledDeskLeftHalfWritten) {
  const RunFolder run = make_run();
  {
    const RunLock lock(run);
    EventWriter log(run.events_path());
    log.append(StateEvent{.state = RunState::Running});
    append_steps(log, 0, 50);
    write_bytes(run.log_path(0), "one\ntwo\nthree\n");
  }
  const fs::path copy = copy_once("far");
  const std::string whole = read_bytes(copy / "events.log");
  for (const std::size_t cut :
       {whole.size() - 1, whole.size() / 2, std::size_t{20}, std::size_t{3}, std::size_t{0}}) {
    write_bytes(copy / "events.log", whole.substr(0, cut));
    write_bytes(copy / "log" / "rank-0.log", "one\ntw");
    EXPECT_EQ(copy_once("far"), copy);
    expect_same_files(run.path(), copy);
  }
}

TEST_F(MirrorTest, FollowsARunThroughACutAndTellsTheAge) {
  const RunFolder run = make_run();
  auto lock = std::make_unique<RunLock>(run);
  EventWriter log(run.events_path());
  log.append(StateEvent{.state = RunState::Running});
  RunMirror mirror(ssh(), pulses_, source_of("far"), here(), quick());
  ASSERT_TRUE(look_until(mirror, [&] { return mirror.caught_up(); }));
  const RunFolder copy = RunFolder::open(mirror.folder());
  EXPECT_EQ(status_of(copy).state, RunState::Running);
  cut(true);
  const int before = lines();
  // The line is ended as a dead network would: the far end is still there and finds nobody.
  kill_lines();
  append_steps(log, 0, 100);
  ASSERT_TRUE(look_until(mirror, [&] { return !mirror.note().trouble.empty(); }));
  EXPECT_EQ(mirror.state(), RunMirror::State::Broken);
  EXPECT_TRUE(holds(mirror.note().trouble, "signal 9")) << mirror.note().trouble;
  ASSERT_TRUE(look_until(mirror, [&] { return holds(mirror.note().trouble, "does not answer"); }));
  EXPECT_EQ(status_of(copy).state, RunState::Running) << "a moment of silence says nothing";
  MirrorNote late = *MirrorNote::load(copy.path());
  late.last_contact -= 7300;
  late.save(copy.path());
  const RunStatus lost = status_of(copy);
  EXPECT_EQ(lost.state, RunState::LostContact);
  EXPECT_TRUE(holds(lost.reason, "no word from h1 for 2 h: does not answer")) << lost.reason;
  EXPECT_EQ(lines(), before);
  cut(false);
  append_steps(log, 100, 200);
  ASSERT_TRUE(look_until(
      mirror, [&] { return read_bytes(copy.events_path()) == read_bytes(run.events_path()); }));
  EXPECT_EQ(mirror.note().trouble, "");
  EXPECT_EQ(status_of(copy).state, RunState::Running);
  log.append(StateEvent{.state = RunState::Finished});
  ASSERT_TRUE(look_to_end(mirror));
  EXPECT_EQ(status_of(copy).state, RunState::Finished);
}

TEST_F(MirrorTest, BelievesItsHostOfTheProcessNotThisMachine) {
  const RunFolder run = make_run();
  { const RunLock lock(run); }
  {
    EventWriter log(run.events_path());
    log.append(StateEvent{.state = RunState::Running});
    append_steps(log, 0, 5);
  }
  // A process of this machine that is gone: over there the run was killed, and that is what counts.
  std::string process = read_bytes(run.path() / "process.json");
  const auto at = process.find("\"start_ticks\": ") + 15;
  process.insert(at, "1");
  write_bytes(run.path() / "process.json", process);
  const RunStatus real = status_of(run);
  ASSERT_EQ(real.state, RunState::Failed);
  const RunFolder copy = RunFolder::open(copy_once("far"));
  const RunStatus mirrored = status_of(copy);
  EXPECT_EQ(mirrored.state, RunState::Failed);
  EXPECT_EQ(mirrored.reason, real.reason);
  // Without a verdict, a process that is not here says nothing.
  MirrorNote note = *MirrorNote::load(copy.path());
  note.judged_at = 0;
  note.save(copy.path());
  EXPECT_EQ(status_of(copy).state, RunState::Running);
  // A verdict about an earlier end does not hold once the log has grown.
  note.judged_at = 2;
  note.save(copy.path());
  EXPECT_EQ(status_of(copy).state, RunState::Running);
}

TEST_F(MirrorTest, TellsOfARunThatWasMadeAnewUnderItsName) {
  const RunFolder run = make_run();
  const RunLock lock(run);
  {
    EventWriter log(run.events_path());
    log.append(StateEvent{.state = RunState::Running});
    append_steps(log, 0, 20);
  }
  const fs::path copy = copy_once("far");
  const std::string before = read_bytes(copy / "events.log");
  for (const bool same_begin : {false, true}) {
    const std::string mirrored = read_bytes(copy / "events.log");
    if (same_begin) {
      // As after a crash of the host: its disk had less, and it went on from there.
      write_bytes(run.events_path(), mirrored.substr(0, mirrored.size() / 2));
    } else {
      fs::remove(run.events_path());
    }
    {
      EventWriter log(run.events_path());
      log.append(StateEvent{.state = RunState::Paused});
      append_steps(log, 500, 540);
    }
    EXPECT_EQ(copy_once("far"), copy);
    expect_same_files(run.path(), copy);
    EXPECT_TRUE(holds(MirrorNote::load(copy)->told, "not the one that was mirrored before"));
    EXPECT_TRUE(holds(status_of(RunFolder::open(copy)).reason, "before"));
    bool kept = false;
    for (const auto& entry : fs::directory_iterator(copy)) {
      kept = kept || (holds(entry.path().filename().string(), "events.log.before-") &&
                      read_bytes(entry.path()) == mirrored);
    }
    EXPECT_TRUE(kept);
  }
}

TEST_F(MirrorTest, TellsOfALogThatIsReplacedWhileItIsFollowed) {
  const RunFolder run = make_run();
  const RunLock lock(run);
  {
    EventWriter log(run.events_path());
    log.append(StateEvent{.state = RunState::Running});
    append_steps(log, 0, 40);
  }
  RunMirror mirror(ssh(), pulses_, source_of("far"), here(), quick());
  ASSERT_TRUE(look_until(mirror, [&] { return mirror.caught_up(); }));
  {
    EventWriter other(run.path() / "other");
    other.append(StateEvent{.state = RunState::Running});
    append_steps(other, 7, 9);
  }
  fs::rename(run.path() / "other", run.events_path());
  ASSERT_TRUE(look_until(mirror, [&] {
    return read_bytes(mirror.folder() / "events.log") == read_bytes(run.events_path());
  }));
  EXPECT_TRUE(holds(mirror.note().told, "was replaced"));
}

TEST_F(MirrorTest, TellsOfARunThatWasRemovedThere) {
  const RunFolder run = make_run();
  const RunLock lock(run);
  EventWriter log(run.events_path());
  log.append(StateEvent{.state = RunState::Running});
  append_steps(log, 0, 4);
  {
    RunMirror mirror(ssh(), pulses_, source_of("far"), here(), quick());
    ASSERT_TRUE(look_until(mirror, [&] { return mirror.caught_up(); }));
    fs::rename(run.path(), there() / "elsewhere");
    ASSERT_TRUE(look_to_end(mirror));
    EXPECT_TRUE(holds(mirror.note().gone, "is not on h1 any more")) << mirror.note().gone;
    const RunStatus status = status_of(RunFolder::open(mirror.folder()));
    EXPECT_EQ(status.state, RunState::LostContact);
    EXPECT_TRUE(holds(status.reason, "is not on h1 any more")) << status.reason;
  }
  // Removed while nobody listened: the same is told by the next line.
  MirrorNote note = *MirrorNote::load(here() / run.id());
  note.gone.clear();
  note.save(here() / run.id());
  RunMirror again(ssh(), pulses_, here() / run.id(), quick());
  ASSERT_TRUE(look_to_end(again));
  EXPECT_TRUE(holds(again.note().gone, "not on h1 any more")) << again.note().gone;
  EXPECT_EQ(EventReader(here() / run.id() / "events.log").poll().size(), 5u);
}

TEST_F(MirrorTest, HandsRequestsOnOnceEachAndTellsOfRefusals) {
  const RunFolder run = make_run();
  auto lock = std::make_unique<RunLock>(run);
  EventWriter log(run.events_path());
  log.append(StateEvent{.state = RunState::Running});
  RunMirror mirror(ssh(), pulses_, source_of("far"), here(), quick());
  ASSERT_TRUE(look_until(mirror, [&] { return mirror.caught_up(); }));
  const RunFolder copy = RunFolder::open(mirror.folder());
  EXPECT_THROW(RunLock{copy}, Error) << "a run of another host cannot go on here";
  request_control(copy, Control::Save);
  request_control(copy, Control::Pause);
  ASSERT_TRUE(look_until(mirror, [&] { return pending_requests(run).size() == 2; }));
  ASSERT_TRUE(look_until(mirror, [&] { return pending_requests(copy).empty(); }));
  EXPECT_EQ(take_requests(run), (std::vector<Control>{Control::Save, Control::Pause}));
  // One that is made while the line is cut comes when it is back.
  cut(true);
  kill_lines();
  ASSERT_TRUE(look_until(mirror, [&] { return mirror.state() == RunMirror::State::Broken; }));
  request_control(copy, Control::StopSaving);
  cut(false);
  ASSERT_TRUE(look_until(mirror, [&] { return pending_requests(run).size() == 1; }));
  EXPECT_EQ(take_requests(run), std::vector<Control>{Control::StopSaving});
  // The host knows better whether the run is there.
  lock.reset();
  std::string process = read_bytes(run.path() / "process.json");
  process.insert(process.find("\"start_ticks\": ") + 15, "1");
  write_bytes(run.path() / "process.json", process);
  request_control(copy, Control::Save);
  ASSERT_TRUE(look_until(mirror, [&] { return holds(mirror.note().told, "refuses"); }));
  EXPECT_TRUE(holds(mirror.note().told, "is not running")) << mirror.note().told;
  EXPECT_TRUE(pending_requests(copy).empty());
}

TEST_F(MirrorTest, WritesNothingOutsideItsFolderWhateverTheHostSays) {
  const std::string evil =
      to_line(RunWord{.kind = RunWord::Kind::Run, .name = "far", .text = "/x"}) +
      to_line(RunWord{.kind = RunWord::Kind::File, .name = "../escaped", .data = "x"}) +
      to_line(RunWord{.kind = RunWord::Kind::File, .name = "mirror.json", .data = "x"}) +
      to_line(RunWord{.kind = RunWord::Kind::Log, .name = "../../escaped", .data = "x"}) +
      to_line(RunWord{.kind = RunWord::Kind::Log, .name = ".hidden", .data = "x"}) +
      to_line(RunWord{.kind = RunWord::Kind::Answer, .name = "../mirror.json"}) +
      to_line(RunWord{.kind = RunWord::Kind::CaughtUp});
  write_bytes(folder_.path() / "said", evil);
  write_bytes(ssh_folder() / "ssh",
              fmt::format("#!/bin/sh\ncat '{}'\nsleep 1\n", (folder_.path() / "said").string()));
  RunMirror mirror(ssh(), pulses_, source_of("far"), here(), quick(false));
  ASSERT_TRUE(look_to_end(mirror));
  EXPECT_FALSE(fs::exists(here() / "escaped"));
  EXPECT_FALSE(fs::exists(folder_.path() / "escaped"));
  EXPECT_TRUE(fs::is_empty(here() / "far" / "log"));
  EXPECT_EQ(MirrorNote::load(here() / "far")->host, "h1");
  write_bytes(folder_.path() / "said", to_line(RunWord{.kind = RunWord::Kind::State}));
  RunMirror nameless(ssh(), pulses_, source_of("far"), here(), quick(false));
  EXPECT_TRUE(holds(mirror_error([&] { look_to_end(nameless); }), "has not named the run"));
  for (const char* name : {"../far", "/far", ".far", ""}) {
    write_bytes(folder_.path() / "said",
                to_line(RunWord{.kind = RunWord::Kind::Run, .name = name, .text = "/x"}));
    RunMirror other(ssh(), pulses_, source_of("far"), here(), quick(false));
    EXPECT_NE(mirror_error([&] { look_to_end(other); }), "") << name;
  }
}

TEST_F(MirrorTest, RefusesWhatCannotBeMirrored) {
  const auto error_of_copy = [&](const std::string& run) {
    return mirror_error([&] {
      RunMirror mirror(ssh(), pulses_, source_of(run), here(), quick(false));
      look_to_end(mirror);
    });
  };
  EXPECT_TRUE(holds(error_of_copy("nobody"), "there is no run \"nobody\""));
  cut(true);
  EXPECT_TRUE(holds(error_of_copy("far"), "does not answer"));
  cut(false);
  const RunFolder run = make_run();
  RunFolder taken = RunFolder::create(here(), test::small_spec("own"));
  fs::rename(taken.path(), here() / run.id());
  EXPECT_TRUE(holds(error_of_copy("far"), "is a run of this machine already"));
  fs::remove_all(here() / run.id());
  MirrorNote other = source_of("far");
  other.host = "h2";
  make_mirror(other, run.id(), here());
  EXPECT_TRUE(holds(error_of_copy("far"), "is the mirror of a run on h2"));
}

TEST_F(MirrorTest, ASpoiltNoteIsToldAndTakesNoRunAway) {
  make_run();
  const RunFolder copy = RunFolder::open(copy_once("far"));
  write_bytes(copy.path() / "mirror.json", "{ not json");
  const RunStatus status = status_of(copy);
  EXPECT_EQ(status.state, RunState::LostContact);
  EXPECT_TRUE(holds(status.reason, "cannot be read")) << status.reason;
  EXPECT_THROW(MirrorNote::load(copy.path()), Error);
  write_bytes(copy.path() / "mirror.json", R"({"version": 99})");
  EXPECT_TRUE(holds(mirror_error([&] { MirrorNote::load(copy.path()); }), "newer"));
}

/// Larger than a part of it that is told at once.
std::string timeline_text(char fill) {
  return "[" + std::string(900'000, fill) + "]";
}

TEST_F(MirrorTest, BringsTheTimelineAndSendsNoneTwice) {
  const RunFolder run = make_run();
  {
    EventWriter log(run.events_path());
    append_steps(log, 0, 3);
  }
  const fs::path there = run.path() / kTimelineName;
  write_bytes(there, timeline_text('a'));
  const fs::path copy = copy_once("far");
  EXPECT_TRUE(read_bytes(copy / kTimelineName) == timeline_text('a'));
  EXPECT_EQ(timeline_stamp(copy / kTimelineName), timeline_stamp(there));
  // The same one is not told again: what is here stays, whatever it holds.
  const auto stamp = fs::last_write_time(copy / kTimelineName);
  write_bytes(copy / kTimelineName, timeline_text('b'));
  fs::last_write_time(copy / kTimelineName, stamp);
  copy_once("far");
  EXPECT_TRUE(read_bytes(copy / kTimelineName) == timeline_text('b'));
  // Another one is.
  write_bytes(there, timeline_text('c') + "longer");
  copy_once("far");
  EXPECT_TRUE(read_bytes(copy / kTimelineName) == timeline_text('c') + "longer");
  EXPECT_FALSE(fs::exists(copy / ".timeline.json.part"));
}

TEST_F(MirrorTest, ATimelineIsWholeOrNotThere) {
  const RunFolder run = make_run();
  { EventWriter(run.events_path()).append(StateEvent{.state = RunState::Finished}); }
  write_bytes(run.path() / kTimelineName, timeline_text('a'));
  die_after(600'000);
  RunMirror mirror(ssh(), pulses_, source_of("far"), here(), quick());
  const fs::path copy = here() / run.id();
  ASSERT_TRUE(look_until(mirror, [&] { return mirror.state() == RunMirror::State::Broken; }));
  EXPECT_TRUE(fs::exists(copy / ".timeline.json.part"));
  EXPECT_FALSE(fs::exists(copy / kTimelineName));
  die_after(0);
  ASSERT_TRUE(look_to_end(mirror));
  EXPECT_TRUE(read_bytes(copy / kTimelineName) == timeline_text('a'));
}

TEST_F(MirrorTest, ATimelineThatIsTooLargeStaysThere) {
  const RunFolder run = make_run();
  write_bytes(run.path() / kTimelineName, "");
  fs::resize_file(run.path() / kTimelineName, kMostTimelineBytes + 1);
  const fs::path copy = copy_once("far");
  EXPECT_FALSE(fs::exists(copy / kTimelineName));
  EXPECT_FALSE(fs::exists(copy / ".timeline.json.part"));
  // Nor is one taken that a host tells all the same.
  const std::string stamp = std::to_string(kMostTimelineBytes + 1) + "@5";
  for (const std::string& text : {stamp, std::string("5"), std::string("x@y"), std::string()}) {
    write_bytes(
        folder_.path() / "said",
        to_line(RunWord{.kind = RunWord::Kind::Run, .name = run.id(), .text = "/x"}) +
            to_line(RunWord{
                .kind = RunWord::Kind::File, .name = kTimelineName, .text = text, .data = "abc"}) +
            to_line(RunWord{.kind = RunWord::Kind::CaughtUp}));
    write_bytes(ssh_folder() / "ssh",
                fmt::format("#!/bin/sh\ncat '{}'\nsleep 1\n", (folder_.path() / "said").string()));
    const std::string error = mirror_error([&] { copy_once("far"); });
    EXPECT_EQ(error.empty(), text == stamp) << text << ": " << error;
    EXPECT_FALSE(fs::exists(copy / kTimelineName));
  }
}

TEST_F(MirrorTest, ARunThatNobodyHasBegunIsFollowedForAWhile) {
  const RunFolder run = make_run();  // as it is left where its program was killed at once
  ::setenv("TESSERA_TEST_UNSTARTED_S", "0.3", 1);
  {
    RunMirror mirror(ssh(), pulses_, source_of("far"), here(), quick());
    EXPECT_TRUE(look_to_end(mirror));
    EXPECT_TRUE(holds(mirror.note().told, "no process runs it")) << mirror.note().told;
  }
  // One that waits in a queue of Slurm may begin any time.
  fs::create_directories(run.path() / "slurm");
  SlurmRecord record;
  record.job = "7";
  record.last.state = "PENDING";
  record.save({run.path()});
  RunMirror waits(ssh(), pulses_, source_of("far"), here(), quick());
  EXPECT_FALSE(wait_until(
      [&] {
        waits.look();
        return waits.state() == RunMirror::State::Over;
      },
      1.5));
  record.last.state = "CANCELLED";
  record.save({run.path()});
  EXPECT_TRUE(look_to_end(waits));
  ::unsetenv("TESSERA_TEST_UNSTARTED_S");
}

TEST_F(MirrorTest, GoesOnAfterALogThatCouldNotBeSetAside) {
  const RunFolder run = make_run();
  {
    EventWriter log(run.events_path());
    append_steps(log, 0, 3);
  }
  const fs::path copy = copy_once("far");
  // The run there is another one now, and the log here is away just when it is to be set aside.
  fs::remove(run.events_path());
  {
    EventWriter log(run.events_path());
    append_steps(log, 7, 9);
    log.append(StateEvent{.state = RunState::Finished});
  }
  RunMirror mirror(ssh(), pulses_, copy, quick());
  fs::rename(copy / "events.log", copy / "hidden.log");
  ASSERT_TRUE(look_until(mirror, [&] { return mirror.state() == RunMirror::State::Broken; }));
  fs::rename(copy / "hidden.log", copy / "events.log");
  EXPECT_TRUE(look_to_end(mirror));
  EXPECT_EQ(read_bytes(copy / "events.log"), read_bytes(run.events_path()));
}

TEST_F(MirrorTest, AKeeperLeavesWhereItsListIsDamaged) {
  const MirrorList list(folder_.path() / "mirrors");
  fs::create_directories(folder_.path() / "mirrors");
  write_bytes(folder_.path() / "mirrors" / "0123456789abcdef.mirror", "");
  write_bytes(folder_.path() / "mirrors" / "0123456789abcdee.mirror", "/somewhere/else");
  const std::atomic<bool> stop = false;
  keep_mirrors(list, stop, [](const std::string&) {});
  EXPECT_TRUE(list.all().empty());
  EXPECT_FALSE(fs::exists(folder_.path() / "mirrors" / "0123456789abcdef.mirror"));
}

TEST_F(MirrorTest, OneKeeperFollowsAllAndLeavesWhenNoneIsLeft) {
  const MirrorList list(folder_.path() / "mirrors");
  std::vector<RunFolder> runs;
  for (const char* name : {"one", "two", "three"}) {
    runs.push_back(make_run(name));
    EventWriter log(runs.back().events_path());
    log.append(StateEvent{.state = RunState::Running});
  }
  const auto add = [&](std::size_t i) {
    MirrorNote note = source_of(runs[i].path().string());
    list.add(make_mirror(note, runs[i].id(), here()));
  };
  add(0);
  add(1);
  std::atomic<bool> stop = false;
  std::thread keeper([&] { keep_mirrors(list, stop, [](const std::string&) {}); });
  const auto same = [&](std::size_t i) {
    return read_bytes(runs[i].events_path()) == read_bytes(here() / runs[i].id() / "events.log");
  };
  EXPECT_TRUE(wait_until([&] { return same(0) && same(1); }));
  EXPECT_TRUE(LoneProcess::is_held(list.lock()));
  add(2);
  EXPECT_TRUE(wait_until([&] { return same(2); }));
  for (std::size_t i = 0; i < 2; ++i) {
    EventWriter log(runs[i].events_path());
    log.append(StateEvent{.state = RunState::Finished});
  }
  EXPECT_TRUE(wait_until([&] { return list.all().size() == 1; }));
  fs::remove_all(here() / runs[2].id());  // by hand: nobody wants it any more
  keeper.join();
  EXPECT_TRUE(list.all().empty());
  EXPECT_TRUE(same(0) && same(1));
  EXPECT_FALSE(fs::exists(here() / runs[2].id()));
}

// ---- Checkpoints --------------------------------------------------------------------------------

class FetchTest : public MirrorTest {
 protected:
  void SetUp() override {
    MirrorTest::SetUp();
    run_ = make_run().path();
    write_checkpoint("step-2", 'a');
    write_checkpoint("step-10", 'b');
    note_ = source_of(run_.string());
    note_.runs.clear();
    mirror_ = make_mirror(note_, run_.filename().string(), here());
  }
  void write_checkpoint(const std::string& name, char fill) const {
    const fs::path folder = run_ / "checkpoints" / name;
    fs::create_directories(folder);
    write_bytes(folder / "weights", std::string(300'000, fill));
    write_bytes(folder / "moments", std::string(200'000, static_cast<char>(fill + 1)));
    write_bytes(folder / "empty", "");
    write_bytes(folder / "pinned", "");
    write_bytes(folder / "manifest.json", fmt::format("{{\"fill\": \"{}\"}}", fill));
  }
  fs::path fetch(const std::string& wanted) {
    FetchOptions options;
    options.check = [this](const fs::path&) { return damage_; };
    options.progress = [this](std::uint64_t done, std::uint64_t bytes) {
      EXPECT_LE(done, bytes);
      done_ = done;
    };
    options.note = [this](const std::string& text) { notes_.push_back(text); };
    options.longest_pause_s = 0.01;
    options.most_tries = 3;
    return fetch_checkpoint(ssh(), note_, mirror_, wanted, options);
  }
  void expect_same(const std::string& name) const {
    for (const char* file : {"weights", "moments", "empty", "manifest.json"}) {
      EXPECT_EQ(read_bytes(run_ / "checkpoints" / name / file),
                read_bytes(mirror_ / "checkpoints" / name / file));
    }
    EXPECT_FALSE(fs::exists(mirror_ / "checkpoints" / name / "pinned"));
    EXPECT_FALSE(fs::exists(mirror_ / "checkpoints" / (".fetch-" + name)));
  }

  fs::path run_, mirror_;
  MirrorNote note_;
  std::string damage_;
  std::vector<std::string> notes_;
  std::uint64_t done_ = 0;
};

TEST_F(FetchTest, BringsTheOneThatIsMeant) {
  EXPECT_EQ(fetch("newest"), mirror_ / "checkpoints" / "step-10");
  expect_same("step-10");
  fetch("2");
  expect_same("step-2");
  const int before = lines();
  done_ = 0;
  fetch("step-2");  // it is here: asked for, and not sent again
  EXPECT_EQ(lines(), before + 1);
  EXPECT_EQ(done_, 0u);
  EXPECT_TRUE(holds(mirror_error([&] { fetch("3"); }), "no whole step-3"));
  EXPECT_TRUE(holds(mirror_error([&] { fetch("../x"); }), "no whole"));
}

TEST_F(FetchTest, GoesOnThroughLinesThatDie) {
  die_after(120'000);
  fetch("newest");
  expect_same("step-10");
  EXPECT_GE(notes_.size(), 4u);
  EXPECT_TRUE(holds(notes_[0], "from where it stopped")) << notes_[0];
}

TEST_F(FetchTest, KeepsWhatHasComeForTheNextCommand) {
  die_after(250'000);
  const auto cut_after_first = [&] { cut(true); };
  FetchOptions options;
  options.note = [&](const std::string&) { cut_after_first(); };
  options.longest_pause_s = 0.01;
  options.most_tries = 2;
  const std::string error =
      mirror_error([&] { fetch_checkpoint(ssh(), note_, mirror_, "newest", options); });
  EXPECT_TRUE(holds(error, "what has come is kept")) << error;
  EXPECT_FALSE(fs::exists(mirror_ / "checkpoints" / "step-10"));
  const fs::path staged = mirror_ / "checkpoints" / ".fetch-step-10";
  const auto came = fs::file_size(staged / "moments");
  EXPECT_GT(came, 0u);
  EXPECT_EQ(status_of(RunFolder::open(run_)).can_resume, false);
  cut(false);
  die_after(0);
  std::uint64_t first = ~0ull;
  options.progress = [&](std::uint64_t done, std::uint64_t) { first = std::min(first, done); };
  fetch_checkpoint(ssh(), note_, mirror_, "newest", options);
  EXPECT_GE(first, came);
  expect_same("step-10");
}

TEST_F(FetchTest, IsNotTakenForOneUntilItWasFoundWhole) {
  damage_ = "weights does not hold the bytes that were written";
  EXPECT_TRUE(holds(mirror_error([&] { fetch("newest"); }), "did not come as it was written"));
  EXPECT_TRUE(fs::is_empty(mirror_ / "checkpoints") ||
              !fs::exists(mirror_ / "checkpoints" / "step-10"));
  damage_.clear();
  fetch("newest");
  expect_same("step-10");
  // Another one of the same name, as after a rollback.
  write_checkpoint("step-10", 'q');
  fetch("newest");
  expect_same("step-10");
}

TEST_F(FetchTest, BeginsAnewWhereThePartsAreOfAnotherCheckpoint) {
  die_after(250'000);
  FetchOptions options;
  options.note = [&](const std::string&) { cut(true); };
  options.longest_pause_s = 0.01;
  options.most_tries = 1;
  EXPECT_THROW(fetch_checkpoint(ssh(), note_, mirror_, "newest", options), Error);
  write_checkpoint("step-10", 'z');
  cut(false);
  die_after(0);
  fetch("newest");
  expect_same("step-10");
}

TEST_F(FetchTest, TellsOfARunWithoutCheckpointsAndOfAHostThatIsAway) {
  fs::remove_all(run_ / "checkpoints");
  EXPECT_TRUE(holds(mirror_error([&] { fetch("newest"); }), "has none yet"));
  cut(true);
  EXPECT_TRUE(holds(mirror_error([&] { fetch("newest"); }), "does not answer"));
}

}  // namespace
}  // namespace tessera

namespace {
/// What `tessera agent` does at the far end of a line, with short patience.
int be_far_end(const std::vector<std::string>& words) {
  using namespace tessera;
  ::signal(SIGPIPE, SIG_IGN);
  std::string line;
  try {
    if (words[1] == "tell") {
      for (char c = 0; ::read(0, &c, 1) == 1 && c != '\n';) line += c;
      const RunAsk ask = ask_of_line(line);
      try {
        TellOptions options;
        options.in = 0;
        options.beat_s = 0.2;
        options.gone_after_s = 0.5;
        if (const char* given = std::getenv("TESSERA_TEST_UNSTARTED_S")) {
          options.unstarted_s = std::atof(given);
        }
        tell_run(find_told_run(ask.run, ask.runs, 0.2), ask, options);
      } catch (const Error& error) {
        std::fputs(
            to_line(
                RunWord{.kind = RunWord::Kind::Refused, .name = kMissingRun, .text = error.what()})
                .c_str(),
            stdout);
      }
      return 0;
    }
    std::vector<std::string> names;
    const std::filesystem::path checkpoints = words[2] + "/checkpoints";
    for (const char* name : {"step-2", "step-10"}) {
      if (std::filesystem::exists(checkpoints / name)) names.emplace_back(name);
    }
    send_checkpoint(checkpoints, names, words[4], 0, 1);
    return 0;
  } catch (const Error& error) {
    std::fprintf(stderr, "tessera: %s\n", error.what());
    return 1;
  }
}
}  // namespace

int main(int count, char** words) {
  if (count > 2 && std::string(words[1]) == "agent") return be_far_end({words + 1, words + count});
  testing::InitGoogleTest(&count, words);
  return RUN_ALL_TESTS();
}
