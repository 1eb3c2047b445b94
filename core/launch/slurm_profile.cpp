// SPDX-License-Identifier: MIT
#include "core/launch/slurm_profile.h"

#include <algorithm>
#include <cctype>
#include <sstream>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/nearest_word.h"
#include "core/config/paths.h"
#include "core/spec/toml.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {
using Profile = SlurmProfile;
using Texts = std::vector<std::string>;
constexpr std::int64_t kMostNodes = 100'000, kMostOfNode = 4096;
constexpr std::int64_t kMostWarning_s = 65'535;  // sbatch's own limit
constexpr std::size_t kMostProfileBytes = 1u << 20;

struct ProfileSlip {
  int line = 0;
  std::string text, hint{};
};

[[noreturn]] void refuse_profile(const std::string& file, const std::vector<ProfileSlip>& slips) {
  std::vector<std::string> texts;
  for (const ProfileSlip& slip : slips) {
    texts.push_back(slip.line > 0 ? fmt::format("line {}: {}", slip.line, slip.text) : slip.text);
  }
  throw Error(file, fmt::format("{}", fmt::join(texts, "; ")), slips.front().hint);
}

std::string toml_text(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\u{:04X}", static_cast<int>(static_cast<unsigned char>(c)));
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string value_text(const Profile& profile, const SlurmProfileKey& key) {
  if (const auto* text = std::get_if<std::string Profile::*>(&key.member)) {
    return toml_text(profile.**text);
  }
  if (const auto* number = std::get_if<std::int64_t Profile::*>(&key.member)) {
    return std::to_string(profile.**number);
  }
  Texts quoted;
  for (const std::string& one : profile.*std::get<Texts Profile::*>(key.member)) {
    quoted.push_back(toml_text(one));
  }
  return fmt::format("[{}]", fmt::join(quoted, ", "));
}

bool list_of_texts(const toml::array& list, Texts& into) {
  for (const toml::node& one : list) {
    const auto text = one.value_exact<std::string>();
    if (!text) return false;
    into.push_back(*text);
  }
  return true;
}

/// Puts a value of the file into the profile; what is wrong with it, where it cannot.
std::string take_value(const toml::node& node, const SlurmProfileKey& key, Profile& profile) {
  if (const auto* text = std::get_if<std::string Profile::*>(&key.member)) {
    const auto value = node.value_exact<std::string>();
    if (!value) return fmt::format("{} is not a text in quotes", key.name);
    profile.** text = *value;
  } else if (const auto* number = std::get_if<std::int64_t Profile::*>(&key.member)) {
    const auto value = node.value_exact<std::int64_t>();
    if (!value) return fmt::format("{} is not a whole number", key.name);
    profile.** number = *value;
  } else {
    Texts texts;
    const toml::array* list = node.as_array();
    if (!list || !list_of_texts(*list, texts)) {
      return fmt::format("{} is not a list of texts, such as [\"a\", \"b\"]", key.name);
    }
    profile.*std::get<Texts Profile::*>(key.member) = std::move(texts);
  }
  return "";
}

bool has_line_break(const std::string& text) {
  return std::any_of(text.begin(), text.end(),
                     [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

/// A word that stands in a line of the script as it is.
bool is_plain_word(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) ||
           std::string_view("._-+/:,=@%[]&|*").find(static_cast<char>(c)) != std::string_view::npos;
  });
}

bool all_digits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// As sbatch takes it: minutes, minutes:seconds, hours:minutes:seconds, days-hours,
/// days-hours:minutes, days-hours:minutes:seconds.
bool is_slurm_time(std::string_view text) {
  if (text == "UNLIMITED" || text == "INFINITE") return true;
  const std::size_t dash = text.find('-');
  if (dash != text.npos) {
    if (!all_digits(text.substr(0, dash))) return false;
    text.remove_prefix(dash + 1);
  }
  int parts = 0;
  while (true) {
    const std::size_t colon = text.find(':');
    if (!all_digits(text.substr(0, colon)) || text.substr(0, colon).size() > 9) return false;
    ++parts;
    if (colon == text.npos) return parts <= 3;
    text.remove_prefix(colon + 1);
  }
}

bool is_slurm_memory(std::string_view text) {
  if (!text.empty() && std::string_view("KMGT").find(text.back()) != std::string_view::npos) {
    text.remove_suffix(1);
  }
  return all_digits(text) && text.size() <= 9;
}

void check_profile_numbers(const Profile& profile, std::vector<ProfileSlip>& slips) {
  for (const SlurmProfileKey& key : slurm_profile_keys()) {
    const auto* member = std::get_if<std::int64_t Profile::*>(&key.member);
    if (!member) continue;
    const std::int64_t value = profile.**member;
    if (value >= key.least && value <= key.most) continue;
    slips.push_back({0, fmt::format("{} is {}, expected a whole number from {} to {}", key.name,
                                    value, key.least, key.most)});
  }
}

void check_profile_texts(const Profile& profile, std::vector<ProfileSlip>& slips) {
  for (const SlurmProfileKey& key : slurm_profile_keys()) {
    Texts texts;
    if (const auto* one = std::get_if<std::string Profile::*>(&key.member)) {
      texts.push_back(profile.**one);
    } else if (const auto* list = std::get_if<Texts Profile::*>(&key.member)) {
      texts = profile.**list;
    }
    for (const std::string& text : texts) {
      if (has_line_break(text)) {
        slips.push_back(
            {0, fmt::format("{} holds a line break or another control character", key.name)});
      }
    }
  }
}

void check_profile_words(const Profile& profile, std::vector<ProfileSlip>& slips) {
  const std::pair<const char*, const std::string*> words[] = {{"partition", &profile.partition},
                                                              {"account", &profile.account},
                                                              {"qos", &profile.qos},
                                                              {"gpu_type", &profile.gpu_type}};
  for (const auto& [key, word] : words) {
    if (is_plain_word(*word)) continue;
    slips.push_back({0, fmt::format("{} is \"{}\", which is no name in Slurm", key, *word)});
  }
  for (const std::string& module : profile.modules) {
    if (!module.empty() && is_plain_word(module)) continue;
    slips.push_back({0, fmt::format("modules has \"{}\", which is no name of a module", module)});
  }
  for (const std::string& option : profile.sbatch) {
    if (option.starts_with('-')) continue;
    slips.push_back({0, fmt::format("sbatch has \"{}\", which is no option of sbatch", option),
                     "options as sbatch takes them, such as \"--exclusive\""});
  }
}
}  // namespace

const std::vector<SlurmProfileKey>& slurm_profile_keys() {
  static const std::vector<SlurmProfileKey> keys = {
      {"partition", &Profile::partition, "the partition; empty: the cluster's default"},
      {"account", &Profile::account, "who pays; empty: your default account"},
      {"qos", &Profile::qos, "quality of service; empty: the default"},
      {"nodes", &Profile::nodes, "how many nodes", 1, kMostNodes},
      {"ranks_per_node", &Profile::ranks_per_node, "ranks on each node; with GPUs one for each", 1,
       kMostOfNode},
      {"gpus_per_node", &Profile::gpus_per_node, "GPUs of each node", 0, kMostOfNode},
      {"gpu_type", &Profile::gpu_type, "the kind of GPU, where the cluster has several"},
      {"cpus_per_rank", &Profile::cpus_per_rank,
       "processors for each rank; 0: what the cluster gives", 0, kMostOfNode},
      {"memory", &Profile::memory, "memory of each node, such as 64G; 0: all of it"},
      {"time", &Profile::time, "time limit, such as 24:00:00 or 2-12"},
      {"warn_s", &Profile::warn_s,
       "seconds before the time limit at which the run saves and the job goes back into the queue; "
       "0: never",
       0, kMostWarning_s},
      {"start", &Profile::start,
       "what starts the ranks: srun; pmix (srun --mpi=pmix, for ranks on CPUs); mpirun"},
      {"modules", &Profile::modules, "modules to load"},
      {"program", &Profile::program,
       "the program on the nodes; empty: where it is on this machine"},
      {"container", &Profile::container, "an image that holds tessera; empty: none"},
      {"container_with", &Profile::container_with,
       "the command that runs a program in the image; empty: apptainer exec, with --nv for GPUs"},
      {"runs", &Profile::runs, "folder of runs that all nodes see; empty: the usual one"},
      {"sbatch", &Profile::sbatch, "further options of sbatch"},
      {"srun", &Profile::srun, "further options of what starts the ranks"},
      {"commands", &Profile::commands, "lines of shell before the ranks start"},
  };
  return keys;
}

SlurmProfile parse_slurm_profile(std::string_view text, const std::string& name,
                                 const std::string& file) {
  toml::table table;
  try {
    table = spec::parse_toml(text, file);
  } catch (const toml::parse_error& error) {
    throw Error(file, fmt::format("line {}: {}", error.source().begin.line, error.description()),
                "one line for each key: partition = \"gpu\"");
  }
  SlurmProfile profile;
  profile.name = name;
  std::vector<ProfileSlip> slips;
  std::vector<std::string> names;
  for (const SlurmProfileKey& key : slurm_profile_keys()) names.emplace_back(key.name);
  for (const auto& [key, node] : table) {
    const std::string word(key.str());
    const int line = static_cast<int>(node.source().begin.line);
    const auto at = std::find(names.begin(), names.end(), word);
    if (at == names.end()) {
      const std::string near = nearest_word(word, names);
      slips.push_back({line, fmt::format("unknown key \"{}\"", word),
                       near.empty() ? fmt::format("there are: {}", fmt::join(names, ", "))
                                    : fmt::format("did you mean \"{}\"?", near)});
      continue;
    }
    const auto index = static_cast<std::size_t>(at - names.begin());
    const std::string wrong = take_value(node, slurm_profile_keys()[index], profile);
    if (!wrong.empty()) slips.push_back({line, wrong});
  }
  std::sort(slips.begin(), slips.end(),
            [](const ProfileSlip& a, const ProfileSlip& b) { return a.line < b.line; });
  if (!slips.empty()) refuse_profile(file, slips);
  try {
    check_slurm_profile(profile);
  } catch (const Error& error) {
    throw Error(file, error.what_failed(), error.hint());
  }
  return profile;
}

std::string write_slurm_profile(const SlurmProfile& profile) {
  static const SlurmProfile usual;
  std::string text = fmt::format(
      "# What `tessera launch SPEC --slurm {}` asks the cluster for. A line that begins with # "
      "has\n"
      "# its usual value.\n",
      profile.name);
  for (const SlurmProfileKey& key : slurm_profile_keys()) {
    const std::string value = value_text(profile, key);
    text += fmt::format("\n# {}\n{}{} = {}\n", key.help,
                        value == value_text(usual, key) ? "# " : "", key.name, value);
  }
  return text;
}

void check_slurm_profile(const SlurmProfile& profile) {
  std::vector<ProfileSlip> slips;
  check_profile_numbers(profile, slips);
  check_profile_texts(profile, slips);
  check_profile_words(profile, slips);
  if (!profile.time.empty() && !is_slurm_time(profile.time)) {
    slips.push_back({0, fmt::format("time is \"{}\", which is no time in Slurm", profile.time),
                     "minutes, hours:minutes:seconds or days-hours: 90, 24:00:00, 2-12"});
  }
  if (!profile.memory.empty() && !is_slurm_memory(profile.memory)) {
    slips.push_back({0, fmt::format("memory is \"{}\", which is no size in Slurm", profile.memory),
                     "a whole number with K, M, G or T: 64G"});
  }
  if (profile.start != "srun" && profile.start != "pmix" && profile.start != "mpirun") {
    slips.push_back({0, fmt::format("start is \"{}\"", profile.start), "srun, pmix or mpirun"});
  }
  if (profile.gpus_per_node > 0 && profile.ranks_per_node > profile.gpus_per_node) {
    slips.push_back({0,
                     fmt::format("{} ranks on a node cannot share its {} GPUs",
                                 profile.ranks_per_node, profile.gpus_per_node),
                     "ranks_per_node of at most gpus_per_node: each rank has a GPU of its own"});
  }
  if (!slips.empty()) refuse_profile(profile.name, slips);
}

// ---- Files --------------------------------------------------------------------------------------

namespace {
void check_profile_name(const std::string& name) {
  const bool plain = std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '-' || c == '_' || c == '.';
  });
  constexpr std::size_t kMostOfName = 64;
  if (plain && !name.empty() && name.front() != '.' && name.front() != '-' &&
      name.size() <= kMostOfName) {
    return;
  }
  throw Error("profile", fmt::format("\"{}\" is no name for a profile", name),
              "letters, digits, - and _");
}

[[noreturn]] void refuse_unknown_profile(const fs::path& folder, const std::string& name) {
  const std::vector<std::string> all = list_slurm_profiles(folder);
  const std::string near = nearest_word(name, all);
  throw Error("profile", fmt::format("there is no profile \"{}\" for Slurm", name),
              !near.empty() ? fmt::format("did you mean {}?", near)
              : all.empty() ? fmt::format("make one: tessera slurm profile add {} --partition ...",
                                          name.empty() ? "NAME" : name)
                            : fmt::format("there are: {}", fmt::join(all, ", ")));
}

fs::path profile_file(const fs::path& folder, const std::string& name) {
  return folder / (name + ".toml");
}

bool has_profile(const fs::path& folder, const std::string& name) {
  std::error_code error;
  return !name.empty() && name.find('/') == name.npos &&
         fs::is_regular_file(profile_file(folder, name), error);
}
}  // namespace

fs::path slurm_profiles_folder() {
  return home_folder() / "slurm";
}

std::vector<std::string> list_slurm_profiles(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".toml") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

SlurmProfile load_slurm_profile(const fs::path& folder, const std::string& name) {
  if (!has_profile(folder, name)) refuse_unknown_profile(folder, name);
  const fs::path file = profile_file(folder, name);
  return parse_slurm_profile(read_file(file, kMostProfileBytes), name, file.string());
}

fs::path save_slurm_profile(const fs::path& folder, const SlurmProfile& profile, bool replace) {
  check_profile_name(profile.name);
  check_slurm_profile(profile);
  if (!replace && has_profile(folder, profile.name)) {
    throw Error("profile", fmt::format("there is a profile \"{}\" already", profile.name),
                "--replace changes what is given and keeps the rest of it");
  }
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw Error(folder.string(), "cannot be made: " + error.message());
  const fs::path file = profile_file(folder, profile.name);
  write_file_atomically(file, write_slurm_profile(profile));
  return file;
}

void remove_slurm_profile(const fs::path& folder, const std::string& name) {
  if (!has_profile(folder, name)) refuse_unknown_profile(folder, name);
  std::error_code error;
  fs::remove(profile_file(folder, name), error);
  if (error) throw Error(profile_file(folder, name).string(), error.message());
}

}  // namespace tessera
