// SPDX-License-Identifier: MIT
// A model behind the forms of OpenAI's API over HTTP (docs/guide/server.md). Every request that is
// wrong is answered with its status and an error object, and disturbs no other.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "core/infer/scheduler.h"
#include "core/infer/text_model.h"

namespace tessera {

struct HttpOptions {
  std::string address = "127.0.0.1";
  int port = 8080;   ///< 0: any that is free
  std::string key;   ///< what clients must show; empty: none, and then only for this machine
  std::string name;  ///< of the model, as clients call it
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

class HttpServer {
 public:
  /// `text` must outlive it. Throws Error where it cannot listen at the address.
  HttpServer(const LoadedText& text, const EngineOptions& engine, const SchedulerOptions& scheduler,
             HttpOptions options);
  ~HttpServer();

  int port() const;
  /// Answers until stop(). The model runs on a thread of its own, with a team of `threads`; 0: as
  /// many as OpenMP has for a new thread.
  void run(int threads = 0);
  /// No more connections and requests; what runs has `patience` to end, and is given up then. From
  /// another thread than that of run(), which has been called or will be; run() returns soon after.
  void stop(std::chrono::milliseconds patience);

  SchedulerStats stats() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tessera
