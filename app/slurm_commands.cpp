// SPDX-License-Identifier: MIT
// slurm: profiles for `tessera launch SPEC --slurm PROFILE`, and the jobs of runs.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>

#include "app/commands.h"
#include "app/options.h"
#include "app/slurm_launch.h"
#include "app/terminal.h"
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/config/paths.h"
#include "core/launch/agent_protocol.h"

namespace tessera::app {

namespace fs = std::filesystem;

namespace {
struct ProfileArguments {
  std::string name;
  SlurmProfile given;  ///< values from the command line
  bool replace = false;
};

std::string dashed(std::string name) {
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

void add_profile_options(CLI::App& command, SlurmProfile& into) {
  for (const SlurmProfileKey& key : slurm_profile_keys()) {
    const std::string option = "--" + dashed(key.name);
    if (const auto* text = std::get_if<std::string SlurmProfile::*>(&key.member)) {
      command.add_option(option, into.**text, key.help)->type_name("TEXT");
    } else if (const auto* number = std::get_if<std::int64_t SlurmProfile::*>(&key.member)) {
      command.add_option(option, into.**number, key.help)
          ->check(whole_number(key.least, key.most))
          ->type_name("N");
    } else {
      command
          .add_option(option, into.*std::get<std::vector<std::string> SlurmProfile::*>(key.member),
                      fmt::format("{}; may be given several times", key.help))
          ->allow_extra_args(false)
          ->type_name("TEXT");
    }
  }
}

/// Those keys that the command line has named, over a profile that is there.
SlurmProfile changed(SlurmProfile profile, const ProfileArguments& asked, const CLI::App& command) {
  for (const SlurmProfileKey& key : slurm_profile_keys()) {
    if (command.count("--" + dashed(key.name)) == 0) continue;
    std::visit([&](const auto member) { profile.*member = asked.given.*member; }, key.member);
  }
  return profile;
}

void add_profile(const ProfileArguments& asked, const CLI::App& command) {
  const fs::path folder = slurm_profiles_folder();
  const std::vector<std::string> all = list_slurm_profiles(folder);
  const bool there = std::find(all.begin(), all.end(), asked.name) != all.end();
  SlurmProfile profile;
  if (there && asked.replace) profile = load_slurm_profile(folder, asked.name);
  profile.name = asked.name;
  const fs::path file = save_slurm_profile(folder, changed(profile, asked, command), asked.replace);
  std::printf("%s\n", file.c_str());
}

std::string node_text(const SlurmProfile& profile) {
  std::string text = fmt::format("{} x {}", profile.nodes, profile.ranks_per_node);
  if (profile.gpus_per_node > 0) text += fmt::format(", {} GPUs a node", profile.gpus_per_node);
  return text;
}

void list_profiles() {
  const fs::path folder = slurm_profiles_folder();
  std::vector<std::vector<std::string>> rows;
  std::vector<std::string> troubles;
  const auto or_usual = [](const std::string& text) { return text.empty() ? "-" : text; };
  for (const std::string& name : list_slurm_profiles(folder)) {
    try {
      const SlurmProfile p = load_slurm_profile(folder, name);
      rows.push_back({name, or_usual(p.partition), or_usual(p.account), or_usual(p.qos),
                      node_text(p), or_usual(p.time)});
    } catch (const Error& error) {
      rows.push_back({name, "cannot be read", "", "", "", ""});
      troubles.emplace_back(error.what());
    }
  }
  if (rows.empty()) {
    std::printf("No profiles yet. Make one:  tessera slurm profile add gpu --partition gpu\n");
    return;
  }
  std::fputs(
      table({"profile", "partition", "account", "qos", "nodes x ranks", "time"}, rows).c_str(),
      stdout);
  for (const std::string& trouble : troubles) {
    std::fprintf(stderr, "tessera: %s\n", trouble.c_str());
  }
  if (!troubles.empty()) throw Exit{1};
}

/// As it lies there, comments of its owner included, also where it is wrong.
void show_profile(const std::string& name) {
  const fs::path folder = slurm_profiles_folder();
  std::string trouble;
  try {
    load_slurm_profile(folder, name);
  } catch (const Error& error) {
    const std::vector<std::string> all = list_slurm_profiles(folder);
    if (std::find(all.begin(), all.end(), name) == all.end()) throw;
    trouble = error.what();
  }
  const fs::path file = folder / (name + ".toml");
  std::printf("# %s\n%s", file.c_str(), read_file(file).c_str());
  std::fflush(stdout);
  if (trouble.empty()) return;
  std::fprintf(stderr, "tessera: %s\n", trouble.c_str());
  throw Exit{1};
}

void list_jobs(const std::string& asked_runs) {
  const fs::path runs = asked_runs.empty() ? runs_folder() : fs::path(asked_runs);
  std::vector<std::pair<double, std::vector<std::string>>> rows;
  std::error_code none;
  std::string trouble;
  for (const auto& entry : fs::directory_iterator(runs, none)) {
    try {
      if (!RunFolder::is_run(entry.path())) continue;
      const auto kept = slurm_record_of(entry.path());
      if (!kept || kept->is_new()) continue;
      const RunFolder folder = RunFolder::open(entry.path());
      // Once Slurm does not answer, what it said last is all there is, for every job.
      const SlurmRecord record =
          trouble.empty() ? look_at_slurm_job(folder, *kept, &trouble) : *kept;
      rows.push_back({record.submitted,
                      {folder.id(), record.job, record.profile,
                       std::string(name_of(status_of(folder).state)), record.text(clock_now())}});
    } catch (const Error& error) {
      std::fprintf(stderr, "tessera: %s\n", error.what());
    }
  }
  std::sort(rows.begin(), rows.end(),
            [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<std::vector<std::string>> cells;
  for (auto& row : rows) cells.push_back(std::move(row.second));
  if (cells.empty()) {
    std::printf("No run in %s has a job in Slurm.\n", runs.c_str());
  } else {
    std::fputs(table({"run", "job", "profile", "state", "what Slurm says"}, cells).c_str(), stdout);
  }
  if (!trouble.empty())
    std::fprintf(stderr, "tessera: Slurm does not answer: %s\n", trouble.c_str());
}
}  // namespace

void add_slurm(CLI::App& app) {
  auto* command = app.add_subcommand("slurm", "Profiles for clusters with Slurm, and jobs there");
  command->require_subcommand(1);
  auto* profile = command->add_subcommand("profile", "What runs ask a cluster for, under a name");
  profile->require_subcommand(1);

  auto* list = profile->add_subcommand("list", "List the profiles");
  list->callback([] { list_profiles(); });

  auto* show = profile->add_subcommand("show", "Show a profile's file");
  auto name = std::make_shared<std::string>();
  show->add_option("name", *name, "The profile")->required();
  show->callback([name] { show_profile(*name); });

  auto* add = profile->add_subcommand("add", "Make a profile, or change one");
  auto asked = std::make_shared<ProfileArguments>();
  add->add_option("name", asked->name, "Its name")->required();
  add->add_flag("--replace", asked->replace, "Change the one that there is, in what is given");
  add_profile_options(*add, asked->given);
  add->callback([asked, add] { add_profile(*asked, *add); });

  auto* remove = profile->add_subcommand("remove", "Remove a profile; its jobs stay");
  auto gone = std::make_shared<std::string>();
  remove->add_option("name", *gone, "The profile")->required();
  remove->callback([gone] { remove_slurm_profile(slurm_profiles_folder(), *gone); });

  auto* jobs = command->add_subcommand("jobs", "List runs that have a job, and how it stands");
  auto runs = std::make_shared<std::string>();
  jobs->add_option("--runs", *runs, "Folder of the runs")->type_name("DIR");
  jobs->callback([runs] { list_jobs(*runs); });
}

}  // namespace tessera::app
