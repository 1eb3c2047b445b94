// SPDX-License-Identifier: MIT
#include "core/data/input_file.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
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
  explicit PlainFile(File file) : file_(std::move(file)) {
    if (!file_) state_ = State::Unreadable;
  }
  std::size_t read(char* to, std::size_t size) override {
    if (state_ != State::Good) return 0;
    const std::size_t got = std::fread(to, 1, size, file_.get());
    if (got < size) state_ = std::ferror(file_.get()) ? State::Unreadable : State::End;
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

  std::array<char, 1 << 16> input_;
  std::size_t at_ = 0, filled_ = 0;

 private:
  void refill() {
    at_ = 0;
    filled_ = std::fread(input_.data(), 1, input_.size(), file_.get());
    consumed_ += static_cast<std::int64_t>(filled_);
    if (std::ferror(file_.get())) state_ = State::Unreadable;
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
      state_ = between_members_ ? State::End : State::Damaged;
      return 0;
    }
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
      state_ = State::Damaged;
    }
    return wanted - stream_.avail_out;
  }

  z_stream stream_{};
  bool between_members_ = false;
};

class ZstdFile final : public PackedFile {
 public:
  explicit ZstdFile(File file) : PackedFile(std::move(file)), stream_(ZSTD_createDStream()) {
    require(stream_ != nullptr, "zstd", "too little memory");
  }
  ~ZstdFile() override { ZSTD_freeDStream(stream_); }

 private:
  std::size_t unpack(char* to, std::size_t size) override {
    ZSTD_inBuffer in{input_.data(), filled_, at_};
    ZSTD_outBuffer out{to, size, 0};
    const bool no_more_input = at_end_of_file();
    const std::size_t status = ZSTD_decompressStream(stream_, &out, &in);
    at_ = in.pos;
    // NOTE: without input the decoder asks for a new frame's header, which is not a cut-off frame.
    if (status == 0)
      between_frames_ = true;
    else if (!no_more_input)
      between_frames_ = false;
    if (ZSTD_isError(status)) {
      state_ = State::Damaged;
    } else if (no_more_input && out.pos < size) {
      state_ = between_frames_ ? State::End : State::Damaged;
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
  std::size_t got = 0;
  if (file) {
    got = std::fread(head.data(), 1, head.size(), file.get());
    std::rewind(file.get());
  }
  const auto starts = [&](std::initializer_list<unsigned char> magic) {
    return got >= magic.size() && std::equal(magic.begin(), magic.end(), head.begin());
  };
  if (starts({0x1F, 0x8B})) return std::make_unique<GzipFile>(std::move(file));
  if (starts({0x28, 0xB5, 0x2F, 0xFD})) return std::make_unique<ZstdFile>(std::move(file));
  return std::make_unique<PlainFile>(std::move(file));
}

}  // namespace tessera::data
