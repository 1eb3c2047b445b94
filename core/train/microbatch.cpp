// SPDX-License-Identifier: MIT
#include "core/train/microbatch.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/transfer.h"

namespace tessera {

void TokenColumns::append(const TokenColumns& more) {
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
  template <class T>
  void add(Tensor& tensor, DType type, const std::vector<T>& column) {
    if (column.empty()) return;
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
  block.add(sequences.tokens, DType::I32, c.tokens);
  block.add(sequences.positions, DType::I32, c.positions);
  block.add(batch_.targets, DType::I32, c.targets);
  block.add(batch_.mtp_tokens, DType::I32, c.mtp_tokens);
  block.add(batch_.mtp_targets, DType::I32, c.mtp_targets);
  block.add(sequences.starts, DType::I32, c.starts);
  block.add(batch_.weights, DType::F32, c.weights);
  block.add(batch_.mtp_weights, DType::F32, c.mtp_weights);
  block.move_to(memory_, device);
  sequences.max_length = c.max_length;
}

MicrobatchBuffer MicrobatchBuffer::shapes(std::int64_t count, std::int64_t length, int extra,
                                          Device device) {
  const std::int64_t tokens = count * length;
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
  return shapes;
}

}  // namespace tessera
