// SPDX-License-Identifier: MIT
// Jobs of Slurm, as far as no cluster is needed: profiles, scripts and edits of them, what a run
// folder keeps, and Slurm's commands played by small scripts. tests/hosts/slurm.sh has a cluster.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <fstream>
#include <functional>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/launch/slurm.h"
#include "core/launch/slurm_profile.h"
#include "core/launch/slurm_record.h"
#include "core/launch/slurm_script.h"
#include "core/launch/ssh.h"
#include "tests/run/run_test_helpers.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;

std::string error_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != text.npos;
}

using Folder = test::TemporaryFolder;

SlurmProfile full_profile() {
  SlurmProfile p;
  p.name = "gpu";
  p.partition = "h100";
  p.account = "lab";
  p.qos = "long";
  p.nodes = 2;
  p.ranks_per_node = 4;
  p.gpus_per_node = 8;
  p.gpu_type = "h100";
  p.cpus_per_rank = 12;
  p.memory = "0";
  p.time = "2-12:30";
  p.warn_s = 300;
  p.modules = {"cuda/12.4", "openmpi"};
  p.program = "/shared/my programs/tessera";
  p.sbatch = {"--exclusive", "--constraint=\"a|b\""};
  p.srun = {"--cpu-bind=none"};
  p.commands = {"ulimit -l unlimited", "echo \"it's \\ here\""};
  return p;
}

SlurmProfile parsed(const std::string& toml) {
  return parse_slurm_profile(toml, "p", "p.toml");
}

// ---- Profiles -----------------------------------------------------------------------------------

TEST(SlurmProfiles, ComeBackAsTheyWereWritten) {
  for (const SlurmProfile& profile : {full_profile(), SlurmProfile{.name = "gpu"}}) {
    const std::string text = write_slurm_profile(profile);
    EXPECT_EQ(parse_slurm_profile(text, "gpu", "gpu.toml"), profile) << text;
    EXPECT_EQ(write_slurm_profile(parse_slurm_profile(text, "gpu", "gpu.toml")), text);
  }
}

TEST(SlurmProfiles, SlipsAreToldWithTheirLinesAndAllAtOnce) {
  const std::string error = error_of([] {
    parsed(
        "partion = \"gpu\"\nnodes = \"two\"\nmodules = \"cuda\"\ntime = 24\n"
        "sbatch = [\"--exclusive\", 3]\n[nested]\nx = 1\n");
  });
  EXPECT_TRUE(has(error, "[p.toml] line 1: unknown key \"partion\"")) << error;
  EXPECT_TRUE(has(error, "line 2: nodes is not a whole number")) << error;
  EXPECT_TRUE(has(error, "line 3: modules is not a list of texts")) << error;
  EXPECT_TRUE(has(error, "line 4: time is not a text in quotes")) << error;
  EXPECT_TRUE(has(error, "line 5: sbatch is not a list of texts")) << error;
  EXPECT_TRUE(has(error, "line 6: unknown key \"nested\"")) << error;
  EXPECT_TRUE(has(error, "did you mean \"partition\"?")) << error;
}

TEST(SlurmProfiles, OddTomlIsRefused) {
  EXPECT_TRUE(has(error_of([] { parsed("nodes = 1\nnodes = 2\n"); }), "line 2"));
  EXPECT_TRUE(has(error_of([] { parsed("nodes = \n"); }), "line 1"));
  EXPECT_TRUE(has(error_of([] { parsed(std::string("a = \"\0\"", 7)); }), "line 1"));
  EXPECT_TRUE(has(error_of([] { parsed("nodes = 2.0"); }), "whole number"));
  EXPECT_TRUE(has(error_of([] { parsed("nodes = true"); }), "whole number"));
  EXPECT_TRUE(has(error_of([] { parsed("zzz = 1"); }), "there are: partition, account"));
  EXPECT_EQ(parsed("").nodes, 1);
  EXPECT_EQ(parsed("\r\n# nothing\r\nnodes = 3\r\n").nodes, 3);
}

TEST(SlurmProfiles, ValuesThatNoClusterTakesAreRefused) {
  const std::pair<const char*, const char*> wrong[] = {
      {"nodes = 0", "nodes is 0"},
      {"nodes = -1", "nodes is -1"},
      {"nodes = 9223372036854775807", "from 1 to"},
      {"warn_s = 65536", "from 0 to 65535"},
      {"partition = \"a b\"", "no name in Slurm"},
      {"partition = \"a;rm -rf x\"", "no name in Slurm"},
      {"account = \"$(id)\"", "no name in Slurm"},
      {"partition = \"a\\nb\"", "line break"},
      {"commands = [\"a\\nb\"]", "line break"},
      {"modules = [\"cuda; id\"]", "no name of a module"},
      {"modules = [\"\"]", "no name of a module"},
      {"time = \"tomorrow\"", "no time in Slurm"},
      {"time = \"1:2:3:4\"", "no time in Slurm"},
      {"time = \"1-\"", "no time in Slurm"},
      {"time = \"-5\"", "no time in Slurm"},
      {"memory = \"64GB\"", "no size in Slurm"},
      {"memory = \"G\"", "no size in Slurm"},
      {"start = \"ssh\"", "start is \"ssh\""},
      {"sbatch = [\"exclusive\"]", "no option of sbatch"},
      {"gpus_per_node = 2\nranks_per_node = 4", "cannot share its 2 GPUs"},
  };
  for (const auto& [toml, part] : wrong) {
    const std::string error = error_of([&, text = toml] { parsed(text); });
    EXPECT_TRUE(has(error, part)) << toml << ": " << error;
  }
  for (const char* time :
       {"90", "90:30", "24:00:00", "2-12", "2-12:30", "2-12:30:59", "UNLIMITED"}) {
    EXPECT_EQ(parsed(fmt::format("time = \"{}\"", time)).time, time);
  }
}

TEST(SlurmProfiles, AreFilesOfTheirOwn) {
  const Folder home;
  const fs::path folder = home.path() / "slurm";
  EXPECT_TRUE(list_slurm_profiles(folder).empty());
  EXPECT_TRUE(has(error_of([&] { load_slurm_profile(folder, "gpu"); }), "slurm profile add gpu"));
  save_slurm_profile(folder, full_profile(), false);
  SlurmProfile other{.name = "big-cpu"};
  save_slurm_profile(folder, other, false);
  write_file_atomically(folder / "broken.toml", "nodes = [");
  EXPECT_EQ(list_slurm_profiles(folder), (std::vector<std::string>{"big-cpu", "broken", "gpu"}));
  EXPECT_EQ(load_slurm_profile(folder, "gpu"), full_profile());
  EXPECT_TRUE(has(error_of([&] { load_slurm_profile(folder, "broken"); }), "broken.toml"));
  EXPECT_TRUE(has(error_of([&] { load_slurm_profile(folder, "gpi"); }), "did you mean gpu?"));
  EXPECT_TRUE(has(error_of([&] { load_slurm_profile(folder, "../slurm/gpu"); }), "no profile"));
  EXPECT_TRUE(has(error_of([&] { save_slurm_profile(folder, other, false); }), "--replace"));
  other.nodes = 7;
  save_slurm_profile(folder, other, true);
  EXPECT_EQ(load_slurm_profile(folder, "big-cpu").nodes, 7);
  for (const char* name : {"", ".", "../x", "a/b", "-x", "a b"}) {
    other.name = name;
    EXPECT_TRUE(has(error_of([&] { save_slurm_profile(folder, other, true); }), "no name")) << name;
  }
  remove_slurm_profile(folder, "broken");
  EXPECT_EQ(list_slurm_profiles(folder).size(), 2u);
  EXPECT_TRUE(has(error_of([&] { remove_slurm_profile(folder, "broken"); }), "no profile"));
}

// ---- Scripts ------------------------------------------------------------------------------------

std::string script_of(const SlurmProfile& profile) {
  return slurm_script(profile, {.name = "my run", .program = "/opt/tessera"});
}

/// What bash says of a script that it is not to run; empty where it is one.
std::string bash_says(const std::string& script) {
  const HostAnswer answer = run_all({{"bash", "-n"}}, script, std::chrono::seconds(20)).front();
  return answer.is_good() ? "" : "bash: " + answer.errors;
}

TEST(SlurmScripts, SayWhatTheProfileAsksFor) {
  const std::string text = script_of(full_profile());
  for (const char* line : {"#!/bin/bash\n",
                           "\n#SBATCH --job-name=my-run\n",
                           "\n#SBATCH --partition=h100\n",
                           "\n#SBATCH --account=lab\n",
                           "\n#SBATCH --qos=long\n",
                           "\n#SBATCH --nodes=2\n",
                           "\n#SBATCH --ntasks-per-node=4\n",
                           "\n#SBATCH --cpus-per-task=12\n",
                           "\n#SBATCH --gres=gpu:h100:8\n",
                           "\n#SBATCH --mem=0\n",
                           "\n#SBATCH --time=2-12:30\n",
                           "\n#SBATCH --requeue\n",
                           "\n#SBATCH --signal=B:USR1@300\n",
                           "\n#SBATCH --exclusive\n",
                           "\ntessera='/shared/my programs/tessera'\n",
                           "\nmodule load cuda/12.4 openmpi\n",
                           "\nexport SRUN_CPUS_PER_TASK=12\n",
                           "\nulimit -l unlimited\n",
                           "--cpu-bind=none",
                           "resume \"$run\" --stopped-status 85"}) {
    EXPECT_TRUE(has(text, line)) << line << text;
  }
  EXPECT_EQ(bash_says(text), "");
  EXPECT_TRUE(check_slurm_script(text).empty());
}

TEST(SlurmScripts, LeaveOutWhatIsNotAskedFor) {
  const std::string text = script_of({.name = "p", .warn_s = 0});
  for (const char* option : {"--partition", "--account", "--qos", "--gres", "--mem", "--time",
                             "--signal", "--cpus-per-task", "module load", "SRUN_CPUS"}) {
    EXPECT_FALSE(has(text, option)) << option;
  }
  EXPECT_TRUE(has(text, "tessera='/opt/tessera'"));
  EXPECT_EQ(bash_says(text), "");
}

TEST(SlurmScripts, EachStartAndContainerIsAScript) {
  SlurmProfile p{.name = "p"};
  for (const char* start : {"srun", "pmix", "mpirun"}) {
    p.start = start;
    p.container = "";
    EXPECT_EQ(bash_says(script_of(p)), "") << start;
    p.container = "/images/it's one.sif";
    EXPECT_EQ(bash_says(script_of(p)), "") << start;
    EXPECT_TRUE(has(script_of(p), "apptainer exec '/images/it'\\''s one.sif' \"$tessera\""));
  }
  p.gpus_per_node = 1;
  EXPECT_TRUE(has(script_of(p), "apptainer exec --nv"));
  p.container_with = "podman run";
  EXPECT_TRUE(has(script_of(p), "podman run '/images"));
}

TEST(SlurmScripts, NamesAndVariablesCannotBecomeCommands) {
  const std::string text = slurm_script({.name = "p"}, {.name = "a\n#SBATCH --nodes=9;`id`\xc3\xa4",
                                                        .program = "/x",
                                                        .variables = {{"A", "it's $(id) `id`\""}},
                                                        .most_steps = 7});
  EXPECT_EQ(bash_says(text), "");
  EXPECT_FALSE(has(text, "\n#SBATCH --nodes=9"));
  EXPECT_TRUE(has(text, "export A='it'\\''s $(id) `id`\"'"));
  EXPECT_TRUE(has(text, "--most-steps 7"));
}

TEST(ScriptEdits, AreToldByTheirLines) {
  const std::string given = "1\n2\n3\n4\n5\n6\n";
  const auto text = [&](const char* edited) { return compare_scripts(given, edited).text(); };
  EXPECT_TRUE(compare_scripts(given, given).empty());
  EXPECT_EQ(text("1\n2 \n3\r\n4\n5\n6\n\n\n"), "");  // what no editor shows
  EXPECT_EQ(text("1\nx\n3\n4\n5\n6\n"), "differs from the profile in line 2");
  EXPECT_EQ(text("1\nx\ny\nz\n3\n4\n5\nw\n6\n"), "differs from the profile in lines 2-4, 8");
  EXPECT_EQ(text("1\n2\n5\n6\n"), "2 of the profile's lines are left out, before line 3");
  EXPECT_EQ(text("1\n2\n3\n4\n5\n"), "1 of the profile's lines is left out, before line 6");
  EXPECT_EQ(
      text("x\n1\n3\n4\n5\n6\n"),
      "differs from the profile in line 1; 1 of the profile's lines is left out, before line 3");
  EXPECT_EQ(text(""), "6 of the profile's lines are left out, before line 1");
  EXPECT_TRUE(compare_scripts("", "").empty());
}

TEST(ScriptEdits, NonsenseIsToldBeforeItIsSubmitted) {
  const auto first = [](const char* script) {
    const auto problems = check_slurm_script(script);
    return problems.empty() ? ScriptProblem{} : problems.front();
  };
  EXPECT_TRUE(first("").is_error);
  EXPECT_TRUE(first("\n\n  \n").is_error);
  EXPECT_TRUE(first("srun tessera resume x # requeue\n").is_error);  // no shell
  EXPECT_TRUE(first("#!/bin/bash\n#SBATCH --nodes=1\n").is_error);   // no command
  const auto late = check_slurm_script(
      "#!/bin/bash\nx=1\n#SBATCH --nodes=2\nsrun tessera resume $r\nscontrol requeue 1\n");
  ASSERT_EQ(late.size(), 1u);
  EXPECT_EQ(late[0].line, 3);
  EXPECT_FALSE(late[0].is_error);
  EXPECT_TRUE(has(first("#!/bin/bash\nhostname\n").text, "never names tessera"));
  EXPECT_TRUE(has(first("#!/bin/sh\nsrun tessera resume x\n").text, "never requeues"));
}

// ---- What a run folder keeps --------------------------------------------------------------------

TEST(SlurmRecords, AnEditedScriptIsKeptAndMarked) {
  const Folder run;
  const SlurmFiles files{run.path()};
  SlurmScript script = place_slurm_script(files, "a\nb\n");
  EXPECT_FALSE(script.edited);
  EXPECT_EQ(read_file(files.script()), "a\nb\n");
  EXPECT_FALSE(place_slurm_script(files, "a\nc\n").edited);  // follows the profile
  EXPECT_EQ(read_file(files.script()), "a\nc\n");
  edit_slurm_script(files, "a\nc\nmine\n");
  script = look_at_slurm_script(files, "a\nd\n");
  EXPECT_TRUE(script.edited);
  EXPECT_EQ(script.difference.text(), "differs from the profile in lines 2-3");
  EXPECT_EQ(read_file(files.from_profile()), "a\nc\n") << "looking changes nothing";
  script = place_slurm_script(files, "a\nd\n");
  EXPECT_EQ(script.text, "a\nc\nmine\n");
  EXPECT_EQ(read_file(files.script()), "a\nc\nmine\n");
  EXPECT_TRUE(place_slurm_script(files, "a\ne\n").edited);
  edit_slurm_script(files, "a\ne\n");  // the edit is taken back
  EXPECT_FALSE(place_slurm_script(files, "a\nf\n").edited);
  fs::remove(files.from_profile());
  EXPECT_TRUE(place_slurm_script(files, "a\ng\n").edited) << "nobody knows: it is kept";
  EXPECT_EQ(read_file(files.script()), "a\nf\n");
}

TEST(SlurmRecords, ComeBackAndSayTheirAge) {
  const Folder run;
  const SlurmFiles files{run.path()};
  EXPECT_FALSE(slurm_record_of(run.path()));
  place_slurm_script(files, "a\n");
  SlurmRecord record;
  record.profile = "gpu";
  record.job = "12";
  record.earlier = {"10", "11"};
  record.submitted = 1000;
  EXPECT_TRUE(has(record.text(1001), "was not asked"));
  EXPECT_TRUE(record.take({SlurmSight::Kind::Seen,
                           {.id = "12", .state = "RUNNING", .reason = "\xff", .nodes = "n1"},
                           ""},
                          1010));
  record.save(files);
  const auto again = slurm_record_of(run.path());
  ASSERT_TRUE(again);
  EXPECT_EQ(again->job, "12");
  EXPECT_EQ(again->earlier, record.earlier);
  EXPECT_EQ(again->last.nodes, "n1");
  EXPECT_EQ(record.text(1015), "job 12 runs on n1");
  EXPECT_FALSE(record.take({SlurmSight::Kind::NoAnswer, {}, "down"}, 2000));
  EXPECT_EQ(record.text(1010 + 60), "job 12 runs on n1 (Slurm said so 60 s ago)");
  EXPECT_EQ(record.text(1010 + 300), "job 12 runs on n1 (Slurm said so 5 min ago)");
  EXPECT_EQ(record.text(1010 + 3 * 3600), "job 12 runs on n1 (Slurm said so 3 h ago)");
  EXPECT_TRUE(record.take({SlurmSight::Kind::Gone, {}, ""}, 3000));
  EXPECT_TRUE(has(record.text(3000), "nobody has seen its end"));
  // A submission that comes to nothing leaves the record as it was before, or none.
  SlurmRecord fresh;
  EXPECT_TRUE(fresh.is_new() && !fresh.is_open());
  fresh.job = "13";
  EXPECT_TRUE(!fresh.is_new() && fresh.is_open());
  EXPECT_TRUE(!record.is_new() && !record.is_open()) << "it is gone";
  fresh.last.state = "TIMEOUT";
  EXPECT_FALSE(fresh.is_open());
  fresh.save(files);
  take_back_submission(files, again);
  EXPECT_EQ(slurm_record_of(run.path())->job, "12");
  take_back_submission(files, {});
  EXPECT_FALSE(slurm_record_of(run.path()));
  take_back_submission(files, {});  // there is none to begin with
  for (const char* damage : {"", "{", "[]", "{\"version\": 1}", "{\"version\": 9}"}) {
    write_file_atomically(files.record(), damage);
    EXPECT_TRUE(has(error_of([&] { slurm_record_of(run.path()); }), "job.json")) << damage;
  }
}

// ---- Slurm's commands ---------------------------------------------------------------------------

/// A folder of commands that comes first on the PATH.
class FakeSlurm {
 public:
  FakeSlurm() {
    const char* path = ::getenv("PATH");
    path_ = path ? path : "/usr/bin:/bin";
    ::setenv("PATH", (folder_.path().string() + ":" + path_).c_str(), 1);
  }
  ~FakeSlurm() { ::setenv("PATH", path_.c_str(), 1); }
  void add(const std::string& name, const std::string& body) const {
    const fs::path file = folder_.path() / name;
    std::ofstream(file) << "#!/bin/sh\n" << body << "\n";
    ::chmod(file.c_str(), 0755);
  }
  /// Only these commands are there, beside those of the system that are named.
  void alone(const std::vector<std::string>& kept) const {
    for (const std::string& name : kept) {
      for (const char* folder : {"/usr/bin/", "/bin/"}) {
        std::error_code error;
        if (fs::exists(folder + name))
          fs::create_symlink(folder + name, folder_.path() / name, error);
      }
    }
    ::setenv("PATH", folder_.path().c_str(), 1);
  }
  const fs::path& folder() const { return folder_.path(); }

 private:
  Folder folder_;
  std::string path_;
};

const Slurm kSlurm{SlurmOptions{.own_variables = {"OWN_THREADS"}}};

TEST(SlurmCommands, SubmitInTheRunsFolderWithACleanEnvironment) {
  const FakeSlurm fake;
  const Folder run;
  place_slurm_script({run.path()}, "#!/bin/bash\n");
  ::setenv("SBATCH_PARTITION", "wrong", 1);
  ::setenv("OWN_THREADS", "1", 1);
  fake.add("sbatch",
           "pwd > seen; env >> seen; echo \"$@\" >> seen; echo 'Welcome!'; echo '42;blue'");
  EXPECT_EQ(kSlurm.submit(run.path()), "42");
  ::unsetenv("SBATCH_PARTITION");
  ::unsetenv("OWN_THREADS");
  const std::string seen = read_file(run.path() / "seen");
  EXPECT_TRUE(seen.starts_with(fs::canonical(run.path()).string() + "\n")) << seen;
  EXPECT_FALSE(has(seen, "SBATCH_PARTITION")) << seen;
  EXPECT_FALSE(has(seen, "OWN_THREADS")) << seen;
  EXPECT_TRUE(has(seen, "--parsable slurm/job.sh")) << seen;
}

TEST(SlurmCommands, RefusalsAreExplained) {
  const FakeSlurm fake;
  const Folder run;
  place_slurm_script({run.path()}, "#!/bin/bash\n#SBATCH -p gpuu\n");
  fake.add("sbatch", "echo 'sbatch: error: invalid partition specified: gpuu' >&2; exit 1");
  fake.add("sinfo", "echo gpu; echo cpu; echo gpu");
  const std::string error = error_of([&] { kSlurm.submit(run.path()); });
  EXPECT_TRUE(has(error, "no partition \"gpuu\" (line 2") && has(error, "did you mean gpu?"))
      << error;
  fake.add("sbatch", "echo thanks");
  EXPECT_TRUE(has(error_of([&] { kSlurm.submit(run.path()); }), "names no job"));
  fake.add("sbatch", "kill -9 $$");
  EXPECT_TRUE(has(error_of([&] { kSlurm.submit(run.path()); }), "killed by signal 9"));
}

TEST(SlurmCommands, ThatAreMissingAreToldWithTheNextStep) {
  const FakeSlurm fake;
  fake.alone({"env"});
  const std::string error = error_of([&] { kSlurm.require_here(); });
  EXPECT_TRUE(has(error, "not on this machine") && has(error, "login node")) << error;
  const SlurmSight sight = kSlurm.look("1");
  EXPECT_EQ(sight.kind, SlurmSight::Kind::NoAnswer);
  EXPECT_TRUE(has(sight.trouble, "squeue is not on this machine")) << sight.trouble;
  EXPECT_TRUE(has(error_of([&] { kSlurm.cancel("1"); }), "scancel is not on this machine"));
}

TEST(SlurmCommands, AJobIsLookedForInQueueControllerAndAccounts) {
  using Kind = SlurmSight::Kind;
  const FakeSlurm fake;
  const std::string none = "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1";
  fake.add("squeue", "echo \"$3|RUNNING|0:01|1:00|N/A|n1|None\"");
  SlurmSight sight = kSlurm.look("12");
  EXPECT_EQ(sight.kind, Kind::Seen);
  EXPECT_EQ(sight.job.state, "RUNNING");
  fake.add("squeue", none);
  fake.add("scontrol", "echo 'JobId=12 JobName=x UserId=a(1) JobState=TIMEOUT Reason=TimeLimit '");
  sight = kSlurm.look("12");
  EXPECT_EQ(sight.kind, Kind::Seen);
  EXPECT_EQ(sight.job.state, "TIMEOUT");
  fake.add("scontrol", none);
  fake.add("sacct", "echo '12|COMPLETED|0:0|00:01:00|2026-11-30T18:00:00|n1'");
  EXPECT_EQ(kSlurm.look("12").job.state, "COMPLETED");
  fake.add("sacct", "echo 'Slurm accounting storage is disabled' >&2; exit 1");
  EXPECT_EQ(kSlurm.look("12").kind, Kind::Gone);
  fake.add("sacct", "true");
  EXPECT_EQ(kSlurm.look("12").kind, Kind::Gone);
}

/// As in skypilot-org/skypilot 10457: an empty answer while the controller starts again.
TEST(FieldSlurm, AnEmptyAnswerIsNoEndOfAJob) {
  const FakeSlurm fake;
  for (const char* name : {"squeue", "scontrol", "sacct"}) fake.add(name, "true");
  const SlurmSight sight = kSlurm.look("12");
  EXPECT_EQ(sight.kind, SlurmSight::Kind::NoAnswer);
  EXPECT_TRUE(has(sight.trouble, "says nothing")) << sight.trouble;
  SlurmRecord record;
  record.job = "12";
  EXPECT_FALSE(record.take(sight, 1000));
  EXPECT_TRUE(record.is_open());
}

TEST(SlurmCommands, NoAnswerIsNoEndOfAJob) {
  using Kind = SlurmSight::Kind;
  const FakeSlurm fake;
  fake.add("squeue", "echo 'squeue: error: Unable to contact slurm controller' >&2; exit 1");
  SlurmSight sight = kSlurm.look("12");
  EXPECT_EQ(sight.kind, Kind::NoAnswer);
  EXPECT_EQ(sight.trouble, "Unable to contact slurm controller");
  fake.add("squeue", "echo 'a new format'");
  sight = kSlurm.look("12");
  EXPECT_EQ(sight.kind, Kind::NoAnswer);
  EXPECT_TRUE(has(sight.trouble, "a new format")) << sight.trouble;
  fake.add("squeue", "exec sleep 60");
  const Slurm hasty(SlurmOptions{.own_variables = {}, .patience = std::chrono::milliseconds(200)});
  sight = hasty.look("12");
  EXPECT_EQ(sight.kind, Kind::NoAnswer);
  EXPECT_TRUE(has(sight.trouble, "does not answer")) << sight.trouble;
}

}  // namespace
}  // namespace tessera
