// SPDX-License-Identifier: MIT
// A lock that one process of a user holds: it ends with the process, whatever ends that.
#pragma once

#include <filesystem>

namespace tessera {

class LoneProcess {
 public:
  /// Tries to take the lock; see held(). Throws Error when the file cannot be made.
  explicit LoneProcess(const std::filesystem::path& file);
  ~LoneProcess();
  LoneProcess(const LoneProcess&) = delete;
  LoneProcess& operator=(const LoneProcess&) = delete;

  /// This process has it.
  bool held() const { return file_ >= 0; }
  /// Whether some process has it.
  static bool is_held(const std::filesystem::path& file);

 private:
  int file_ = -1;
};

}  // namespace tessera
