// SPDX-License-Identifier: MIT
#include "core/data/input_file.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <vector>

#include "core/base/error.h"

namespace tessera::data {

namespace {

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

class PlainFile final : public InputFile {
 public:
  PlainFile(File file, int error) : file_(std::move(file)) {
    if (!file_) fail(State::Unreadable, std::strerror(error));
  }
  std::size_t read(char* to, std::size_t size) override {
    if (state_ != State::Good) return 0;
    const std::size_t got = std::fread(to, 1, size, file_.get());
    const int error = errno;
    if (got < size) {
      if (std::ferror(file_.get()))
        fail(State::Unreadable, std::strerror(error));
      else
        state_ = State::End;
    }
    consumed_ += static_cast<std::int64_t>(got);
    return got;
  }
  std::int64_t consumed() const override { return consumed_; }

 private:
  File file_;
  std::int64_t consumed_ = 0;
};

/// What gzip and zstd share: refilling the compressed bytes, looping until enough is unpacked.
class PackedFile : public InputFile {
 public:
  explicit PackedFile(File file) : file_(std::move(file)) {}

  std::size_t read(char* to, std::size_t size) override {
    std::size_t done = 0;
    while (done < size && state_ == State::Good) {
      if (at_ == filled_) refill();
      if (state_ == State::Good) done += unpack(to + done, size - done);
    }
    return done;
  }
  std::int64_t consumed() const override { return consumed_; }

 protected:
  /// Unpacks from input_[at_, filled_) (empty at the end of the file); sets the state at the end.
  virtual std::size_t unpack(char* to, std::size_t size) = 0;
  bool at_end_of_file() const { return at_ == filled_; }
  /// As gzip and zstd do it themselves: what stands behind whole data is passed over, and told.
  void end_before_garbage(const char* kind) {
    state_ = State::End;
    remark_ = fmt::format("the bytes behind the end of the {} data", kind);
  }

  std::array<char, 1 << 16> input_;
  std::size_t at_ = 0, filled_ = 0;

 private:
  void refill() {
    at_ = 0;
    filled_ = std::fread(input_.data(), 1, input_.size(), file_.get());
    consumed_ += static_cast<std::int64_t>(filled_);
    const int error = errno;
    if (std::ferror(file_.get())) fail(State::Unreadable, std::strerror(error));
  }
  File file_;
  std::int64_t consumed_ = 0;
};

class GzipFile final : public PackedFile {
 public:
  explicit GzipFile(File file) : PackedFile(std::move(file)) {
    require(inflateInit2(&stream_, 16 + MAX_WBITS) == Z_OK, "gzip", "too little memory");
  }
  ~GzipFile() override { inflateEnd(&stream_); }

 private:
  std::size_t unpack(char* to, std::size_t size) override {
    if (at_end_of_file()) {
      if (between_members_)
        state_ = State::End;
      else
        fail(State::Damaged, "cut off");
      return 0;
    }
    const bool first_of_member = between_members_;
    if (between_members_) {
      // Zeros, as tapes and some writers pad with, end the data; anything else is the next member.
      if (input_[at_] == 0) {
        state_ = State::End;
        return 0;
      }
      between_members_ = false;
    }
    stream_.next_in = reinterpret_cast<Bytef*>(input_.data() + at_);
    stream_.avail_in = static_cast<uInt>(filled_ - at_);
    stream_.next_out = reinterpret_cast<Bytef*>(to);
    stream_.avail_out = static_cast<uInt>(std::min<std::size_t>(size, 1u << 30));
    const uInt wanted = stream_.avail_out;
    const int status = inflate(&stream_, Z_NO_FLUSH);
    at_ = filled_ - stream_.avail_in;
    if (status == Z_STREAM_END) {
      between_members_ = true;
      inflateReset(&stream_);
    } else if (status != Z_OK && status != Z_BUF_ERROR) {
      if (first_of_member)
        end_before_garbage("gzip");
      else
        fail(State::Damaged, stream_.msg ? stream_.msg : "fails its check");
    }
    return wanted - stream_.avail_out;
  }

  z_stream stream_{};
  bool between_members_ = false;
};

constexpr int kMostWindowLog = sizeof(std::size_t) == 8 ? 31 : 30;

class ZstdFile final : public PackedFile {
 public:
  explicit ZstdFile(File file) : PackedFile(std::move(file)), stream_(ZSTD_createDStream()) {
    require(stream_ != nullptr, "zstd", "too little memory");
    // Windows up to 2 GiB, as `zstd --long=31` writes them. The window is held in memory while such
    // a file is read, and readers open one file at a time.
    ZSTD_DCtx_setParameter(stream_, ZSTD_d_windowLogMax, kMostWindowLog);
  }
  ~ZstdFile() override { ZSTD_freeDStream(stream_); }

 private:
  std::size_t unpack(char* to, std::size_t size) override {
    ZSTD_inBuffer in{input_.data(), filled_, at_};
    ZSTD_outBuffer out{to, size, 0};
    const bool no_more_input = at_end_of_file(), first_of_frame = between_frames_;
    const std::size_t status = ZSTD_decompressStream(stream_, &out, &in);
    at_ = in.pos;
    // NOTE: without input the decoder asks for a new frame's header, which is not a cut-off frame.
    if (status == 0)
      between_frames_ = true;
    else if (!no_more_input)
      between_frames_ = false;
    if (ZSTD_isError(status)) {
      if (first_of_frame)
        end_before_garbage("zstd");
      else
        fail(State::Damaged, ZSTD_getErrorName(status));
    } else if (no_more_input && out.pos < size) {
      if (between_frames_)
        state_ = State::End;
      else
        fail(State::Damaged, "cut off");
    }
    return out.pos;
  }

  ZSTD_DStream* stream_;
  bool between_frames_ = false;
};

}  // namespace

std::unique_ptr<InputFile> InputFile::open(const std::filesystem::path& path) {
  File file(std::fopen(path.c_str(), "rb"));
  std::array<unsigned char, 4> head{};
  const int error = errno;
  std::size_t got = 0;
  if (file) {
    got = std::fread(head.data(), 1, head.size(), file.get());
    std::rewind(file.get());
  }
  const auto starts = [&](std::initializer_list<unsigned char> magic) {
    return got >= magic.size() && std::equal(magic.begin(), magic.end(), head.begin());
  };
  if (starts({0x1F, 0x8B})) return std::make_unique<GzipFile>(std::move(file));
  // pzstd begins with a frame to be skipped, of one of 16 kinds.
  head[0] = head[0] >= 0x50 && head[0] < 0x60 ? 0x50 : head[0];
  if (starts({0x28, 0xB5, 0x2F, 0xFD}) || starts({0x50, 0x2A, 0x4D, 0x18}))
    return std::make_unique<ZstdFile>(std::move(file));
  return std::make_unique<PlainFile>(std::move(file), error);
}

}  // namespace tessera::data
