// SPDX-License-Identifier: MIT
#include "core/checkpoint/weights.h"

#include <algorithm>
#include <utility>

#include "core/base/parallel.h"
#include "core/checkpoint/convert.h"
#include "core/checkpoint/internal.h"

namespace tessera {

using checkpoint_internal::Converter;

namespace {
constexpr const char* kScaleSuffix = "_scale_inv";
constexpr std::int64_t kGrainElements = 1 << 15;

bool is_fp8(DType dtype) {
  return dtype == DType::F8E4M3 || dtype == DType::F8E5M2;
}

std::int64_t ceil_div(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

/// The stored tensor as a matrix: all dimensions but the last, and the last. A vector is one row.
struct Matrix {
  std::int64_t rows = 1, columns = 1;
};
Matrix matrix_of(const StoredTensor& tensor) {
  const std::int64_t columns = tensor.shape.empty() ? 1 : tensor.shape.back();
  return {columns > 0 ? tensor.numel() / columns : 0, columns};
}
}  // namespace

/// How the rows of one stored matrix become rows of another type.
struct WeightSource::Rows {
  const std::byte* data = nullptr;
  std::int64_t columns = 0;
  std::int64_t from_size = 1, to_size = 1;  ///< bytes of an element
  Converter converter = nullptr;            ///< null: the same type, copied
  std::vector<float> scales;                ///< one per block, row major; empty: none
  std::int64_t scales_per_row = 0, block = 128;

  void read(std::int64_t row, std::int64_t column, std::int64_t count, std::byte* to) const {
    const std::byte* from = data + (row * columns + column) * from_size;
    if (!converter) {
      std::copy_n(from, count * from_size, to);
      return;
    }
    if (scales.empty()) return converter(from, to, count, 1.f);
    const float* row_scales = scales.data() + row / block * scales_per_row;
    for (std::int64_t done = 0; done < count;) {
      const std::int64_t at = (column + done) / block;
      const std::int64_t end = std::min(count, (at + 1) * block - column);
      converter(from + done * from_size, to + done * to_size, end - done, row_scales[at]);
      done = end;
    }
  }
};

WeightSource::WeightSource(std::filesystem::path path, std::int64_t block)
    : folder_(std::move(path)), block_(block) {
  require(block > 0, "weights", "the edge of the scale blocks is {}", block);
}

const std::vector<std::int64_t>& WeightSource::shape(std::string_view name) const {
  return folder_.at(name).shape;
}

const StoredTensor& WeightSource::use(std::string_view name) {
  const StoredTensor& tensor = folder_.at(name);
  used_.emplace(name);
  return tensor;
}

void WeightSource::mark_used(std::string_view name) {
  use(name);
  std::string scales = std::string(name) + kScaleSuffix;
  if (has(scales)) used_.insert(std::move(scales));
}

std::vector<float> WeightSource::scales_of(const StoredTensor& tensor) {
  const std::string where = folder_.path().string(), name = tensor.name + kScaleSuffix;
  if (!has(name)) {
    throw Error(where,
                fmt::format("\"{}\" is FP8, and its scales \"{}\" are missing", tensor.name, name),
                "only FP8 with a scale per block of the weight is supported");
  }
  const StoredTensor& stored = use(name);
  const Matrix matrix = matrix_of(tensor);
  const std::vector<std::int64_t> wanted{ceil_div(matrix.rows, block_),
                                         ceil_div(matrix.columns, block_)};
  const Converter converter = checkpoint_internal::converter(stored.dtype, DType::F32);
  if (tensor.shape.size() != 2 || stored.shape != wanted || !converter) {
    throw Error(
        where,
        fmt::format("\"{}\" is {}, expected F32({}, {}): one scale per {}x{} block of {}", name,
                    stored.describe(), wanted[0], wanted[1], block_, block_, tensor.describe()),
        "check weight_block_size in config.json");
  }
  std::vector<float> scales(static_cast<std::size_t>(stored.numel()));
  converter(stored.bytes.data(), reinterpret_cast<std::byte*>(scales.data()), stored.numel(), 1.f);
  return scales;
}

WeightSource::Rows WeightSource::rows_of(const StoredTensor& tensor, DType to) {
  Rows rows;
  rows.data = tensor.bytes.data();
  rows.columns = matrix_of(tensor).columns;
  rows.from_size = static_cast<std::int64_t>(size_of(tensor.dtype));
  rows.to_size = static_cast<std::int64_t>(size_of(to));
  if (tensor.dtype == to) {
    mark_used(tensor.name);
    return rows;
  }
  rows.converter = checkpoint_internal::converter(tensor.dtype, to);
  if (!rows.converter) {
    throw Error(folder_.path().string(), fmt::format("\"{}\": {} cannot be read as {}", tensor.name,
                                                     tensor.describe(), name_of(to)));
  }
  if (is_fp8(tensor.dtype)) {
    rows.scales = scales_of(tensor);
    rows.block = block_;
    rows.scales_per_row = ceil_div(rows.columns, block_);
  }
  return rows;
}

void WeightSource::read(std::string_view name, const Tensor& to) {
  const StoredTensor& tensor = use(name);
  if (!checkpoint_internal::same_shape(tensor.shape, to)) {
    throw Error(folder_.path().string(),
                fmt::format("\"{}\" is {}, expected the shape of {}", name, tensor.describe(),
                            to.describe()),
                "config.json and the weights are of different models");
  }
  fill(tensor, 0, 0, to);
}

void WeightSource::read_part(std::string_view name, std::int64_t row, std::int64_t column,
                             const Tensor& to) {
  const StoredTensor& tensor = use(name);
  const Matrix matrix = matrix_of(tensor);
  const bool vector = tensor.shape.size() < 2;
  if (vector) column = std::exchange(row, 0);
  const std::int64_t rows = vector ? 1 : to.size(0);
  if (to.rank() != (vector ? 1 : 2) || row < 0 || column < 0 || row > matrix.rows - rows ||
      column > matrix.columns - to.size(-1)) {
    throw Error(folder_.path().string(),
                fmt::format("\"{}\" is {}: {} at ({}, {}) is not a part of it", name,
                            tensor.describe(), to.describe(), row, column));
  }
  fill(tensor, row, column, to);
}

void WeightSource::fill(const StoredTensor& tensor, std::int64_t row, std::int64_t column,
                        const Tensor& to) {
  if (to.numel() == 0) return mark_used(tensor.name);
  if (to.rank() > 2) {
    for (std::int64_t i = 0; i < to.size(0); ++i) {
      fill(tensor, row + i * (to[i].numel() / to.size(-1)), column, to[i]);
    }
    return;
  }
  const Rows rows = rows_of(tensor, to.dtype());
  const std::int64_t count = to.size(-1), lines = to.rank() == 2 ? to.size(0) : 1;
  const std::int64_t step = to.rank() == 2 ? to.stride(0) * rows.to_size : 0;
  require(count == 1 || to.stride(-1) == 1, "weights", "the last dimension of {} is not contiguous",
          to.describe());
  auto* first = static_cast<std::byte*>(to.raw());
  if (to.device() == Device::Cpu) {
    parallel_for(lines, kGrainElements / count + 1, [&](std::int64_t from, std::int64_t end) {
      for (std::int64_t i = from; i < end; ++i) rows.read(row + i, column, count, first + i * step);
    });
    return;
  }
  std::vector<std::byte> staging(static_cast<std::size_t>(count * rows.to_size));
  for (std::int64_t i = 0; i < lines; ++i) {
    rows.read(row + i, column, count, staging.data());
    checkpoint_internal::copy_bytes(to.device(), first + i * step, staging.data(), staging.size());
  }
}

bool WeightSource::has_prefix(std::string_view prefix) const {
  return folder_.has_prefix(prefix);
}

std::vector<std::string> WeightSource::unused() const {
  std::vector<std::string> names;
  for (std::string& name : folder_.names()) {
    if (!used_.contains(name)) names.push_back(std::move(name));
  }
  return names;
}

void WeightSource::require_all_used() const {
  const std::vector<std::string> names = unused();
  if (names.empty()) return;
  throw Error(
      folder_.path().string(),
      fmt::format("holds {} tensors that the model of config.json has no place for, such as "
                  "\"{}\"",
                  names.size(), names.front()),
      "config.json and the weights are of different models");
}

}  // namespace tessera
