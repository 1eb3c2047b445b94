// SPDX-License-Identifier: MIT
// What would mend a problem of a spec: settings that make it go away, found from the problem's key
// and proven by checking the spec with them.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/spec/spec.h"

namespace tessera {

struct Fix {
  /// Keys and their values as TOML, as `--set` takes them.
  std::vector<std::pair<std::string, std::string>> settings{};
  /// Instead: the last word of the problem's key is a slip for this one.
  std::string rename_to{};

  bool empty() const { return settings.empty() && rename_to.empty(); }
  /// "Set model.n_group to 4"
  std::string text() const;
};

/// For problems that reading and check_spec() report. `spec` is as far as it could be read. `keep`:
/// a key that was just set and that the fix leaves as it is where another one will do.
std::optional<Fix> find_fix(const RunSpec& spec, const Problem& problem,
                            const std::string& keep = {});

/// `spec` with the settings. Throws Error where one of them is no setting.
RunSpec with_fix(RunSpec spec, const Fix& fix);

}  // namespace tessera
