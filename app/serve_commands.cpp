// SPDX-License-Identifier: MIT
// serve.
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <thread>

#include "app/commands.h"
#include "app/serve.h"
#include "core/base/error.h"

namespace tessera::app {

namespace {
constexpr std::size_t kLongestLine = 256u << 20;

/// Lines of standard input until its end, an error, or until the server is closed.
void read_lines(Server& server) {
  std::string waiting;
  std::vector<char> buffer(1u << 16);
  while (!server.closed() && waiting.size() < kLongestLine) {
    // Standard input may stay open and silent after the client has asked to quit.
    pollfd input{STDIN_FILENO, POLLIN, 0};
    if (::poll(&input, 1, 500) == 0) continue;
    const ssize_t count = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    std::size_t from = waiting.size();
    waiting.append(buffer.data(), static_cast<std::size_t>(count));
    std::size_t begin = 0;
    for (std::size_t end; (end = waiting.find('\n', from)) != std::string::npos; from = begin) {
      server.receive(std::string_view(waiting).substr(begin, end - begin));
      begin = end + 1;
    }
    waiting.erase(0, begin);
  }
  server.close();
}

/// Standard output for events alone: what any library prints goes to standard error.
FILE* take_standard_output() {
  const int copy = ::dup(STDOUT_FILENO);
  if (copy < 0 || ::dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
    throw Error("serve", fmt::format("cannot take standard output: {}", std::strerror(errno)));
  }
  return ::fdopen(copy, "w");
}

void serve(int nice) {
  std::signal(SIGPIPE, SIG_IGN);  // a client that went away is seen when writing fails
  if (nice > 0 && ::setpriority(PRIO_PROCESS, 0, nice) != 0) {
    throw Error("serve", fmt::format("cannot lower the priority: {}", std::strerror(errno)));
  }
  FILE* out = take_standard_output();
  Server* open = nullptr;
  Server server([&](const nlohmann::json& event) {
    std::string line = event.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    const bool written = std::fwrite(line.data(), 1, line.size(), out) == line.size();
    if ((!written || std::fflush(out) != 0) && open) open->close();
  });
  open = &server;
  std::thread reader([&] { read_lines(server); });
  server.run();
  reader.join();
  std::fclose(out);
}
}  // namespace

void add_serve(CLI::App& app) {
  auto* command = app.add_subcommand(
      "serve", "Answer JSON requests on standard input: load, generate, cancel, ...");
  auto nice = std::make_shared<int>(0);
  command->add_option("--nice", *nice, "Lower the priority, so that training goes first")
      ->check(CLI::Range(0, 19))
      ->capture_default_str();
  command->callback([nice] { serve(*nice); });
}

}  // namespace tessera::app
