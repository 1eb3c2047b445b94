// SPDX-License-Identifier: MIT
#include "core/history/library.h"
#include "core/spec/curriculum.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <set>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/history/recent_steps.h"
#include "core/run/mirror_note.h"
#include "tests/run/run_test_helpers.h"

namespace tessera {
namespace {

class Libraries : public testing::Test {
 protected:
  void SetUp() override {
    log::set_console_level(log::Level::Error);
    ::setenv("TESSERA_HOME", temporary.path().c_str(), 1);
    ::unsetenv("TESSERA_RUNS");
  }
  void TearDown() override { ::unsetenv("TESSERA_HOME"); }

  RunFolder make_run(const std::string& name, int steps) {
    const RunFolder folder = RunFolder::create(temporary.path() / "runs", test::small_spec(name));
    EventWriter writer(folder.events_path());
    writer.append(StateEvent{.state = RunState::Running});
    for (int i = 0; i < steps; ++i) writer.append(test::step_event(i, 8.0 - 0.001 * i));
    writer.append(StateEvent{.state = RunState::Finished});
    return folder;
  }

  void sql(const char* text) {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(file.c_str(), &db), SQLITE_OK);
    ASSERT_EQ(sqlite3_exec(db, text, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
    sqlite3_close(db);
  }

  test::TemporaryFolder temporary;
  test::fs::path file = temporary.path() / "library.db";
};

TEST_F(Libraries, IndexRuns) {
  const RunFolder folder = make_run("first", 5000);
  Library library;
  EXPECT_TRUE(library.recovery().empty());
  EXPECT_TRUE(library.runs().empty());
  library.refresh();
  const auto rows = library.runs();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].id, folder.id());
  EXPECT_EQ(rows[0].folder, folder.path());
  EXPECT_EQ(rows[0].name, "first");
  EXPECT_EQ(rows[0].state, RunState::Finished);
  EXPECT_EQ(rows[0].step, 4999);
  EXPECT_EQ(rows[0].total_steps, Curriculum(folder.spec()).total_steps());
  EXPECT_DOUBLE_EQ(rows[0].loss, 8.0 - 4.999);
  EXPECT_GE(rows[0].sparkline.size(), 32u);
  EXPECT_LE(rows[0].sparkline.size(), 64u);
  EXPECT_FLOAT_EQ(rows[0].sparkline[1], 8.0f - 0.001f * 128);
}

TEST_F(Libraries, FollowARunStepByStep) {
  const RunFolder folder = make_run("first", 10);
  Library library;
  library.refresh(folder);
  for (int i = 0; i < 5; ++i) {
    EventWriter(folder.events_path()).append(test::step_event(10 + i, 2.0));
    library.refresh(folder);
    const auto row = library.run(folder.id());
    ASSERT_EQ(row->sparkline.size(), 11u + i);
    EXPECT_EQ(row->sparkline.back(), 2.0f);
  }
}

TEST_F(Libraries, WhatAResumeUndidIsLeftOut) {
  const RunFolder folder = make_run("first", 50);
  Library library;
  library.refresh();
  const auto add = [&](const std::vector<EventBody>& bodies) {
    EventWriter writer(folder.events_path());
    for (const EventBody& body : bodies) writer.append(body);
  };
  // Undone in the middle, then to a step beyond the last one, which undoes nothing.
  add({ResumeEvent{.step = 19}, test::step_event(20, 1.5), test::step_event(21, 1.5)});
  library.refresh();
  ASSERT_EQ(library.run(folder.id())->sparkline.size(), 22u);
  add({RollbackEvent{.from_step = 21, .to_step = 20}, test::step_event(21, 1.25)});
  library.refresh();
  add({ResumeEvent{.step = 21}, test::step_event(22, 1.125)});
  library.refresh();
  std::vector<float> expected;
  for (int i = 0; i < 20; ++i) expected.push_back(static_cast<float>(8.0 - 0.001 * i));
  for (const float loss : {1.5f, 1.25f, 1.125f}) expected.push_back(loss);
  EXPECT_EQ(library.run(folder.id())->sparkline, expected);

  // Made anew from the log alone, it is the same.
  test::fs::remove(file);
  Library again;
  again.refresh();
  EXPECT_EQ(again.run(folder.id())->sparkline, expected);

  // A step that is told twice counts once, as where a log lost its resume event.
  add({test::step_event(22, 1.0)});
  again.refresh();
  expected.back() = 1.0f;
  EXPECT_EQ(again.run(folder.id())->sparkline, expected);
}

TEST_F(Libraries, RowsHaveCellsForSettingsAndMetricsThatAreAskedFor) {
  const RunFolder folder = make_run("first", 50);
  Library library;
  library.refresh();
  EXPECT_TRUE(library.run(folder.id())->cells.empty());
  library.set_columns({"metric/loss", "setting/model.hidden_size", "setting/optimizer",
                       "metric/grad_norm", "setting/run.name", "setting/nothing.like.it",
                       "metric/max_vio", "setting/curriculum[0].bias_rule"});
  const auto cells = [&] { return library.run(folder.id())->cells; };
  ASSERT_EQ(cells().size(), 8u);
  EXPECT_DOUBLE_EQ(cells()[0].number, 8.0 - 0.049);
  const auto hidden = folder.spec().model.hidden_size;
  EXPECT_EQ(cells()[1].text, std::to_string(hidden));
  EXPECT_EQ(cells()[1].number, static_cast<double>(hidden));
  EXPECT_EQ(cells()[2].text, "") << "a table is no setting";
  EXPECT_EQ(cells()[4].text, "first");
  EXPECT_TRUE(std::isnan(cells()[4].number));
  EXPECT_EQ(cells()[5], RunCell());
  EXPECT_DOUBLE_EQ(cells()[6].number, 0.5) << "of the worst layer";
  EXPECT_EQ(cells()[7].text, "sign");
  EXPECT_EQ(library.runs().at(0).cells, cells());

  // They follow the log, also back.
  const auto add = [&](const EventBody& body) { EventWriter(folder.events_path()).append(body); };
  add(test::step_event(50, 1.5));
  library.refresh(folder);
  EXPECT_DOUBLE_EQ(cells()[0].number, 1.5);
  add(ResumeEvent{.step = 19});
  library.refresh(folder);
  EXPECT_DOUBLE_EQ(cells()[0].number, 8.0 - 0.019);

  const auto names = library.setting_names();
  EXPECT_NE(std::find(names.begin(), names.end(), "model.hidden_size"), names.end());
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), names.size());
  library.set_columns({});
  EXPECT_TRUE(cells().empty());
}

TEST_F(Libraries, OneOfBeforeHasCellsToo) {
  const RunFolder folder = make_run("first", 50);
  {
    Library library(file);
    library.refresh();
  }
  // As the version before left it.
  sql("ALTER TABLE runs DROP COLUMN metrics; ALTER TABLE runs DROP COLUMN settings; "
      "ALTER TABLE runs DROP COLUMN host; PRAGMA user_version = 3");
  Library library(file);
  library.set_columns({"metric/loss", "setting/run.name"});
  library.refresh();
  const auto row = library.run(folder.id());
  EXPECT_DOUBLE_EQ(row->cells.at(0).number, 8.0 - 0.049);
  EXPECT_EQ(row->cells.at(1).text, "first");
}

TEST_F(Libraries, ThinsALongSparklineAlikeInOneReadingAndInMany) {
  const RunFolder folder = make_run("first", 200);
  Library library(file);
  library.refresh();
  for (int i = 200; i < 700; i += 50) {
    EventWriter writer(folder.events_path());
    for (int step = i; step < i + 50; ++step) writer.append(test::step_event(step, 8.0 - step));
    library.refresh();
  }
  Library fresh(temporary.path() / "other.db");
  fresh.refresh();
  EXPECT_GE(fresh.run(folder.id())->sparkline.size(), 32u);
  EXPECT_EQ(library.run(folder.id())->sparkline, fresh.run(folder.id())->sparkline);
}

TEST(RecentSteps, AreReadFromTheEndOfALog) {
  test::TemporaryFolder folder;
  const auto log = folder.path() / "events.log";
  EXPECT_TRUE(recent_steps(log, 5).empty());
  const auto steps = [&](std::size_t most) {
    std::vector<std::int64_t> all;
    for (const StepEvent& step : recent_steps(log, most)) all.push_back(step.step);
    return all;
  };
  {
    EventWriter writer(log);
    for (int i = 0; i < 4000; ++i) writer.append(test::step_event(i, 1.0));
  }
  EXPECT_EQ(steps(3), std::vector<std::int64_t>({3997, 3998, 3999}));
  EXPECT_EQ(steps(5000).size(), 4000u);
  EventWriter(log).append(ResumeEvent{.step = 1});
  EXPECT_EQ(steps(3), std::vector<std::int64_t>({0, 1}));
  EventWriter(log).append(test::step_event(2, 0.5));
  EXPECT_EQ(steps(2), std::vector<std::int64_t>({1, 2}));
}

TEST_F(Libraries, TheUsersWordsOutliveTheFile) {
  const RunFolder a = make_run("a", 3), b = make_run("b", 3);
  {
    Library library;
    library.refresh();
    library.set_tags(a.id(), {"good", "\"odd\" \xE4\xB8\xAD"});
    library.set_notes(a.id(), "keep");
    library.set_name(a.id(), "better");
    library.set_archived(b.id(), true);
    EXPECT_EQ(library.runs().size(), 1u);
    EXPECT_EQ(library.runs(true).size(), 2u);
    EXPECT_THROW(library.set_notes("nothing", "x"), Error);
  }
  for (const char* suffix : {"", "-wal", "-shm"}) {
    test::fs::remove(file.string() + suffix);
  }
  Library library;
  library.refresh();
  const auto row = library.run(a.id());
  ASSERT_TRUE(row);
  EXPECT_EQ(row->name, "better");
  EXPECT_EQ(row->notes, "keep");
  EXPECT_EQ(row->tags, std::vector<std::string>({"good", "\"odd\" \xE4\xB8\xAD"}));
  EXPECT_EQ(library.runs().size(), 1u);
  EXPECT_EQ(RunFolder::open(a.path()).spec().run.notes, "");  // the spec as run stays as it was
}

TEST_F(Libraries, ADamagedFileIsSetAsideAndMadeAnew) {
  const RunFolder folder = make_run("first", 100);
  const auto fill = [&] {
    Library library(file);
    library.refresh();
  };
  fill();
  const std::string sound = test::read_bytes(file);
  ASSERT_GT(sound.size(), 8192u);
  std::string holed = sound;
  std::fill(holed.begin() + 4096, holed.end(), '\xA5');
  int damaged = 0;
  for (const std::string& bytes :
       {std::string("this is no database at all, but long enough to look at") +
            std::string(4096, 'x'),
        holed, sound.substr(0, sound.size() / 2 + 100)}) {
    for (const char* suffix : {"-wal", "-shm"}) test::fs::remove(file.string() + suffix);
    test::write_bytes(file, bytes);
    Library library(file);
    EXPECT_NE(library.recovery().find("set aside as library.db.damaged-"), std::string::npos);
    ASSERT_EQ(library.runs().size(), 1u) << ++damaged;
    EXPECT_GE(library.runs()[0].sparkline.size(), 32u);
  }
}

TEST_F(Libraries, ForeignTablesAreDamageToo) {
  make_run("first", 5);
  sql("CREATE TABLE runs (x); PRAGMA user_version = 1;");
  Library library(file);
  library.refresh();
  EXPECT_EQ(library.runs().size(), 1u);
  EXPECT_FALSE(library.recovery().empty());
}

TEST_F(Libraries, ANewerVersionIsRefusedAndLeftAlone) {
  { Library library(file); }
  sql("PRAGMA user_version = 99");
  try {
    Library library(file);
    FAIL() << "a newer library was opened";
  } catch (const Error& problem) {
    EXPECT_EQ(problem.what_failed(), "is a library of version 99, this program knows up to 5");
  }
  EXPECT_TRUE(test::fs::exists(file));
}

TEST_F(Libraries, AnOlderVersionIsBroughtUpToDate) {
  const RunFolder folder = RunFolder::create(temporary.path() / "runs", test::small_spec("first"));
  {
    EventWriter writer(folder.events_path());
    StepEvent step = test::step_event(0, 8);
    step.tokens_per_second = 1234;
    writer.append(step);
    writer.append(StateEvent{.state = RunState::Finished});
  }
  { Library().refresh(); }
  sql("ALTER TABLE runs DROP COLUMN tokens_per_second; ALTER TABLE runs DROP COLUMN last_step; "
      "ALTER TABLE runs DROP COLUMN metrics; ALTER TABLE runs DROP COLUMN settings; "
      "ALTER TABLE runs DROP COLUMN host; PRAGMA user_version = 1;");
  Library library;
  EXPECT_TRUE(library.recovery().empty());
  ASSERT_EQ(library.runs().size(), 1u);
  EXPECT_TRUE(std::isnan(library.runs()[0].tokens_per_second));
  library.refresh();
  EXPECT_EQ(library.runs()[0].tokens_per_second, 1234);
}

TEST_F(Libraries, SaysOnWhichHostACopiedRunIs) {
  const RunFolder own = make_run("own", 5), copied = make_run("copied", 5);
  MirrorNote note;
  note.host = "h1";
  note.run = "/runs/copied";
  note.state = RunState::Failed;
  note.reason = "killed over there";
  note.judged_at = 1'000'000;
  note.save(copied.path());
  Library library;
  library.refresh();
  EXPECT_EQ(library.run(own.id())->host, "");
  EXPECT_EQ(library.run(copied.id())->host, "h1");
}

/// Files beside it that were made while it was read-only stay so by themselves.
TEST_F(Libraries, IsWrittenAgainOnceItMayBe) {
  make_run("first", 5);
  Library().refresh();
  // As they are left where SQLite made them while the database was read-only. NOTE: of empty ones
  // SQLite itself mends the mode, when it may open them at all.
  for (const char* side : {"-wal", "-shm"}) {
    const auto name = file.string() + side;
    ASSERT_FALSE(test::fs::exists(name)) << "whoever closes it last takes it away";
    std::ofstream(name) << std::string(1 << 15, '\0');
    test::fs::permissions(name, test::fs::perms::owner_read);
  }
  Library open;
  open.refresh();
  for (const char* side : {"-wal", "-shm"}) {
    const auto name = file.string() + side;
    ASSERT_TRUE(test::fs::exists(name)) << name;
    EXPECT_NE(test::fs::status(name).permissions() & test::fs::perms::owner_write,
              test::fs::perms::none)
        << name;
  }
}

/// Removed while somebody has it open: the next one makes it anew, and is not misled by what the
/// other has left beside it.
TEST_F(Libraries, RemovedWhileItIsOpenIsMadeAnew) {
  const RunFolder run = make_run("first", 5);
  int said[2];
  ASSERT_EQ(::pipe(said), 0);
  const pid_t other = ::fork();
  ASSERT_GE(other, 0) << std::strerror(errno);
  if (other == 0) {
    ::close(said[0]);
    try {
      Library open;
      open.refresh();
      const bool told = ::write(said[1], "x", 1) == 1;
      while (told) ::pause();
    } catch (const std::exception& problem) {
      std::fprintf(stderr, "the other process: %s\n", problem.what());
    }
    ::_exit(1);
  }
  struct Ends {
    pid_t pid;
    ~Ends() {
      ::kill(pid, SIGKILL);
      ::waitpid(pid, nullptr, 0);
    }
  } ends{other};
  ::close(said[1]);  // else the end of the other process would not end the read
  char word = 0;
  ASSERT_EQ(::read(said[0], &word, 1), 1);
  ASSERT_TRUE(test::fs::exists(file.string() + "-shm"));
  test::fs::remove(file);
  for (int time = 0; time < 2; ++time) {
    Library anew;
    anew.refresh();
    EXPECT_TRUE(anew.run(run.id()));
  }
  ::close(said[0]);
}

TEST_F(Libraries, MissingAndMovedRuns) {
  const RunFolder folder = make_run("first", 5);
  Library library;
  library.refresh();
  const auto elsewhere = temporary.path() / "elsewhere";
  test::fs::create_directory(elsewhere);
  test::fs::rename(folder.path(), elsewhere / folder.id());
  library.refresh();
  EXPECT_TRUE(library.run(folder.id())->missing);
  library.add_root(elsewhere);
  library.add_root(elsewhere);
  EXPECT_EQ(library.roots().size(), 2u);
  library.refresh();
  ASSERT_EQ(library.runs().size(), 1u);
  EXPECT_FALSE(library.run(folder.id())->missing);
  EXPECT_EQ(library.run(folder.id())->folder, elsewhere / folder.id());
  // The same name in two places.
  test::fs::copy(elsewhere / folder.id(), folder.path(), test::fs::copy_options::recursive);
  library.refresh();
  EXPECT_EQ(library.runs().size(), 2u);
  library.forget(folder.id());
  EXPECT_EQ(library.runs().size(), 1u);
}

TEST_F(Libraries, OneSpoiltRunDoesNotHideTheOthers) {
  make_run("good", 5);
  const RunFolder bad = make_run("bad", 5), worse = make_run("worse", 5);
  test::write_bytes(bad.events_path(), "this is not an event log, whatever its name says");
  test::write_bytes(worse.spec_path(), "[model");
  Library library;
  library.refresh();
  EXPECT_EQ(library.runs().size(), 2u);
}

TEST_F(Libraries, ManyProcessesAtOnce) {
  const RunFolder folder = make_run("first", 50);
  std::vector<pid_t> children;
  for (int c = 0; c < 4; ++c) {
    children.push_back(test::start_child([&] {
      for (int i = 0; i < 10; ++i) {
        Library library(file);
        library.refresh();
        library.set_notes(folder.id(), fmt::format("{}", i));
        if (library.runs().size() != 1) throw Error("test", "the run is gone");
        if (library.runs()[0].sparkline.size() != 50) throw Error("test", "rows doubled");
      }
    }));
  }
  for (pid_t child : children) EXPECT_EQ(test::wait_for(child), 0);
}

}  // namespace
}  // namespace tessera
