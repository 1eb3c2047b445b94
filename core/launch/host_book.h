// SPDX-License-Identifier: MIT
// The hosts that a user keeps, and what was found when each was looked at last: one file, which the
// window and the terminal share.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/launch/host_checks.h"

namespace tessera {

/// How fast ranks on one host sent bytes to a rank on another one.
struct HostSpeed {
  std::string to{};
  double bytes_per_s = 0;
  double measured = 0;  ///< seconds since 1970

  bool operator==(const HostSpeed&) const = default;
};

struct KnownHost {
  std::string host{};  ///< as ssh knows it
  double checked = 0;  ///< seconds since 1970; 0: never
  std::vector<HostCheck> checks{};
  std::vector<HostSpeed> speeds{};  ///< the last one to each host

  /// In place of the one to the same host.
  void keep_speed(const HostSpeed& speed);

  /// How many checks are of this level or worse.
  int count(HostCheck::Level level) const;
};

struct HostBook {
  std::vector<KnownHost> hosts;

  KnownHost* find(std::string_view host);
  /// Those of a list such as "a,node[01-04]" that are not there yet; how many they are. Throws
  /// Error for a list that is wrong; then none is added.
  int add(std::string_view list);
  /// False where it is not there.
  bool remove(std::string_view host);
};

/// hosts.json in the data folder.
std::filesystem::path host_book_file();
/// Empty where there is no file. Throws Error for a file that is none.
HostBook read_host_book(const std::filesystem::path& file = host_book_file());
/// Reads, lets `edit` change, and writes: of two programs that do so at once none is undone.
void edit_host_book(const std::function<void(HostBook&)>& edit,
                    const std::filesystem::path& file = host_book_file());

const char* name_of(HostCheck::Level level);  ///< "good", "warning", "bad"
/// {"level": .., "name": .., "text": .., "fix": ..} of each, as `tessera hosts check --json` has
/// them.
std::string to_json_text(const std::vector<HostCheck>& checks);

}  // namespace tessera
