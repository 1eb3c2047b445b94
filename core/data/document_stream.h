// SPDX-License-Identifier: MIT
// Private to core/data: the endless stream of one source, document by document.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/random.h"
#include "core/data/dataset.h"
#include "core/tokenizer/tokenizer.h"

namespace tessera::data {

/// A pseudo-random permutation of [0, size) in constant memory: a Feistel network over the next
/// power of four, walked until it falls inside (Black and Rogaway, CT-RSA 2002).
class Permutation {
 public:
  Permutation(std::int64_t size, std::uint64_t seed, std::uint64_t stream);
  std::int64_t operator()(std::int64_t index, std::uint64_t round_key) const;

 private:
  std::uint64_t size_, seed_, stream_;
  int half_bits_;
};

/// A place in the stream: `offset` tokens into the document that stands at `index` of `epoch`.
struct Cursor {
  std::int64_t epoch = 0, index = 0, offset = 0;
  std::int64_t tokens = 0;  ///< taken so far
};

/// One document as it appears in the stream.
struct PlacedDocument {
  std::int64_t document = 0, length = 0;  ///< in the store, and its tokens there
  bool fim = false;
  std::int64_t cut_from = 0, cut_to = 0;  ///< the middle of FIM
  /// With BOS, EOS and the FIM tokens.
  std::int64_t stream_length() const { return length + (fim ? 5 : 2); }
};

class DocumentStream {
 public:
  struct Order {
    std::uint64_t seed = 0;
    bool shuffled = true;
    double fim_rate = 0;
  };
  DocumentStream(const DocumentStore& store, const std::string& name, const SpecialTokens& specials,
                 Order order);

  std::int64_t documents() const { return store_->documents(); }
  /// Tokens of one pass without FIM.
  std::int64_t pass_tokens() const { return store_->tokens() + 2 * store_->documents(); }

  PlacedDocument place(std::int64_t epoch, std::int64_t index) const;

  /// Moves on by `count` tokens.
  void skip(Cursor& cursor, std::int64_t count) const;
  /// As skip(), appending the tokens to `out` and the places in `out` where documents start to
  /// `starts`.
  void take(Cursor& cursor, std::int64_t count, std::vector<std::int32_t>& out,
            std::vector<std::int32_t>& starts) const;
  /// The document at the cursor (the next one, when the cursor is inside one), at most `count`
  /// tokens of it; the cursor then stands behind it. Returns the tokens appended.
  std::int64_t take_document(Cursor& cursor, std::int64_t count,
                             std::vector<std::int32_t>* out) const;

 private:
  template <class Visit>
  void walk(Cursor& cursor, std::int64_t count, Visit visit) const;
  void next_document(Cursor& cursor) const;
  void read(const PlacedDocument& placed, std::int64_t from, std::int64_t to,
            std::vector<std::int32_t>& out) const;

  const DocumentStore* store_;
  SpecialTokens specials_;
  Order order_;
  Permutation permutation_;
  Random fim_;
};

}  // namespace tessera::data
