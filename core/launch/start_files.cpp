// SPDX-License-Identifier: MIT
#include "core/launch/start_files.h"

#include <nlohmann/json.hpp>
#include <random>

#include "core/base/error.h"
#include "core/base/files.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {
constexpr const char* kFar = "far-";
constexpr const char* kPhaseNames[] = {"reaching", "copying",    "meeting", "starting",
                                       "greeting", "submitting", "asking"};
}  // namespace

StartFiles StartFiles::make(const fs::path& folder, bool is_elsewhere) {
  std::random_device random;
  return {folder / fmt::format("{}{:08x}{:08x}{:08x}{:08x}", is_elsewhere ? kFar : "", random(),
                               random(), random(), random())};
}

StartFiles StartFiles::of_ticket(const std::string& ticket) {
  return {fs::path(ticket).replace_extension()};
}

bool StartFiles::is_elsewhere() const {
  return base.filename().string().starts_with(kFar);
}

fs::path StartFiles::with(const char* ending) const {
  fs::path file = base;
  return file += ending;
}

void StartFiles::remove_all() const {
  std::error_code none;
  for (const fs::path& file : {spec(), script(), log(), id(), launch(), phase(), claim()}) {
    fs::remove(file, none);
  }
}

void write_phase(const StartFiles& files, const StartPhase& phase) {
  const nlohmann::json o{{"phase", kPhaseNames[static_cast<std::size_t>(phase.kind)]},
                         {"done", phase.done},
                         {"total", phase.total}};
  try {
    write_file_atomically(files.phase(), o.dump() + "\n");
  } catch (const Error&) {
    // NOTE: see the header.
  }
}

std::optional<StartPhase> read_phase(const StartFiles& files) {
  std::error_code none;
  if (!fs::exists(files.phase(), none)) return {};
  try {
    const auto o = nlohmann::json::parse(read_file(files.phase(), 1 << 12));
    StartPhase phase;
    const std::string name = o.at("phase").get<std::string>();
    for (std::size_t i = 0; i < std::size(kPhaseNames); ++i) {
      if (name == kPhaseNames[i]) phase.kind = static_cast<StartPhase::Kind>(i);
    }
    phase.done = o.value("done", std::int64_t{0});
    phase.total = o.value("total", std::int64_t{0});
    return phase;
  } catch (const std::exception&) {
    return {};  // the next one comes soon
  }
}

}  // namespace tessera
