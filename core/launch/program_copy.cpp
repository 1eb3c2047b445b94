// SPDX-License-Identifier: MIT
#include "core/launch/program_copy.h"

#include <link.h>
#include <stdlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <string_view>

#include "core/base/error.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {
constexpr auto kCopyWithin = std::chrono::minutes(20);
constexpr auto kLookWithin = std::chrono::seconds(30);

/// FNV-1a over words of eight bytes: tells builds apart, and is no protection against anybody.
class ContentHash {
 public:
  void add(std::string_view bytes) {
    for (std::size_t at = 0; at < bytes.size(); at += sizeof(std::uint64_t)) {
      std::uint64_t word = 0;
      std::memcpy(&word, bytes.data() + at, std::min(sizeof word, bytes.size() - at));
      value_ = (value_ ^ word) * 0x100000001b3ULL;
      value_ ^= value_ >> 29;
    }
    value_ = (value_ ^ bytes.size()) * 0x100000001b3ULL;
  }
  void add_file(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    std::array<char, 1 << 16> part;
    while (in.read(part.data(), part.size()) || in.gcount() > 0) {
      add({part.data(), static_cast<std::size_t>(in.gcount())});
    }
    if (in.bad() || !in.eof()) throw Error(file.string(), "cannot be read");
  }
  std::string text() const { return fmt::format("{:016x}", value_); }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325ULL;
};

/// Those that every host has for its own programs; another host's would not fit to them.
bool is_of_the_system(const std::string& name) {
  for (const char* own :
       {"linux-vdso", "ld-linux", "libc.so", "libm.so", "libdl.so", "libpthread", "librt.so",
        "libgcc_s", "libstdc++", "libgomp", "libcuda.so", "libnvidia"}) {
    if (name.starts_with(own)) return true;
  }
  return name.empty();
}

int collect_library(dl_phdr_info* info, std::size_t, void* list) {
  const fs::path path = info->dlpi_name;
  if (path.is_absolute() && !is_of_the_system(path.filename().string())) {
    static_cast<std::vector<fs::path>*>(list)->push_back(path);
  }
  return 0;
}

/// A command that goes through sh on the host, whatever the login shell is.
std::string by_sh(const std::string& script) {
  return "exec sh -c " + shell_word(script);
}

std::string shell_line(const std::vector<std::string>& words) {
  std::vector<std::string> quoted;
  for (const std::string& word : words) quoted.push_back(shell_word(word));
  return fmt::format("{}", fmt::join(quoted, " "));
}
}  // namespace

ProgramBundle::ProgramBundle(const fs::path& program, const std::vector<fs::path>& plugins,
                             const fs::path& resources) {
  std::string folder = (fs::temp_directory_path() / "tessera-copy-XXXXXX").string();
  if (!::mkdtemp(folder.data())) {
    throw Error(folder, fmt::format("cannot be made: {}", std::strerror(errno)));
  }
  folder_ = folder;
  std::vector<std::pair<fs::path, fs::path>> links = {{program, "bin/tessera"}};
  std::vector<fs::path> libraries;
  ::dl_iterate_phdr(collect_library, &libraries);
  for (const fs::path& library : libraries) links.emplace_back(library, "lib" / library.filename());
  for (const fs::path& plugin : plugins) {
    std::error_code none;
    if (fs::exists(plugin, none)) links.emplace_back(plugin, "lib" / plugin.filename());
  }
  for (const auto& entry : fs::recursive_directory_iterator(resources)) {
    if (!entry.is_regular_file()) continue;
    links.emplace_back(entry.path(), "share/tessera" / fs::relative(entry.path(), resources));
  }
  std::sort(links.begin(), links.end(),
            [](const auto& a, const auto& b) { return a.second < b.second; });
  ContentHash hash;
  for (const auto& [file, name] : links) {
    fs::create_directories(folder_ / name.parent_path());
    std::error_code twice;  // a plugin that is loaded is among the libraries too
    fs::create_symlink(fs::absolute(file), folder_ / name, twice);
    if (twice) continue;
    hash.add(name.string());
    hash.add_file(file);
  }
  hash_ = hash.text();
}

ProgramBundle::~ProgramBundle() {
  std::error_code none;
  fs::remove_all(folder_, none);
}

std::string ProgramBundle::remote_file() const {
  return "$HOME/.local/share/tessera/copies/" + hash_ + "/bin/tessera";
}

void copy_program(const Ssh& ssh, const std::vector<std::string>& hosts,
                  const ProgramBundle& bundle, const CopyWatch& watch) {
  const auto tell = [&](const std::string& line) {
    if (watch.tell) watch.tell(line);
  };
  const std::string place = "$HOME/.local/share/tessera/copies/" + bundle.hash();
  std::vector<std::vector<std::string>> looks;
  for (const std::string& host : hosts) {
    looks.push_back(ssh.line(
        host, by_sh(fmt::format("if [ -x \"{}/bin/tessera\" ]; then echo here; fi", place))));
  }
  const std::vector<HostAnswer> seen = run_all(looks, "", kLookWithin, watch.stop);
  std::vector<std::string> missing;
  std::vector<std::vector<std::string>> copies;
  // Under another name first, so that a copy is whole or not there.
  const std::string unpack = fmt::format(
      "set -e; d=\"{}\"; t=\"$d.$$\"; mkdir -p \"$t\"; trap 'rm -rf \"$t\"' EXIT; "
      "tar -xzf - -C \"$t\"; mv -T \"$t\" \"$d\" || [ -x \"$d/bin/tessera\" ]",
      place);
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    require_answer(hosts[i], seen[i]);
    if (seen[i].output.find("here") != std::string::npos) {
      tell(fmt::format("{}: this tessera is there", hosts[i]));
      continue;
    }
    missing.push_back(hosts[i]);
    const std::string pack = fmt::format("tar -C {} -chzf - .", shell_word(bundle.folder()));
    copies.push_back({"sh", "-c", pack + " | " + shell_line(ssh.line(hosts[i], by_sh(unpack)))});
  }
  const auto looked = [&](std::size_t done) {
    if (watch.progress) watch.progress(done, copies.size());
  };
  const std::vector<HostAnswer> answers =
      copies.empty() ? std::vector<HostAnswer>()
                     : run_all(copies, "", kCopyWithin, watch.stop, looked);
  for (std::size_t i = 0; i < missing.size(); ++i) {
    require_answer(missing[i], answers[i]);
    tell(fmt::format("{}: this tessera was copied there", missing[i]));
  }
}

}  // namespace tessera
