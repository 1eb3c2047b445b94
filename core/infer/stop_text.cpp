// SPDX-License-Identifier: MIT
#include "core/infer/stop_text.h"

#include <algorithm>
#include <utility>

#include "core/base/error.h"

namespace tessera {

namespace {
/// Bytes at the end of `text` that `stop` may begin with, and go on from.
std::size_t may_begin(std::string_view text, std::string_view stop) {
  for (std::size_t count = std::min(text.size(), stop.size() - 1); count > 0; --count) {
    if (text.ends_with(stop.substr(0, count))) return count;
  }
  return 0;
}
}  // namespace

StopText::StopText(std::vector<std::string> stops) : stops_(std::move(stops)) {
  for (const std::string& stop : stops_) {
    if (stop.empty()) {
      throw Error("stop", "a text that ends the answer is empty",
                  "give it one character or more, or leave it out");
    }
  }
}

std::string StopText::push(std::string_view text) {
  if (found_) return {};
  held_ += text;
  std::size_t at = std::string::npos, keep = 0;
  for (const std::string& stop : stops_) {
    at = std::min(at, held_.find(stop));
    keep = std::max(keep, may_begin(held_, stop));
  }
  found_ = at != std::string::npos;
  const std::size_t shown = found_ ? at : held_.size() - keep;
  std::string out = held_.substr(0, shown);
  held_ = found_ ? std::string() : held_.substr(shown);
  return out;
}

std::string StopText::finish() {
  return std::exchange(held_, {});
}

}  // namespace tessera
