// SPDX-License-Identifier: MIT
#include "core/launch/slurm.h"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <sstream>

#include "core/base/files.h"
#include "core/base/nearest_word.h"
#include "core/launch/agent_protocol.h"
#include "core/launch/slurm_record.h"
#include "core/launch/ssh.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {
using Texts = std::vector<std::string>;

Texts own_environment() {
  Texts all;
  for (char** entry = environ; *entry; ++entry) all.emplace_back(*entry);
  return all;
}

/// Lines that say something, each once and without what Slurm's commands put before them; the last
/// ones, which say what all came to.
std::string told_by_slurm(const std::string& text) {
  constexpr std::size_t kMostLines = 3;
  std::istringstream lines(text);
  std::string line;
  Texts told;
  while (std::getline(lines, line)) {
    for (const std::string_view head :
         {"sbatch: ", "squeue: ", "scancel: ", "scontrol: ", "sacct: ", "error: ", "fatal: "}) {
      if (line.starts_with(head)) line.erase(0, head.size());
    }
    while (!line.empty() && std::isspace(static_cast<unsigned char>(line.back()))) line.pop_back();
    if (!line.empty() && std::find(told.begin(), told.end(), line) == told.end()) {
      told.push_back(line);
    }
  }
  if (told.size() > kMostLines) told.erase(told.begin(), told.end() - kMostLines);
  return fmt::format("{}", fmt::join(told, "; "));
}

bool says(const std::string& text, std::string_view part) {
  const auto lower = [](char a) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(a)));
  };
  return std::search(text.begin(), text.end(), part.begin(), part.end(),
                     [&](char a, char b) { return lower(a) == lower(b); }) != text.end();
}

/// The value of an option in the script's #SBATCH lines: "--partition=x", "--partition x", "-p x";
/// empty where there is none. `line` gets the last line with it.
std::string option_in(const std::string& script, const std::string& name, char letter, int* line) {
  std::istringstream lines(script);
  std::string text, value;
  for (int number = 1; std::getline(lines, text); ++number) {
    if (!text.starts_with("#SBATCH")) continue;
    std::istringstream words(text.substr(7));
    for (std::string word; words >> word;) {
      const std::string full = "--" + name, brief = std::string("-") + letter;
      if (word.starts_with(full + "=")) {
        value = word.substr(full.size() + 1);
      } else if (word == full || word == brief) {
        words >> value;
      } else if (letter != '\0' && word.starts_with(brief) && !word.starts_with("--")) {
        value = word.substr(2);
      } else {
        continue;
      }
      *line = number;
    }
  }
  return value;
}

std::string in_line(int line) {
  return line > 0 ? fmt::format(" (line {} of the script)", line) : "";
}

/// The line with an option that sbatch does not know or understand; 0: it is not found.
int line_with_option(const std::string& script, const std::string& said) {
  std::istringstream lines(script);
  std::string text;
  for (int number = 1; std::getline(lines, text); ++number) {
    if (!text.starts_with("#SBATCH")) continue;
    std::istringstream words(text.substr(7));
    for (std::string word; words >> word;) {
      const std::string option = word.substr(0, word.find('='));
      if (option.size() > 2 && option.starts_with("--") && says(said, option)) return number;
      if (word.size() > 2 && says(said, "'" + word + "'")) return number;
    }
  }
  return 0;
}

constexpr const char* kUnreachable =
    "see whether `sinfo` answers here; where it does not, the cluster's controller is down or this "
    "machine does not belong to the cluster";

struct Refusal {
  const char* said;
  const char* option;
  char letter;
  const char* what;
  const char* hint;
};
/// What sbatch says of the values of single options.
constexpr Refusal kRefusals[] = {
    {"invalid account", "account", 'A', "the account{} cannot be used with this partition",
     "`sacctmgr show associations user=$USER format=account,partition,qos` lists yours; set "
     "`account` in the profile"},
    {"invalid qos", "qos", 'q', "the QOS{} is not known, or not yours",
     "`sacctmgr show associations user=$USER format=account,qos` lists yours; set `qos` in the "
     "profile"},
    {"requested time limit is invalid", "time", 't', "the time limit{} is not allowed there",
     "`sinfo -o \"%P %l\"` lists what each partition allows; set `time` in the profile"},
    {"requested node configuration is not available", "nodes", 'N',
     "the partition has no nodes with all that the script asks for",
     "`sinfo -N -o \"%P %N %c %m %G\"` lists processors, memory and GPUs of each node; set "
     "`nodes`, "
     "`ranks_per_node`, `cpus_per_rank`, `gpus_per_node` and `memory` in the profile"},
    {"node count specification invalid", "nodes", 'N',
     "the number of nodes{} is not to be had there",
     "`sinfo -o \"%P %D\"` lists how many each partition has; set `nodes` in the profile"},
    {"more processors requested than permitted", "nodes", 'N',
     "the script asks for more processors than are allowed",
     "`sinfo -o \"%P %D %c\"` lists nodes and their processors; set `nodes`, `ranks_per_node` or "
     "`cpus_per_rank` in the profile to less"},
    {"invalid generic resource", "gres", '\0', "the GPUs{} are not known to this cluster",
     "`sinfo -o \"%P %G\"` lists the GPUs of each partition; set `gpus_per_node` and `gpu_type` in "
     "the profile"},
};
}  // namespace

Error explain_sbatch(const std::string& text, const std::string& script, const Texts& partitions) {
  const std::string said = told_by_slurm(text);
  const std::string where = "sbatch";
  int line = 0;
  if (says(said, "invalid partition")) {
    const std::string name = option_in(script, "partition", 'p', &line);
    const std::string near = nearest_word(name, partitions);
    return {where, fmt::format("there is no partition \"{}\"{}", name, in_line(line)),
            !near.empty()        ? fmt::format("did you mean {}?", near)
            : partitions.empty() ? "`sinfo -o %P` lists them; set `partition` in the profile"
                                 : fmt::format("there are: {}", fmt::join(partitions, ", "))};
  }
  for (const Refusal& refusal : kRefusals) {
    if (!says(said, refusal.said)) continue;
    const std::string value = option_in(script, refusal.option, refusal.letter, &line);
    const std::string named = value.empty() ? "" : fmt::format(" \"{}\"", value);
    return {where,
            fmt::format("{}{}; Slurm says: {}", fmt::format(fmt::runtime(refusal.what), named),
                        in_line(line), said),
            refusal.hint};
  }
  if (says(said, "does not look like a batch script") || says(said, "no shell")) {
    return {where, "the script does not name a shell", "begin it with: #!/bin/bash"};
  }
  if (says(said, "contact slurm controller") || says(said, "socket timed out") ||
      says(said, "connection refused")) {
    return {where, fmt::format("the cluster's controller does not answer ({})", said),
            kUnreachable};
  }
  if (says(said, "munge") || says(said, "authentication")) {
    return {where, fmt::format("the cluster does not accept this machine ({})", said),
            "its munge service is down, or has another key: tell the cluster's staff"};
  }
  line = line_with_option(script, said);
  if (line > 0) {
    return {where, fmt::format("does not take line {} of the script ({})", line, said),
            "`man sbatch` explains its options"};
  }
  return {
      where, said.empty() ? "has refused the job without a word" : said,
      "`tessera launch SPEC --slurm PROFILE --show` shows the script; sbatch says the same of it "
      "by hand"};
}

Texts variables_to_clear(const Texts& environment) {
  Texts names;
  for (const std::string& entry : environment) {
    const std::string name = entry.substr(0, entry.find('='));
    // NOTE: SLURM_CONF says which cluster this is, where it is not the machine's own.
    const bool kept = name == "SLURM_CONF" || name == "SLURM_CONF_SERVER";
    for (const std::string_view begin :
         {"SLURM_", "SBATCH_", "SQUEUE_", "SACCT_", "SCANCEL_", "SCONTROL_", "SINFO_", "SRUN_"}) {
      if (!kept && name.starts_with(begin)) names.push_back(name);
    }
  }
  return names;
}

// ---- Commands -----------------------------------------------------------------------------------

/// NOTE: `env` sets the folder and the environment, and gives way to the command.
Slurm::Answer Slurm::ask(const Texts& words, const fs::path& folder) const {
  Texts line = {"env"};
  if (!folder.empty()) line.insert(line.end(), {"-C", folder.string()});
  for (const std::string& name : variables_to_clear(own_environment())) {
    line.insert(line.end(), {"-u", name});
  }
  for (const std::string& name : options_.own_variables) line.insert(line.end(), {"-u", name});
  line.push_back("LC_ALL=C");
  line.insert(line.end(), words.begin(), words.end());
  const HostAnswer answer = run_all({line}, "", options_.patience).front();
  Answer result;
  result.is_good = answer.is_good();
  result.output = answer.output;
  if (result.is_good) return result;
  constexpr int kNotThere = 127 << 8;  // env's exit status where there is no such command
  if (answer.timed_out) {
    result.trouble =
        fmt::format("{} does not answer within {} s", words.front(),
                    std::chrono::duration_cast<std::chrono::seconds>(options_.patience).count());
  } else if (answer.wait_status == kNotThere) {
    result.trouble = fmt::format("{} is not on this machine", words.front());
  } else {
    result.trouble = told_by_slurm(answer.errors);
    if (result.trouble.empty()) result.trouble = told_by_slurm(answer.output);
    if (result.trouble.empty()) {
      result.trouble = fmt::format("{} {}", words.front(), end_text(answer.wait_status));
    }
  }
  return result;
}

void Slurm::tell(const Texts& words) const {
  const Answer answer = ask(words);
  if (!answer.is_good) throw Error(words.front(), answer.trouble, kUnreachable);
}

/// What a listing command prints, one name a line, each once.
Texts Slurm::names_of(const Texts& words) const {
  Texts names;
  std::istringstream lines(ask(words).output);
  for (std::string line; std::getline(lines, line);) {
    while (!line.empty() && (line.back() == '*' || line.back() == ' ')) line.pop_back();
    if (!line.empty() && std::find(names.begin(), names.end(), line) == names.end()) {
      names.push_back(line);
    }
  }
  return names;
}

void Slurm::require_here() const {
  const Answer answer = ask({"sbatch", "--version"});
  if (answer.is_good) return;
  throw Error(
      "sbatch",
      answer.trouble == "sbatch is not on this machine"
          ? "is not on this machine: jobs are submitted where Slurm's commands are"
          : answer.trouble,
      "do this on a login node of the cluster; some clusters want `module load slurm` first");
}

std::string Slurm::submit(const fs::path& run) const {
  const std::string script = read_file(SlurmFiles{run}.script());
  const Answer answer = ask({"sbatch", "--parsable", "slurm/job.sh"}, run);
  if (!answer.is_good) {
    const bool partition = says(answer.trouble, "invalid partition");
    throw explain_sbatch(answer.trouble, script,
                         partition ? names_of({"sinfo", "-h", "-o", "%R"}) : Texts());
  }
  // "123" or "123;cluster", in the last line: a site's own words may come before it.
  std::istringstream lines(answer.output);
  std::string line, job;
  while (std::getline(lines, line)) {
    const std::string first = line.substr(0, line.find(';'));
    if (!first.empty() && first.find_first_not_of("0123456789") == first.npos) job = first;
  }
  if (!job.empty()) return job;
  throw Error(
      "sbatch", fmt::format("names no job: it says \"{}\"", told_by_slurm(answer.output)),
      "`squeue --me` shows whether there is one; cancel it with scancel before you try again");
}

namespace {
/// A listing with the job in it, or why there is none.
SlurmSight sight_in(const SlurmListing& listing, const std::string& job, const char* command) {
  using Kind = SlurmSight::Kind;
  if (const SlurmJob* found = listing.find(job)) return {Kind::Seen, *found, ""};
  if (listing.strange.empty()) return {Kind::Gone, {}, ""};
  return {Kind::NoAnswer,
          {},
          fmt::format("{} says what this program does not understand: \"{}\"", command,
                      listing.strange.front())};
}

bool knows_no_job(const std::string& trouble) {
  return says(trouble, "invalid job id");
}
}  // namespace

SlurmSight Slurm::look(const std::string& job) const {
  using Kind = SlurmSight::Kind;
  try {
    const Answer queue = ask({"squeue", "-h", "-j", job, "-o", kSqueueFormat});
    if (!queue.is_good && !knows_no_job(queue.trouble)) return {Kind::NoAnswer, {}, queue.trouble};
    if (queue.is_good) {
      const SlurmSight sight = sight_in(listing_of_squeue(queue.output), job, "squeue");
      if (sight.kind != Kind::Gone) return sight;
    }
    // It has left the queue. Where the cluster keeps no accounts, its controller still knows it for
    // some minutes.
    const Answer control = ask({"scontrol", "show", "job", job, "-o"});
    if (control.is_good) {
      // NOTE: the controller says so of a job that it does not know. Where it says nothing, as
      // while it starts again, the job may be there, and would go on with nobody who cancels it.
      const SlurmSight sight = sight_in(listing_of_scontrol(control.output), job, "scontrol");
      if (sight.kind != Kind::Gone) return sight;
      return {Kind::NoAnswer, {}, "scontrol says nothing of the job"};
    } else if (!knows_no_job(control.trouble)) {
      return {Kind::NoAnswer, {}, control.trouble};
    }
    const Answer accounts = ask({"sacct", "-n", "-P", "-X", "-j", job, "-o", kSacctFields});
    if (!accounts.is_good) return {Kind::Gone, {}, accounts.trouble};
    return sight_in(listing_of_sacct(accounts.output), job, "sacct");
  } catch (const Error& error) {
    return {Kind::NoAnswer, {}, error.what()};  // no process can be started here
  }
}

std::string Slurm::job_of_folder(const fs::path& run) const {
  const Answer answer = ask({"squeue", "-h", "--me", "-o", "%i|%Z"});
  if (!answer.is_good) throw Error("squeue", answer.trouble, kUnreachable);
  std::istringstream lines(answer.output);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t bar = line.find('|');
    if (bar == line.npos) continue;
    std::error_code none;
    const fs::path folder = line.substr(bar + 1);
    if (folder == run || fs::equivalent(folder, run, none)) return line.substr(0, bar);
  }
  return "";
}

void Slurm::cancel(const std::string& job, bool at_once) const {
  if (at_once) tell({"scancel", "--signal=KILL", job});
  tell({"scancel", job});
}

void Slurm::signal_script(const std::string& job, const std::string& signal) const {
  tell({"scancel", "--batch", "--signal=" + signal, job});
}

}  // namespace tessera
