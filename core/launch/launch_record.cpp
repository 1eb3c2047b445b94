// SPDX-License-Identifier: MIT
#include "core/launch/launch_record.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/files.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {
using nlohmann::json;
constexpr int kRecordVersion = 1;

LaunchRecord record_of(const json& o) {
  LaunchRecord record;
  o.at("name").get_to(record.name);
  o.at("program").get_to(record.program);
  record.ssh = o.value("ssh", "");
  o.at("run").get_to(record.run);
  o.at("end").get_to(record.end);
  o.at("started").get_to(record.started);
  for (const json& host : o.at("hosts")) {
    record.hosts.push_back({host.at("host").get<std::string>(), host.at("ranks").get<int>()});
  }
  return record;
}

std::string run_name(const LaunchRecord& record) {
  return fs::path(record.run).filename().string();
}
}  // namespace

void LaunchRecord::save(const fs::path& folder) const {
  json list = json::array();
  for (const HostSlots& host : hosts) list.push_back({{"host", host.host}, {"ranks", host.ranks}});
  const json o{{"version", kRecordVersion},
               {"name", name},
               {"program", program},
               {"ssh", ssh},
               {"run", run},
               {"end", end},
               {"started", started},
               {"hosts", std::move(list)}};
  write_file_atomically(folder / (name + ".json"), o.dump(2) + "\n");
}

std::vector<LaunchRecord> all_launches(const fs::path& folder) {
  std::vector<LaunchRecord> all;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().extension() != ".json") continue;
    try {
      const json o = json::parse(read_file(entry.path()));
      if (o.at("version").get<int>() == kRecordVersion) all.push_back(record_of(o));
    } catch (const std::exception&) {
      // It is of another version, or damaged; the others can be found.
    }
  }
  std::sort(all.begin(), all.end(),
            [](const LaunchRecord& a, const LaunchRecord& b) { return a.started > b.started; });
  return all;
}

LaunchRecord find_launch(const fs::path& folder, const std::string& name) {
  const std::vector<LaunchRecord> all = all_launches(folder);
  std::vector<LaunchRecord> begin_so;
  for (const LaunchRecord& one : all) {
    // The newest launch of a run is the one that goes on with it.
    if (one.name == name || (!one.run.empty() && (one.run == name || run_name(one) == name))) {
      return one;
    }
    if (one.name.starts_with(name) || run_name(one).starts_with(name)) begin_so.push_back(one);
  }
  if (begin_so.size() == 1) return begin_so.front();
  std::vector<std::string> names;
  for (const LaunchRecord& one : begin_so.empty() ? all : begin_so) names.push_back(one.name);
  constexpr std::size_t kMost = 8;
  names.resize(std::min(names.size(), kMost));
  throw Error(
      name,
      begin_so.empty() ? "is no launch that was started here" : "is the begin of several launches",
      names.empty() ? "" : fmt::format("newest first: {}", fmt::join(names, ", ")));
}

}  // namespace tessera
