// SPDX-License-Identifier: MIT
// By which address the first host of a launch is reached by the others, and whether all see the
// same folder of runs: tried, not guessed. The first host listens for a moment and puts a file into
// the folder; the others connect to each of its addresses and look for the file.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace tessera {

/// A network interface that is up, with an address by which others may reach this host.
struct HostAddress {
  std::string address, interface;
};
/// Without loopback and link-local ones; those of IPv4 first.
std::vector<HostAddress> own_addresses();

/// What the first host says of itself.
struct ReachOffer {
  std::vector<HostAddress> addresses;
  int port = 0;        ///< where it listens for the moment
  int free_port = 0;   ///< another one, for rank 0's store
  std::string folder;  ///< holds the runs; in full
};
/// What another host found.
struct ReachFinding {
  struct Attempt {
    std::string address, interface;  ///< where this host connects
    std::string trouble;             ///< empty: it connects
  };
  std::vector<Attempt> attempts;
  bool sees_folder = false;
};

std::string to_line(const ReachOffer& offer);
ReachOffer offer_of_line(const std::string& line);
std::string to_line(const ReachFinding& finding);
ReachFinding finding_of_line(const std::string& line);

/// Prints the offer to `out`, and answers whoever connects with `token` until `in` ends or two
/// minutes are over. `folder` is made where it is missing. Throws Error where it cannot be.
void offer_reach(const std::filesystem::path& folder, const std::string& token, int in, int out);

/// Tries each address. A file that does not come at once is waited for up to `patience_s`, as
/// network file systems show it late.
ReachFinding try_reach(const std::vector<std::string>& addresses, int port,
                       const std::filesystem::path& folder, const std::string& token,
                       double patience_s);

/// What was found by all hosts but the first, in words for people.
struct HostFinding {
  std::string host;
  ReachFinding finding;
};
/// The first of the offer's addresses that every host reaches. Throws Error naming a host for each
/// address where there is none, and one that does not see the folder.
HostAddress choose_address(const std::string& first_host, const ReachOffer& offer,
                           const std::vector<HostFinding>& findings);

}  // namespace tessera
