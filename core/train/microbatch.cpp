// SPDX-License-Identifier: MIT
#include "core/train/microbatch.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/transfer.h"

namespace tessera {

void ContextColumns::append(const ContextColumns& more, std::int64_t tokens) {
  const auto keys = static_cast<std::int32_t>(key_rows.size());
  for (std::size_t i = 0; i < more.key_rows.size(); ++i) {
    const std::int32_t rank = more.key_ranks[i];
    key_ranks.push_back(rank);
    key_rows.push_back(more.key_rows[i] +
                       static_cast<std::int32_t>(shares[static_cast<std::size_t>(rank)]));
  }
  for (std::size_t i = 0; i < more.ranges.size(); ++i) {
    ranges.push_back(more.ranges[i] + (i % 4 < 2 ? static_cast<std::int32_t>(tokens) : keys));
  }
  lengths.insert(lengths.end(), more.lengths.begin(), more.lengths.end());
  for (std::size_t rank = 0; rank < shares.size(); ++rank) shares[rank] += more.shares[rank];
  has_mtp = has_mtp || more.has_mtp;
}

void TokenColumns::append(const TokenColumns& more) {
  if (context.is_cut()) context.append(more.context, std::ssize(tokens));
  const auto first = static_cast<std::int32_t>(tokens.size());
  const auto add = [](auto& to, const auto& from) {
    to.insert(to.end(), from.begin(), from.end());
  };
  add(tokens, more.tokens);
  add(positions, more.positions);
  add(targets, more.targets);
  add(mtp_tokens, more.mtp_tokens);
  add(mtp_targets, more.mtp_targets);
  add(weights, more.weights);
  add(mtp_weights, more.mtp_weights);
  for (std::size_t i = 1; i < more.starts.size(); ++i) starts.push_back(first + more.starts[i]);
  max_length = std::max(max_length, more.max_length);
}

namespace {
double weight_of(const std::vector<std::int32_t>& targets, const std::vector<float>& weights) {
  double sum = 0;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    if (targets[i] >= 0) sum += weights.empty() ? 1.0 : static_cast<double>(weights[i]);
  }
  return sum;
}
}  // namespace

double TokenColumns::target_weight() const {
  return weight_of(targets, weights);
}

double TokenColumns::mtp_target_weight() const {
  return weight_of(mtp_targets, mtp_weights);
}

namespace {
/// The first `count` columns of a row whose ids from `valid` on are padding.
void add_columns(TokenColumns& c, std::span<const std::int32_t> ids, std::int64_t count, int extra,
                 std::int64_t valid, std::span<const std::int32_t> document_starts) {
  const auto id = [&](std::int64_t i) { return ids[static_cast<std::size_t>(i)]; };
  const auto target = [&](std::int64_t i) { return i < valid ? id(i) : -1; };
  for (std::int64_t i = 0; i < count; ++i) {
    if (i > 0 && std::binary_search(document_starts.begin(), document_starts.end(),
                                    static_cast<std::int32_t>(i))) {
      c.end_sequence();
    }
    c.tokens.push_back(id(i));
    c.positions.push_back(static_cast<std::int32_t>(i));
    c.targets.push_back(target(i + 1));
    if (extra == 0) continue;
    c.mtp_tokens.push_back(id(i + 1));  // padding has an id too, and no target
    c.mtp_targets.push_back(target(i + 2));
  }
  c.end_sequence();
}

void expect_row(std::span<const std::int32_t> ids, std::int64_t length, int extra) {
  require(std::ssize(ids) == length + 1 + extra, "microbatch", "expected a row of {} ids, got {}",
          length + 1 + extra, ids.size());
}
}  // namespace

TokenColumns packed_row(std::span<const std::int32_t> ids, std::int64_t length, int extra,
                        std::span<const std::int32_t> document_starts) {
  expect_row(ids, length, extra);
  TokenColumns c;
  c.max_length = length;
  add_columns(c, ids, length, extra, std::ssize(ids), document_starts);
  return c;
}

TokenColumns document_row(std::span<const std::int32_t> ids, std::int64_t length, int extra,
                          std::int64_t valid) {
  expect_row(ids, length, extra);
  TokenColumns c;
  c.max_length = length;
  add_columns(c, ids, std::min(length, valid), extra, valid, {});
  return c;
}

TokenColumns next_token_rows(const Tensor& ids) {
  const std::int64_t length = ids.size(1);
  TokenColumns c;
  c.max_length = length;
  for (std::int64_t row = 0; row < ids.size(0); ++row) {
    const std::int64_t* id = ids.data<std::int64_t>() + row * length;
    for (std::int64_t i = 0; i < length; ++i) {
      c.tokens.push_back(static_cast<std::int32_t>(id[i]));
      c.positions.push_back(static_cast<std::int32_t>(i));
      c.targets.push_back(i + 1 < length ? static_cast<std::int32_t>(id[i + 1]) : -1);
    }
    c.end_sequence();
  }
  return c;
}

namespace {
/// Columns one after another in one block of memory.
class ColumnBlock {
 public:
  /// An empty column leaves the tensor absent, or where `always` without elements.
  template <class T>
  void add(Tensor& tensor, DType type, const std::vector<T>& column, bool always = false) {
    if (column.empty() && !always) return;
    placed_.push_back({&tensor, type, bytes_.size(), std::ssize(column)});
    const auto* from = reinterpret_cast<const std::byte*>(column.data());
    bytes_.insert(bytes_.end(), from, from + column.size() * sizeof(T));
  }

  /// Copies the block to `memory`, made larger where it must be, and points the tensors into it.
  void move_to(Buffer& memory, Device device) const {
    if (memory.bytes() < bytes_.size()) memory = Buffer(bytes_.size(), device);
    copy_from_host(bytes_.data(), memory.view(DType::U8, {std::ssize(bytes_)}));
    for (const Placed& p : placed_) {
      *p.tensor = Tensor(static_cast<std::byte*>(memory.data()) + p.at, p.type, {p.count}, device);
    }
  }

 private:
  struct Placed {
    Tensor* tensor;
    DType type;
    std::size_t at;
    std::int64_t count;
  };
  std::vector<std::byte> bytes_;
  std::vector<Placed> placed_;
};
}  // namespace

MicrobatchBuffer::MicrobatchBuffer(const TokenColumns& c, Device device, Buffer memory)
    : memory_(std::move(memory)) {
  ColumnBlock block;
  Sequences& sequences = batch_.sequences;
  // A rank of context may have no token of a short sequence, and takes part all the same.
  const bool cut = c.context.is_cut(), mtp = c.context.has_mtp;
  block.add(sequences.starts, DType::I32, c.starts);
  block.add(sequences.tokens, DType::I32, c.tokens, cut);
  block.add(sequences.positions, DType::I32, c.positions, cut);
  block.add(batch_.targets, DType::I32, c.targets, cut);
  block.add(batch_.mtp_tokens, DType::I32, c.mtp_tokens, mtp);
  block.add(batch_.mtp_targets, DType::I32, c.mtp_targets, mtp);
  block.add(batch_.weights, DType::F32, c.weights);
  block.add(batch_.mtp_weights, DType::F32, c.mtp_weights);
  ContextCut& to = sequences.cut;
  std::vector<std::int32_t> keys;
  if (cut) {
    to.share = *std::max_element(c.context.shares.begin(), c.context.shares.end());
    for (std::size_t i = 0; i < c.context.key_rows.size(); ++i) {
      keys.push_back(static_cast<std::int32_t>(c.context.key_ranks[i] * to.share) +
                     c.context.key_rows[i]);
    }
    block.add(to.keys, DType::I32, keys, true);
    block.add(to.ranges, DType::I32, c.context.ranges, true);
    block.add(to.lengths, DType::I32, c.context.lengths, true);
  }
  block.move_to(memory_, device);
  if (cut) to.ranges = to.ranges.reshape({std::ssize(c.context.ranges) / 4, 4});
  sequences.max_length = c.max_length;
}

MicrobatchBuffer MicrobatchBuffer::shapes(std::int64_t count, std::int64_t length, int extra,
                                          Device device, const ContextPlace& place) {
  const std::int64_t tokens = count * length / place.ranks;
  const Buffer memory = Buffer::measuring(
      static_cast<std::size_t>((3 + 2 * extra) * tokens + count + 1) * sizeof(std::int32_t),
      device);
  const Tensor column = memory.view(DType::I32, {tokens});
  MicrobatchBuffer shapes;
  shapes.batch_.sequences.tokens = shapes.batch_.sequences.positions = column;
  shapes.batch_.sequences.starts = memory.view(DType::I32, {count + 1});
  shapes.batch_.sequences.max_length = length;
  shapes.batch_.targets = column;
  if (extra > 0) shapes.batch_.mtp_tokens = shapes.batch_.mtp_targets = column;
  if (place.ranks == 1) return shapes;
  // The last of a rank's pieces is the one that sees the most keys.
  const std::int64_t pieces = 2 * place.ranks;
  const std::int64_t keys = count * (length * (pieces - place.index) / pieces);
  const Buffer cut = Buffer::measuring(
      static_cast<std::size_t>(keys + 8 * count + count) * sizeof(std::int32_t), device);
  shapes.batch_.sequences.cut = {.keys = cut.view(DType::I32, {keys}),
                                 .ranges = cut.view(DType::I32, {2 * count, 4}),
                                 .lengths = cut.view(DType::I32, {count}),
                                 .share = tokens};
  return shapes;
}

}  // namespace tessera
