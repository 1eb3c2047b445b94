// SPDX-License-Identifier: MIT
#include "core/http/http_options.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <fstream>
#include <memory>

namespace tessera {

bool is_loopback(const std::string& host) {
  in_addr address{};
  const bool is_ipv4 = ::inet_pton(AF_INET, host.c_str(), &address) == 1;
  if (is_ipv4) return ntohl(address.s_addr) >> 24 == 127;
  return host == "localhost" || host == "::1" || host == "[::1]";
}

void set_address(HttpOptions& options, const std::string& text) {
  const auto colon = text.rfind(':');
  const std::string port = colon == std::string::npos ? text : text.substr(colon + 1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), options.port);
  const bool is_port = error == std::errc() && end == port.data() + port.size() &&
                       options.port >= 0 && options.port <= 65535;
  if (!is_port || colon == 0) {
    throw Error("--http", fmt::format("\"{}\" is no address", text),
                "give a port, as in 8080, or an address and a port, as in 0.0.0.0:8080");
  }
  if (colon == std::string::npos) return;
  options.address = text.substr(0, colon);
  if (options.address.starts_with("[") && options.address.ends_with("]")) {
    options.address = options.address.substr(1, options.address.size() - 2);
  }
}

std::string read_key(const std::string& path) {
  constexpr std::size_t kLeastCharacters = 16;
  std::ifstream file(path);
  std::string key, more;
  if (!file || !std::getline(file, key)) {
    throw Error(path, "cannot read a key from this file",
                "write one line into it, for example with `openssl rand -hex 32`");
  }
  while (!key.empty() && std::isspace(static_cast<unsigned char>(key.back()))) key.pop_back();
  const bool is_plain =
      std::all_of(key.begin(), key.end(), [](unsigned char c) { return c > ' ' && c < 127; });
  if (key.size() < kLeastCharacters || !is_plain || std::getline(file, more)) {
    throw Error(path,
                fmt::format("holds no key: expected one line of {} characters or more, without "
                            "spaces",
                            kLeastCharacters),
                "make one with `openssl rand -hex 32`");
  }
  return key;
}

void check_access(const HttpOptions& options) {
  if (!options.key.empty() || is_loopback(options.address)) return;
  throw Error("--http",
              fmt::format("at {} others could use the model without a key", options.address),
              "name a file with a key (--key-file), or listen at 127.0.0.1");
}

Error cannot_listen(const HttpOptions& options) {
  return Error("--http", fmt::format("cannot listen at {}:{}", options.address, options.port),
               "is the port in use, or the address not this machine's? name another one");
}

namespace {
bool can_bind(const addrinfo& address) {
  const int descriptor =
      ::socket(address.ai_family, address.ai_socktype | SOCK_CLOEXEC, address.ai_protocol);
  if (descriptor < 0) return false;
  const int yes = 1;
  ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  const bool bound = ::bind(descriptor, address.ai_addr, address.ai_addrlen) == 0;
  ::close(descriptor);
  return bound;
}
}  // namespace

void check_can_listen(const HttpOptions& options) {
  addrinfo wanted{}, *found = nullptr;
  wanted.ai_family = AF_UNSPEC;
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = AI_PASSIVE;
  const std::string port = std::to_string(options.port);
  const int failure = ::getaddrinfo(options.address.c_str(), port.c_str(), &wanted, &found);
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, ::freeaddrinfo);
  bool bound = false;
  for (const addrinfo* at = failure == 0 ? found : nullptr; at && !bound; at = at->ai_next) {
    bound = can_bind(*at);
  }
  if (!bound) throw cannot_listen(options);
}

}  // namespace tessera
