// SPDX-License-Identifier: MIT
// What the tests of run folders share: a temporary folder, a child process, a small spec.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>

#include "core/run/run_folder.h"

namespace tessera::test {

namespace fs = std::filesystem;

/// Removed with everything in it. In memory where that can be had: the tests flush a lot.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    const bool memory = ::access("/dev/shm", W_OK) == 0;
    const fs::path parent = memory ? fs::path("/dev/shm") : fs::temp_directory_path();
    std::string name = (parent / "tessera-run-XXXXXX").string();
    if (!::mkdtemp(name.data())) std::abort();
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code error;
    fs::remove_all(path_, error);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

/// Runs `work` in a child process, which ends with 0, or with 1 when it throws.
inline pid_t start_child(const std::function<void()>& work) {
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  try {
    work();
  } catch (const std::exception& problem) {
    std::fprintf(stderr, "child: %s\n", problem.what());
    ::_exit(1);
  }
  ::_exit(0);
}

inline int wait_for(pid_t pid) {
  int status = -1;
  ::waitpid(pid, &status, 0);
  return status;
}

inline std::string read_bytes(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}
inline void write_bytes(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

/// The demo on the text that the program writes itself.
inline RunSpec small_spec(const std::string& name = "small") {
  RunSpec spec = read_preset("demo").spec;
  spec.run.name = name;
  for (DataSource& source : spec.data.sources) source.paths = {"generated:" + source.name};
  return spec;
}

inline StepEvent step_event(std::int64_t step, double loss) {
  StepEvent e;
  e.step = step;
  e.tokens = (step + 1) * 2048;
  e.loss = loss;
  e.learning_rate = 1e-3;
  e.max_vio = {0.5f, 0.25f};
  return e;
}

}  // namespace tessera::test
