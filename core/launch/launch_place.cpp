// SPDX-License-Identifier: MIT
#include "core/launch/launch_place.h"

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/launch/host_list.h"
#include "core/launch/rank_counts.h"

namespace tessera {

namespace {
using PlaceJson = nlohmann::json;

constexpr struct {
  LaunchPlace::Kind kind;
  const char* name;
} kPlaceKinds[] = {{LaunchPlace::Kind::Here, "here"},
                   {LaunchPlace::Kind::Hosts, "hosts"},
                   {LaunchPlace::Kind::Slurm, "slurm"}};

void add_text(PlaceJson& o, const char* name, const std::string& value) {
  if (!value.empty()) o[name] = value;
}

std::int64_t ranks_of_place(const LaunchPlace& place, const SlurmProfile* profile) {
  if (place.kind == LaunchPlace::Kind::Slurm) {
    if (place.profile.empty() || !profile) {
      throw Error("slurm", "no profile is chosen",
                  "choose one, or make one: tessera slurm profile add NAME --partition ...");
    }
    return profile->ranks();
  }
  if (place.hosts.find_first_not_of(" \t") == std::string::npos && place.local == 0) {
    throw Error("hosts", "none is named", "name them with their ranks: a:4,b:4");
  }
  std::int64_t ranks = place.local;
  if (!place.hosts.empty()) ranks += count_ranks(parse_host_list(place.hosts));
  return ranks;
}
}  // namespace

void check_gpus(const RunSpec& spec, const SlurmProfile& profile) {
  if (spec.host.device != Device::Cuda || profile.gpus_per_node > 0) return;
  throw Error("profile " + profile.name,
              "asks for no GPUs, and the spec trains on GPUs (host.device = \"cuda\")",
              "set `gpus_per_node` in the profile, or set host.device to \"cpu\" "
              "(--set host.device=cpu)");
}

std::string LaunchPlace::text() const {
  if (kind == Kind::Slurm) return fmt::format("Slurm ({})", profile);
  if (kind == Kind::Here) return "this machine";
  if (local == 0) return hosts;
  return fmt::format("this machine:{}{}{}", local, hosts.empty() ? "" : ",", hosts);
}

std::vector<std::string> LaunchPlace::host_names() const {
  std::vector<std::string> names;
  if (kind != Kind::Hosts || hosts.empty()) return names;
  try {
    for (const HostSlots& one : parse_host_list(hosts)) {
      names.push_back(one.host.substr(one.host.find('@') + 1));
    }
  } catch (const Error&) {
    return {};  // whoever starts it is told
  }
  return names;
}

std::vector<std::string> options_of_place(const LaunchPlace& place) {
  std::vector<std::string> words;
  const auto add = [&](const char* option, const std::string& value) {
    if (!value.empty()) words.insert(words.end(), {option, value});
  };
  if (place.is_here()) return words;
  add("--folder", place.folder);
  if (place.kind == LaunchPlace::Kind::Slurm) {
    words.insert(words.begin(), {"--slurm", place.profile});
    return words;
  }
  if (!place.hosts.empty()) words.insert(words.begin(), {"--hosts", place.hosts});
  if (place.local > 0) add("--local", std::to_string(place.local));
  add("--program", place.program);
  add("--ssh", place.ssh);
  if (place.copy) words.emplace_back("--copy");
  return words;
}

nlohmann::json to_json(const LaunchPlace& place) {
  PlaceJson o;
  for (const auto& one : kPlaceKinds) {
    if (one.kind == place.kind) o["kind"] = one.name;
  }
  add_text(o, "hosts", place.hosts);
  if (place.local > 0) o["local"] = place.local;
  add_text(o, "profile", place.profile);
  add_text(o, "script", place.script);
  add_text(o, "folder", place.folder);
  add_text(o, "program", place.program);
  add_text(o, "ssh", place.ssh);
  if (place.copy) o["copy"] = true;
  return o;
}

LaunchPlace place_of_json(const nlohmann::json& o) {
  LaunchPlace place;
  const std::string kind = o.at("kind").get<std::string>();
  bool known = false;
  for (const auto& one : kPlaceKinds) {
    if (kind != one.name) continue;
    place.kind = one.kind;
    known = true;
  }
  if (!known) {
    throw Error("place", fmt::format("\"{}\" is no kind of place", kind), "use a newer Tessera");
  }
  place.hosts = o.value("hosts", "");
  place.local = o.value("local", 0);
  place.profile = o.value("profile", "");
  place.script = o.value("script", "");
  place.folder = o.value("folder", "");
  place.program = o.value("program", "");
  place.ssh = o.value("ssh", "");
  place.copy = o.value("copy", false);
  return place;
}

PlaceRanks ranks_at_place(const LaunchPlace& place, const RunSpec& spec,
                          const SlurmProfile* profile, bool goes_on) {
  if (place.is_here()) return {ranks_of(spec), spec.parallel.data};
  const std::int64_t ranks = ranks_of_place(place, profile);
  if (profile && place.kind == LaunchPlace::Kind::Slurm) check_gpus(spec, *profile);
  if (goes_on) {
    check_ranks(spec, ranks);
    return {ranks, spec.parallel.data};
  }
  return {ranks, data_for_ranks(spec, ranks)};
}

}  // namespace tessera
