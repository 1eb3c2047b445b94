// SPDX-License-Identifier: MIT
#include "core/train/microbatch.h"

#include <algorithm>
#include <utility>

#include "core/base/error.h"
#include "core/base/transfer.h"

namespace tessera {

/// What is put together on the host; one entry per token, but for starts.
struct MicrobatchBuffer::Columns {
  std::vector<std::int32_t> tokens, positions, targets, mtp_tokens, mtp_targets, starts{0};

  void end_sequence() { starts.push_back(static_cast<std::int32_t>(tokens.size())); }
};

namespace {
std::int64_t count_targets(const std::vector<std::int32_t>& targets) {
  return std::count_if(targets.begin(), targets.end(), [](std::int32_t t) { return t >= 0; });
}
}  // namespace

MicrobatchBuffer::MicrobatchBuffer(const Columns& c, std::int64_t max_length, Device device,
                                   Buffer memory)
    : memory_(std::move(memory)),
      targets_(count_targets(c.targets)),
      mtp_targets_(count_targets(c.mtp_targets)) {
  std::vector<std::int32_t> all;
  for (const auto* column :
       {&c.tokens, &c.positions, &c.targets, &c.mtp_tokens, &c.mtp_targets, &c.starts}) {
    all.insert(all.end(), column->begin(), column->end());
  }
  const auto total = static_cast<std::int64_t>(all.size());
  const std::size_t bytes = all.size() * sizeof(std::int32_t);
  if (memory_.bytes() < bytes) memory_ = Buffer(bytes, device);
  const Tensor flat = memory_.view(DType::I32, {total});
  copy_from_host(all.data(), flat);
  std::int64_t at = 0;
  const auto place = [&](const std::vector<std::int32_t>& column) {
    if (column.empty()) return Tensor();
    const std::int64_t from = at;
    at += static_cast<std::int64_t>(column.size());
    return flat.slice(0, from, at);
  };
  batch_.sequences.tokens = place(c.tokens);
  batch_.sequences.positions = place(c.positions);
  batch_.targets = place(c.targets);
  batch_.mtp_tokens = place(c.mtp_tokens);
  batch_.mtp_targets = place(c.mtp_targets);
  batch_.sequences.starts = place(c.starts);
  batch_.sequences.max_length = max_length;
}

MicrobatchBuffer MicrobatchBuffer::packed(
    const Tensor& tokens, std::int64_t first, std::int64_t count, std::int64_t length, int extra,
    const std::vector<std::vector<std::int32_t>>& document_starts, Device device, Buffer memory) {
  require(tokens.rank() == 2 && tokens.size(1) == length + 1 + extra, "microbatch",
          "expected rows of {} tokens, got {}", length + 1 + extra, tokens.describe());
  Columns c;
  for (std::int64_t row = first; row < first + count; ++row) {
    const std::int32_t* ids = tokens.data<std::int32_t>() + row * tokens.stride(0);
    for (std::int64_t i = 0; i < length; ++i) {
      if (i > 0 && !document_starts.empty()) {
        const auto& starts = document_starts[static_cast<std::size_t>(row)];
        if (std::binary_search(starts.begin(), starts.end(), static_cast<std::int32_t>(i))) {
          c.end_sequence();
        }
      }
      c.tokens.push_back(ids[i]);
      c.positions.push_back(static_cast<std::int32_t>(i));
      c.targets.push_back(ids[i + 1]);
      if (extra == 0) continue;
      c.mtp_tokens.push_back(ids[i + 1]);
      c.mtp_targets.push_back(ids[i + 2]);
    }
    c.end_sequence();
  }
  return {c, length, device, std::move(memory)};
}

MicrobatchBuffer MicrobatchBuffer::documents(const Tensor& tokens, std::int64_t first,
                                             std::int64_t count, std::int64_t length, int extra,
                                             const std::vector<std::int32_t>& valid, Device device,
                                             Buffer memory) {
  require(tokens.rank() == 2 && tokens.size(1) == length + 1 + extra, "microbatch",
          "expected rows of {} tokens, got {}", length + 1 + extra, tokens.describe());
  Columns c;
  for (std::int64_t row = first; row < first + count; ++row) {
    const std::int32_t* ids = tokens.data<std::int32_t>() + row * tokens.stride(0);
    const std::int64_t end = valid[static_cast<std::size_t>(row)];
    for (std::int64_t i = 0; i < std::min(length, end); ++i) {
      c.tokens.push_back(ids[i]);
      c.positions.push_back(static_cast<std::int32_t>(i));
      c.targets.push_back(i + 1 < end ? ids[i + 1] : -1);
      if (extra == 0) continue;
      c.mtp_tokens.push_back(ids[i + 1]);  // padding has an id too, and no target
      c.mtp_targets.push_back(i + 2 < end ? ids[i + 2] : -1);
    }
    c.end_sequence();
  }
  return {c, length, device, std::move(memory)};
}

MicrobatchBuffer MicrobatchBuffer::next_token(const Tensor& ids, Device device) {
  const std::int64_t rows = ids.size(0), length = ids.size(1);
  Columns c;
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::int64_t* id = ids.data<std::int64_t>() + row * length;
    for (std::int64_t i = 0; i < length; ++i) {
      c.tokens.push_back(static_cast<std::int32_t>(id[i]));
      c.positions.push_back(static_cast<std::int32_t>(i));
      c.targets.push_back(i + 1 < length ? static_cast<std::int32_t>(id[i + 1]) : -1);
    }
    c.end_sequence();
  }
  return {c, length, device, {}};
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
