// SPDX-License-Identifier: MIT
#include "core/history/text_tail.h"

#include <algorithm>
#include <fstream>
#include <string_view>
#include <utility>

namespace tessera {

namespace fs = std::filesystem;

namespace {
constexpr std::size_t kMostBytesPerPoll = 4u << 20, kMostLineBytes = 16u << 10;
constexpr std::uint64_t kUsualLineBytes = 120;

/// A file that is not there has no bytes.
std::uint64_t size_of(const fs::path& file) {
  std::error_code error;
  const std::uintmax_t size = fs::file_size(file, error);
  return error ? 0 : size;
}
}  // namespace

TextTail::TextTail(fs::path file, int most_lines) : file_(std::move(file)) {
  const std::uint64_t size = size_of(file_);
  offset_ = size - std::min(size, static_cast<std::uint64_t>(most_lines) * kUsualLineBytes);
  in_line_ = offset_ > 0;
}

TextTail::News TextTail::poll() {
  News news;
  std::ifstream in(file_, std::ios::binary);
  if (!in) return news;
  const std::uint64_t size = size_of(file_);
  if (size < offset_) {
    offset_ = 0;
    rest_.clear();
    in_line_ = false;
    news.replaced = true;
  }
  if (size == offset_ || !in.seekg(static_cast<std::streamoff>(offset_))) return news;
  std::string bytes(std::min<std::uint64_t>(size - offset_, kMostBytesPerPoll), '\0');
  in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<std::size_t>(in.gcount()));
  offset_ += bytes.size();
  take(bytes, news.lines);
  news.more = bytes.size() == kMostBytesPerPoll;
  return news;
}

void TextTail::take(std::string_view bytes, std::vector<std::string>& lines) {
  rest_ += bytes;
  std::size_t from = 0;
  for (std::size_t end; (end = rest_.find('\n', from)) != std::string::npos; from = end + 1) {
    if (std::exchange(in_line_, false)) continue;  // it began before the place we started at
    lines.push_back(rest_.substr(from, std::min(end - from, kMostLineBytes)));
  }
  rest_.erase(0, from);
  if (rest_.size() <= kMostLineBytes) return;
  if (!in_line_) lines.push_back(rest_.substr(0, kMostLineBytes));
  rest_.clear();
  in_line_ = true;
}

}  // namespace tessera
