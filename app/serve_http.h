// SPDX-License-Identifier: MIT
// `tessera serve --http`.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

namespace tessera::app {

struct ServeHttp {
  std::string address;  ///< "[ADDRESS:]PORT"; empty: standard input is served
  std::string model, runs, name, key_file, precision, weights, device = "cpu";
  std::int64_t context = 0, cache_tokens = 0, parallel = 64, queue = 256, step_tokens = 0;
  bool same_text = false;
  std::int64_t body_mib = 16, seconds = 600, patience_seconds = 30, threads = 0;
};

void add_http_options(CLI::App& command, ServeHttp& options);

/// Serves until a signal asks for the end. Throws Error.
void serve_http(const ServeHttp& options);

}  // namespace tessera::app
