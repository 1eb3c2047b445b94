// SPDX-License-Identifier: MIT
#include "core/http/reasoning_split.h"

#include <algorithm>
#include <utility>

#include "core/http/begun_mark.h"

namespace tessera {

namespace {
constexpr std::string_view kThoughtsBegin = "<think>", kThoughtsEnd = "</think>";
}  // namespace

ReasoningSplit::Piece ReasoningSplit::push(std::string_view text) {
  held_ += text;
  return look(false);
}

ReasoningSplit::Piece ReasoningSplit::finish() {
  return look(true);
}

ReasoningSplit::Piece ReasoningSplit::look(bool is_end) {
  Piece piece;
  if (state_ == Thinking::May) {
    const std::string_view begin =
        std::string_view(held_).substr(std::min(held_.find_first_not_of(kBlanks), held_.size()));
    if (!is_end && begin.size() < kThoughtsBegin.size() && kThoughtsBegin.starts_with(begin)) {
      return piece;
    }
    const bool thinks = begin.starts_with(kThoughtsBegin);
    if (thinks) held_ = begin.substr(kThoughtsBegin.size());
    state_ = thinks ? Thinking::Inside : Thinking::Never;
  }
  if (state_ == Thinking::Inside) {
    const std::size_t end = held_.find(kThoughtsEnd);
    const std::size_t kept =
        end != std::string::npos ? end : held_.size() - (is_end ? 0 : begun(held_, kThoughtsEnd));
    piece.reasoning = held_.substr(0, kept);
    held_.erase(0, kept);
    if (end == std::string::npos) return piece;
    held_.erase(0, kThoughtsEnd.size());
    state_ = Thinking::Never;
    trims_ = true;
  }
  if (trims_) {
    held_.erase(0, std::min(held_.find_first_not_of(kBlanks), held_.size()));
    trims_ = held_.empty();
  }
  piece.content = std::exchange(held_, {});
  return piece;
}

}  // namespace tessera
