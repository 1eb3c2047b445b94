// SPDX-License-Identifier: MIT
#include "core/checkpoint/file_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <new>
#include <vector>

#include "core/base/error.h"
#include "core/base/progress.h"

namespace tessera {

namespace {
constexpr std::size_t kBufferBytes = 1u << 20;

[[noreturn]] void fail(const std::filesystem::path& path, const char* action, int code) {
  std::string hint;
  if (code == ENOSPC || code == EDQUOT) hint = "free some space on that disk, then try again";
  if (code == EFBIG) hint = "raise the limit on file sizes (ulimit -f)";
  if (code == EACCES || code == EPERM || code == EROFS) hint = "check who may write there";
  throw Error(path.string(), fmt::format("cannot {}: {}", action, std::strerror(code)), hint);
}

/// Closes a descriptor at the end of a scope.
struct Descriptor {
  int value;
  explicit Descriptor(int descriptor) : value(descriptor) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (value >= 0) ::close(value);
  }
};

void write_all(int descriptor, const std::filesystem::path& path, const std::byte* data,
               std::size_t bytes) {
  while (bytes > 0) {
    const ssize_t done = ::write(descriptor, data, std::min<std::size_t>(bytes, 1u << 30));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) fail(path, "write", errno);
    if (done == 0) fail(path, "write", ENOSPC);
    data += done;
    bytes -= static_cast<std::size_t>(done);
  }
}

std::string readable(std::uint64_t bytes) {
  if (bytes < (1u << 20)) return fmt::format("{} bytes", bytes);
  if (bytes < (1u << 30)) return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20));
  return fmt::format("{:.1f} GiB", static_cast<double>(bytes) / (1 << 30));
}
}  // namespace

struct FileWriter::Hash {
  XXH3_state_t* state = XXH3_createState();
  std::vector<std::byte> buffer;

  Hash() {
    if (!state) throw std::bad_alloc();
    XXH3_64bits_reset(state);
    buffer.reserve(kBufferBytes);
  }
  Hash(const Hash&) = delete;
  Hash& operator=(const Hash&) = delete;
  ~Hash() { XXH3_freeState(state); }
};

FileWriter::FileWriter(std::filesystem::path path)
    : path_(std::move(path)), hash_(std::make_unique<Hash>()) {
  descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (descriptor_ < 0) fail(path_, "create the file", errno);
}

FileWriter::FileWriter(FileWriter&& other) noexcept
    : path_(std::move(other.path_)),
      hash_(std::move(other.hash_)),
      bytes_(other.bytes_),
      descriptor_(std::exchange(other.descriptor_, -1)) {}

FileWriter::~FileWriter() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(path_.c_str());
}

void FileWriter::write(const void* data, std::size_t bytes) {
  const auto* from = static_cast<const std::byte*>(data);
  XXH3_64bits_update(hash_->state, from, bytes);
  bytes_ += bytes;
  std::vector<std::byte>& buffer = hash_->buffer;
  if (buffer.size() + bytes > kBufferBytes) {
    write_all(descriptor_, path_, buffer.data(), buffer.size());
    buffer.clear();
  }
  if (bytes >= kBufferBytes) {
    write_all(descriptor_, path_, from, bytes);
  } else {
    buffer.insert(buffer.end(), from, from + bytes);
  }
}

WrittenFile FileWriter::finish() {
  write_all(descriptor_, path_, hash_->buffer.data(), hash_->buffer.size());
  hash_->buffer.clear();
  if (::fsync(descriptor_) != 0) fail(path_, "flush to the disk", errno);
  // NOTE: close() may report a write that failed late (network file systems), and the descriptor is
  // gone either way.
  if (::close(std::exchange(descriptor_, -1)) != 0) {
    const int code = errno;
    ::unlink(path_.c_str());
    fail(path_, "close", code);
  }
  return {bytes_, XXH3_64bits_digest(hash_->state)};
}

WrittenFile hash_file(const std::filesystem::path& path, const std::atomic<bool>* stop) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.value < 0) fail(path, "open", errno);
  ::posix_fadvise(file.value, 0, 0, POSIX_FADV_SEQUENTIAL);
  const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state(XXH3_createState(),
                                                                       XXH3_freeState);
  if (!state) throw std::bad_alloc();
  XXH3_64bits_reset(state.get());
  std::vector<std::byte> buffer(4 * kBufferBytes);
  WrittenFile result;
  while (true) {
    throw_if_stopped(stop, "checkpoint");
    const ssize_t got = ::read(file.value, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(path, "read", errno);
    if (got == 0) break;
    XXH3_64bits_update(state.get(), buffer.data(), static_cast<std::size_t>(got));
    result.bytes += static_cast<std::uint64_t>(got);
  }
  result.xxh3 = XXH3_64bits_digest(state.get());
  return result;
}

void require_free_space(const std::filesystem::path& folder, std::uint64_t bytes) {
  struct statvfs disk {};
  if (::statvfs(folder.c_str(), &disk) != 0) fail(folder, "ask for the free space", errno);
  const std::uint64_t free = static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
  if (free < bytes) {
    throw Error(
        folder.string(),
        fmt::format("the disk has {} free, and {} are needed", readable(free), readable(bytes)),
        "free some space there, or use another disk");
  }
}

}  // namespace tessera
