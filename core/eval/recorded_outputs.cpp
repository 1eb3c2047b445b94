// SPDX-License-Identifier: MIT
#include "core/eval/recorded_outputs.h"

#include <cstring>

#include "core/base/error.h"

namespace tessera {

namespace {
template <class T>
std::vector<std::int64_t> widened(const StoredTensor& tensor) {
  std::vector<T> values(static_cast<std::size_t>(tensor.numel()));
  if (!values.empty()) std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
  return {values.begin(), values.end()};
}
}  // namespace

std::vector<std::int64_t> integers_of(const StoredTensor& tensor) {
  switch (tensor.dtype) {
    case DType::I64:
      return widened<std::int64_t>(tensor);
    case DType::I32:
      return widened<std::int32_t>(tensor);
    case DType::I16:
      return widened<std::int16_t>(tensor);
    case DType::U8:
      return widened<std::uint8_t>(tensor);
    default:
      throw Error(tensor.name, fmt::format("is {}, expected integers", tensor.describe()),
                  "record it as I64");
  }
}

const StoredTensor* RecordedOutputs::find(const std::string& name) {
  asked_.insert(name);
  return file_.find(name);
}

std::vector<std::string> RecordedOutputs::left_over() const {
  std::set<std::string> left;
  for (const StoredTensor& tensor : file_.tensors()) {
    if (!asked_.contains(tensor.name)) left.insert(tensor.name);
  }
  return {left.begin(), left.end()};
}

Tensor RecordedOutputs::token_rows(const std::string& name, std::int64_t vocab_size,
                                   std::int64_t max_length) {
  const std::string where = file_.path().string();
  asked_.insert(name);
  const StoredTensor& stored = file_.at(name);
  const auto refuse = [&](const std::string& expected) {
    throw Error(where, fmt::format("{} is {}, {}", name, stored.describe(), expected),
                "record tokens as I64 of the shape (rows, length)");
  };
  const std::size_t rank = stored.shape.size();
  if (rank != 1 && rank != 2) refuse("expected the shape (rows, length) or (length)");
  const std::int64_t rows = rank == 2 ? stored.shape[0] : 1, length = stored.shape.back();
  if (rows < 1 || length < 2) refuse("expected one row or more of two tokens or more");
  if (length > max_length) {
    refuse(fmt::format("and the model has room for {} tokens a row", max_length));
  }
  const bool integer = stored.dtype == DType::I64 || stored.dtype == DType::I32 ||
                       stored.dtype == DType::I16 || stored.dtype == DType::U8;
  if (!integer) refuse("expected integers");
  std::vector<std::int64_t>& ids = rows_.emplace_back(integers_of(stored));
  for (const std::int64_t id : ids) {
    if (id >= 0 && id < vocab_size) continue;
    refuse(fmt::format("and holds the token {}, where the model has {}", id, vocab_size));
  }
  return Tensor(ids.data(), DType::I64, {rows, length});
}

}  // namespace tessera
