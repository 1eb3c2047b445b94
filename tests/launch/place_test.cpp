// SPDX-License-Identifier: MIT
// Where a run is started: as options, as a value in files, and against the layout of a spec; the
// files by which a start is known.
#include "core/launch/launch_place.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/launch/rank_counts.h"
#include "core/launch/start_files.h"
#include "tests/run/run_test_helpers.h"

namespace tessera {
namespace {

using Words = std::vector<std::string>;

LaunchPlace hosts_place(const std::string& hosts) {
  LaunchPlace place;
  place.kind = LaunchPlace::Kind::Hosts;
  place.hosts = hosts;
  return place;
}

LaunchPlace slurm_place(const std::string& profile) {
  LaunchPlace place;
  place.kind = LaunchPlace::Kind::Slurm;
  place.profile = profile;
  return place;
}

RunSpec spec_with(std::int64_t pipeline, std::int64_t data, std::int64_t batch) {
  RunSpec spec = test::small_spec();
  spec.parallel.pipeline = pipeline;
  spec.parallel.data = data;
  spec.parallel.micro_batch_sequences = 1;
  for (CurriculumStage& stage : spec.curriculum) stage.batch_sequences = batch;
  return spec;
}

/// Why a place does not fit; empty: it does.
std::string refusal(const LaunchPlace& place, const RunSpec& spec,
                    const SlurmProfile* profile = nullptr) {
  try {
    ranks_at_place(place, spec, profile);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(LaunchPlace, IsTheOptionsOfATerminal) {
  EXPECT_EQ(options_of_place({}), Words());
  LaunchPlace place = hosts_place("a:4,b");
  EXPECT_EQ(options_of_place(place), (Words{"--hosts", "a:4,b"}));
  place.folder = "/shared runs";
  place.local = 2;
  place.program = "/opt/tessera";
  place.ssh = "ssh -F file";
  place.copy = true;
  EXPECT_EQ(options_of_place(place),
            (Words{"--hosts", "a:4,b", "--folder", "/shared runs", "--local", "2", "--program",
                   "/opt/tessera", "--ssh", "ssh -F file", "--copy"}));
  place = slurm_place("gpu");
  place.folder = "/runs";
  EXPECT_EQ(options_of_place(place), (Words{"--slurm", "gpu", "--folder", "/runs"}));
}

TEST(LaunchPlace, ComesBackFromAFile) {
  LaunchPlace place = hosts_place("a:4,node[01-04]:8");
  place.local = 2;
  place.folder = "/r";
  place.program = "p";
  place.ssh = "ssh -v";
  place.copy = true;
  EXPECT_EQ(place_of_json(to_json(place)), place);
  LaunchPlace job = slurm_place("gpu");
  job.script = "#!/bin/bash\nexit 1\n";
  EXPECT_EQ(place_of_json(to_json(job)), job);
  EXPECT_EQ(place_of_json(to_json(LaunchPlace())), LaunchPlace());
  EXPECT_THROW(place_of_json({{"kind", "moon"}}), Error);
  EXPECT_THROW(place_of_json(nlohmann::json::object()), nlohmann::json::exception);
}

TEST(LaunchPlace, NamesItsHostsAndItself) {
  EXPECT_EQ(hosts_place("me@a:2,node[1-2]").host_names(), (Words{"a", "node1", "node2"}));
  EXPECT_EQ(hosts_place("a,a").host_names(), Words());
  EXPECT_EQ(slurm_place("gpu").host_names(), Words());
  EXPECT_EQ(LaunchPlace().text(), "this machine");
  EXPECT_EQ(slurm_place("gpu").text(), "Slurm (gpu)");
  LaunchPlace mixed = hosts_place("a:2");
  EXPECT_FALSE(mixed.needs_here());
  mixed.local = 1;
  EXPECT_TRUE(mixed.needs_here());
  EXPECT_EQ(mixed.text(), "this machine:1,a:2");
}

TEST(LaunchPlace, FindsTheReplicasForItsRanks) {
  EXPECT_EQ(ranks_at_place({}, spec_with(2, 3, 12)).ranks, 6);
  const PlaceRanks four = ranks_at_place(hosts_place("a:2,b:2"), spec_with(2, 1, 8));
  EXPECT_EQ(four.ranks, 4);
  EXPECT_EQ(four.data, 2);
  EXPECT_EQ(ranks_at_place(hosts_place("node[01-04]:2"), spec_with(1, 8, 8)).data, 8);
  LaunchPlace mixed = hosts_place("a:3");
  mixed.local = 1;
  EXPECT_EQ(ranks_at_place(mixed, spec_with(1, 1, 8)).data, 4);
  SlurmProfile profile;
  profile.nodes = 2;
  profile.ranks_per_node = 4;
  EXPECT_EQ(ranks_at_place(slurm_place("gpu"), spec_with(1, 1, 8), &profile).data, 8);
}

TEST(LaunchPlace, RefusesWhatDoesNotFitWithTheNextStep) {
  const struct {
    LaunchPlace place;
    RunSpec spec;
    const char* said;
  } wrong[] = {
      {hosts_place(""), spec_with(1, 1, 8), "none is named"},
      {hosts_place("  "), spec_with(1, 1, 8), "none is named"},
      {hosts_place("a,a"), spec_with(1, 1, 8), "a is named twice"},
      {hosts_place("a:0"), spec_with(1, 1, 8), "a:0"},
      {hosts_place("a:x"), spec_with(1, 1, 8), "a:x"},
      {hosts_place("node[4-"), spec_with(1, 1, 8), "node[4-"},
      {hosts_place("a:3"), spec_with(2, 1, 8), "pipelines of 2 stages"},
      {hosts_place("a:3"), spec_with(1, 4, 8), "3 ranks are not the 4"},
      {slurm_place(""), spec_with(1, 1, 8), "no profile is chosen"},
      {slurm_place("gpu"), spec_with(1, 1, 8), "no profile is chosen"},
  };
  for (const auto& one : wrong) {
    const std::string said = refusal(one.place, one.spec);
    EXPECT_NE(said.find(one.said), std::string::npos) << one.place.text() << ": " << said;
    EXPECT_NE(said.find("hint"), std::string::npos) << "no next step: " << said;
  }
  RunSpec on_gpus = spec_with(1, 1, 8);
  on_gpus.host.device = Device::Cuda;
  SlurmProfile profile;
  profile.name = "cpu";
  EXPECT_NE(refusal(slurm_place("cpu"), on_gpus, &profile).find("asks for no GPUs"),
            std::string::npos);
  EXPECT_NE(refusal(slurm_place("cpu"), on_gpus, &profile).find("--set host.device=cpu"),
            std::string::npos);
  profile.gpus_per_node = 1;
  EXPECT_EQ(refusal(slurm_place("cpu"), on_gpus, &profile), "");
  EXPECT_NO_THROW(check_gpus(on_gpus, profile));
}

TEST(StartFiles, TellAStartHereFromOneElsewhere) {
  const test::TemporaryFolder folder;
  const StartFiles here = StartFiles::make(folder.path(), false);
  const StartFiles far = StartFiles::make(folder.path(), true);
  EXPECT_FALSE(here.is_elsewhere());
  EXPECT_TRUE(far.is_elsewhere());
  EXPECT_EQ(here.claim().extension(), ".claim");
  EXPECT_NE(far.claim().extension(), ".claim") << "it does not take this machine";
  EXPECT_EQ(StartFiles::of_ticket(far.ticket()).base, far.base);
  EXPECT_FALSE(read_phase(far));
  for (const auto kind : {StartPhase::Kind::Reaching, StartPhase::Kind::Asking}) {
    write_phase(far, {kind, 2, 5});
    EXPECT_EQ(read_phase(far), (StartPhase{kind, 2, 5}));
  }
  test::write_bytes(far.phase(), "{\"phase\":");
  EXPECT_FALSE(read_phase(far));
  write_phase(StartFiles{folder.path() / "nowhere" / "x"}, {});  // costs the start nothing
  far.remove_all();
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace tessera
