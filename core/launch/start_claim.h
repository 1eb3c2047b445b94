// SPDX-License-Identifier: MIT
// Whose a start is. The program that is started claims its start before it makes a run; whoever
// finds a start that nobody looks after gives it up the same way. Only one of the two gets it, so
// that no start leads to two runs, whatever was killed in between.
#pragma once

#include <filesystem>

namespace tessera {

/// By the program that was started. Throws Error where the start was given up.
void claim_start(const std::filesystem::path& claim);

enum class StartState : std::uint8_t {
  GivenUp,  ///< nothing comes of it any more
  Alive     ///< the program that has claimed it is there
};
/// By whoever looks after starts: nothing comes of this one from now on, unless its program is
/// there. Throws Error where that cannot be written down.
StartState give_up_start(const std::filesystem::path& claim);

/// Whether the program that has claimed it is there, on this machine.
bool is_claimed_by_living(const std::filesystem::path& claim);

}  // namespace tessera
