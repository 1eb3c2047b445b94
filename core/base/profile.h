// SPDX-License-Identifier: MIT
// Where the time of a step goes, by operation.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

namespace tessera {

/// Sums wall-clock time by name. Used from one thread, the one that calls operations.
class Profile {
 public:
  struct Entry {
    std::int64_t calls = 0;
    double seconds = 0;
  };

  class Scope {
   public:
    Scope(Profile* profile, const char* name) : profile_(profile), name_(name) {
      if (profile_) start_ = std::chrono::steady_clock::now();
    }
    ~Scope() {
      if (!profile_) return;
      Entry& entry = profile_->entries_[name_];
      ++entry.calls;
      entry.seconds +=
          std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Profile* profile_;
    const char* name_;
    std::chrono::steady_clock::time_point start_;
  };

  const std::map<std::string, Entry>& entries() const { return entries_; }
  void clear() { entries_.clear(); }

 private:
  std::map<std::string, Entry> entries_;
};

}  // namespace tessera
