// SPDX-License-Identifier: MIT
// Private to core/tokenizer: what a tokenizer.json does to a text before its words are encoded.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/tokenizer/bpe_file.h"
#include "core/tokenizer/split_pattern.h"

namespace tessera {

/// The steps of `normalizer`, in order.
class TextNormaliser {
 public:
  TextNormaliser(const std::vector<BpeNormaliser>& steps, const std::string& where);

  bool is_empty() const { return steps_.empty(); }
  /// Changes `text` (valid UTF-8) and its marks (as MarkedText's, or empty) alike. What stands for
  /// bytes of both authors becomes people's.
  /// `goes_on`: Prepend is left out.
  void apply(std::string& text, std::string& marks, bool goes_on = false) const;

 private:
  struct Step {
    BpeNormaliser::Kind kind;
    std::string content;
    std::unique_ptr<SplitPattern> pattern;
  };
  static void replace(const Step& step, std::string& text, std::string& marks);
  std::vector<Step> steps_;
};

/// The steps of `pre_tokenizer`, each of which splits the parts that the one before made.
class TextSplitter {
 public:
  TextSplitter(const std::vector<BpeSplit>& steps, const std::string& where);

  /// Bytes rather than characters are what words are made of.
  bool is_byte_level() const;
  bool adds_spaces() const;
  /// Calls `word` with each word of `text` (valid UTF-8), in order.
  void run(std::string_view text, const std::function<void(std::string_view)>& word) const;

 private:
  struct Step {
    BpeSplit split;
    std::unique_ptr<SplitPattern> pattern;  ///< nullptr: does not split
  };
  using Sink = std::function<void(std::string_view)>;
  void run_from(std::size_t step, std::string_view text, const Sink& word) const;
  void split(std::size_t step, std::string_view text, const Sink& word) const;

  std::vector<Step> steps_;
};

}  // namespace tessera
