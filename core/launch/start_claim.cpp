// SPDX-License-Identifier: MIT
#include "core/launch/start_claim.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/run/run_folder.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {
using nlohmann::json;

/// True: the file is this process's now, with this text. False: somebody has made it before.
/// Written under another name and linked, so that nobody sees a part of it.
bool make_once(const fs::path& file, const std::string& text) {
  fs::path own = file;
  own += fmt::format(".{}", ::getpid());
  write_file_atomically(own, text);
  const bool made = ::link(own.c_str(), file.c_str()) == 0;
  const int error = errno;
  ::unlink(own.c_str());
  if (made) return true;
  if (error == EEXIST) return false;
  throw Error(file.string(), fmt::format("cannot be made: {}", std::strerror(error)));
}

std::string claim_text() {
  const ProcessId own = this_process();
  return json{{"pid", own.pid},
              {"start_ticks", own.start_ticks},
              {"host", own.host},
              {"boot_id", own.boot_id},
              {"pid_namespace", own.pid_namespace}}
      .dump();
}

constexpr const char* kGivenUpText = "given up";

/// Dead also where nobody has claimed it.
Liveness liveness_of_claim(const fs::path& claim) {
  try {
    const json o = json::parse(read_file(claim, 1 << 12), nullptr, false);
    if (!o.is_object()) return Liveness::Dead;
    return liveness_of({o.value("pid", std::int64_t{0}), o.value("start_ticks", std::int64_t{0}),
                        o.value("host", ""), o.value("boot_id", ""), o.value("pid_namespace", "")});
  } catch (const std::exception&) {
    return Liveness::Dead;
  }
}
}  // namespace

void claim_start(const fs::path& claim) {
  if (make_once(claim, claim_text())) return;
  throw Error("start", "was given up by who started it, and is begun anew elsewhere");
}

bool is_claimed_by_living(const fs::path& claim) {
  return liveness_of_claim(claim) == Liveness::Alive;
}

StartState give_up_start(const fs::path& claim) {
  if (make_once(claim, kGivenUpText)) return StartState::GivenUp;
  // A process of another host, where the folder is shared, cannot be looked at from here.
  return liveness_of_claim(claim) == Liveness::Dead ? StartState::GivenUp : StartState::Alive;
}

}  // namespace tessera
