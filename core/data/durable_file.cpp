// SPDX-License-Identifier: MIT
#include "core/data/durable_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/base/error.h"

namespace tessera::data {

namespace {

/// Closes on every way out.
struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

[[noreturn]] void fail(const std::filesystem::path& path, const char* doing) {
  const int reason = errno;
  throw Error(path.string(), fmt::format("cannot {}: {}", doing, std::strerror(reason)),
              reason == ENOSPC || reason == EDQUOT ? "make room on the disk and start again: what "
                                                     "was finished is kept"
                                                   : "check the folder and its permissions");
}

void write_all(int fd, std::string_view text, const std::filesystem::path& path) {
  while (!text.empty()) {
    const ssize_t done = ::write(fd, text.data(), text.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) fail(path, "write");
    text.remove_prefix(static_cast<std::size_t>(done));
  }
}

}  // namespace

void write_durably(const std::filesystem::path& path,
                   std::initializer_list<std::string_view> parts) {
  const std::filesystem::path part = path.string() + ".part";
  {
    const Descriptor file{::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)};
    if (file.fd < 0) fail(path, "create");
    try {
      for (std::string_view text : parts) write_all(file.fd, text, path);
      if (::fsync(file.fd) != 0) fail(path, "flush");
    } catch (...) {
      ::unlink(part.c_str());
      throw;
    }
  }
  if (::rename(part.c_str(), path.c_str()) != 0) fail(path, "rename");
  const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  const Descriptor directory{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (directory.fd >= 0) ::fsync(directory.fd);
}

}  // namespace tessera::data
