// SPDX-License-Identifier: MIT
#include "core/launch/mirror_keeper.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iterator>
#include <map>
#include <memory>
#include <utility>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/launch/detached_process.h"
#include "core/launch/lone_process.h"
#include "core/launch/run_mirror.h"

namespace tessera {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

namespace {
constexpr auto kLookAtList = 1s;
constexpr int kLookAtLines_ms = 100;
constexpr const char* kEntrySuffix = ".mirror";

/// Sixteen digits that differ where the text does; the same in every process.
std::string digits_of(const std::string& text) {
  std::uint64_t hash = 14695981039346656037u;  // FNV-1a
  for (const unsigned char c : text) hash = (hash ^ c) * 1099511628211u;
  return fmt::format("{:016x}", hash);
}

class Keeper {
 public:
  Keeper(const MirrorList& list, const std::function<void(const std::string&)>& tell)
      : list_(list), tell_(tell) {}

  /// False: there is nothing to follow.
  bool look() {
    if (std::chrono::steady_clock::now() - listed_ >= kLookAtList) take_list();
    for (auto one = mirrors_.begin(); one != mirrors_.end();) {
      look_at(*one->second, one->first);
      if (one->second->state() != RunMirror::State::Over) {
        ++one;
        continue;
      }
      one = strike_off(one->first) ? mirrors_.erase(one) : std::next(one);
    }
    return !mirrors_.empty() || !refused_.empty();
  }

  void wait() const {
    std::vector<const PipedProcess*> processes;
    for (const auto& [folder, mirror] : mirrors_) {
      if (mirror->process()) processes.push_back(mirror->process());
    }
    wait_for_any(processes, kLookAtLines_ms);
  }

 private:
  /// False: it stays on the list for now, as while the folder is read-only.
  bool strike_off(const std::string& folder) {
    try {
      list_.remove(folder);
    } catch (const Error& error) {
      refuse(folder, error);
      return false;
    }
    refused_.erase(folder);
    tell_(fmt::format("{}: followed to its end", folder));
    return true;
  }

  /// Told once, and tried again.
  void refuse(const std::string& folder, const Error& error) {
    std::string& told = refused_[folder];
    if (told != error.what()) tell_(told = error.what());
  }

  void look_at(RunMirror& mirror, const std::string& folder) {
    const RunMirror::State before = mirror.state();
    try {
      mirror.look();
    } catch (const Error& error) {
      tell_(error.what());
    }
    if (mirror.state() == before) return;
    if (mirror.state() == RunMirror::State::Broken) {
      tell_(fmt::format("{}: {}", folder, mirror.note().trouble));
    } else if (mirror.state() == RunMirror::State::Live) {
      tell_(fmt::format("{}: hears from {}", folder, mirror.note().host));
    }
  }

  void take_list() {
    listed_ = std::chrono::steady_clock::now();
    const std::vector<fs::path> all = list_.all();
    std::erase_if(mirrors_, [&](const auto& one) {
      return std::find(all.begin(), all.end(), fs::path(one.first)) == all.end();
    });
    std::erase_if(refused_, [&](const auto& one) {
      return std::find(all.begin(), all.end(), fs::path(one.first)) == all.end();
    });
    for (const fs::path& folder : all) {
      if (!mirrors_.contains(folder.string())) add(folder);
    }
  }

  void add(const fs::path& folder) {
    try {
      const auto note = MirrorNote::load(folder);
      if (!note) {  // it was removed here
        list_.remove(folder);
        refused_.erase(folder.string());
        return;
      }
      std::unique_ptr<Ssh>& ssh = ssh_[note->ssh.empty() ? "ssh" : note->ssh];
      if (!ssh) ssh = std::make_unique<Ssh>(note->ssh.empty() ? "ssh" : note->ssh);
      mirrors_[folder.string()] =
          std::make_unique<RunMirror>(*ssh, pulses_, folder, RunMirror::Options());
      refused_.erase(folder.string());
    } catch (const Error& error) {  // as while another process writes it: tried again
      refuse(folder.string(), error);
    }
  }

  const MirrorList& list_;
  const std::function<void(const std::string&)>& tell_;
  std::map<std::string, std::unique_ptr<Ssh>> ssh_;
  HostPulses pulses_;
  std::map<std::string, std::unique_ptr<RunMirror>> mirrors_;
  std::map<std::string, std::string> refused_;  ///< why each of them cannot be followed now
  std::chrono::steady_clock::time_point listed_{};
};
}  // namespace

fs::path MirrorList::file_of(const fs::path& mirror) const {
  return folder_ / (digits_of(mirror.string()) + kEntrySuffix);
}

void MirrorList::add(const fs::path& mirror) const {
  const fs::path path = fs::absolute(mirror).lexically_normal();
  fs::create_directories(folder_);
  write_file_atomically(file_of(path), path.string());
}

void MirrorList::remove(const fs::path& mirror) const {
  const fs::path file = file_of(fs::absolute(mirror).lexically_normal());
  std::error_code error;
  fs::remove(file, error);
  if (error) {
    throw Error(file.string(), "cannot be removed: " + error.message(),
                "make its folder writable: the run is followed until then");
  }
}

std::vector<fs::path> MirrorList::all() const {
  std::vector<fs::path> mirrors;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder_, error)) {
    if (entry.path().extension() != kEntrySuffix) continue;
    try {
      const fs::path mirror = read_file(entry.path(), 1 << 16);
      if (file_of(mirror) == entry.path()) {
        mirrors.push_back(mirror);
      } else {  // it is damaged: nobody would ever take it off the list by its name
        std::error_code none;
        fs::remove(entry.path(), none);
      }
    } catch (const Error&) {
      // It was removed meanwhile.
    }
  }
  std::sort(mirrors.begin(), mirrors.end());
  return mirrors;
}

std::optional<int> begin_keeper(const MirrorList& list, const std::string& program) {
  if (list.all().empty() || LoneProcess::is_held(list.lock())) return {};
  return start_detached(program, {"mirror", "--keep"}, list.log());
}

void keep_mirrors(const MirrorList& list, const std::atomic<bool>& stop,
                  const std::function<void(const std::string&)>& tell) {
  while (!stop && !list.all().empty()) {
    const LoneProcess lock(list.lock());
    if (!lock.held()) return;
    Keeper keeper(list, tell);
    // Whoever adds a mirror looks at the lock afterwards, and this at the list once it is free: one
    // of the two sees the other.
    while (!stop && keeper.look()) keeper.wait();
    if (stop) return;
  }
}

}  // namespace tessera
