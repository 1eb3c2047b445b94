// SPDX-License-Identifier: MIT
#include "core/launch/slurm_script.h"

#include <algorithm>
#include <cctype>

#include "core/base/error.h"
#include "core/launch/ssh.h"

namespace tessera {

namespace {
using Profile = SlurmProfile;

/// Letters, digits, '-', '_' and '.', as names of jobs are shown by every command of Slurm.
std::string job_name(const std::string& name) {
  std::string plain;
  for (const unsigned char c : name) {
    const bool kept = c < 0x80 && (std::isalnum(c) || c == '-' || c == '_' || c == '.');
    plain += kept ? static_cast<char>(c) : '-';
  }
  constexpr std::size_t kMostOfName = 60;
  return plain.empty() ? "tessera" : plain.substr(0, kMostOfName);
}

void add_option(std::string& text, const char* option, const std::string& value) {
  if (!value.empty()) text += fmt::format("#SBATCH --{}={}\n", option, value);
}

std::string options_of(const Profile& profile, const SlurmRun& run) {
  std::string text;
  add_option(text, "job-name", job_name(run.name));
  add_option(text, "partition", profile.partition);
  add_option(text, "account", profile.account);
  add_option(text, "qos", profile.qos);
  add_option(text, "nodes", std::to_string(profile.nodes));
  add_option(text, "ntasks-per-node", std::to_string(profile.ranks_per_node));
  if (profile.cpus_per_rank > 0) {
    add_option(text, "cpus-per-task", std::to_string(profile.cpus_per_rank));
  }
  if (profile.gpus_per_node > 0) {
    const std::string kind = profile.gpu_type.empty() ? "" : profile.gpu_type + ":";
    add_option(text, "gres", fmt::format("gpu:{}{}", kind, profile.gpus_per_node));
  }
  add_option(text, "mem", profile.memory);
  add_option(text, "time", profile.time);
  text +=
      "# What the job prints comes into the run's folder, behind what earlier starts have "
      "printed.\n"
      "#SBATCH --output=slurm/job-%j.out\n"
      "#SBATCH --open-mode=append\n"
      "#SBATCH --requeue\n";
  if (profile.warn_s > 0) {
    text += fmt::format(
        "# Slurm warns this script so many seconds before the time limit.\n"
        "#SBATCH --signal=B:USR1@{}\n",
        profile.warn_s);
  }
  for (const std::string& option : profile.sbatch) text += fmt::format("#SBATCH {}\n", option);
  return text;
}

std::string shell_of(const Profile& profile, const SlurmRun& run) {
  std::string text = "\nrun=$SLURM_SUBMIT_DIR  # the run's folder: sbatch was called there\n";
  const std::string& program = profile.program.empty() ? run.program : profile.program;
  text += fmt::format("tessera={}\n", shell_word(program));
  if (!profile.modules.empty()) {
    text += fmt::format("\nmodule load {}\n", fmt::join(profile.modules, " "));
  }
  text +=
      "\n# The ranks find each other at the first host of the allocation.\n"
      "MASTER_ADDR=$(scontrol show hostnames \"$SLURM_JOB_NODELIST\" | head -n 1)\n"
      "MASTER_PORT=$((20000 + SLURM_JOB_ID % 12000))\n"
      "export MASTER_ADDR MASTER_PORT\n"
      "unset RANK WORLD_SIZE LOCAL_RANK LOCAL_WORLD_SIZE\n";
  if (profile.cpus_per_rank > 0) {
    text += fmt::format("export SRUN_CPUS_PER_TASK={}\n", profile.cpus_per_rank);
  }
  for (const auto& [name, value] : run.variables) {
    text += fmt::format("export {}={}\n", name, shell_word(value));
  }
  if (!profile.commands.empty()) text += fmt::format("\n{}\n", fmt::join(profile.commands, "\n"));
  return text;
}

/// The words that start all ranks, without what each of them is.
std::string starter_of(const Profile& profile) {
  std::string line = profile.start == "mpirun"
                         ? fmt::format("mpirun --bind-to none -n {}", profile.ranks())
                     : profile.start == "pmix" ? "srun --mpi=pmix --kill-on-bad-exit=0 --wait=60"
                                               : "srun --kill-on-bad-exit=0 --wait=60";
  for (const std::string& option : profile.srun) line += " " + option;
  return line;
}

std::string rank_of(const Profile& profile, const SlurmRun& run) {
  std::string line;
  if (!profile.container.empty()) {
    const std::string with = !profile.container_with.empty() ? profile.container_with
                             : profile.gpus_per_node > 0     ? "apptainer exec --nv"
                                                             : "apptainer exec";
    line = fmt::format("{} {} ", with, shell_word(profile.container));
  }
  line += fmt::format("\"$tessera\" resume \"$run\" --stopped-status {}", kSlurmRequeueStatus);
  if (run.most_steps > 0) line += fmt::format(" --most-steps {}", run.most_steps);
  return line;
}

/// NOTE: `wait` ends when a signal comes, before the ranks do. srun and mpirun pass SIGUSR1 on to
/// all ranks; SIGTERM would make either of them end the ranks at once. What a container's program
/// passes on is its own.
constexpr const char* kSignals = R"sh(
# Slurm sends USR1 before the time limit and TERM when it takes the nodes away: the ranks save and
# stop, and the job goes back into the queue. USR2 (tessera stop) lets them save and stop for good.
why=
ask() { why=$1; asked=yes; kill -USR1 "$ranks" 2>/dev/null; }
trap 'ask "its time is nearly over"' USR1
trap 'ask "Slurm takes its nodes away"' TERM
trap 'ask stop' USR2
)sh";

constexpr const char* kWaiting = R"sh(ranks=$!
status=127
while true; do
  asked=
  wait "$ranks"
  code=$?
  [ "$code" -eq 127 ] || status=$code
  [ -n "$asked" ] || break
done
)sh";

constexpr const char* kEnding = R"sh(
if [ "$status" -eq {status} ] && [ "$why" != stop ]; then
  # A job that somebody has cancelled is not RUNNING any more, and stays out of the queue.
  if [ "$(squeue -h -j "$SLURM_JOB_ID" -o %T)" = RUNNING ]; then
    echo "tessera: saved, as ${why:-its ranks were told to stop}; the job goes back into the queue"
    scontrol requeue "$SLURM_JOB_ID" && exit 0
  fi
fi
[ "$why" = stop ] && [ "$status" -eq {status} ] && status=0
echo "$status" > "slurm/job-$SLURM_JOB_ID.end"
exit "$status"
)sh";

std::string replaced(std::string text, const std::string& mark, const std::string& by) {
  for (std::size_t at = text.find(mark); at != text.npos; at = text.find(mark, at + by.size())) {
    text.replace(at, mark.size(), by);
  }
  return text;
}
}  // namespace

std::string slurm_script(const SlurmProfile& profile, const SlurmRun& run) {
  check_slurm_profile(profile);
  std::string text = fmt::format(
      "#!/bin/bash\n"
      "# Tessera Studio: {} on {} of {}, from the profile {}. What you change here is kept.\n",
      job_name(run.name),
      profile.ranks() == 1 ? "1 rank" : fmt::format("{} ranks", profile.ranks()),
      profile.nodes == 1 ? "1 node" : fmt::format("{} nodes", profile.nodes), profile.name);
  text += options_of(profile, run);
  text += shell_of(profile, run);
  text += kSignals;
  text += fmt::format("\n{} \\\n  {} &\n", starter_of(profile), rank_of(profile, run));
  text += kWaiting;
  text += replaced(kEnding, "{status}", std::to_string(kSlurmRequeueStatus));
  return text;
}

// ---- Edited scripts -----------------------------------------------------------------------------

namespace {
/// Lines without blanks at their ends, which no editor shows.
std::vector<std::string> script_lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t')) {
      line.remove_suffix(1);
    }
    lines.emplace_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  return lines;
}

/// "4, 17-19" of increasing numbers; a number that is there twice is named once.
std::string ranges_text(const std::vector<int>& numbers) {
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < numbers.size();) {
    std::size_t last = i;
    while (last + 1 < numbers.size() && numbers[last + 1] - numbers[last] <= 1) ++last;
    parts.push_back(numbers[i] == numbers[last] ? std::to_string(numbers[i])
                                                : fmt::format("{}-{}", numbers[i], numbers[last]));
    i = last + 1;
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

/// Length of the longest common part behind each pair of lines.
class CommonLines {
 public:
  CommonLines(const std::vector<std::string>& a, const std::vector<std::string>& b)
      : width_(b.size() + 1), length_((a.size() + 1) * width_) {
    for (std::size_t i = a.size(); i-- > 0;) {
      for (std::size_t j = b.size(); j-- > 0;) {
        at(i, j) = a[i] == b[j] ? at(i + 1, j + 1) + 1 : std::max(at(i + 1, j), at(i, j + 1));
      }
    }
  }
  int& at(std::size_t i, std::size_t j) { return length_[i * width_ + j]; }

 private:
  std::size_t width_;
  std::vector<int> length_;
};

bool is_sbatch_line(const std::string& line) {
  return line.starts_with("#SBATCH");
}
bool is_command_line(const std::string& line) {
  const std::size_t begin = line.find_first_not_of(" \t");
  return begin != line.npos && line[begin] != '#';
}
}  // namespace

std::string ScriptDifference::text() const {
  if (empty()) return "";
  std::string text;
  if (!lines.empty()) {
    text = fmt::format("differs from the profile in {} {}", lines.size() == 1 ? "line" : "lines",
                       ranges_text(lines));
  }
  if (missing.empty()) return text;
  if (!text.empty()) text += "; ";
  return text + fmt::format("{} of the profile's lines {} left out, before line {}", missing.size(),
                            missing.size() == 1 ? "is" : "are", ranges_text(missing));
}

ScriptDifference compare_scripts(std::string_view from_profile, std::string_view edited) {
  constexpr std::size_t kMostLines = 2000;
  std::vector<std::string> a = script_lines(from_profile), b = script_lines(edited);
  if (a.size() > kMostLines || b.size() > kMostLines) {
    throw Error("script", fmt::format("has more than {} lines", kMostLines));
  }
  CommonLines common(a, b);
  ScriptDifference difference;
  std::size_t i = 0, j = 0;
  std::vector<int> gone;  // lines of the profile since the last common line
  std::size_t others = 0;
  const auto settle = [&] {
    // A line that was changed is one line gone and one that came: it is told once.
    for (std::size_t k = others; k < gone.size(); ++k) difference.missing.push_back(gone[k]);
    gone.clear();
    others = 0;
  };
  while (i < a.size() || j < b.size()) {
    if (i < a.size() && j < b.size() && a[i] == b[j]) {
      settle();
      ++i;
      ++j;
    } else if (j < b.size() && (i == a.size() || common.at(i, j + 1) >= common.at(i + 1, j))) {
      difference.lines.push_back(static_cast<int>(++j));
      ++others;
    } else {
      ++i;
      gone.push_back(static_cast<int>(j) + 1);
    }
  }
  settle();
  return difference;
}

std::vector<ScriptProblem> check_slurm_script(std::string_view script) {
  const std::vector<std::string> lines = script_lines(script);
  std::vector<ScriptProblem> problems;
  if (lines.empty()) return {{0, "is empty", "write `#!/bin/bash` and what is to be run", true}};
  if (!lines.front().starts_with("#!/")) {
    problems.push_back({1, "does not name a shell, without which sbatch takes no script",
                        "begin it with: #!/bin/bash", true});
  }
  bool commands = false, starts = false, requeues = false;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const int number = static_cast<int>(i) + 1;
    if (commands && is_sbatch_line(lines[i])) {
      problems.push_back({number, "stands behind the first command: sbatch does not read it",
                          "put it above the first command"});
    }
    commands = commands || is_command_line(lines[i]);
    starts = starts || (is_command_line(lines[i]) && lines[i].find("tessera") != std::string::npos);
    requeues =
        requeues || (is_command_line(lines[i]) && lines[i].find("requeue") != std::string::npos);
  }
  if (!commands) problems.push_back({0, "has no command", "add what is to be run", true});
  if (commands && !starts) {
    problems.push_back({0, "never names tessera: the job would train nothing",
                        "start the ranks: srun tessera resume \"$SLURM_SUBMIT_DIR\""});
  }
  if (commands && starts && !requeues) {
    problems.push_back({0,
                        "never requeues the job: it ends for good at its time limit and when Slurm "
                        "takes its nodes away",
                        "`tessera launch SPEC --slurm PROFILE --show` shows how"});
  }
  return problems;
}

}  // namespace tessera
