// SPDX-License-Identifier: MIT
#include "core/launch/slurm_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace tessera {

namespace {
using Fields = std::vector<std::string_view>;

Fields split_at(std::string_view text, char mark, std::size_t most) {
  Fields parts;
  while (parts.size() + 1 < most) {
    const std::size_t at = text.find(mark);
    if (at == text.npos) break;
    parts.push_back(text.substr(0, at));
    text.remove_prefix(at + 1);
  }
  parts.push_back(text);
  return parts;
}

std::string_view without_blanks(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && std::string_view(" \t\r").find(text.back()) != std::string_view::npos) {
    text.remove_suffix(1);
  }
  return text;
}

/// What stands for "nothing" in one command or the other.
std::string value_or_none(std::string_view text) {
  text = without_blanks(text);
  for (const std::string_view none :
       {"N/A", "None", "(null)", "Unknown", "None assigned", "INVALID", "NOT_SET"}) {
    if (text == none) return "";
  }
  return std::string(text);
}

/// "123", "123_4", "123_[1-3,7%2]", "123+1" (one of several parts of a job).
bool is_job_id(std::string_view text) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  if (digits == 0) return false;
  const std::string_view rest = text.substr(digits);
  if (rest.empty()) return true;
  return (rest.front() == '_' || rest.front() == '+') &&
         rest.find_first_not_of("_+[]0123456789,-%:.") == rest.npos;
}

bool is_state_word(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || c == '_' || c == '+';
  });
}

/// "CANCELLED by 1000" and "CANCELLED+" are CANCELLED.
std::string state_of(std::string_view text) {
  text = without_blanks(text);
  text = text.substr(0, text.find(' '));
  while (!text.empty() && text.back() == '+') text.remove_suffix(1);
  return std::string(text);
}

/// "1:0": exit status and signal.
void take_exit_code(std::string_view text, SlurmJob& job) {
  int status = 0, signal = 0;
  const std::size_t colon = text.find(':');
  if (colon == text.npos) return;
  const auto [end, error] = std::from_chars(text.data(), text.data() + colon, status);
  if (error != std::errc{} || end != text.data() + colon) return;
  const auto tail = text.substr(colon + 1);
  if (std::from_chars(tail.data(), tail.data() + tail.size(), signal).ec != std::errc{}) return;
  job.exit_status = status;
  job.exit_signal = signal;
}

/// Calls `read` with each line; it says whether the line is a job.
template <class Read>
SlurmListing each_line(std::string_view text, const Read& read) {
  SlurmListing listing;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = without_blanks(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    // Where several clusters are asked, each has a line of its own.
    if (line.empty() || line.starts_with("CLUSTER:")) continue;
    SlurmJob job;
    if (read(line, job)) {
      listing.jobs.push_back(std::move(job));
    } else {
      listing.strange.emplace_back(line);
    }
  }
  return listing;
}

/// The value of a key in a line of `scontrol`: it ends where another key begins.
std::optional<std::string_view> value_of(std::string_view line, std::string_view key) {
  for (std::size_t at = 0; (at = line.find(key, at)) != line.npos; ++at) {
    const bool begins = at == 0 || line[at - 1] == ' ';
    const std::size_t equals = at + key.size();
    if (!begins || equals >= line.size() || line[equals] != '=') continue;
    const std::string_view value = line.substr(equals + 1);
    return value.substr(0, std::min(value.find(' '), value.size()));
  }
  return {};
}

std::string text_of(std::string_view line, std::string_view key) {
  const auto value = value_of(line, key);
  return value ? value_or_none(*value) : "";
}

bool read_scontrol_line(std::string_view line, SlurmJob& job) {
  const auto id = value_of(line, "JobId");
  if (!id || !is_job_id(*id)) return false;
  const auto array = value_of(line, "ArrayJobId"), task = value_of(line, "ArrayTaskId");
  job.id = array && task ? fmt::format("{}_{}", *array, *task) : std::string(*id);
  // NOTE: the job's name comes before its state, and may hold anything, blanks and '=' too.
  const std::size_t user = line.find(" UserId=");
  const std::string_view rest = user == line.npos ? line : line.substr(user);
  const auto state = value_of(rest, "JobState");
  if (!state || !is_state_word(*state)) return false;
  job.state = state_of(*state);
  job.reason = text_of(rest, "Reason");
  job.nodes = text_of(rest, "NodeList");
  job.ran = text_of(rest, "RunTime");
  job.start = text_of(rest, "StartTime");
  if (const auto code = value_of(rest, "ExitCode")) take_exit_code(*code, job);
  const auto restarts = value_of(rest, "Restarts");
  if (restarts)
    std::from_chars(restarts->data(), restarts->data() + restarts->size(), job.restarts);
  return true;
}
}  // namespace

const SlurmJob* SlurmListing::find(std::string_view id) const {
  for (const SlurmJob& job : jobs) {
    if (job.id == id) return &job;
  }
  for (const SlurmJob& job : jobs) {
    if (job.id.starts_with(id) && job.id.size() > id.size() &&
        (job.id[id.size()] == '_' || job.id[id.size()] == '+')) {
      return &job;
    }
  }
  return nullptr;
}

SlurmListing listing_of_squeue(std::string_view text) {
  return each_line(text, [](std::string_view line, SlurmJob& job) {
    const Fields fields = split_at(line, '|', 7);  // a reason may hold anything
    if (fields.size() != 7 || !is_job_id(fields[0]) || !is_state_word(fields[1])) return false;
    job.id = fields[0];
    job.state = state_of(fields[1]);
    job.ran = value_or_none(fields[2]);
    job.left = value_or_none(fields[3]);
    job.start = value_or_none(fields[4]);
    job.nodes = value_or_none(fields[5]);
    job.reason = value_or_none(fields[6]);
    return true;
  });
}

SlurmListing listing_of_sacct(std::string_view text) {
  return each_line(text, [](std::string_view line, SlurmJob& job) {
    const Fields fields = split_at(line, '|', 6);
    if (fields.size() != 6 || !is_job_id(fields[0])) return false;
    job.id = fields[0];
    job.state = state_of(fields[1]);
    if (!is_state_word(job.state)) return false;
    take_exit_code(fields[2], job);
    job.ran = value_or_none(fields[3]);
    job.start = value_or_none(fields[4]);
    job.nodes = value_or_none(fields[5]);
    return true;
  });
}

SlurmListing listing_of_scontrol(std::string_view text) {
  return each_line(text, read_scontrol_line);
}

// ---- In words -----------------------------------------------------------------------------------

namespace {
struct Words {
  std::string_view word, meaning;
};
constexpr Words kEnds[] = {
    {"COMPLETED", "has ended"},
    {"FAILED", "has failed"},
    {"TIMEOUT", "was ended at its time limit"},
    {"CANCELLED", "was cancelled"},
    {"NODE_FAIL", "has ended, as one of its nodes failed"},
    {"PREEMPTED", "was ended, as a job of higher rank took its nodes"},
    {"OUT_OF_MEMORY", "was ended, as it used more memory than it had asked for"},
    {"BOOT_FAIL", "could not begin, as a node did not start"},
    {"DEADLINE", "was ended at its deadline"},
    {"REVOKED", "has gone to another cluster"},
};
constexpr Words kReasons[] = {
    {"Priority", "other jobs come first"},
    {"Resources", "for nodes to become free"},
    {"BeginTime", "for its start time, as jobs do for some minutes after they were put back"},
    {"Dependency", "for another job"},
    {"DependencyNeverSatisfied", "for another job, which will never end as it must; cancel it"},
    {"JobHeldUser", "held by its owner; `scontrol release JOB` lets it go"},
    {"JobHeldAdmin", "held by the cluster's staff; ask them"},
    {"PartitionDown", "its partition is down"},
    {"PartitionConfig",
     "its partition cannot give what it asks for; change `nodes`, or what each node is to have"},
    {"PartitionInactive", "its partition takes no jobs now"},
    {"PartitionNodeLimit", "it asks for more nodes than its partition allows; change `nodes`"},
    {"PartitionTimeLimit", "it asks for more time than its partition allows; change `time`"},
    {"ReqNodeNotAvail", "a node that it needs is not available"},
    {"Reservation", "for its reservation"},
    {"InvalidAccount", "its account is not valid; change `account`"},
    {"InvalidQOS", "its QOS is not valid; change `qos`"},
    {"Licenses", "for a licence"},
    {"NodeDown", "a node that it needs is down"},
    {"BadConstraints", "no node has what it asks for"},
    {"launch failed requeued held",
     "held, as its start failed; `scontrol release JOB` tries again"},
};

std::string_view meaning_in(const Words* begin, const Words* end, std::string_view word) {
  const Words* at = std::find_if(begin, end, [&](const Words& one) { return one.word == word; });
  return at == end ? std::string_view() : at->meaning;
}

std::string reason_text(std::string_view reason) {
  const std::string_view known =
      meaning_in(std::begin(kReasons), std::end(kReasons), reason.substr(0, reason.find(',')));
  if (!known.empty()) return std::string(known);
  const bool limit = reason.starts_with("QOS") || reason.starts_with("Assoc");
  if (limit && reason.find("Limit") != reason.npos) {
    return fmt::format("a limit of your account or QOS is reached ({})", reason);
  }
  return std::string(reason);
}

std::string waiting_text(const SlurmJob& job) {
  std::string text = "waits in the queue";
  if (job.state == "REQUEUE_HOLD" || job.state == "SPECIAL_EXIT") text = "is held in the queue";
  if (!job.reason.empty()) text += ": " + reason_text(job.reason);
  if (!job.start.empty()) text += fmt::format("; Slurm expects it to begin at {}", job.start);
  if (job.restarts > 0) text += fmt::format("; it was put back {} times", job.restarts);
  return text;
}

std::string end_text_of(const SlurmJob& job, std::string_view meaning) {
  std::string text(meaning);
  if (job.exit_signal > 0) return text + fmt::format(" by signal {}", job.exit_signal);
  if (job.exit_status > 0) text += fmt::format(" with exit status {}", job.exit_status);
  return text;
}
}  // namespace

bool is_over(const SlurmJob& job) {
  return !meaning_in(std::begin(kEnds), std::end(kEnds), job.state).empty();
}

bool is_waiting(const SlurmJob& job) {
  for (const std::string_view state :
       {"PENDING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT", "RESV_DEL_HOLD"}) {
    if (job.state == state) return true;
  }
  return false;
}

std::string job_text(const SlurmJob& job) {
  if (is_waiting(job)) return waiting_text(job);
  const std::string_view end = meaning_in(std::begin(kEnds), std::end(kEnds), job.state);
  if (!end.empty()) return end_text_of(job, end);
  const std::string where = job.nodes.empty() ? "" : fmt::format(" on {}", job.nodes);
  if (job.state == "RUNNING") {
    std::string text = "runs" + where;
    if (!job.ran.empty()) text += fmt::format(" for {}", job.ran);
    if (!job.left.empty() && job.left != "UNLIMITED")
      text += fmt::format(", with {} left", job.left);
    return text;
  }
  if (job.state == "CONFIGURING") return fmt::format("has its nodes{}, which start", where);
  if (job.state == "COMPLETING") return fmt::format("comes to its end{}", where);
  if (job.state == "SUSPENDED")
    return fmt::format("is suspended{}: it keeps its nodes and waits", where);
  if (job.state == "STOPPED") return fmt::format("is stopped{}, by a signal", where);
  if (job.state == "SIGNALING") return fmt::format("is being told something{}", where);
  if (job.state == "RESIZING") return fmt::format("changes its number of nodes{}", where);
  if (job.state == "STAGE_OUT") return "has ended, and its files are being moved";
  return fmt::format("is in a state that Slurm calls {}{}", job.state, where);
}

}  // namespace tessera
