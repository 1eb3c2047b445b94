// SPDX-License-Identifier: MIT
// Lines out of bytes as they come. A line that is too long is passed over and told of; the last one
// needs no line end.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace tessera {

class LineSplitter {
 public:
  using OnLine = std::function<void(std::string_view line)>;
  using OnTooLong = std::function<void()>;

  /// `longest_bytes`: the most that a line may have, without its line end.
  LineSplitter(std::size_t longest_bytes, OnLine on_line, OnTooLong on_too_long);

  void push(std::string_view bytes);
  /// The end of the input: what is left is a line, unless it is empty.
  void finish();

 private:
  void add(std::string_view part);
  void end_line();

  std::size_t longest_bytes_;
  OnLine on_line_;
  OnTooLong on_too_long_;
  std::string line_;
  bool too_long_ = false;  ///< the line at hand is being passed over
};

}  // namespace tessera
