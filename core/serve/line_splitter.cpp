// SPDX-License-Identifier: MIT
#include "core/serve/line_splitter.h"

#include <utility>

namespace tessera {

LineSplitter::LineSplitter(std::size_t longest_bytes, OnLine on_line, OnTooLong on_too_long)
    : longest_bytes_(longest_bytes),
      on_line_(std::move(on_line)),
      on_too_long_(std::move(on_too_long)) {}

void LineSplitter::push(std::string_view bytes) {
  for (std::size_t end; (end = bytes.find('\n')) != std::string_view::npos;) {
    add(bytes.substr(0, end));
    end_line();
    bytes.remove_prefix(end + 1);
  }
  add(bytes);
}

void LineSplitter::finish() {
  if (!line_.empty() || too_long_) end_line();
}

void LineSplitter::add(std::string_view part) {
  if (too_long_) return;
  too_long_ = line_.size() + part.size() > longest_bytes_;
  if (!too_long_) {
    line_ += part;
  } else {
    line_ = {};  // its memory, too
    on_too_long_();
  }
}

void LineSplitter::end_line() {
  if (!too_long_) on_line_(line_);
  line_.clear();
  too_long_ = false;
}

}  // namespace tessera
