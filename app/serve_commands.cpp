// SPDX-License-Identifier: MIT
// serve.
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <future>
#include <thread>

#include "app/commands.h"
#include "app/serve_http.h"
#include "app/signals.h"
#include "core/base/error.h"
#include "core/serve/line_splitter.h"
#include "core/serve/serve.h"

namespace tessera::app {

namespace {
constexpr std::size_t kLongestLineBytes = 64u << 20;
constexpr int kPollMs = 100;
/// How long the end of the program waits for the request at hand to hear of it.
constexpr std::chrono::seconds kPatience{2};

/// Standard input, line by line, until its end, a signal, or until the server is closed.
void read_lines(Server& server, const std::atomic<bool>& stop) {
  LineSplitter lines(
      kLongestLineBytes, [&](std::string_view line) { server.receive(line); },
      [&] { server.refuse_long_line(kLongestLineBytes); });
  std::vector<char> buffer(1u << 16);
  while (!server.closed()) {
    if (stop) return server.close();
    // Standard input may stay open and silent after the client has asked to quit.
    pollfd input{STDIN_FILENO, POLLIN, 0};
    if (::poll(&input, 1, kPollMs) == 0) continue;
    const ssize_t count = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count <= 0) break;
    lines.push({buffer.data(), static_cast<std::size_t>(count)});
  }
  if (server.closed()) return;
  lines.finish();
  server.finish();
}

/// Reads until there is no more to read, then watches for a signal until the work is done. Once the
/// server is closed, what does not hear of it in time (a model that is being loaded) is left.
void read_and_watch(Server& server, const std::atomic<bool>& stop, std::future<void> done) {
  read_lines(server, stop);
  while (!server.closed()) {
    if (done.wait_for(std::chrono::milliseconds(kPollMs)) == std::future_status::ready) return;
    if (stop) server.close();
  }
  if (done.wait_for(kPatience) == std::future_status::ready) return;
  server.abandon();
  std::_Exit(0);
}

/// Standard output for events alone: what any library prints goes to standard error.
FILE* take_standard_output() {
  const int copy = ::dup(STDOUT_FILENO);
  if (copy < 0 || ::dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
    throw Error("serve", fmt::format("cannot take standard output: {}", std::strerror(errno)));
  }
  return ::fdopen(copy, "w");
}

void be_nice(int nice) {
  if (nice > 0 && ::setpriority(PRIO_PROCESS, 0, nice) != 0) {
    throw Error("serve", fmt::format("cannot lower the priority: {}", std::strerror(errno)));
  }
}

void serve(int nice) {
  std::signal(SIGPIPE, SIG_IGN);  // a client that went away is seen when writing fails
  be_nice(nice);
  const std::atomic<bool>& stop = stop_on_signals();
  FILE* out = take_standard_output();
  std::atomic<bool> lost{false};
  Server* open = nullptr;
  Server server([&](const nlohmann::json& event) {
    std::string line = event.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    const bool written = std::fwrite(line.data(), 1, line.size(), out) == line.size();
    if (written && std::fflush(out) == 0) return;
    lost = true;
    if (open) open->drop();
  });
  open = &server;
  std::promise<void> done;
  std::thread reader([&, future = done.get_future()]() mutable {
    read_and_watch(server, stop, std::move(future));
  });
  server.run();
  done.set_value();
  reader.join();
  std::fclose(out);
  if (lost) throw Error("serve", "standard output was closed before the last answer was written");
}
}  // namespace

void add_serve(CLI::App& app) {
  auto* command = app.add_subcommand(
      "serve",
      "Answer JSON requests on standard input, or with --http those of OpenAI's API over HTTP");
  auto nice = std::make_shared<int>(0);
  command->add_option("--nice", *nice, "Lower the priority, so that training goes first")
      ->check(CLI::Range(0, 19))
      ->capture_default_str();
  auto http = std::make_shared<ServeHttp>();
  add_http_options(*command, *http);
  command->callback([nice, http] {
    if (http->address.empty()) return serve(*nice);
    be_nice(*nice);
    serve_http(*http);
  });
}

}  // namespace tessera::app
