// SPDX-License-Identifier: MIT
#include "app/serve_http.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <thread>

#include "app/options.h"
#include "app/signals.h"
#include "core/base/error.h"
#include "core/base/processors.h"
#include "core/base/threads.h"
#include "core/config/paths.h"
#include "core/infer/text_model.h"
#include "core/run/run_folder.h"
#ifdef TESSERA_HTTP
#include "core/http/http_server.h"
#endif

namespace tessera::app {

namespace {
constexpr std::int64_t kMostThreads = 4096;

void add_limits(CLI::App& command, ServeHttp& options, CLI::Option* http) {
  const auto add = [&](const char* name, std::int64_t& value, const char* help,
                       std::int64_t least) {
    command.add_option(name, value, help)
        ->check(whole_number(least))
        ->capture_default_str()
        ->needs(http);
  };
  add("--context", options.context, "Most tokens of one conversation; 0: what the model has", 0);
  add("--cache-tokens", options.cache_tokens,
      "Tokens of all conversations together that are kept; 0: four times the context", 0);
  add("--parallel", options.parallel, "Most requests that are answered at a time", 1);
  add("--queue", options.queue, "Most requests that wait; more are told to come again", 1);
  add("--step-tokens", options.step_tokens,
      "Most tokens of one pass through the model: with more, long prompts are read faster, and "
      "answers beside them come in larger steps; 0: 256, on a GPU 4096",
      0);
  add("--max-body", options.body_mib, "Largest request, in MiB", 1);
  add("--max-seconds", options.seconds, "Longest time for one request, its wait included", 1);
  add("--patience", options.patience_seconds,
      "Seconds that requests have to end once the program is asked to stop", 0);
}
}  // namespace

void add_http_options(CLI::App& command, ServeHttp& options) {
  auto* http = command.add_option("--http", options.address,
                                  "Speak HTTP at this port, and at this address if one is named: "
                                  "others than those of this machine need --key-file");
  http->type_name("[ADDRESS:]PORT");
  auto* model = command.add_option("MODEL", options.model,
                                   "With --http: a run by name, a run's folder, a checkpoint, or "
                                   "the folder of a released model");
  model->needs(http);
  http->needs(model);
  command
      .add_option("--key-file", options.key_file,
                  "File with the key that clients must show, in one line")
      ->needs(http);
  command.add_option("--name", options.name, "Name of the model for clients; that of its folder")
      ->check(some_text())
      ->needs(http);
  command.add_option("--runs", options.runs, "Folder of the runs")->needs(http);
  command
      .add_option("--precision", options.precision,
                  "How products are computed; fp32 if left out, on a GPU bf16")
      ->check(CLI::IsMember({"fp32", "bf16"}))
      ->needs(http);
  command
      .add_option("--weights", options.weights,
                  "q8_0 or q4_0: weights rounded to 8 or 4 bits as they are loaded; on the CPU, at "
                  "precision fp32")
      ->check(CLI::IsMember({"q8_0", "q4_0"}))
      ->needs(http);
  command.add_option("--device", options.device, "Where the model runs")
      ->check(CLI::IsMember({"cpu", "cuda"}))
      ->capture_default_str()
      ->needs(http);
  command.add_option("--threads", options.threads, "Threads of the model; 0: all processors")
      ->check(CLI::Range(std::int64_t{0}, kMostThreads))
      ->capture_default_str()
      ->needs(http);
  command
      .add_flag("--same-text", options.same_text,
                "On a GPU: a request says the same whatever runs beside it, at the price of speed; "
                "on a CPU that is so at any time")
      ->needs(http);
  add_limits(command, options, http);
}

#ifndef TESSERA_HTTP

void serve_http(const ServeHttp&) {
  throw Error("serve", "this build has no HTTP",
              "install libcpp-httplib-dev and build again with packaging/start");
}

#else

namespace {
std::filesystem::path path_of_served(const ServeHttp& options) {
  std::error_code ignored;
  if (options.model.find('/') != std::string::npos ||
      std::filesystem::exists(std::filesystem::symlink_status(options.model, ignored))) {
    return options.model;
  }
  const std::filesystem::path runs =
      options.runs.empty() ? runs_folder() : std::filesystem::path(options.runs);
  return RunFolder::find(options.model, runs).path();
}

/// The last part of the path that says something.
std::string usual_name(const std::filesystem::path& path) {
  const std::filesystem::path whole = std::filesystem::absolute(path).lexically_normal();
  const std::string name = whole.filename().string();
  return name.empty() ? whole.parent_path().filename().string() : name;
}

/// Each request that runs has a token of a step at least.
std::int64_t step_tokens_of(const ServeHttp& options, const LoadedText& text) {
  constexpr std::int64_t kUsualOnCpu = 256;
  if (options.step_tokens > 0) return std::max(options.step_tokens, options.parallel);
  const bool on_gpu = text.loaded.model->device() == Device::Cuda;
  return std::max(on_gpu ? kGpuChunkTokens : kUsualOnCpu, options.parallel);
}

HttpOptions http_options(const ServeHttp& options) {
  HttpOptions http;
  set_address(http, options.address);
  if (!options.key_file.empty()) http.key = read_key(options.key_file);
  http.most_body_bytes = static_cast<std::size_t>(options.body_mib) << 20;
  http.most_time = std::chrono::seconds(options.seconds);
  // Those that run and those that wait each have one, and some that only look are heard besides.
  http.most_connections = static_cast<std::size_t>(options.parallel + options.queue + 64);
  check_access(http);
  check_can_listen(http);
  return http;
}
}  // namespace

void serve_http(const ServeHttp& options) {
  std::signal(SIGPIPE, SIG_IGN);  // a client that went away is seen when writing fails
  const std::atomic<bool>& stop = stop_on_signals();
  // What is wrong with the options is told before a model is loaded for minutes.
  HttpOptions http = http_options(options);
  const std::filesystem::path path = path_of_served(options);
  http.name = options.name.empty() ? usual_name(path) : options.name;
  if (options.threads > 0) omp_set_num_threads(static_cast<int>(options.threads));
  const int threads = omp_get_max_threads();
  const Device device = options.device == "cuda" ? Device::Cuda : Device::Cpu;
  const LoadedText text = load_text(path, {.recipe = reading_recipe(options.precision, device),
                                           .weights = weight_form_from_name(options.weights),
                                           .device = device,
                                           .context = options.context});
  constexpr std::int64_t kUsualConversations = 4;
  const std::int64_t cache_tokens = options.cache_tokens > 0
                                        ? std::max(options.cache_tokens, text.context)
                                        : kUsualConversations * text.context;
  const std::int64_t step_tokens = step_tokens_of(options, text);
  HttpServer server(
      text,
      {.cache_tokens = cache_tokens,
       .chunk_tokens = step_tokens,
       .rows_alone_on_gpu = options.same_text},
      {.most_running = options.parallel, .most_waiting = options.queue, .step_tokens = step_tokens},
      http);
  std::printf(
      "%s answers at http://%s:%d/v1 (context %lld tokens, %lld in the cache, %d threads, weights "
      "in %s: %.0f MiB)\n",
      http.name.c_str(), http.address.c_str(), server.port(), static_cast<long long>(text.context),
      static_cast<long long>(cache_tokens), threads,
      std::string(text.loaded.model->precision().weight_name()).c_str(),
      static_cast<double>(text.loaded.model->weight_bytes()) / 1048576.0);
  std::fflush(stdout);
  std::atomic<bool> over{false};
  std::thread watcher([&] {
    constexpr std::chrono::milliseconds kLook{50};
    while (!stop && !over) std::this_thread::sleep_for(kLook);
    if (!over) server.stop(std::chrono::seconds(options.patience_seconds));
  });
  server.run(threads);
  over = true;
  watcher.join();
}

#endif

}  // namespace tessera::app
