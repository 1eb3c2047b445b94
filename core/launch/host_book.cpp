// SPDX-License-Identifier: MIT
#include "core/launch/host_book.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/config/paths.h"
#include "core/launch/host_list.h"

namespace tessera {

namespace {
namespace fs = std::filesystem;
using BookJson = nlohmann::json;
constexpr int kBookVersion = 1;

HostCheck::Level level_from(const std::string& name) {
  for (const auto level :
       {HostCheck::Level::Good, HostCheck::Level::Warning, HostCheck::Level::Bad}) {
    if (name == name_of(level)) return level;
  }
  throw Error("hosts", "a check has the level \"" + name + "\"");
}

BookJson json_of(const std::vector<HostCheck>& checks) {
  BookJson list = BookJson::array();
  for (const HostCheck& one : checks) {
    list.push_back(
        {{"level", name_of(one.level)}, {"name", one.name}, {"text", one.text}, {"fix", one.fix}});
  }
  return list;
}

BookJson json_of(const HostBook& book) {
  BookJson hosts = BookJson::array();
  for (const KnownHost& known : book.hosts) {
    BookJson entry{
        {"host", known.host}, {"checked", known.checked}, {"checks", json_of(known.checks)}};
    for (const HostSpeed& speed : known.speeds) {
      entry["speeds"].push_back(
          {{"to", speed.to}, {"bytes_per_s", speed.bytes_per_s}, {"measured", speed.measured}});
    }
    hosts.push_back(std::move(entry));
  }
  return {{"version", kBookVersion}, {"hosts", hosts}};
}

HostBook book_from(const BookJson& o) {
  HostBook book;
  for (const BookJson& entry : o.at("hosts")) {
    KnownHost known{entry.at("host").get<std::string>(), entry.value("checked", 0.0), {}, {}};
    for (const BookJson& check : entry.value("checks", BookJson::array())) {
      known.checks.push_back({level_from(check.at("level").get<std::string>()),
                              check.at("name").get<std::string>(),
                              check.at("text").get<std::string>(), check.value("fix", "")});
    }
    for (const BookJson& speed : entry.value("speeds", BookJson::array())) {
      known.speeds.push_back({speed.at("to").get<std::string>(),
                              speed.at("bytes_per_s").get<double>(), speed.value("measured", 0.0)});
    }
    if (!book.find(known.host)) book.hosts.push_back(std::move(known));
  }
  return book;
}

/// Held while a file is read, changed and written.
class BookLock {
 public:
  explicit BookLock(const fs::path& file) {
    const std::string path = file.string() + ".lock";
    fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd_ < 0) throw Error(path, std::string("cannot be opened: ") + std::strerror(errno));
    while (::flock(fd_, LOCK_EX) != 0 && errno == EINTR) {
    }
  }
  ~BookLock() { ::close(fd_); }
  BookLock(const BookLock&) = delete;
  BookLock& operator=(const BookLock&) = delete;

 private:
  int fd_;
};
}  // namespace

const char* name_of(HostCheck::Level level) {
  if (level == HostCheck::Level::Good) return "good";
  return level == HostCheck::Level::Warning ? "warning" : "bad";
}

std::string to_json_text(const std::vector<HostCheck>& checks) {
  return json_of(checks).dump(-1, ' ', false, BookJson::error_handler_t::replace);
}

int KnownHost::count(HostCheck::Level level) const {
  return static_cast<int>(std::count_if(checks.begin(), checks.end(),
                                        [&](const HostCheck& c) { return c.level >= level; }));
}

void KnownHost::keep_speed(const HostSpeed& speed) {
  std::erase_if(speeds, [&](const HostSpeed& old) { return old.to == speed.to; });
  speeds.push_back(speed);
}

KnownHost* HostBook::find(std::string_view host) {
  const auto at = std::find_if(hosts.begin(), hosts.end(),
                               [&](const KnownHost& known) { return known.host == host; });
  return at == hosts.end() ? nullptr : &*at;
}

int HostBook::add(std::string_view list) {
  int added = 0;
  for (const HostSlots& one : parse_host_list(list)) {
    if (find(one.host)) continue;
    hosts.push_back({one.host});
    ++added;
  }
  return added;
}

bool HostBook::remove(std::string_view host) {
  return std::erase_if(hosts, [&](const KnownHost& known) { return known.host == host; }) > 0;
}

fs::path host_book_file() {
  return home_folder() / "hosts.json";
}

HostBook read_host_book(const fs::path& file) {
  std::error_code none;
  if (!fs::exists(file, none)) return {};
  try {
    return book_from(BookJson::parse(read_file(file, 64u << 20)));
  } catch (const BookJson::exception& problem) {
    throw Error(file.string(), fmt::format("is no list of hosts: {}", problem.what()),
                "mend it, or move it away to begin a new one");
  }
}

void edit_host_book(const std::function<void(HostBook&)>& edit, const fs::path& file) {
  fs::create_directories(file.parent_path());
  const BookLock lock(file);
  HostBook book = read_host_book(file);
  edit(book);
  write_file_atomically(file,
                        json_of(book).dump(1, ' ', false, BookJson::error_handler_t::replace));
}

}  // namespace tessera
