// SPDX-License-Identifier: MIT
#include "core/run/run_folder.h"
#include "core/spec/curriculum.h"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/config/paths.h"
#include "core/spec/spec_table.h"
#include "tests/run/run_test_helpers.h"

namespace tessera {
namespace {

class RunFolders : public testing::Test {
 protected:
  void SetUp() override { log::set_console_level(log::Level::Error); }

  RunFolder make() {
    return RunFolder::create(temporary.path() / "runs", test::small_spec("a b/c"));
  }

  /// A child that runs `folder` until it is killed; returns when it has said so.
  pid_t start_trainer(const RunFolder& folder) {
    const pid_t child = test::start_child([&] {
      const RunLock lock(folder);
      EventWriter writer(folder.events_path());
      writer.append(StateEvent{.state = RunState::Running});
      writer.append(test::step_event(0, 4.5));
      while (true) ::usleep(1000);
    });
    while (status_of(folder).step < 0) ::usleep(500);
    return child;
  }

  void rewrite_process(const RunFolder& folder, const char* field, const nlohmann::json& value) {
    const auto path = folder.path() / "process.json";
    auto j = nlohmann::json::parse(test::read_bytes(path));
    j[field] = value;
    test::write_bytes(path, j.dump());
  }

  test::TemporaryFolder temporary;
};

/// An environment variable for one test.
class Environment {
 public:
  Environment(const char* name, const std::string& value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;
    ::setenv(name, value.c_str(), 1);
  }
  ~Environment() {
    if (old_) {
      ::setenv(name_, old_->c_str(), 1);
    } else {
      ::unsetenv(name_);
    }
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  const char* name_;
  std::optional<std::string> old_;
};

TEST_F(RunFolders, SayWhichTextTheyAreTrainedOn) {
  RunSpec spec = test::small_spec();
  spec.data.sources.resize(2);
  spec.data.sources[0].paths = {"sample:web", "/other"};
  spec.data.sources[1].paths = {"sample:code"};
  const auto paths = [&] {
    const RunSpec made = RunFolder::create(temporary.path() / "runs", spec).spec();
    return std::vector{made.data.sources[0].paths, made.data.sources[1].paths};
  };
  using Paths = std::vector<std::vector<std::string>>;
  {
    const Environment none("TESSERA_SAMPLE", "none");
    EXPECT_EQ(paths(), (Paths{{"generated:web", "/other"}, {"generated:code"}}));
  }
  const std::filesystem::path sample = temporary.path() / "cache" / "tessera" / "sample";
  std::filesystem::create_directories(sample / "web");
  const Environment cache("XDG_CACHE_HOME", (temporary.path() / "cache").string());
  const Environment empty("TESSERA_SAMPLE", "");
  // A sample that was not finished does not count, and a part that it lacks is written.
  EXPECT_EQ(paths(), (Paths{{"generated:web", "/other"}, {"generated:code"}}));
  test::write_bytes(sample / "parts.json", "{}");
  EXPECT_EQ(paths(), (Paths{{(sample / "web").string(), "/other"}, {"generated:code"}}));
  const Environment wrong("TESSERA_SAMPLE", "/nowhere");
  EXPECT_THROW(paths(), Error);
}

TEST_F(RunFolders, GeneratedTextIsWrittenWhereItIsAskedFor) {
  const Environment home("TESSERA_HOME", (temporary.path() / "home").string());
  const std::filesystem::path folder = resolve_path("generated:chinese");
  EXPECT_TRUE(std::filesystem::is_regular_file(folder / "chinese.jsonl"));
  EXPECT_EQ(folder.parent_path(), temporary.path() / "home" / "generated-text");
  EXPECT_THROW(resolve_path("generated:music"), Error);
}

TEST_F(RunFolders, AreMadeOpenedAndFound) {
  const RunFolder folder = make();
  EXPECT_EQ(folder.id().substr(0, 6), "a-b-c-");
  EXPECT_TRUE(RunFolder::is_run(folder.path()));
  EXPECT_TRUE(spec::differences(folder.spec(), test::small_spec("a b/c")).empty());
  EXPECT_FALSE(folder.lineage());
  EXPECT_EQ(RunFolder::open(folder.path() / "").id(), folder.id());
  const auto runs = temporary.path() / "runs";
  EXPECT_EQ(RunFolder::find(folder.id(), runs).path(), folder.path());
  EXPECT_EQ(RunFolder::find("a-b", runs).path(), folder.path());
  EXPECT_EQ(RunFolder::find(folder.path().string(), "/nowhere").path(), folder.path());
  EXPECT_NE(make().path(), folder.path());
  EXPECT_THROW(RunFolder::find("a-b", runs), Error);  // now there are two
  EXPECT_THROW(RunFolder::find("zzz", runs), Error);
  EXPECT_THROW(RunFolder::open(temporary.path() / "nothing"), Error);
  EXPECT_THROW(RunFolder::open(temporary.path()), Error);
}

TEST_F(RunFolders, RememberWhatTheyWereForkedFrom) {
  const Lineage lineage{"parent-1", "/runs/parent-1", "/runs/parent-1/checkpoints/step-40", 40};
  const RunFolder folder = RunFolder::create(temporary.path(), test::small_spec(), lineage);
  const auto read = folder.lineage();
  ASSERT_TRUE(read);
  EXPECT_EQ(read->parent, "parent-1");
  EXPECT_EQ(read->checkpoint, lineage.checkpoint);
  EXPECT_EQ(read->step, 40);
}

TEST_F(RunFolders, ASpoiltSpecIsToldWithItsLine) {
  const RunFolder folder = make();
  test::write_bytes(folder.spec_path(), "[model]\nhidden_size = true\n");
  try {
    folder.spec();
    FAIL() << "a spoilt spec was read";
  } catch (const Error& problem) {
    EXPECT_NE(std::string(problem.what()).find("run.toml:2: model.hidden_size"), std::string::npos);
  }
}

TEST_F(RunFolders, TwoTrainersAreRefused) {
  const RunFolder folder = make();
  const RunLock lock(folder);
  EXPECT_THROW(RunLock second(folder), Error);
  const pid_t child = test::start_child([&] { RunLock second(folder); });
  EXPECT_EQ(WEXITSTATUS(test::wait_for(child)), 1);
}

TEST_F(RunFolders, StatesComeFromEvidence) {
  const RunFolder folder = make();
  EXPECT_EQ(status_of(folder).state, RunState::Draft);
  EXPECT_EQ(status_of(folder).total_steps, Curriculum(folder.spec()).total_steps());
  EXPECT_THROW(request_control(folder, Control::Pause), Error);

  const pid_t trainer = start_trainer(folder);
  RunStatus status = status_of(folder);
  EXPECT_EQ(status.state, RunState::Running);
  EXPECT_EQ(status.step, 0);
  EXPECT_EQ(status.loss, 4.5);
  EXPECT_EQ(status.process->pid, trainer);
  EXPECT_FALSE(status.can_resume);

  // A process that is suspended, as by Ctrl+Z, is no dead one, and it is told.
  ::kill(trainer, SIGSTOP);
  EXPECT_EQ(::waitpid(trainer, nullptr, WUNTRACED), trainer);
  status = status_of(folder);
  EXPECT_EQ(status.state, RunState::Running);
  EXPECT_EQ(status.reason, fmt::format("its process is suspended, as by Ctrl+Z; `kill -CONT {}` "
                                       "lets it go on",
                                       trainer));
  ::kill(trainer, SIGCONT);
  EXPECT_EQ(::waitpid(trainer, nullptr, WCONTINUED), trainer);
  EXPECT_EQ(status_of(folder).reason, "");
  ::kill(trainer, SIGKILL);
  const ProcessId process = *status.process;
  const int wait_status = test::wait_for(trainer);
  status = status_of(folder);
  EXPECT_EQ(status.state, RunState::Failed);
  EXPECT_EQ(status.reason, fmt::format("killed: process {} on {} is gone without a last word",
                                       process.pid, process.host));
  record_exit(folder, process, wait_status);
  EXPECT_EQ(status_of(folder).reason, "killed by signal 9 (Killed)");
  EXPECT_FALSE(status_of(folder).can_resume);
  test::fs::create_directory(folder.checkpoints_path() / "step-10.tmp");
  EXPECT_FALSE(status_of(folder).can_resume);
  test::fs::create_directory(folder.checkpoints_path() / "step-10");
  EXPECT_TRUE(status_of(folder).can_resume);
}

TEST_F(RunFolders, TheTrainersOwnLastWordStands) {
  const RunFolder folder = make();
  const pid_t child = test::start_child([&] {
    const RunLock lock(folder);
    EventWriter writer(folder.events_path());
    writer.append(StateEvent{.state = RunState::Running});
    writer.append(StateEvent{.state = RunState::Failed, .reason = "loss is NaN", .rank = 0});
  });
  test::wait_for(child);
  const RunStatus status = status_of(folder);
  EXPECT_EQ(status.state, RunState::Failed);
  EXPECT_EQ(status.reason, "loss is NaN");
  EXPECT_EQ(status.rank, 0);
}

TEST_F(RunFolders, ANumberThatWasGivenToAnotherProcessIsNotTheTrainer) {
  const RunFolder folder = make();
  const pid_t trainer = start_trainer(folder);
  const auto ticks = this_process().start_ticks;
  rewrite_process(folder, "start_ticks", ticks + 1'000'000);
  EXPECT_EQ(status_of(folder).state, RunState::Failed);
  ::kill(trainer, SIGKILL);
  test::wait_for(trainer);
}

TEST_F(RunFolders, ARebootEndsARunAndAnotherHostIsOutOfSight) {
  const RunFolder folder = make();
  const pid_t trainer = start_trainer(folder);
  rewrite_process(folder, "boot_id", "another boot");
  EXPECT_EQ(status_of(folder).state, RunState::Failed);
  rewrite_process(folder, "host", "another-host");
  EXPECT_EQ(status_of(folder).state, RunState::Running);  // its last word is fresh
  ::kill(trainer, SIGKILL);
  test::wait_for(trainer);
  EXPECT_EQ(status_of(folder).state, RunState::Running);

  // The same with a last word of two minutes ago.
  test::fs::remove(folder.events_path());
  const double then = static_cast<double>(std::time(nullptr)) - 150;
  EventWriter(folder.events_path())
      .append_raw({1, encode_payload(then, StateEvent{.state = RunState::Running})});
  const RunStatus status = status_of(folder);
  EXPECT_EQ(status.state, RunState::LostContact);
  EXPECT_EQ(status.reason.substr(0, 28), "no word from another-host fo");
  EXPECT_GE(status.age_seconds(), 149);
}

TEST_F(RunFolders, TheEndOfALongLogTellsTheState) {
  const RunFolder folder = make();
  const RunLock lock(folder);
  EventWriter writer(folder.events_path());
  writer.append(StateEvent{.state = RunState::Running});
  ValidationEvent validation;
  validation.loss = 3.5;
  writer.append(validation);
  ExpertsEvent experts;
  experts.layers = 8;
  experts.experts = 256;
  experts.counts.assign(2048, 1);
  for (int i = 0; i < 100; ++i) {
    writer.append(test::step_event(i, 1.0 + i));
    writer.append(experts);
  }
  const RunStatus status = status_of(folder);
  EXPECT_EQ(status.state, RunState::Running);
  EXPECT_EQ(status.step, 99);
  EXPECT_EQ(status.validation_loss, 3.5);
  EXPECT_GT(status.created, 1.7e9);
}

TEST_F(RunFolders, RequestsReachTheTrainerOnceAndInOrder) {
  const RunFolder folder = make();
  const RunLock lock(folder);
  EventWriter writer(folder.events_path());
  writer.append(StateEvent{.state = RunState::Running});
  for (Control c : {Control::Pause, Control::Save, Control::Resume, Control::StopSaving}) {
    request_control(folder, c);
  }
  test::write_bytes(folder.control_path() / "garbage", "x");
  EXPECT_EQ(take_requests(folder), std::vector<Control>({Control::Pause, Control::Save,
                                                         Control::Resume, Control::StopSaving}));
  EXPECT_TRUE(take_requests(folder).empty());
  writer.append(StateEvent{.state = RunState::Finished});
  EXPECT_THROW(request_control(folder, Control::StopNow), Error);
}

TEST_F(RunFolders, RequestsToADeadTrainerDoNotStopTheNextOne) {
  const RunFolder folder = make();
  const pid_t trainer = start_trainer(folder);
  request_control(folder, Control::StopNow);
  ::kill(trainer, SIGKILL);
  test::wait_for(trainer);
  EXPECT_THROW(request_control(folder, Control::StopNow), Error);
  const RunLock lock(folder);
  EXPECT_TRUE(take_requests(folder).empty());
}

}  // namespace
}  // namespace tessera
