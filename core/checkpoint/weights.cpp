// SPDX-License-Identifier: MIT
#include "core/checkpoint/weights.h"

#include <algorithm>
#include <utility>

#include "core/base/progress.h"
#include "core/base/threads.h"
#include "core/checkpoint/convert.h"
#include "core/checkpoint/internal.h"

namespace tessera {

using checkpoint_internal::Converter;

namespace {
constexpr const char* kScaleSuffixes[] = {"_scale_inv", "_scale"};
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

/// The scales of one tensor, in F32, and how they lie on it.
struct WeightSource::Scales {
  std::string tensor;
  std::vector<float> values;
  std::int64_t matrix_rows = 1;  ///< rows of each matrix in a stack
  std::int64_t block_rows = 1;   ///< rows and columns that share a scale
  std::int64_t block_columns = 1;
  std::int64_t per_column = 1, per_row = 1;  ///< scales of one matrix, down and across

  /// Those of a row, one per block of columns.
  const float* of_row(std::int64_t row) const {
    const std::int64_t down = row / matrix_rows * per_column + row % matrix_rows / block_rows;
    return values.data() + down * per_row;
  }
};

/// How the rows of one stored matrix become rows of another type.
struct WeightSource::Rows {
  const std::byte* data = nullptr;
  std::int64_t columns = 0;
  std::int64_t from_size = 1, to_size = 1;  ///< bytes of an element
  Converter converter = nullptr;            ///< null: the same type, copied
  std::shared_ptr<const Scales> scales;     ///< absent: none

  void read(std::int64_t row, std::int64_t column, std::int64_t count, std::byte* to) const {
    const std::byte* from = data + (row * columns + column) * from_size;
    if (!converter) {
      std::copy_n(from, count * from_size, to);
      return;
    }
    if (!scales) return converter(from, to, count, 1.f);
    const float* row_scales = scales->of_row(row);
    const std::int64_t block = scales->block_columns;
    for (std::int64_t done = 0; done < count;) {
      const std::int64_t at = (column + done) / block;
      const std::int64_t end = std::min(count, (at + 1) * block - column);
      converter(from + done * from_size, to + done * to_size, end - done, row_scales[at]);
      done = end;
    }
  }
};

WeightSource::WeightSource(std::filesystem::path path, ScaleBlock block)
    : folder_(std::move(path)), block_(block) {
  require(block.rows > 0 && block.columns > 0, "weights",
          "scale blocks of {} x {} are not possible", block.rows, block.columns);
}

const std::vector<std::int64_t>& WeightSource::shape(std::string_view name) const {
  return folder_.at(name).shape;
}

const StoredTensor& WeightSource::use(std::string_view name) {
  throw_if_stopped(stop_, "weights");
  const StoredTensor& tensor = folder_.at(name);
  used_.emplace(name);
  return tensor;
}

std::string WeightSource::scales_name(std::string_view name) const {
  for (const char* suffix : kScaleSuffixes) {
    std::string scales = std::string(name) + suffix;
    if (has(scales)) return scales;
  }
  return {};
}

void WeightSource::mark_used(std::string_view name) {
  if (!is_fp8(use(name).dtype)) return;
  std::string scales = scales_name(name);
  if (!scales.empty()) used_.insert(std::move(scales));
}

void WeightSource::require_scales(std::string_view name) {
  const StoredTensor& tensor = folder_.at(name);
  if (is_fp8(tensor.dtype)) scales_of(tensor);
}

namespace {
using Shape = std::vector<std::int64_t>;

/// (64, 1) and (64) are the same.
Shape without_trailing_ones(Shape shape) {
  while (!shape.empty() && shape.back() == 1) shape.pop_back();
  return shape;
}
}  // namespace

/// Finds by its shape how a tensor of scales lies on its weight; false: not at all.
bool WeightSource::lay_out(const StoredTensor& tensor, const StoredTensor& stored,
                           Scales& scales) const {
  const bool stack = tensor.shape.size() == 3;
  const Matrix all = matrix_of(tensor);
  const std::int64_t matrices = stack ? tensor.shape[0] : 1, rows = all.rows / matrices;
  const std::int64_t down = ceil_div(rows, block_.rows),
                     across = ceil_div(all.columns, block_.columns);
  const auto fits = [&](std::initializer_list<std::int64_t> each) {
    Shape wanted(each);
    if (stack) wanted.insert(wanted.begin(), matrices);
    return without_trailing_ones(stored.shape) == without_trailing_ones(wanted);
  };
  scales.matrix_rows = rows;
  scales.block_columns = all.columns;
  if (fits({down, across})) {
    scales.block_rows = block_.rows;
    scales.block_columns = block_.columns;
    scales.per_column = down;
    scales.per_row = across;
  } else if (fits({rows})) {
    scales.per_column = rows;
  } else if (fits({})) {
    scales.block_rows = rows;
  } else if (stored.numel() == 1) {
    scales.matrix_rows = scales.block_rows = all.rows;
  } else {
    return false;
  }
  return true;
}

std::shared_ptr<const WeightSource::Scales> WeightSource::scales_of(const StoredTensor& tensor) {
  if (last_scales_ && last_scales_->tensor == tensor.name) return last_scales_;
  const std::string where = folder_.path().string(), name = scales_name(tensor.name);
  if (name.empty()) {
    throw Error(where,
                fmt::format("\"{}\" is FP8, and its scales \"{}_scale_inv\" are missing",
                            tensor.name, tensor.name),
                "use a release whose FP8 weights have their scales, or the one in BF16");
  }
  const StoredTensor& stored = use(name);
  const Converter converter = checkpoint_internal::converter(stored.dtype, DType::F32);
  auto scales = std::make_shared<Scales>();
  scales->tensor = tensor.name;
  if (!converter || !lay_out(tensor, stored, *scales)) {
    const Matrix all = matrix_of(tensor);
    throw Error(where,
                fmt::format("\"{}\" is {}, expected F32({}, {}): one scale per {}x{} block of {}",
                            name, stored.describe(), ceil_div(all.rows, block_.rows),
                            ceil_div(all.columns, block_.columns), block_.rows, block_.columns,
                            tensor.describe()),
                "check weight_block_size in config.json");
  }
  scales->values.resize(static_cast<std::size_t>(stored.numel()));
  converter(stored.bytes.data(), reinterpret_cast<std::byte*>(scales->values.data()),
            stored.numel(), 1.f);
  return last_scales_ = scales;
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
    throw Error(
        folder_.path().string(),
        fmt::format("\"{}\": {} cannot be read as {}", tensor.name, tensor.describe(), name_of(to)),
        "weights are read from F64, F32, F16, BF16 and FP8; use such a release");
  }
  if (is_fp8(tensor.dtype)) {
    rows.scales = scales_of(tensor);
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
  const std::string what =
      names.size() == 1
          ? fmt::format("holds a tensor that the model of config.json has no place for: \"{}\"",
                        names.front())
          : fmt::format(
                "holds {} tensors that the model of config.json has no place for, such as "
                "\"{}\"",
                names.size(), names.front());
  throw Error(folder_.path().string(), what, "config.json and the weights are of different models");
}

}  // namespace tessera
