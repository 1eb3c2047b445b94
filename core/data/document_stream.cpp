// SPDX-License-Identifier: MIT
#include "core/data/document_stream.h"

#include <algorithm>
#include <array>
#include <bit>

namespace tessera::data {

namespace {
constexpr int kFeistelRounds = 6;
}

Permutation::Permutation(std::int64_t size, std::uint64_t seed, std::uint64_t stream)
    : size_(static_cast<std::uint64_t>(size)), seed_(seed), stream_(stream) {
  const int bits = std::bit_width(size_ > 0 ? size_ - 1 : 0);
  half_bits_ = std::max(1, (bits + 1) / 2);
}

std::int64_t Permutation::operator()(std::int64_t index, std::uint64_t round_key) const {
  const std::uint64_t mask = (std::uint64_t{1} << half_bits_) - 1;
  const Random random(seed_ ^ round_key * 0x9E3779B97F4A7C15ull, stream_);
  auto value = static_cast<std::uint64_t>(index);
  do {
    std::uint64_t left = value >> half_bits_, right = value & mask;
    for (std::uint64_t round = 0; round < kFeistelRounds; ++round) {
      const std::uint64_t mixed = left ^ (random.bits(right << 8 | round) & mask);
      left = right;
      right = mixed;
    }
    value = left << half_bits_ | right;
  } while (value >= size_);
  return static_cast<std::int64_t>(value);
}

DocumentStream::DocumentStream(const DocumentStore& store, const std::string& name,
                               const SpecialTokens& specials, Order order)
    : store_(&store),
      specials_(specials),
      order_(order),
      permutation_(store.documents(), order.seed, stream_of("order/" + name)),
      fim_(order.seed, stream_of("fim/" + name)) {}

PlacedDocument DocumentStream::place(std::int64_t epoch, std::int64_t index) const {
  PlacedDocument placed;
  placed.document =
      order_.shuffled ? permutation_(index, static_cast<std::uint64_t>(epoch)) : index;
  placed.length = store_->length(placed.document);
  if (order_.fim_rate <= 0 || placed.length < 2) return placed;
  const auto w =
      fim_.words(static_cast<std::uint64_t>(epoch * store_->documents() + placed.document));
  placed.fim = static_cast<double>(w[0]) * 0x1p-32 < order_.fim_rate;
  if (!placed.fim) return placed;
  const auto places = static_cast<std::uint64_t>(placed.length) + 1;
  placed.cut_from = static_cast<std::int64_t>((w[1] * places) >> 32);
  placed.cut_to = static_cast<std::int64_t>((w[2] * places) >> 32);
  if (placed.cut_from > placed.cut_to) std::swap(placed.cut_from, placed.cut_to);
  return placed;
}

void DocumentStream::next_document(Cursor& cursor) const {
  cursor.offset = 0;
  if (++cursor.index < documents()) return;
  cursor.index = 0;
  ++cursor.epoch;
}

/// Calls visit(placed, from, to) for each part of a document on the way.
template <class Visit>
void DocumentStream::walk(Cursor& cursor, std::int64_t count, Visit visit) const {
  cursor.tokens += count;
  while (count > 0) {
    const PlacedDocument placed = place(cursor.epoch, cursor.index);
    const std::int64_t part = std::min(count, placed.stream_length() - cursor.offset);
    visit(placed, cursor.offset, cursor.offset + part);
    count -= part;
    cursor.offset += part;
    if (cursor.offset == placed.stream_length()) next_document(cursor);
  }
}

void DocumentStream::skip(Cursor& cursor, std::int64_t count) const {
  walk(cursor, count, [](const PlacedDocument&, std::int64_t, std::int64_t) {});
}

void DocumentStream::take(Cursor& cursor, std::int64_t count, std::vector<std::int32_t>& out,
                          std::vector<std::int32_t>& starts) const {
  walk(cursor, count, [&](const PlacedDocument& placed, std::int64_t from, std::int64_t to) {
    if (from == 0) starts.push_back(static_cast<std::int32_t>(out.size()));
    read(placed, from, to, out);
  });
}

std::int64_t DocumentStream::take_document(Cursor& cursor, std::int64_t count,
                                           std::vector<std::int32_t>* out) const {
  if (cursor.offset > 0) next_document(cursor);
  const PlacedDocument placed = place(cursor.epoch, cursor.index);
  const std::int64_t taken = std::min(count, placed.stream_length());
  if (out) read(placed, 0, taken, *out);
  next_document(cursor);
  return taken;
}

void DocumentStream::read(const PlacedDocument& placed, std::int64_t from, std::int64_t to,
                          std::vector<std::int32_t>& out) const {
  // Parts of the document in stream order: single special tokens, and ranges of its text.
  struct Part {
    std::int32_t special;  // -1: text
    std::int64_t from, to;
  };
  const std::int64_t a = placed.cut_from, b = placed.cut_to, n = placed.length;
  const std::array<Part, 8> with_fim = {{{specials_.bos, 0, 1},
                                         {specials_.fim_begin, 0, 1},
                                         {-1, 0, a},
                                         {specials_.fim_hole, 0, 1},
                                         {-1, b, n},
                                         {specials_.fim_end, 0, 1},
                                         {-1, a, b},
                                         {specials_.eos, 0, 1}}};
  const std::array<Part, 3> plain = {{{specials_.bos, 0, 1}, {-1, 0, n}, {specials_.eos, 0, 1}}};
  const std::span<const Part> parts =
      placed.fim ? std::span<const Part>(with_fim) : std::span<const Part>(plain);
  std::int64_t at = 0;
  for (const Part& part : parts) {
    const std::int64_t size = part.to - part.from;
    const std::int64_t first = std::max(from - at, std::int64_t{0}), last = std::min(to - at, size);
    at += size;
    if (first >= last) continue;
    if (part.special >= 0)
      out.push_back(part.special);
    else
      store_->read(placed.document, part.from + first, part.from + last, out);
  }
}

}  // namespace tessera::data
