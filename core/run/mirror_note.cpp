// SPDX-License-Identifier: MIT
#include "core/run/mirror_note.h"

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/files.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {
using nlohmann::json;
constexpr int kNoteVersion = 1;
constexpr const char* kNoteFile = "mirror.json";

MirrorNote note_of(const json& o) {
  MirrorNote n;
  n.host = o.at("host");
  n.run = o.at("run");
  n.runs = o.value("runs", "");
  n.ssh = o.value("ssh", "");
  n.program = o.at("program").get<std::vector<std::string>>();
  n.last_contact = o.value("last_contact", 0.0);
  n.trouble = o.value("trouble", "");
  n.trouble_since = o.value("trouble_since", 0.0);
  n.gone = o.value("gone", "");
  n.told = o.value("told", "");
  n.told_at = o.value("told_at", 0.0);
  n.state = run_state_from_name(o.value("state", std::string(name_of(RunState::Draft))));
  n.reason = o.value("reason", "");
  n.rank = o.value("rank", -1);
  n.judged_at = o.value("judged_at", std::uint64_t{0});
  return n;
}
}  // namespace

bool is_mirror(const fs::path& folder) {
  std::error_code error;
  return fs::exists(folder / kNoteFile, error);
}

std::optional<MirrorNote> MirrorNote::load(const fs::path& folder) {
  if (!is_mirror(folder)) return {};
  const fs::path file = folder / kNoteFile;
  const std::string hint = "`tessera mirror HOST:RUN` writes it anew";
  try {
    const json o = json::parse(read_file(file, 1 << 20));
    const int version = o.at("version").get<int>();
    if (version > kNoteVersion) {
      throw Error(file.string(), fmt::format("is a note of version {}", version),
                  "use a newer Tessera");
    }
    return note_of(o);
  } catch (const json::exception& problem) {
    throw Error(file.string(), fmt::format("cannot be read: {}", problem.what()), hint);
  }
}

void MirrorNote::save(const fs::path& folder) const {
  const json o{{"version", kNoteVersion},
               {"host", host},
               {"run", run},
               {"runs", runs},
               {"ssh", ssh},
               {"program", program},
               {"last_contact", last_contact},
               {"trouble", trouble},
               {"trouble_since", trouble_since},
               {"gone", gone},
               {"told", told},
               {"told_at", told_at},
               {"state", name_of(state)},
               {"reason", reason},
               {"rank", rank},
               {"judged_at", judged_at}};
  write_file_atomically(folder / kNoteFile,
                        o.dump(1, ' ', false, json::error_handler_t::replace) + "\n");
}

}  // namespace tessera
