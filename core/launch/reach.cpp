// SPDX-License-Identifier: MIT
#include "core/launch/reach.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "core/base/error.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {
using nlohmann::json;
using Clock = std::chrono::steady_clock;
constexpr auto kOfferFor = std::chrono::minutes(2);
constexpr int kConnectWithin_ms = 3000;

/// Closes a file descriptor.
struct Closing {
  int fd = -1;
  ~Closing() {
    if (fd >= 0) ::close(fd);
  }
};

std::string address_text(const sockaddr* address) {
  const socklen_t length =
      address->sa_family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
  char text[NI_MAXHOST];
  return ::getnameinfo(address, length, text, sizeof text, nullptr, 0, NI_NUMERICHOST) == 0 ? text
                                                                                            : "";
}

bool is_for_others(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    const auto number = ntohl(reinterpret_cast<const sockaddr_in*>(address)->sin_addr.s_addr);
    return (number >> 24) != 127 && (number >> 16) != 0xA9FE;  // 169.254: link-local
  }
  if (address->sa_family != AF_INET6) return false;
  const in6_addr& six = reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr;
  return !IN6_IS_ADDR_LOOPBACK(&six) && !IN6_IS_ADDR_LINKLOCAL(&six);
}

/// Listens on every address of both families, or of IPv4 alone; 0 takes a free port.
int listen_anywhere(int& port) {
  const int six = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_storage any{};
  socklen_t length = sizeof(sockaddr_in6);
  any.ss_family = AF_INET6;
  int fd = six;
  if (six >= 0) {
    const int off = 0;
    ::setsockopt(six, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  }
  if (six < 0 || ::bind(six, reinterpret_cast<sockaddr*>(&any), length) != 0) {
    if (six >= 0) ::close(six);
    fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    any = {};
    any.ss_family = AF_INET;
    length = sizeof(sockaddr_in);
    if (fd < 0 || ::bind(fd, reinterpret_cast<sockaddr*>(&any), length) != 0) {
      const int error = errno;
      if (fd >= 0) ::close(fd);
      throw Error("network", fmt::format("no port can be had: {}", std::strerror(error)));
    }
  }
  ::listen(fd, 512);
  length = sizeof any;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&any), &length);
  port = ntohs(any.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(any).sin6_port
                                         : reinterpret_cast<sockaddr_in&>(any).sin_port);
  return fd;
}

fs::path token_file(const fs::path& folder, const std::string& token) {
  return folder / (".hosts-meet-" + token);
}

/// The file that others look for; it goes with this object.
struct TokenFile {
  fs::path path;
  TokenFile(const fs::path& folder, const std::string& token) : path(token_file(folder, token)) {
    std::error_code error;
    fs::create_directories(folder, error);
    if (error) {
      throw Error(folder.string(), "cannot be made: " + error.message(),
                  "name a folder that all hosts see with --folder");
    }
    std::ofstream file(path);
    file << token << std::flush;
    if (!file)
      throw Error(path.string(), "cannot be written", "make room, or use another --folder");
  }
  ~TokenFile() {
    std::error_code none;
    fs::remove(path, none);
  }
  TokenFile(const TokenFile&) = delete;
  TokenFile& operator=(const TokenFile&) = delete;
};

void write_all(int fd, const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    const ssize_t count = ::write(fd, text.data() + at, text.size() - at);
    if (count <= 0 && errno != EINTR) return;
    if (count > 0) at += static_cast<std::size_t>(count);
  }
}

template <class Read>
auto reach_line(const std::string& line, const Read& read) {
  try {
    return read(json::parse(line));
  } catch (const json::exception&) {
    throw Error("hosts", fmt::format("\"{}\" is no answer of tessera", line.substr(0, 200)),
                "where a login shell prints something, it must do so for terminals alone");
  }
}

/// The interface of this host that has an address.
std::string interface_of(const std::string& address) {
  for (const HostAddress& one : own_addresses()) {
    if (one.address == address) return one.interface;
  }
  return "";
}

ReachFinding::Attempt attempt_at(const std::string& address, int port, const std::string& token) {
  ReachFinding::Attempt attempt{address, "", ""};
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  const int status = ::getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (status != 0) {
    attempt.trouble = ::gai_strerror(status);
    return attempt;
  }
  const Closing socket{::socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  const int began = ::connect(socket.fd, found->ai_addr, found->ai_addrlen);
  const int error_of_connect = began == 0 ? 0 : errno;
  ::freeaddrinfo(found);
  if (error_of_connect != 0 && error_of_connect != EINPROGRESS) {
    attempt.trouble = std::strerror(error_of_connect);
    return attempt;
  }
  pollfd wait{socket.fd, POLLIN, 0};
  std::string got;
  char part[256];
  if (::poll(&wait, 1, kConnectWithin_ms) > 0) {
    const ssize_t count = ::read(socket.fd, part, sizeof part);
    if (count > 0) got.assign(part, static_cast<std::size_t>(count));
    if (count < 0) attempt.trouble = std::strerror(errno);
  }
  if (got == token) {
    sockaddr_storage own{};
    socklen_t length = sizeof own;
    ::getsockname(socket.fd, reinterpret_cast<sockaddr*>(&own), &length);
    attempt.interface = interface_of(address_text(reinterpret_cast<sockaddr*>(&own)));
  } else if (attempt.trouble.empty()) {
    attempt.trouble = got.empty() ? "no answer" : "another program answers";
  }
  return attempt;
}
}  // namespace

std::vector<HostAddress> own_addresses() {
  std::vector<HostAddress> four, six;
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return four;
  for (const ifaddrs* one = all; one; one = one->ifa_next) {
    const bool up = (one->ifa_flags & IFF_UP) != 0;
    if (!one->ifa_addr || !up || !is_for_others(one->ifa_addr)) continue;
    auto& list = one->ifa_addr->sa_family == AF_INET ? four : six;
    list.push_back({address_text(one->ifa_addr), one->ifa_name});
  }
  ::freeifaddrs(all);
  four.insert(four.end(), six.begin(), six.end());
  return four;
}

std::string to_line(const ReachOffer& offer) {
  json addresses = json::array();
  for (const HostAddress& one : offer.addresses) {
    addresses.push_back({{"address", one.address}, {"interface", one.interface}});
  }
  const json o{{"addresses", addresses},
               {"port", offer.port},
               {"free_port", offer.free_port},
               {"folder", offer.folder}};
  return o.dump() + "\n";
}

ReachOffer offer_of_line(const std::string& line) {
  return reach_line(line, [](const json& o) {
    ReachOffer offer;
    for (const json& one : o.at("addresses")) {
      offer.addresses.push_back(
          {one.at("address").get<std::string>(), one.at("interface").get<std::string>()});
    }
    o.at("port").get_to(offer.port);
    o.at("free_port").get_to(offer.free_port);
    o.at("folder").get_to(offer.folder);
    return offer;
  });
}

std::string to_line(const ReachFinding& finding) {
  json attempts = json::array();
  for (const auto& one : finding.attempts) {
    attempts.push_back(
        {{"address", one.address}, {"interface", one.interface}, {"trouble", one.trouble}});
  }
  const json o{{"attempts", attempts}, {"sees_folder", finding.sees_folder}};
  return o.dump() + "\n";
}

ReachFinding finding_of_line(const std::string& line) {
  return reach_line(line, [](const json& o) {
    ReachFinding finding;
    for (const json& one : o.at("attempts")) {
      finding.attempts.push_back({one.at("address").get<std::string>(),
                                  one.at("interface").get<std::string>(),
                                  one.at("trouble").get<std::string>()});
    }
    o.at("sees_folder").get_to(finding.sees_folder);
    return finding;
  });
}

void offer_reach(const fs::path& folder, const std::string& token, int in, int out) {
  const TokenFile file(folder, token);
  ReachOffer offer{own_addresses(), 0, 0, fs::absolute(folder).string()};
  const Closing listener{listen_anywhere(offer.port)};
  { const Closing other{listen_anywhere(offer.free_port)}; }
  write_all(out, to_line(offer));
  const auto until = Clock::now() + kOfferFor;
  while (Clock::now() < until) {
    pollfd wait[] = {{listener.fd, POLLIN, 0}, {in, POLLIN, 0}};
    ::poll(wait, 2, 1000);
    if (wait[0].revents != 0) {
      const Closing guest{::accept4(listener.fd, nullptr, nullptr, SOCK_CLOEXEC)};
      if (guest.fd >= 0) write_all(guest.fd, token);
    }
    char part[256];
    if (wait[1].revents != 0 && ::read(in, part, sizeof part) <= 0) return;
  }
}

ReachFinding try_reach(const std::vector<std::string>& addresses, int port, const fs::path& folder,
                       const std::string& token, double patience_s) {
  ReachFinding finding;
  for (const std::string& address : addresses) {
    finding.attempts.push_back(attempt_at(address, port, token));
  }
  const auto start = Clock::now();
  auto pause = std::chrono::milliseconds(50);
  while (true) {
    // To list the folder makes a network file system look anew.
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(folder, none)) {
      if (entry.path() == token_file(folder, token)) finding.sees_folder = true;
    }
    const std::chrono::duration<double> waited = Clock::now() - start;
    if (finding.sees_folder || waited.count() >= patience_s) return finding;
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, std::chrono::milliseconds(2000));
  }
}

HostAddress choose_address(const std::string& first_host, const ReachOffer& offer,
                           const std::vector<HostFinding>& findings) {
  for (const HostFinding& one : findings) {
    if (one.finding.sees_folder) continue;
    throw Error(
        "host " + one.host,
        fmt::format("does not see the folder of runs of host {}, {}", first_host, offer.folder),
        "name a folder on a file system that all hosts share with --folder");
  }
  std::vector<std::string> troubles;
  for (const HostAddress& address : offer.addresses) {
    std::string trouble;
    for (const HostFinding& one : findings) {
      for (const auto& attempt : one.finding.attempts) {
        if (attempt.address != address.address || attempt.trouble.empty() || !trouble.empty()) {
          continue;
        }
        trouble = fmt::format("{} ({}) from host {}: {}", address.address, address.interface,
                              one.host, attempt.trouble);
      }
    }
    if (trouble.empty()) return address;
    troubles.push_back(trouble);
  }
  throw Error("host " + first_host,
              troubles.empty() ? "has no address but those of its own machine"
                               : fmt::format("is reached by the other hosts at none of its "
                                             "addresses: {}",
                                             fmt::join(troubles, "; ")),
              "let the hosts reach each other on any port, as ranks do, or name an address with "
              "--master-address");
}

}  // namespace tessera
