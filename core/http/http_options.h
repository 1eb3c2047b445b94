// SPDX-License-Identifier: MIT
// Where a server listens, who may ask it, and how much.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include "core/base/error.h"

namespace tessera {

struct HttpOptions {
  std::string address = "127.0.0.1";
  int port = 8080;   ///< 0: any that is free
  std::string key;   ///< what clients must show; empty: none, and then only for this machine
  std::string name;  ///< the model's name for clients
  std::size_t most_body_bytes = std::size_t{16} << 20;
  std::size_t most_connections = 512;
  std::chrono::seconds most_time{600};  ///< for one request, with its time in the queue
};

/// "[ADDRESS:]PORT", an address of IPv6 in brackets. Throws Error.
void set_address(HttpOptions& options, const std::string& text);
/// The key that a file holds: its only line. Throws Error where it is none, or too easily guessed.
std::string read_key(const std::string& path);
/// Throws Error where the options would open the model to a network without a key.
void check_access(const HttpOptions& options);
/// Throws Error where nobody may listen at the address now: the port is in use, or the address is
/// another machine's. For a look before a model is loaded; another program may still come between.
void check_can_listen(const HttpOptions& options);
/// That error.
Error cannot_listen(const HttpOptions& options);
/// Whether a host is this machine, by its numbers or as "localhost". A name that somebody else can
/// give to an address, as 127.example.org, is none.
bool is_loopback(const std::string& host);

}  // namespace tessera
