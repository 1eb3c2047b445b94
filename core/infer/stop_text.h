// SPDX-License-Identifier: MIT
// Texts that end an answer, found while it is written: token borders do not matter.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tessera {

class StopText {
 public:
  /// Throws Error for an empty text, which would end every answer before it begins.
  explicit StopText(std::vector<std::string> stops);

  /// Takes the next piece of the answer and returns what may be shown of it and of what was held
  /// back: what may still become a stop is held, and nothing follows a stop.
  std::string push(std::string_view text);
  /// What is still held back, at the end of the answer.
  std::string finish();
  /// A stop has come. It is not part of what is shown.
  bool found() const { return found_; }

 private:
  std::vector<std::string> stops_;
  std::string held_;
  bool found_ = false;
};

}  // namespace tessera
