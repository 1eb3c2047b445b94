// SPDX-License-Identifier: MIT
// Shared by the tests of core/data: a folder that goes away, files of many formats, a vocabulary.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/random.h"
#include "core/tokenizer/train.h"

namespace tessera::data {

namespace fs = std::filesystem;

class Folder {
 public:
  Folder() {
    char name[] = "/tmp/tessera-data-XXXXXX";
    path_ = mkdtemp(name);
  }
  ~Folder() { fs::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  operator const fs::path&() const { return path_; }
  fs::path operator/(const std::string& name) const { return path_ / name; }

  fs::path write(const std::string& name, const std::string& bytes) const {
    const fs::path path = path_ / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }

 private:
  fs::path path_;
};

inline std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

inline std::string gzip(const std::string& text) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()) + 32, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

inline std::string zstd(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);  // as the zstd program does
  out.resize(ZSTD_compress2(context, out.data(), out.size(), text.data(), text.size()));
  ZSTD_freeCCtx(context);
  return out;
}

/// Prose of a made-up language: no two seeds share a 5-gram but by chance.
inline std::string prose(std::uint64_t seed, int words = 60) {
  const Random random(seed, stream_of("prose"));
  std::string text;
  std::uint64_t at = 0;
  for (int i = 0; i < words; ++i) {
    const auto length = 2 + random.below(at++, 7);
    for (std::uint64_t k = 0; k < length; ++k)
      text.push_back("etaoinshrdlucmfwypvbgk"[random.below(at++, 22)]);
    text += i % 10 == 9 ? ".\n" : " ";
  }
  return text;
}

inline std::shared_ptr<const Tokenizer> test_tokenizer() {
  static const auto tokenizer = [] {
    std::vector<std::string> texts;
    for (std::uint64_t seed = 0; seed < 50; ++seed) texts.push_back(prose(seed));
    TokenizerTrainOptions options;
    options.vocab_size = 600;
    return train_tokenizer(texts, options);
  }();
  return tokenizer;
}

/// The message of the Error that `call` throws; fails the test when it throws none.
template <class Call>
std::string error_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  ADD_FAILURE() << "expected an Error";
  return {};
}

}  // namespace tessera::data
