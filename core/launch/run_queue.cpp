// SPDX-License-Identifier: MIT
#include "core/launch/run_queue.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>

#include "core/base/error.h"
#include "core/base/files.h"

namespace tessera {

namespace {
using nlohmann::json;
/// 2 where an entry names a place: an older program would start it on this machine.
constexpr int kVersion = 2, kVersionOfHere = 1;

json to_json(const QueueEntry& e) {
  json o{{"id", e.id}, {"name", e.name}, {"spec", e.spec}};
  if (!e.resume.empty()) o["resume"] = e.resume;
  if (!e.fork_from.empty()) o["fork_from"] = e.fork_from;
  if (e.fork_step >= 0) o["fork_step"] = e.fork_step;
  if (!e.problem.empty()) o["problem"] = e.problem;
  if (!e.announced.empty()) o["announced"] = e.announced;
  if (!e.place.is_here()) o["place"] = to_json(e.place);
  return o;
}

QueueEntry from_json(const json& o) {
  QueueEntry e;
  e.id = o.value("id", "");
  e.name = o.value("name", "");
  e.spec = o.value("spec", "");
  e.resume = o.value("resume", "");
  e.fork_from = o.value("fork_from", "");
  e.fork_step = o.value("fork_step", std::int64_t{-1});
  e.problem = o.value("problem", "");
  e.announced = o.value("announced", "");
  if (o.contains("place")) e.place = place_of_json(o.at("place"));
  return e;
}

auto place(std::vector<QueueEntry>& entries, const std::string& id) {
  return std::find_if(entries.begin(), entries.end(),
                      [&id](const QueueEntry& e) { return e.id == id; });
}

RunQueue read(const json& o) {
  RunQueue queue;
  queue.paused = o.value("paused", false);
  for (const json& entry : o.value("entries", json::array())) queue.add(from_json(entry));
  for (const json& begun : o.value("begun", json::array())) {
    queue.begun.push_back({begun.value("entry", ""), begun.value("name", ""),
                           begun.value("run", ""), begun.value("time", 0.0)});
  }
  return queue;
}
}  // namespace

std::string new_entry_id() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}{:08x}{:08x}", random(), random(), random(), random());
}

QueueEntry* RunQueue::find(const std::string& entry_id) {
  const auto at = place(entries, entry_id);
  return at == entries.end() ? nullptr : &*at;
}

void RunQueue::move(const std::string& entry_id, int to) {
  const auto at = place(entries, entry_id);
  if (at == entries.end()) return;
  const auto target = entries.begin() + std::clamp(to, 0, static_cast<int>(entries.size()) - 1);
  if (target < at) {
    std::rotate(target, at, at + 1);
  } else {
    std::rotate(at, at + 1, target + 1);
  }
}

void RunQueue::remove(const std::string& entry_id) {
  const auto at = place(entries, entry_id);
  if (at != entries.end()) entries.erase(at);
}

void RunQueue::note_begun(const std::string& entry_id, const std::string& run, double time) {
  const QueueEntry* const entry = find(entry_id);
  begun.push_back({entry_id, entry ? entry->name : std::string(), run, time});
  if (begun.size() > kMostBegun) begun.erase(begun.begin());
  remove(entry_id);
}

RunQueue RunQueue::load(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file)) return {};
  const std::string text = read_file(file);
  int version = 0;
  try {
    const json o = json::parse(text);
    version = o.value("version", 0);
    if (version >= 1 && version <= kVersion) return read(o);
  } catch (const json::exception&) {
    version = 0;  // told below, with the name of the file
  }
  if (version < 1) throw Error(file.string(), "is no queue of runs");
  throw Error(file.string(), fmt::format("is a queue of version {}", version),
              "use a newer Tessera");
}

void RunQueue::save(const std::filesystem::path& file) const {
  json list = json::array();
  for (const QueueEntry& e : entries) list.push_back(to_json(e));
  const bool all_here = std::all_of(entries.begin(), entries.end(),
                                    [](const QueueEntry& e) { return e.place.is_here(); });
  json o{{"version", all_here ? kVersionOfHere : kVersion},
         {"paused", paused},
         {"entries", std::move(list)}};
  for (const QueueStart& start : begun) {
    o["begun"].push_back(
        {{"entry", start.entry}, {"name", start.name}, {"run", start.run}, {"time", start.time}});
  }
  // A name or a message that is not UTF-8 must not cost the others their places.
  write_file_atomically(file, o.dump(4, ' ', false, json::error_handler_t::replace) + '\n');
}

}  // namespace tessera
