// SPDX-License-Identifier: MIT
// What Slurm's commands print, read and told in words: odd fields, arrays, jobs that were put back,
// lines that are cut off.
#include <gtest/gtest.h>

#include "core/launch/slurm.h"
#include "core/launch/slurm_text.h"

namespace tessera {
namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != text.npos;
}

std::string words_of(const std::string& state, const std::string& reason = "") {
  return job_text({.id = "7", .state = state, .reason = reason});
}

TEST(SqueueText, ReadsJobsThatWaitAndRun) {
  const SlurmListing listing = listing_of_squeue(
      "12|RUNNING|1-02:03:04|21:56:56|2026-11-30T18:00:00|n[1-2]|None\n"
      "13|PENDING|0:00|1:00:00|N/A||Resources\n"
      "14|PENDING|0:00|UNLIMITED|2026-12-01T00:00:00||(ReqNodeNotAvail, "
      "UnavailableNodes:n[3|4])\n");
  ASSERT_EQ(listing.jobs.size(), 3u);
  EXPECT_TRUE(listing.strange.empty());
  const SlurmJob& runs = listing.jobs[0];
  EXPECT_EQ(runs.state, "RUNNING");
  EXPECT_EQ(runs.nodes, "n[1-2]");
  EXPECT_EQ(runs.reason, "");
  EXPECT_EQ(job_text(runs), "runs on n[1-2] for 1-02:03:04, with 21:56:56 left");
  EXPECT_EQ(job_text(listing.jobs[1]), "waits in the queue: for nodes to become free");
  EXPECT_EQ(listing.jobs[1].start, "");
  EXPECT_EQ(listing.jobs[2].reason, "(ReqNodeNotAvail, UnavailableNodes:n[3|4])");
}

TEST(SqueueText, FindsPartsOfArraysAndNoOtherJob) {
  const SlurmListing listing = listing_of_squeue(
      "1234|RUNNING|0:01|1:00|N/A|n1|None\n"
      "123_[3-5%2]|PENDING|0:00|1:00|N/A||JobArrayTaskLimit\n"
      "123_2|RUNNING|0:05|0:55|N/A|n2|None\n"
      "77+1|RUNNING|0:05|0:55|N/A|n2|None\n");
  ASSERT_EQ(listing.jobs.size(), 4u);
  ASSERT_TRUE(listing.find("123_2"));
  EXPECT_EQ(listing.find("123_2")->nodes, "n2");
  ASSERT_TRUE(listing.find("123"));
  EXPECT_EQ(listing.find("123")->id, "123_[3-5%2]");
  ASSERT_TRUE(listing.find("77"));
  EXPECT_EQ(listing.find("12"), nullptr);
  EXPECT_EQ(listing.find("124"), nullptr);
}

TEST(SqueueText, TellsStrangeLinesFromJobs) {
  const SlurmListing listing = listing_of_squeue(
      "CLUSTER: blue\n\n"
      "slurm_load_jobs: something new\n"
      "12|RUNNING|0:01|1:0\n"  // cut off
      "x12|RUNNING|0:01|1:00|N/A|n1|None\n"
      "12|running|0:01|1:00|N/A|n1|None\n"
      "|||||||\n"
      "15|COMPLETING|0:09|0:51|N/A|n1|None\r\n");
  ASSERT_EQ(listing.jobs.size(), 1u);
  EXPECT_EQ(listing.jobs[0].id, "15");
  EXPECT_EQ(listing.jobs[0].reason, "");
  EXPECT_EQ(listing.strange.size(), 5u);
  EXPECT_TRUE(listing_of_squeue("").jobs.empty());
  EXPECT_TRUE(listing_of_squeue("").strange.empty());
}

TEST(SacctText, ReadsHowJobsEnded) {
  const SlurmListing listing = listing_of_sacct(
      "8|CANCELLED by 1000|0:15|00:00:12|2026-11-30T18:00:00|n1\n"
      "9|CANCELLED+|0:0|00:00:00|Unknown|None assigned\n"
      "10|FAILED|2:0|00:01:00|2026-11-30T18:00:00|n[1-4]\n"
      "11|OUT_OF_MEMORY|0:125|00:01:00|2026-11-30T18:00:00|n1\n"
      "12|COMPLETED|0:0|1-00:01:00|2026-11-30T18:00:00|n1\n"
      "13|TIMEOUT|0:0|00:01:00\n");
  ASSERT_EQ(listing.jobs.size(), 5u);
  EXPECT_EQ(listing.strange.size(), 1u);
  EXPECT_EQ(listing.jobs[0].state, "CANCELLED");
  EXPECT_EQ(job_text(listing.jobs[0]), "was cancelled by signal 15");
  EXPECT_EQ(listing.jobs[1].state, "CANCELLED");
  EXPECT_EQ(listing.jobs[1].nodes, "");
  EXPECT_EQ(job_text(listing.jobs[2]), "has failed with exit status 2");
  EXPECT_TRUE(has(job_text(listing.jobs[3]), "more memory"));
  EXPECT_EQ(job_text(listing.jobs[4]), "has ended");
  for (const SlurmJob& job : listing.jobs) EXPECT_TRUE(is_over(job)) << job.state;
}

TEST(ScontrolText, ReadsKeysAndNotWhatLooksLikeThem) {
  const SlurmListing listing = listing_of_scontrol(
      "JobId=5 JobName=odd JobState=FAILED Reason=none UserId=root(0) GroupId=root(0) Priority=1 "
      "JobState=PENDING Reason=BeginTime Dependency=(null) Requeue=1 Restarts=2 BatchFlag=1 "
      "ExitCode=0:0 RunTime=00:00:00 TimeLimit=01:00:00 StartTime=2026-11-30T18:02:00 "
      "ReqNodeList=n9 ExcNodeList=n8 NodeList=(null) NumNodes=2 Comment=NodeList=n7 \n"
      "JobId=6 ArrayJobId=4 ArrayTaskId=2 JobName=a UserId=root(0) JobState=RUNNING Reason=None "
      "ExitCode=1:9 NodeList=n[1-2]\n"
      "JobId=7 JobName=cut UserId=ro\n"
      "No jobs in the system\n");
  ASSERT_EQ(listing.jobs.size(), 2u);
  EXPECT_EQ(listing.strange.size(), 2u);
  const SlurmJob& back = listing.jobs[0];
  EXPECT_EQ(back.state, "PENDING");
  EXPECT_EQ(back.reason, "BeginTime");
  EXPECT_EQ(back.restarts, 2);
  EXPECT_EQ(back.nodes, "");
  EXPECT_TRUE(has(job_text(back), "it was put back 2 times")) << job_text(back);
  EXPECT_TRUE(has(job_text(back), "2026-11-30T18:02:00")) << job_text(back);
  const SlurmJob& task = listing.jobs[1];
  EXPECT_EQ(task.id, "4_2");
  EXPECT_EQ(task.nodes, "n[1-2]");
  EXPECT_EQ(task.exit_status, 1);
  EXPECT_EQ(task.exit_signal, 9);
}

TEST(JobText, SaysEveryStateAndReasonInWords) {
  EXPECT_EQ(words_of("PENDING", "Priority"), "waits in the queue: other jobs come first");
  EXPECT_EQ(words_of("PENDING", "ReqNodeNotAvail, Reserved for maintenance"),
            "waits in the queue: a node that it needs is not available");
  EXPECT_TRUE(has(words_of("PENDING", "QOSMaxJobsPerUserLimit"), "limit of your account or QOS"));
  EXPECT_TRUE(has(words_of("PENDING", "AssocGrpCpuLimit"), "limit of your account or QOS"));
  EXPECT_TRUE(has(words_of("PENDING", "JobHeldUser"), "scontrol release"));
  EXPECT_EQ(words_of("PENDING", "SomethingNew"), "waits in the queue: SomethingNew");
  EXPECT_EQ(words_of("PENDING"), "waits in the queue");
  EXPECT_TRUE(has(words_of("REQUEUE_HOLD"), "is held"));
  EXPECT_TRUE(has(words_of("NODE_FAIL"), "one of its nodes failed"));
  EXPECT_TRUE(has(words_of("TIMEOUT"), "time limit"));
  EXPECT_TRUE(has(words_of("SOMETHING_NEW"), "Slurm calls SOMETHING_NEW"));
  for (const char* state : {"RUNNING", "PENDING", "COMPLETING", "SUSPENDED", "CONFIGURING",
                            "REQUEUED", "REQUEUE_HOLD", "STOPPED", "SIGNALING"}) {
    EXPECT_FALSE(is_over({.state = state})) << state;
    EXPECT_FALSE(has(words_of(state), state)) << "Slurm's own word is no explanation";
  }
}

// ---- What sbatch refuses ------------------------------------------------------------------------

const std::string kScript =
    "#!/bin/bash\n#SBATCH --partition=gpuu\n#SBATCH -A lab --qos long\n#SBATCH --time=99-0\n"
    "#SBATCH --nodse=4\n";

std::string refusal(const std::string& said, const std::vector<std::string>& partitions = {}) {
  return explain_sbatch(said, kScript, partitions).what();
}

TEST(SbatchRefusals, NameTheLineAndTheNextStep) {
  const std::string partition =
      "sbatch: error: invalid partition specified: gpuu\n"
      "sbatch: error: Batch job submission failed: Invalid partition name "
      "specified\n";
  EXPECT_TRUE(
      has(refusal(partition, {"gpu", "cpu"}), "no partition \"gpuu\" (line 2 of the script)"));
  EXPECT_TRUE(has(refusal(partition, {"gpu", "cpu"}), "did you mean gpu?"));
  EXPECT_TRUE(has(refusal(partition, {"debug", "long"}), "there are: debug, long"));
  EXPECT_TRUE(has(refusal(partition), "sinfo"));
  const std::string account = refusal(
      "sbatch: error: Batch job submission failed: Invalid account or account/partition "
      "combination "
      "specified");
  EXPECT_TRUE(has(account, "account \"lab\"") && has(account, "line 3") && has(account, "sacctmgr"))
      << account;
  const std::string qos =
      refusal("sbatch: error: Batch job submission failed: Invalid qos specification");
  EXPECT_TRUE(has(qos, "QOS \"long\"") && has(qos, "line 3")) << qos;
  const std::string time = refusal(
      "sbatch: error: Batch job submission failed: Requested time limit is invalid (missing or "
      "exceeds some limit)");
  EXPECT_TRUE(has(time, "\"99-0\"") && has(time, "line 4")) << time;
  const std::string option =
      refusal("sbatch: unrecognized option '--nodse=4'\nTry \"sbatch --help\"");
  EXPECT_TRUE(has(option, "line 5") && has(option, "nodse")) << option;
}

TEST(SbatchRefusals, TellWhoIsToBeAsked) {
  EXPECT_TRUE(has(refusal("sbatch: error: Batch job submission failed: Unable to contact slurm "
                          "controller (connect failure)"),
                  "controller does not answer"));
  EXPECT_TRUE(
      has(refusal("sbatch: error: Munge encode failed: Failed to access"), "munge service"));
  EXPECT_TRUE(
      has(refusal("sbatch: error: This does not look like a batch script."), "#!/bin/bash"));
  EXPECT_TRUE(has(refusal("sbatch: error: a site's own rule"), "a site's own rule"));
  EXPECT_TRUE(has(refusal(""), "without a word"));
}

TEST(SlurmEnvironment, WhatChangesAnswersIsClearedAndTheClusterStays) {
  EXPECT_EQ(variables_to_clear({"PATH=/bin", "SQUEUE_FORMAT=%i", "SLURM_CONF=/x", "SLURM_JOB_ID=3",
                                "SBATCH_PARTITION=p", "SACCT_FORMAT=a", "MY_SLURM_X=1",
                                "SLURM_TIME_FORMAT=%s"}),
            (std::vector<std::string>{"SQUEUE_FORMAT", "SLURM_JOB_ID", "SBATCH_PARTITION",
                                      "SACCT_FORMAT", "SLURM_TIME_FORMAT"}));
}

}  // namespace
}  // namespace tessera
