// SPDX-License-Identifier: MIT
#include "core/launch/ssh.h"

#include <stdlib.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <sstream>
#include <string_view>
#include <thread>

#include "core/base/progress.h"
#include "core/launch/piped_process.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {
constexpr int kSshFailed = 255;  // ssh's own exit status where it does not come to the command

/// Text for "double quotes" of a shell.
std::string quoted_with_home(const std::string& file) {
  const std::string home = "$HOME/";
  const bool at_home = file.starts_with(home);
  return at_home ? "\"$HOME\"/" + shell_word(file.substr(home.size())) : shell_word(file);
}

/// The last line that says something, without what ssh adds.
std::string last_line(const std::string& text) {
  std::istringstream lines(text);
  std::string line, last;
  while (std::getline(lines, line)) {
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
    if (!line.empty()) last = line;
  }
  return last;
}
/// What a tessera there printed, as an Error of this one: "tessera: [where] what; hint: hint".
Error told_by_tessera(const std::string& where, std::string said, const std::string& otherwise) {
  constexpr std::string_view kPrefix = "tessera: ", kHint = "; hint: ";
  if (said.empty()) return Error(where, "failed without a word", otherwise);
  if (!said.starts_with(kPrefix)) return Error(where, said, otherwise);
  said.erase(0, kPrefix.size());
  const std::size_t hint = said.find(kHint);
  if (hint == said.npos) return Error(where, said);
  return Error(where, said.substr(0, hint), said.substr(hint + kHint.size()));
}
}  // namespace

std::string shell_word(const std::string& text) {
  std::string quoted(1, '\'');
  for (const char c : text) {
    if (c == '\'') quoted += "'\\'";
    quoted += c;
  }
  quoted += '\'';
  return quoted;
}

std::string RemoteProgram::command(const std::vector<std::string>& arguments) const {
  std::string script;
  for (const std::string& file : files) {
    const std::string quoted = quoted_with_home(file);
    script += fmt::format("p={}; if [ -x \"$p\" ]; then ", quoted);
    // What was copied there brings its libraries along; elsewhere there is no such folder.
    if (file.starts_with("$HOME/")) {
      script +=
          "d=${p%/bin/*}; LD_LIBRARY_PATH=$d/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}; "
          "export LD_LIBRARY_PATH; ";
    }
    script += "exec \"$p\" \"$@\"; fi; ";
  }
  script += fmt::format("p=$(command -v tessera) && exec \"$p\" \"$@\"; echo {} >&2; exit {}",
                        kMissingText, kProgramMissing);
  // csh and fish have another syntax, but run this line all the same.
  std::string line = "exec sh -c " + shell_word(script) + " tessera";
  for (const std::string& argument : arguments) line += fmt::format(" {}", shell_word(argument));
  return line;
}

Ssh::Ssh(const std::string& command) {
  std::istringstream words(command);
  for (std::string word; words >> word;) words_.push_back(word);
  if (words_.empty()) throw Error("ssh", "the command is empty", "ssh, or ssh with options");
  // A short path: that of a socket may have about 100 characters.
  std::string folder = "/tmp/tessera-ssh-XXXXXX";
  if (!::mkdtemp(folder.data())) {
    throw Error("/tmp", fmt::format("no folder can be made there: {}", std::strerror(errno)),
                "make room in /tmp");
  }
  folder_ = folder;
}

std::vector<std::string> Ssh::options() const {
  return {"-o", "BatchMode=yes",         "-o", "ConnectTimeout=10",
          "-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3",
          "-o", "ControlMaster=auto",    "-o", "ControlPath=" + (folder_ / "%C").string(),
          "-o", "ControlPersist=60"};
}

std::vector<std::string> Ssh::line(const std::string& host, const std::string& remote) const {
  if (host.empty()) return {"sh", "-c", remote};
  if (std::find(hosts_.begin(), hosts_.end(), host) == hosts_.end()) hosts_.push_back(host);
  std::vector<std::string> all = words_;
  for (const std::string& option : options()) all.push_back(option);
  all.insert(all.end(), {"-T", "--", host, remote});
  return all;
}

void Ssh::forget(const std::string& host) {
  if (host.empty()) return;
  std::vector<std::string> end = words_;
  for (const std::string& option : options()) end.push_back(option);
  end.insert(end.end(), {"-O", "exit", "--", host});
  run_all({end}, "", std::chrono::seconds(2));
}

Ssh::~Ssh() {
  try {
    std::vector<std::vector<std::string>> ends;
    for (const std::string& host : hosts_) {
      std::vector<std::string> end = words_;
      for (const std::string& option : options()) end.push_back(option);
      end.insert(end.end(), {"-O", "exit", "--", host});
      ends.push_back(std::move(end));
    }
    run_all(ends, "", std::chrono::seconds(2));
  } catch (const std::exception&) {
    // Connections that cannot be told end by themselves a minute later.
  }
  std::error_code none;
  fs::remove_all(folder_, none);
}

Error explain_ssh(const std::string& host, const std::string& said) {
  const auto has = [&](const char* text) { return said.find(text) != said.npos; };
  const std::string where = "host " + host;
  const std::string by_hand = fmt::format("try `ssh {}` by hand", host);
  if (has("REMOTE HOST IDENTIFICATION HAS CHANGED")) {
    return Error(where, "has another key than when it was last seen, so ssh does not go on",
                 fmt::format("if the machine was set up anew, `ssh-keygen -R {}` forgets the old "
                             "key and `ssh {}` shows the new one; otherwise somebody may stand "
                             "between you and it",
                             host, host));
  }
  if (has("Host key verification failed") || has("host key is known")) {
    return Error(where, "is not known to ssh yet, which has no key of it",
                 fmt::format("connect once by hand, `ssh {}`, and accept its key", host));
  }
  if (has("Permission denied") || has("Too many authentication failures")) {
    return Error(where, fmt::format("refuses the login ({})", last_line(said)),
                 by_hand +
                     "; it must not ask for a password: use a key, and `ssh-add` where the "
                     "key has a passphrase");
  }
  if (has("Could not resolve hostname")) {
    return Error(where, "is a name that nothing knows",
                 "check the spelling, or add the host to ~/.ssh/config");
  }
  if (has("Connection refused")) {
    return Error(where, "answers, but no ssh server listens there",
                 "start its ssh server, or name its port in ~/.ssh/config");
  }
  if (has("timed out") || has("No route to host") || has("Network is unreachable")) {
    return Error(where, fmt::format("does not answer ({})", last_line(said)),
                 "check that it is switched on and can be reached from here; " + by_hand);
  }
  const std::string line = last_line(said);
  return Error(where,
               line.empty() ? "cannot be reached, and ssh says nothing" : "ssh says: " + line,
               by_hand);
}

void check_not_stopped(const std::atomic<bool>* stop) {
  if (is_set(stop)) throw Error("launch", "was stopped before anything was started");
}

std::vector<HostAnswer> run_all(const std::vector<std::vector<std::string>>& lines,
                                const std::string& input, std::chrono::milliseconds time,
                                const std::atomic<bool>* stop,
                                const std::function<void(std::size_t ended)>& looked) {
  std::vector<HostAnswer> answers(lines.size());
  std::vector<PipedProcess> processes;
  processes.reserve(lines.size());
  for (const auto& line : lines) {
    PipedProcess& one = processes.emplace_back(line);
    one.write(input);
    one.close_input();
  }
  const auto until = std::chrono::steady_clock::now() + time;
  std::vector<bool> done(lines.size());
  while (std::find(done.begin(), done.end(), false) != done.end()) {
    std::vector<const PipedProcess*> running;
    for (std::size_t i = 0; i < processes.size(); ++i) {
      if (done[i]) continue;
      const auto status = processes[i].poll();
      // What it printed last is in the pipes now. They may stay open: a connection that serves
      // later commands keeps them.
      processes[i].exchange(answers[i].output, answers[i].errors);
      if (status) {
        answers[i].wait_status = *status;
        done[i] = true;
      } else {
        running.push_back(&processes[i]);
      }
    }
    if (looked) looked(lines.size() - running.size());
    if (running.empty()) break;
    check_not_stopped(stop);
    if (std::chrono::steady_clock::now() >= until) {
      for (std::size_t i = 0; i < processes.size(); ++i) answers[i].timed_out = !done[i];
      break;  // the processes end with this function
    }
    wait_for_any(running, 20);
  }
  return answers;
}

void require_answer(const std::string& host, const HostAnswer& answer) {
  const std::string name = host.empty() ? "this machine" : host;
  if (answer.is_good()) return;
  if (answer.timed_out) {
    throw Error("host " + name, "did not answer in time",
                fmt::format("try `ssh {}` by hand", name));
  }
  const int status = answer.wait_status;
  if (WIFEXITED(status) && WEXITSTATUS(status) == kSshFailed && !host.empty()) {
    throw explain_ssh(name, answer.errors);
  }
  if (answer.errors.find(RemoteProgram::kMissingText) != std::string::npos) {
    throw Error("host " + name, "has no tessera where this one looks for it",
                "--copy sends it there; --program FILE says where it is");
  }
  if (answer.errors.find("has no command agent") != std::string::npos) {
    throw Error("host " + name, "has an older tessera, which knows no launches on hosts",
                "--copy sends this one there");
  }
  throw told_by_tessera("host " + name, last_line(answer.errors),
                        fmt::format("try `ssh {}` by hand", name));
}

}  // namespace tessera
